//! Tests what `check` says about configurations in the form of other tools: each message names the
//! key here and the value to write, and what it says to write is valid.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use probecause::io::config;

/// The beginning of a target.
const TARGET: &str = "[[target]]\nname = \"a\"\nurl = \"https://a.example/\"\n";

/// Mistakes in a table of a target: the table, the line, and a part of the message.
const IN_TARGET: &[(&str, &str, &str)] = &[
    // blackbox_exporter.
    (
        "request",
        "no_follow_redirects = true",
        "`max_redirects = 0`",
    ),
    ("request", "follow_redirects = false", "`max_redirects = 0`"),
    ("request", "follow_redirects = true", "`max_redirects = 5`"),
    ("request", "preferred_ip_protocol = \"ip4\"", "`ip = \"4\"`"),
    ("request", "ip_protocol_fallback = false", "`ip = \"4\"`"),
    (
        "request",
        "compression = \"gzip\"",
        "headers = { \"Accept-Encoding\" = \"gzip\" }",
    ),
    ("request", "maxRedirects = 1", "`max_redirects = 1`"),
    ("request", "follow_redirects = 1", "`max_redirects = 5`"),
    (
        "request",
        "max_body_size = \"1GB\"",
        "`body_limit = \"16MB\"`",
    ),
    (
        "request",
        "max_body_size = \"1.5 MiB\"",
        "`body_limit = \"1536KB\"`",
    ),
    (
        "request",
        "body_size_limit = \"1MB\"",
        "`body_limit = \"1MB\"`",
    ),
    (
        "request",
        "valid_http_versions = [\"HTTP/1.1\"]",
        "`http = \"1.1\"`",
    ),
    ("request", "enable_http2 = false", "`http = \"1.1\"`"),
    ("request", "disable_http2 = true", "`http = \"1.1\"`"),
    ("request", "force_http2 = true", "`http = \"2\"`"),
    ("request", "http11 = true", "`http = \"1.1\"`"),
    ("request", "enable_http3 = true", "HTTP/3 cannot be probed"),
    (
        "request",
        "proxy_url = \"http://proxy.example:3128\"",
        "`proxy = \"http://proxy.example:3128/\"`",
    ),
    (
        "request",
        "no_proxy = \"x\"",
        "only the targets with `proxy`",
    ),
    (
        "expect",
        "valid_status_codes = [200, 201]",
        "`status = [200, 201]`",
    ),
    ("expect", "valid_status_codes = []", "`status = [200]`"),
    (
        "expect",
        "fail_if_not_ssl = true",
        "`max_redirects = 0` in [target.request]",
    ),
    ("expect", "fail_if_ssl = true", "`url = \"http://"),
    (
        "expect",
        "fail_if_body_matches_regexp = [\"(?i)error\"]",
        "`body = { not_regex = \"(?i)error\" }`",
    ),
    (
        "expect",
        "fail_if_body_not_matches_regexp = [\"a\", \"b\"]",
        "`body = { regex = \"(a)|(b)\" }`",
    ),
    (
        "expect",
        "fail_if_header_not_matches = [{ header = \"X-A\", regexp = \".+\" }]",
        "\"X-A\" = { \"regex\" = \".+\" }",
    ),
    (
        "expect",
        "fail_if_header_matches = [{ header = \"X-A\", regexp = \"x\" }]",
        "\"X-A\" = { \"not_regex\" = \"x\" }",
    ),
    (
        "expect",
        "fail_if_body_json_not_matches_cel = \"body.a == 1\"",
        "body = { json = { \"PATH\"",
    ),
    ("tls", "insecure_skip_verify = true", "`verify = false`"),
    (
        "tls",
        "server_name = \"v.example\"",
        "`server_name = \"v.example\"` in [target.request]",
    ),
    ("tls", "min_version = \"TLS12\"", "TLS 1.2 and 1.3 are used"),
    (
        "",
        "tls_config = { insecure_skip_verify = true }",
        "`verify = false` in [target.tls]",
    ),
    (
        "",
        "http = { valid_status_codes = [204] }",
        "`status = [204]` in [target.expect]",
    ),
    ("", "prober = \"http\"", "every target is probed with HTTP"),
    (
        "",
        "module = \"http_2xx\"",
        "every target is probed with HTTP",
    ),
    (
        "",
        "basic_auth = { username = \"probe\", password = \"hunter2\" }",
        "`basic = { username = \"probe\", password = { env = \"NAME\" } }` in [target.auth]",
    ),
    (
        "",
        "bearer_token = \"hunter2\"",
        "`bearer = { env = \"NAME\" }`",
    ),
    (
        "",
        "bearer_token_file = \"t\"",
        "`bearer = { file = \"PATH\" }`",
    ),
    (
        "",
        "authorization = { credentials = \"hunter2\" }",
        "`bearer = { env = \"NAME\" }`",
    ),
    (
        "",
        "oauth2 = { client_id = \"x\" }",
        "the daemon does not request tokens",
    ),
    // Prometheus.
    ("", "scrape_interval = \"30s\"", "`interval = \"30s\"`"),
    ("", "scrape_timeout = \"5s\"", "`timeout = \"5s\"`"),
    ("", "metrics_path = \"/x\"", "write the whole URL"),
    (
        "",
        "layer = \"origin.internal:443\"",
        "[[target.layer]] with `name = \"NAME\"` and `connect_to = \"origin.internal:443\"`",
    ),
    (
        "layer",
        "connect_to = \"origin.internal:443\"",
        "[[target.layer]], with double brackets",
    ),
    // Gatus.
    ("", "group = \"core\"", "`labels = { group = \"core\" }`"),
    (
        "",
        "conditions = [\"[STATUS] == 200\"]",
        "`status = [200]` in [target.expect]",
    ),
    (
        "",
        "conditions = [\"[STATUS] < 300\", \"[BODY].status == UP\"]",
        "body.json.\"status\" = \"UP\"",
    ),
    (
        "",
        "conditions = [\"[RESPONSE_TIME] < 150\"]",
        "`slower_than = \"150ms\"`",
    ),
    (
        "",
        "conditions = [\"len([BODY].data) > 0\"]",
        "body.json.\"data[0]\" = { exists = true }",
    ),
    (
        "",
        "conditions = [\"[BODY].id != 0\"]",
        "body.json.\"id\" = { \"!=\" = 0 }",
    ),
    (
        "",
        "client = { insecure = true, ignore-redirect = true }",
        "`max_redirects = 0` in [target.request]",
    ),
    (
        "",
        "client = { dns-resolver = \"tcp://1.1.1.1:53\" }",
        "`resolver = [\"1.1.1.1:53\"]`",
    ),
    ("", "failure-threshold = 3", "`consecutive_failures = 3`"),
    ("", "success-threshold = 2", "`consecutive_successes = 2`"),
    ("", "enabled = true", "[[maintenance]]"),
    ("", "alerts = []", "[cloudwatch]"),
    // Uptime Kuma.
    ("", "maxretries = 2", "`consecutive_failures = 3`"),
    ("", "retryInterval = 20", "`confirm_after = \"20s\"`"),
    ("", "ignoreTls = true", "`verify = false`"),
    (
        "",
        "accepted_statuscodes = [\"200-299\"]",
        "`status = [\"2xx\"]`",
    ),
    ("", "maxredirects = 10", "`max_redirects = 10`"),
    ("", "keyword = \"ok\"", "`body = { contains = \"ok\" }`"),
    ("", "expiryNotification = true", "`certificate_days = 14`"),
    (
        "",
        "dns_resolve_server = \"1.1.1.1\"",
        "`resolver = [\"1.1.1.1\"]`",
    ),
    ("", "jsonPath = \"$.a\"", "body = { json = {"),
    // Checkly.
    ("", "frequency = 5", "`interval = \"5m\"`"),
    ("", "degradedResponseTime = 5000", "`slower_than = \"5s\"`"),
    ("", "maxResponseTime = 20000", "`timeout = \"20s\"`"),
    ("request", "followRedirects = false", "`max_redirects = 0`"),
    ("request", "skipSSL = true", "`verify = false`"),
    ("request", "ipFamily = \"IPv6\"", "`ip = \"6\"`"),
    (
        "request",
        "bodyType = \"JSON\"",
        "\"Content-Type\" = \"application/json\"",
    ),
    ("", "doubleCheck = true", "confirm_after"),
    ("", "activated = true", "[[maintenance]]"),
    // Telegraf, Heartbeat, Datadog, Kubernetes.
    ("", "response_timeout = \"5s\"", "`timeout = \"5s\"`"),
    (
        "",
        "response_string_match = \"ok\"",
        "`body = { regex = \"ok\" }`",
    ),
    ("", "response_status_code = 200", "`status = [200]`"),
    (
        "",
        "reverse_content_match = \"bad\"",
        "`body = { not_regex = \"bad\" }`",
    ),
    ("", "tls_verify = false", "`verify = false`"),
    ("", "disable_ssl_validation = true", "`verify = false`"),
    ("", "days_warning = 20", "`certificate_days = 20`"),
    ("", "periodSeconds = 10", "`interval = \"10s\"`"),
    ("", "timeoutSeconds = 3", "`timeout = \"3s\"`"),
    ("", "failureThreshold = 4", "`consecutive_failures = 4`"),
    // curl.
    ("request", "insecure = true", "`verify = false`"),
    ("", "max-time = 30", "`timeout = \"30s\"`"),
    ("", "connect-timeout = 5", "`timeout = \"5s\"`"),
    ("", "user-agent = \"x\"", "\"User-Agent\" = \"x\""),
    ("", "location = true", "`max_redirects = 5`"),
    (
        "request",
        "resolve = \"a:443:1.2.3.4\"",
        "`connect_to = \"HOST:PORT\"`",
    ),
    (
        "request",
        "connect-to = \"::b:443\"",
        "`connect_to = \"HOST:PORT\"`",
    ),
    (
        "request",
        "socks5 = \"127.0.0.1:1080\"",
        "`proxy = \"socks5://HOST:PORT\"`",
    ),
    ("request", "proxy-user = \"a:hunter2\"", "`proxy_auth = {"),
    ("request", "data = \"{}\"", "`body = \"TEXT\"`"),
    ("tls", "cacert = \"ca.pem\"", "`ca_file = \"ca.pem\"`"),
    ("tls", "cert = \"a.pem\"", "`cert_file = \"a.pem\"`"),
    ("tls", "key = \"a.key\"", "`key_file = \"a.key\"`"),
    ("", "user = \"probe:hunter2\"", "`basic = { username"),
    // Keys of another table, and words that people try first.
    ("", "status = [200]", "`status = [200]` in [target.expect]"),
    (
        "",
        "method = \"GET\"",
        "`method = \"GET\"` in [target.request]",
    ),
    (
        "",
        "headers = { Accept = \"x\" }",
        "[target.request] to send it, or move it to [target.expect]",
    ),
    (
        "request",
        "interval = \"30s\"",
        "`interval = \"30s\"` in [[target]]",
    ),
    (
        "request",
        "timeout = \"5s\"",
        "`timeout = \"5s\"` in [[target]]",
    ),
    (
        "expect",
        "certificate_expiry = \"14d\"",
        "`certificate_days = 14`",
    ),
    ("expect", "max_latency = \"2s\"", "`slower_than = \"2s\"`"),
    (
        "expect",
        "status_code = \"200, 201\"",
        "`status = [200, 201]`",
    ),
    (
        "expect",
        "json = { a = 1 }",
        "move it to [target.expect.body]",
    ),
    ("expect.body", "not_contain = \"x\"", "not_contains"),
    ("tls", "verify_ssl = false", "`verify = false`"),
    ("tls", "ssl_verify = true", "`verify = true`"),
    ("tls", "rejectUnauthorized = false", "`verify = false`"),
    (
        "request",
        "sni = \"b.example\"",
        "`server_name = \"b.example\"`",
    ),
    ("request", "vhost = \"b.example\"", "`host = \"b.example\"`"),
    (
        "",
        "tags = [\"env=prod\", \"team=x\"]",
        "`labels = { env = \"prod\", team = \"x\" }`",
    ),
    ("", "retries = 3", "`consecutive_failures = 4`"),
    (
        "",
        "uri = \"https://b.example/x\"",
        "`url = \"https://b.example/x\"`",
    ),
    ("auth", "username = \"probe\"", "`basic = {"),
    ("auth", "token = \"hunter2\"", "`bearer = {"),
    (
        "request",
        "api_key = \"hunter2\"",
        "\"X-Api-Key\" = { env = \"NAME\" }",
    ),
];

