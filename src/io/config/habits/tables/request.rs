//! Lists the keys of other tools for the endpoint, interval, timeout, health thresholds and request
//! of a target, with what to write instead. `answer` lists the remaining keys for a target.

use super::{Habit, key, table, text};
use crate::io::config::habits::{form, header, times, urls};

const NO_SWITCH: &str = "remove the key; every [[target]] is probed, so remove the \
     [[target]] to stop its probes; to suppress notifications during a maintenance window, write \
     a table [[maintenance]]";

/// The keys that users of other tools write for the endpoint, interval, timeout, health thresholds
/// and request of a target, with advice on what to write instead.
pub(in crate::io::config::habits) const REQUEST: &[Habit] = &[
    // Keys for the endpoint and its name.
    key(
        "uri endpoint address hostname websiteurl link href urlstring",
        "",
        "url",
        urls::url,
    ),
    key("targets hosts servers addresses", "", "urls", urls::urls),
    text(
        "port path scheme metricspath queryparameters params query",
        "write the whole URL in `url` of [[target]], for example \
         `url = \"https://example.com:8443/health?full=1\"`",
    ),
    key(
        "id title jobname displayname friendlyname servicename checkname",
        "",
        "name",
        form::same,
    ),
    key(
        "group team env environment service",
        "",
        "labels",
        form::label,
    ),
    key(
        "tags label extralabels externallabels customlabels annotations",
        "",
        "labels",
        form::labels,
    ),
    text("enabled disabled active activated paused muted", NO_SWITCH),
    text(
        "description notes comment summary",
        "write the text as a comment, which starts with `#`",
    ),
    text(
        "type prober kind checktype monitortype protocol module",
        "remove the key; every target is probed with HTTP",
    ),
    text(
        "locations regions privatelocations runfrom",
        "run one daemon in each location, and write `location = \"NAME\"` at the top of its \
         configuration file",
    ),
    // Keys for the interval, the timeout and the confirming probe.
    key(
        "every frequencyseconds period periodseconds schedule scrapeinterval \
         checkinterval intervalseconds collectioninterval mincollectioninterval cron \
         checkrate pollinterval probeinterval heartbeatinterval delay",
        "",
        "interval",
        times::seconds,
    ),
    key("frequency intervalminutes", "", "interval", times::minutes),
    key(
        "intervalms intervalmillis",
        "",
        "interval",
        times::milliseconds,
    ),
    key(
        "timeoutseconds timeouts scrapetimeout maxtime connecttimeout responsetimeout \
         requesttimeout readtimeout totaltimeout deadline timeoutsec httptimeout \
         checktimeout probetimeout",
        "",
        "timeout",
        times::seconds,
    ),
    key(
        "timeoutms timeoutmillis maxresponsetime timeoutmilliseconds",
        "",
        "timeout",
        times::milliseconds,
    ),
    key(
        "retryinterval recheckinterval retrydelay confirmationperiod recheck",
        "",
        "confirm_after",
        times::seconds,
    ),
    text(
        "doublecheck retrystrategy retry confirm confirmation",
        "use `confirm_after`, the delay of the confirming probe after a first failure, in \
         [[target]] or [defaults], for example `confirm_after = \"10s\"`; `\"0s\"` disables \
         confirming probes",
    ),
    // Keys for health thresholds.
    key(
        "retries maxretries maxcheckattempts retrycount",
        "health",
        "consecutive_failures",
        form::retries,
    ),
    key(
        "failurethreshold failures threshold failafter attempts unhealthythreshold \
         downafter numfailures",
        "health",
        "consecutive_failures",
        form::count,
    ),
    text(
        "for",
        "set `consecutive_failures` in [{t}.health] to the duration divided by the interval, for \
         example `consecutive_failures = 5` for 5 minutes with an interval of 60 s",
    ),
    key(
        "successthreshold healthythreshold recoverythreshold upafter successes",
        "health",
        "consecutive_successes",
        form::count,
    ),
    // Keys for the request.
    table(
        "http https client httpget check request options settings",
        "settings of the request belong in [{t}.request], and other settings in [[target]], \
         [{t}.expect] and [{t}.tls]",
    ),
    key(
        "httpmethod verb requestmethod head customrequest",
        "request",
        "method",
        form::method,
    ),
    key(
        "header httpheaders requestheaders customheaders extraheaders httpheader",
        "request",
        "headers",
        header::table,
    ),
    key(
        "useragent agent httpuseragent",
        "request",
        "headers",
        header::user_agent,
    ),
    key("accept", "request", "headers", header::accept),
    key(
        "contenttype bodytype httpbodyencoding",
        "request",
        "headers",
        header::content_type,
    ),
    text(
        "cookie",
        "write `headers = { Cookie = { env = \"NAME\" } }` in [{t}.request]",
    ),
    key(
        "data payload postdata requestbody json datastring content dataraw",
        "request",
        "body",
        form::body,
    ),
    key(
        "followredirects followredirect followlocation location allowredirects",
        "request",
        "max_redirects",
        form::redirects,
    ),
    key(
        "maxredirs redirects maxredirect maxredirects redirectlimit",
        "request",
        "max_redirects",
        form::redirect_limit,
    ),
    key(
        "nofollowredirects ignoreredirect noredirect disableredirects ignoreredirects",
        "request",
        "max_redirects",
        form::no_redirects,
    ),
    key(
        "preferredipprotocol ipversion ipfamily network ipprotocol family addressfamily",
        "request",
        "ip",
        form::ip,
    ),
    key(
        "ipv4 ipv4only forceipv4 inet4only",
        "request",
        "ip",
        form::ip4,
    ),
    key(
        "ipv6 ipv6only forceipv6 inet6only",
        "request",
        "ip",
        form::ip6,
    ),
    key("ipprotocolfallback", "request", "ip", form::ip_fallback),
    key(
        "hostheader vhost virtualhost httphost headerhost authority",
        "request",
        "host",
        form::same,
    ),
    key(
        "httpversion httpversions validhttpversions enablehttp2 http2 alpn httpprotocol",
        "request",
        "http",
        form::http,
    ),
    key(
        "nohttp2 disablehttp2 http11 http1",
        "request",
        "http",
        form::http_without_2,
    ),
    key(
        "forcehttp2 http2only http20",
        "request",
        "http",
        form::http_only_2,
    ),
    text(
        "http3 enablehttp3 quic http3only",
        "HTTP/3 cannot be probed; write `http = \"2\"` or `http = \"1.1\"` in [{t}.request], or \
         remove the key",
    ),
    text(
        "resolve connectto connecthost connectip resolveto ipaddress targetip dial overrideip",
        "write `connect_to = \"HOST:PORT\"` in [{t}.request]; the Host header, TLS server name and \
         path are still taken from the URL",
    ),
    key(
        "dnsresolver dnsserver dnsservers nameserver nameservers dns dnsresolveserver resolvers \
         dnsresolvers",
        "request",
        "resolver",
        form::dns_servers,
    ),
    text(
        "socks socksproxy socks5 socks5h socks5hostname socks4 proxysocks5",
        "write `proxy = \"socks5://HOST:PORT\"` in [{t}.request], or `socks5h://` if the proxy \
         resolves names",
    ),
    text(
        "proxyuser proxypassword proxyusername proxyuserpwd proxypass proxyauthorization \
         proxycredentials",
        "write `proxy_auth = { username = \"USER\", password = { env = \"NAME\" } }` in \
         [{t}.request]",
    ),
    key(
        "proxyurl httpproxy httpsproxy proxyserver proxyhost",
        "request",
        "proxy",
        urls::url,
    ),
    text(
        "noproxy proxyfromenvironment proxyconnectheader",
        "remove the key; only the targets with `proxy` in [{t}.request] use a proxy, and \
         environment variables such as `HTTP_PROXY` are ignored",
    ),
    key(
        "bodysizelimit maxbodysize bodymaxsize responsebodymaxsize maxfilesize",
        "request",
        "body_limit",
        form::size,
    ),
    text(
        "compression compressed acceptencoding encoding gzip",
        "remove the key, because compressed responses are always decoded; to request one encoding, \
         use `headers` in [{t}.request], such as \
         `headers = { \"Accept-Encoding\" = \"gzip\" }`",
    ),
    key(
        "keepalive reuse persistent connectionreuse keepconnection",
        "request",
        "reuse_connection",
        form::switch,
    ),
    key(
        "disablekeepalive nokeepalive freshconnection",
        "request",
        "reuse_connection",
        form::inverse,
    ),
];