/// Wrong values of known keys of a target.
const VALUES: &[(&str, &str, &str)] = &[
    ("", "timeout = 30", "write \"30s\""),
    ("", "timeout = 1.5", "write \"1500ms\""),
    ("", "timeout = \"30\"", "write \"30s\""),
    ("", "timeout = \"30S\"", "write \"30s\""),
    ("", "timeout = \"PT30S\"", "write \"30s\""),
    ("", "timeout = \"00:00:30\"", "write \"30s\""),
    ("", "interval = \"@every 1m\"", "write \"1m\""),
    ("", "interval = \"*/5 * * * *\"", "write \"5m\""),
    ("", "interval = \"5M\"", "write \"5m\""),
    ("", "interval = \"10ms\"", "write \"100ms\" or more"),
    ("", "labels = { env = 1 }", "write \"1\""),
    (
        "",
        "labels = { \"app.kubernetes.io/name\" = \"x\" }",
        "app_kubernetes_io_name",
    ),
    ("", "labels = [\"env=prod\"]", "labels = { env = \"prod\" }"),
    ("request", "method = \"get\"", "write \"GET\""),
    ("request", "ip = 4", "write \"4\""),
    ("request", "ip = \"ipv6\"", "write \"6\""),
    (
        "request",
        "headers = [{ name = \"Accept\", value = \"x\" }]",
        "headers = { \"Accept\" = \"x\" }",
    ),
    (
        "request",
        "headers = [\"Accept: x\"]",
        "headers = { \"Accept\" = \"x\" }",
    ),
    (
        "request",
        "headers = [\"Authorization: Bearer hunter2\"]",
        "\"Authorization\" = { env = \"NAME\" }",
    ),
    (
        "request",
        "headers = \"Accept: x\"",
        "headers = { \"Accept\" = \"x\" }",
    ),
    (
        "request",
        "headers = { X-A = \"${TOKEN}\" }",
        "write `{ env = \"TOKEN\" }`",
    ),
    (
        "request",
        "headers = { Authorization = \"Bearer ${TOKEN}\" }",
        "`bearer = { env = \"TOKEN\" }`",
    ),
    ("request", "max_redirects = \"5\"", "write 5"),
    ("request", "reuse_connection = \"yes\"", "write true"),
    (
        "request",
        "proxy = \"127.0.0.1:3128\"",
        "\"http://HOST:PORT\"",
    ),
    (
        "request",
        "proxy = \"socks4://127.0.0.1:1080\"",
        "\"socks5://HOST:PORT\"",
    ),
    (
        "request",
        "proxy = \"http://a:hunter2@b.example:3128\"",
        "proxy_auth = {",
    ),
    (
        "request",
        "connect_to = \"https://b.example:443\"",
        "write HOST:PORT",
    ),
    (
        "request",
        "resolver = \"1.1.1.1\"",
        "resolver = [\"1.1.1.1\"]",
    ),
    (
        "request",
        "resolver = [\"udp://1.1.1.1:53\"]",
        "write \"1.1.1.1:53\"",
    ),
    ("request", "http = 2", "write \"2\""),
    ("request", "http = \"HTTP/1.1\"", "write \"1.1\""),
    ("request", "http = \"3\"", "write \"any\", \"1.1\" or \"2\""),
    (
        "request",
        "server_name = \"a b\"",
        "a host name or an IP address, such as",
    ),
    (
        "request",
        "host = \"https://b.example/\"",
        "a host name or an IP address, such as",
    ),
    ("tls", "verify = \"no\"", "write false"),
    ("tls", "verify = 0", "write false"),
    ("expect", "status = 200", "status = [200]"),
    ("expect", "status = \"200, 201\"", "status = [200, 201]"),
    ("expect", "status = \"2xx\"", "status = [\"2xx\"]"),
    (
        "expect",
        "status = [\"200, 201\"]",
        "write 200, 201 as items",
    ),
    (
        "expect",
        "status = [\"<400\"]",
        "write \"100-399\" as items",
    ),
    (
        "expect",
        "status = [\"!500\"]",
        "write \"100-499\", \"501-599\" as items",
    ),
    (
        "expect",
        "status = [\"2\\\\d\\\\d\"]",
        "write \"2xx\" as items",
    ),
    ("expect", "status = true", "status = [200, \"2xx\"]"),
    ("expect", "certificate_days = \"14d\"", "write 14"),
    ("expect", "certificate_days = \"14\"", "write 14"),
    ("expect", "slower_than = 2", "write \"2s\""),
    ("expect", "slower_than = \"< 2s\"", "write \"2s\""),
    ("expect", "slower_than = \"> 0\"", "is not a duration"),
    (
        "expect",
        "headers = [\"Content-Type: application/json\"]",
        "\"Content-Type\" = \"application/json\"",
    ),
    ("expect", "headers = { X-A = true }", "{ exists = false }"),
    ("expect", "body = \"ok\"", "body = { contains = \"ok\" }"),
    ("expect", "body = { regex = \"/ok/i\" }", "write \"(?i)ok\""),
    ("expect", "body = { regex = \"(?<=a)b\" }", "look-around"),
    ("expect", "body = { regex = \"*ok*\" }", "contains = \"ok\""),
    (
        "expect",
        "body = { json = { count = \"> 0\" } }",
        "write `{ \">\" = 0 }`",
    ),
    (
        "expect",
        "body = { json = { count = \">=1.5\" } }",
        "write `{ \">=\" = 1.5 }`",
    ),
    (
        "expect",
        "body = { json = { state = \"!= DOWN\" } }",
        "write `{ \"!=\" = \"DOWN\" }`",
    ),
    (
        "expect",
        "body = { json = { count = { \">\" = \"0\" } } }",
        "as in `{ \">\" = 5 }`",
    ),
    (
        "expect",
        "body = { json = { count = { gt = 3 } } }",
        "\"gt\" is not an operator; write \">\"",
    ),
    (
        "expect",
        "body = { json = { count = { \"$gte\" = 3 } } }",
        "write \">=\"",
    ),
    (
        "expect",
        "body = { json = { state = { contain = \"UP\" } } }",
        "write \"contains\"",
    ),
    (
        "expect",
        "body = { json = { state = { \"=~\" = \"UP\" } } }",
        "write \"regex\"",
    ),
    (
        "expect",
        "body = { json = { count = { \">\" = 0, near = 1 } } }",
        "\"near\" is not an operator",
    ),
    ("health", "consecutive_failures = \"3\"", "write 3"),
    ("auth", "bearer = \"hunter2\"", "{ env = \"NAME\" }"),
    (
        "auth",
        "bearer = { env = \"${TOKEN}\" }",
        "write `env = \"TOKEN\"`",
    ),
    ("auth", "basic = \"probe:hunter2\"", "basic = { username"),
];

/// Wrong files, and a part of the messages.
const FILES: &[(&str, &str)] = &[
    (
        "[target]\nname = \"a\"\nurl = \"https://a.example/\"\n",
        "write [[target]], with double brackets",
    ),
    (
        "[[targets]]\nname = \"a\"\nurl = \"https://a.example/\"\n",
        "write one table [[target]]",
    ),
    (
        "[[endpoints]]\nname = \"a\"\nurl = \"https://a.example/\"\n",
        "write one table [[target]]",
    ),
    (
        "[targets.a]\nurl = \"https://a.example/\"\n",
        "write one table [[target]]",
    ),
    (
        "[[targets]]\nname = \"a\"\ntimeout = 30\n",
        "timeout: a duration needs a unit; write \"30s\"",
    ),
    (
        "[[inputs.http_response]]\nurls = [\"https://a.example/\"]\nresponse_timeout = \"5s\"\n",
        "inputs.http_response[1].response_timeout: unknown key `response_timeout`; write `timeout = \"5s\"`",
    ),
    (
        "[agent]\ninterval = \"10s\"\nflush_interval = \"10s\"\n",
        "`interval = \"10s\"` in [defaults]",
    ),
    (
        "[[outputs.prometheus_client]]\nlisten = \":9273\"\n",
        "metrics are served at /metrics",
    ),
    (
        "[[target]]\nname = \"a\"\nhosts = [\"a.example\", \"b.example\"]\n",
        "`urls = [\"https://a.example/\", \"https://b.example/\"]`",
    ),
    (
        "[[target]]\nname = \"a\"\nurl = \"https://a.example/\"\nalarm.for = \"5m\"\n",
        "`periods = 5` and `datapoints = 5`",
    ),
    (
        "scrape_configs:\n  - static_configs:\n      - targets: [\"https://a.example\", \"b:80\"]\n",
        "write `urls = [\"https://a.example/\", \"http://b/\"]`",
    ),
    (
        "[default]\ninterval = \"30s\"\n",
        "write its keys in [defaults]",
    ),
    ("interval = \"30s\"\n", "`interval = \"30s\"` in [defaults]"),
    (
        "[request]\nmethod = \"GET\"\n",
        "write the table [defaults.request]",
    ),
    (
        "[auth]\nbearer = \"hunter2\"\n",
        "write the table [defaults.auth]",
    ),
    (
        "port = 8080\n",
        "use `listen` in [server], such as `listen = \"127.0.0.1:9853\"`",
    ),
    ("[server]\nport = 8080\n", "`listen = \"127.0.0.1:9853\"`"),
    ("[server]\nlisten = 9853\n", "write \"127.0.0.1:9853\""),
    ("[server]\nlisten = \":9853\"\n", "write \"0.0.0.0:9853\""),
    (
        "[server]\nlisten = \"localhost:9853\"\n",
        "write \"127.0.0.1:9853\"",
    ),
    ("[log]\nformat = \"text\"\n", "use \"human\" or \"json\""),
    (
        "log_level = \"debug\"\n",
        "use `level` in [log], such as `level = \"debug\"`",
    ),
    ("[resolver]\nnameservers = [\"1.1.1.1\"]\n", "`servers = ["),
    (
        "[[target]]\nname = \"a\"\nurl = \"a.example/x\"\n",
        "write the full URL, such as \"https://a.example/x\"",
    ),
    (
        "[[target]]\nname = \"a\"\nurl = \"localhost:8080\"\n",
        "write \"http://localhost:8080/\"",
    ),
    (
        "[[target]]\nname = \"a\"\nurl = \"tcp://a.example:80\"\n",
        "unsupported scheme \"tcp\"; use http or https",
    ),
    (
        "[[target]]\nname = \"a\"\nurl = \"https://${HOST}/\"\n",
        "contains ${HOST}, but probecause does not expand it",
    ),
    (
        "[[target]]\nname = \"a\"\nurl = \"https://${HOST:-hunter2}/\"\n",
        "url = { env = \"HOST\" }",
    ),
    (
        "[[target]]\nname = \"a\"\nurl = \"https://$(hostname)/\"\n",
        "contains $(…), but probecause does not expand it",
    ),
    (
        "[[target]]\nname = \"a\"\nurl = \"https://$HOST/\"\n",
        "contains $HOST",
    ),
    (
        "[[target]]\nname = \"a\"\nurl = \"https://{{ .Values.host }}/\"\n",
        "contains {{…}}",
    ),
    (
        "[[target]]\nname = \"${NAME}\"\nurl = \"https://a.example/\"\n",
        "contains ${NAME}",
    ),
    ("location = \"${REGION}\"\n", "contains ${REGION}"),
    (
        "[[target]]\nname = \"a\"\nurl = [\"https://a.example/\"]\n",
        "write `urls = [",
    ),
    (
        "[[target]]\nname = \"a\"\nurls = []\n",
        "the list contains no URL",
    ),
    (
        "[[target]]\nurls = [\"https://a.example/\", \"http://a.example/\"]\n",
        "is also the name of the target",
    ),
    (
        "[[maintenance]]\nname = \"m\"\ndays = [\"mon-fri\"]\nat = \"22:00\"\nlasting = \"2h\"\n",
        "write \"mon\", \"tue\"",
    ),
    (
        "[[maintenance]]\nname = \"m\"\ndays = [\"mon\"]\nat = \"2:00\"\nlasting = \"2h\"\n",
        "write \"02:00\"",
    ),
    (
        "[[maintenance]]\nname = \"m\"\ndays = [\"mon\"]\nat = \"2pm\"\nlasting = \"2h\"\n",
        "write \"14:00\"",
    ),
    (
        "[[maintenance]]\nname = \"m\"\nstart = \"x\"\n",
        "`from = 2026-05-01T22:00:00Z`",
    ),
    // Text that is not TOML.
    ("interval = 30s\n", "write `interval = \"30s\"`"),
    (
        "url = https://a.example/\n",
        "write `url = \"https://a.example/\"`",
    ),
    ("name = orders\n", "write `name = \"orders\"`"),
    ("verify = False\n", "write `verify = false`"),
    ("verify = yes\n", "write `verify = true`"),
    ("token = hunter2\n", "write `token = \"TEXT\"`"),
    (
        "proxy = http://a:hunter2@b.example:3128\n",
        "write `proxy = \"https://HOST/PATH\"`",
    ),
    ("proxy = null\n", "remove the key \"proxy\""),
    ("status = 2xx\n", "write `status = [\"2xx\"]`"),
    ("status = 200, 201\n", "write `status = [200, 201]`"),
    ("days = [mon, tue]\n", "write `days = [\"mon\", \"tue\"]`"),
    ("regex = \"\\d+\"\n", "write the text in single quotes"),
    ("body = \"{\"a\": 1}\"\n", "write the text in single quotes"),
    ("name = “a”\n", "text needs straight quotes"),
    ("name = \"a\";\n", "unexpected `;` or `,` after the value"),
    ("// a comment\n[log]\n", "a comment starts with `#`"),
    ("[target \"orders\"]\n", "write [[target]]"),
    ("[log\nlevel = \"info\"\n", "write [log]"),
    (
        "[target]\nname = \"a\"\n[target]\nname = \"b\"\n",
        "write [[target]], with double brackets",
    ),
    (
        "[log]\nlevel = \"info\"\nlevel = \"debug\"\n",
        "the key \"level\" appears twice",
    ),
    (
        "[defaults]\ninterval: 30s\n",
        "a key needs `=`, not `:`, before its value; write `interval = \"30s\"`",
    ),
    (
        "headers = { \"A\": \"b\" }\n",
        "as in `{ \"key\" = \"value\" }`",
    ),
    ("name \"a\"\n", "write `name = \"a\"`"),
    ("x == 5\n", "a key needs exactly one `=`"),
    // Other formats.
    (
        "defaults:\n  interval: 30s\ntarget:\n  - name: a\n    url: https://a.example/\n",
        "this is YAML",
    ),
    (
        "defaults:\n  interval: 30\n",
        "write `interval = \"30s\"` in [defaults]",
    ),
    (
        "endpoints:\n  - name: a\n    url: https://a.example/\n    conditions:\n      - \"[STATUS] == 200\"\n",
        "`status = [200]` in [target.expect]",
    ),
    (
        "modules:\n  http_2xx:\n    http:\n      tls_config: { insecure_skip_verify: true }\n",
        "`verify = false` in [defaults.tls]",
    ),
    ("scrape_configs:\n  - job_name: x\n", "this is YAML"),
    (
        "endpoints:\n  - url: https://a:hunter2@b.example/\n    headers: { X-Custom: hunter2 }\n    password: hunter2\n    auth: hunter2\n    body: hunter2\n",
        "headers = { \"X-Custom\" = \"VALUE\" }",
    ),
    ("---\nx: [1\n", "this is YAML"),
    ("- name: a\n  url: https://a.example/\n", "this is YAML"),
    (
        "{\"monitorList\": [{\"name\": \"a\", \"url\": \"https://a.example/\", \"ignoreTls\": true}]}\n",
        "`verify = false`",
    ),
    ("[{\"url\": \"https://a.example/\"}]\n", "this is JSON"),
    ("<config/>\n", "this is XML"),
    ("monitor {\n}\n", "this is HCL"),
];

fn messages_of(text: &str) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("c.toml");
    std::fs::write(&path, text).expect("a file");
    let loaded = config::load_without_secrets(&path);
    let messages = loaded.map_or_else(|error| error.to_string(), |_| String::new());
    messages.replace(&format!("{}/", directory.path().display()), "")
}

/// A target with a line in one of its tables.
fn with_line(table: &str, line: &str) -> String {
    match table {
        "" => format!("{TARGET}{line}\n"),
        table => format!("{TARGET}[target.{table}]\n{line}\n"),
    }
}

#[test]
fn a_key_or_value_of_another_tool_is_reported_with_what_to_write_here() {
    let mut snapshot = String::new();
    let mut wrong = String::new();
    let in_target = IN_TARGET.iter().chain(VALUES);
    let in_target = in_target.map(|(table, line, part)| (with_line(table, line), *line, *part));
    let files = FILES
        .iter()
        .map(|(text, part)| ((*text).to_owned(), *text, *part));
    for (text, shown, part) in in_target.chain(files) {
        let messages = messages_of(&text);
        if !messages.contains(part) {
            writeln!(wrong, "{shown}\n  expected {part}\n  actual {messages}").unwrap();
        }
        assert!(!messages.contains("hunter2"), "{shown}: {messages}");
        writeln!(snapshot, "{shown}\n{messages}\n").unwrap();
    }
    assert!(wrong.is_empty(), "{wrong}");
    insta::assert_snapshot!(snapshot);
}

/// The instructions of a message: the table if it is named, and the line to write.
fn instructions(message: &str) -> Vec<(Option<String>, String)> {
    let mut found = Vec::new();
    for part in message.split("write `").skip(1) {
        let Some((line, rest)) = part.split_once('`') else {
            continue;
        };
        let table = rest
            .strip_prefix(" in [")
            .and_then(|rest| rest.split_once(']'));
        let table = table.map(|(table, _)| table.trim_start_matches('[').to_owned());
        found.push((table, line.to_owned()));
    }
    found
}

#[test]
fn what_a_message_says_to_write_is_valid() {
    let mut tried = 0;
    let mut wrong = String::new();
    for (table, line, _) in IN_TARGET {
        let messages = messages_of(&with_line(table, line));
        for message in messages.lines() {
            for (named, written) in instructions(message) {
                // These are placeholders, or values that another instruction completes.
                let is_example = ["…", "proxy_auth", "PATH", "HOST", "TEXT", ".pem", ".key"];
                if is_example.iter().any(|part| written.contains(part)) {
                    continue;
                }
                let named = named.as_deref().map(|name| {
                    let name = name.strip_prefix("target").unwrap_or(name);
                    name.trim_start_matches('.').to_owned()
                });
                let text = match named.as_deref().unwrap_or(table) {
                    "" if written.starts_with("url") || written.starts_with("name") => {
                        let other = if written.starts_with("url") {
                            "name = \"a\""
                        } else {
                            "url = \"https://a.example/\""
                        };
                        format!("[[target]]\n{other}\n{written}\n")
                    }
                    place => with_line(place, &written),
                };
                tried += 1;
                let problems = messages_of(&text);
                if !problems.is_empty() {
                    writeln!(wrong, "{line}: {written} of {message}\n  {problems}").unwrap();
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(tried > 60, "{tried} instructions tried");
}

#[test]
fn an_unknown_key_hides_no_other_mistake() {
    let mistakes = [
        ("", "intervall = \"30s\""),
        ("", "timeout = 30"),
        ("", "labels = { le = \"x\", \"a-b\" = 1 }"),
        ("request", "methd = \"GET\""),
        ("request", "ip = 4"),
        ("request", "headers = { \"X Name\" = 5 }"),
        ("request", "body = \"x\"\nbody_file = \"no-such-file\""),
        ("tls", "insecure = true"),
        ("tls", "ca_file = \"no-such-file\""),
        ("tls", "cert_file = \"no-such-file\""),
        ("expect", "stauts = [200]"),
        ("expect", "slower_than = \"soon\""),
        (
            "expect",
            "body = { regexp = \"a\", regex = \"(\", json = { \"]\" = 1 } }",
        ),
        ("expect", "headers = { \"X Name\" = 5 }"),
        ("health", "failures = 3"),
        ("health", "consecutive_failures = 0"),
        (
            "auth",
            "token = \"hunter2\"\nbearer = \"hunter2\"\nbasic = { user = \"a\" }",
        ),
        ("aws", "regoin = \"x\""),
        ("aws", "region = \"x\""),
        ("alarm", "period = 1"),
        ("alarm", "periods = 0"),
    ];
    let lines = |text: &str| -> BTreeSet<String> {
        let messages = messages_of(text);
        // The number of the line differs.
        let messages = messages
            .lines()
            .map(|line| line.splitn(3, ':').nth(2).unwrap_or(line));
        messages.map(|line| line.trim().to_owned()).collect()
    };
    let mut expected = BTreeSet::new();
    let mut text = "[[target]]\nname = \" \"\nurl = \"ftp://a.example/\"\n".to_owned();
    expected.extend(lines(&text));
    let mut tables: Vec<&str> = Vec::new();
    for (table, mistake) in mistakes {
        let alone = lines(&with_line(table, mistake));
        assert!(!alone.is_empty(), "{mistake}");
        expected.extend(
            alone
                .into_iter()
                .map(|line| line.replace("target[a]", "target[ ]")),
        );
        if !table.is_empty() && !tables.contains(&table) {
            writeln!(text, "[target.{table}]").unwrap();
            tables.push(table);
        }
        writeln!(text, "{mistake}").unwrap();
    }
    let actual = lines(&text);
    let missing: Vec<_> = expected.difference(&actual).collect();
    assert!(missing.is_empty(), "{missing:#?}\n{actual:#?}");
}

#[test]
fn check_without_secrets_reports_everything_but_their_absence() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("c.toml");
    let text = format!(
        "{TARGET}auth.bearer = {{ env = \"PROBECAUSE_TEST_UNSET\" }}\n\
         [target.request]\nheaders = {{ X-Api-Key = {{ file = \"no-such-file\" }} }}\n\
         [[target]]\nname = \"b\"\nurl = {{ env = \"PROBECAUSE_TEST_UNSET\" }}\n\
         auth.basic = {{ username = \"u\", password = {{ credential = \"none\" }} }}\n"
    );
    let check = |text: &str, arguments: &[&str]| {
        std::fs::write(&path, text).expect("a file");
        let output = Command::new(env!("CARGO_BIN_EXE_probecause"))
            .arg("check")
            .args(arguments)
            .arg(&path)
            .env_remove("PROBECAUSE_TEST_UNSET")
            .env_remove("CREDENTIALS_DIRECTORY")
            .output()
            .expect("the command");
        let messages = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), messages.lines().count(), messages)
    };
    let (code, lines, messages) = check(&text, &[]);
    assert_eq!((code, lines), (Some(2), 5), "{messages}");
    let (code, _, messages) = check(&text, &["--no-secrets"]);
    assert_eq!((code, messages.as_str()), (Some(0), "fine: 2 targets\n"));
    let (code, _, messages) = check(&text.replace("env = \"P", "env = \"=P"), &["--no-secrets"]);
    assert_eq!(code, Some(2));
    assert!(
        messages.contains("not the name of a variable"),
        "{messages}"
    );
}

#[test]
fn several_urls_and_a_url_of_a_file_become_targets() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("c.toml");
    std::fs::write(
        directory.path().join("url"),
        "https://c.example/x?token=hunter2\n",
    )
    .expect("a file");
    let text = "[[target]]\nname = \"shop\"\nlabels = { team = \"shop\" }\n\
                urls = [\"https://a.example/\", \"https://b.example:8443/health\", { file = \"url\" }]\n\
                [[target]]\nurls = [\"https://d.example/\"]\n\
                [[maintenance]]\nname = \"m\"\ntargets = [\"shop *\"]\ndays = [\"mon\"]\nat = \"2:00\"\nlasting = \"1h\"\n";
    std::fs::write(&path, text.replace("2:00", "02:00")).expect("a file");
    let loaded = config::load(Path::new(&path)).unwrap_or_else(|error| panic!("{error}"));
    let targets: Vec<(&str, &str)> = loaded
        .settings
        .targets
        .iter()
        .map(|target| (target.name.as_str(), target.url.as_str()))
        .collect();
    assert_eq!(
        targets,
        [
            ("shop a.example", "https://a.example/"),
            (
                "shop b.example:8443/health",
                "https://b.example:8443/health"
            ),
            ("shop c.example/x", "https://c.example/x?token=hunter2"),
            ("d.example", "https://d.example/"),
        ]
    );
    assert_eq!(loaded.settings.targets[1].labels["team"], "shop");
    assert_eq!(loaded.warnings, []);
}
