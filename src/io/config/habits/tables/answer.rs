//! Lists the keys of other tools for TLS, credentials, expectations and notifications. `request`
//! lists the remaining keys for a target.

use super::{Advice, Habit, key, table, text};
use crate::io::config::habits::{condition, form, header, status, times};

const BEARER: &str = "write `bearer = { env = \"NAME\" }` in [{t}.auth], with the token in the \
     environment variable NAME; to read the token from a file, write \
     `bearer = { file = \"PATH\" }`";
const BASIC: &str = "write `basic = { username = \"USER\", password = { env = \"NAME\" } }` in \
     [{t}.auth]; to read the password from a file, write `password = { file = \"PATH\" }`";
const SECRET_HEADER: &str = "use `headers` in [{t}.request], such as \
     `headers = { \"X-Api-Key\" = { env = \"NAME\" } }`; to read the value from a file, write \
     `{ file = \"PATH\" }`";

/// The keys that users of other tools write for the TLS settings, credentials, expectations and
/// notifications of a target, with advice on what to write instead.
pub(in crate::io::config::habits) const ANSWER: &[Habit] = &[
    // Keys for TLS settings.
    key(
        "insecureskipverify insecure ignoretls skipssl skipsslverify skiptlsverify noverify \
         disablesslvalidation allowinsecure skipverify ignoressl sslnoverify nocheckcertificate k \
         ignorecertificate ignoresslerrors tlsinsecure allowunsafessl",
        "tls",
        "verify",
        form::inverse,
    ),
    key(
        "verifyssl sslverify verifytls tlsverify verification sslverification rejectunauthorized \
         verifycertificate certificateverification checkcertificate verifypeer verificationmode \
         validatecertificate sslcertificateverification",
        "tls",
        "verify",
        form::switch,
    ),
    key(
        "servername sni tlsservername hostnameoverride servernameoverride sslservername \
         tlshostname",
        "request",
        "server_name",
        form::same,
    ),
    table(
        "tlsconfig ssl tlsoptions transport certificate",
        "TLS settings belong in [{t}.tls]",
    ),
    key(
        "cafile cacert tlsca cacertificate sslca cabundle rootca capath \
         certificateauthorities tlscacert ca",
        "tls",
        "ca_file",
        form::file,
    ),
    key(
        "cert certificatefile tlscert clientcert sslcert clientcertificate certfile \
         tlscertfile",
        "tls",
        "cert_file",
        form::file,
    ),
    key(
        "key tlskey clientkey privatekey sslkey keyfile tlskeyfile privatekeyfile",
        "tls",
        "key_file",
        form::file,
    ),
    text(
        "minversion maxversion tlsversion tlsminversion tlsmaxversion ciphersuites \
         ciphers renegotiation curves",
        "remove the key; only TLS 1.2 and 1.3 are used, with secure cipher suites",
    ),
    text(
        "failifnotssl requiretls requirehttps httpsonly",
        "write `url = \"https://…\"` in [[target]] to require TLS, and `max_redirects = 0` in \
         [{t}.request] to prevent a redirect to http",
    ),
    text(
        "failifssl",
        "write `url = \"http://…\"` in [[target]], and `max_redirects = 0` in \
         [{t}.request] to prevent a redirect to https",
    ),
    // Keys for credentials.
    key(
        "basicauth httpauth digestauth",
        "auth",
        "basic",
        form::basic,
    ),
    text(
        "httpbasicauth basicauthuser basicauthpass username user password \
         passwordfile passwd pass login userpwd authmethod authtype",
        BASIC,
    ),
    text(
        "bearertoken bearertokenfile token accesstoken oauth2bearer authtoken \
         credentials credentialsfile authorization jwt",
        BEARER,
    ),
    text("apikey xapikey secret", SECRET_HEADER),
    text(
        "oauth2 oauth tokenurl clientid clientsecret oidc",
        "the daemon does not request tokens; let another program write the token to a file, and \
         write `bearer = { file = \"PATH\" }` in [{t}.auth]; a reload reads the file again",
    ),
    text(
        "awssigv4 sigv4auth awsauth",
        "use `sigv4` in [{t}.auth], such as \
         `sigv4 = { service = \"execute-api\", region = \"eu-west-1\" }`",
    ),
    text(
        "ntlm digest kerberos negotiate",
        "this authentication method is not supported; use `basic`, `bearer` or `sigv4` in \
         [{t}.auth]",
    ),
    // Keys for the expected response.
    table(
        "response assertion expected expectation expects assert validate validation",
        "conditions on the response belong in [{t}.expect]",
    ),
    key(
        "validstatuscodes statuscode statuscodes expectedstatus expectedstatuscode \
         expectedstatuscodes acceptedstatuscodes httpresponsestatuscode \
         responsestatuscode expectedcode expectedcodes code codes successcodes httpcode \
         httpstatus expectstatus",
        "expect",
        "status",
        status::list,
    ),
    Habit {
        names: "conditions assertions checks tests rules matchers",
        advice: Advice::Expectations(condition::list),
    },
    key(
        "failifbodynotmatchesregexp bodyregex bodymatches responsestringmatch \
         matchregex contentmatch regexp pattern matches expectbodyregex",
        "expect",
        "body",
        form::body_regex,
    ),
    key(
        "keyword containsstring findstring bodycontains contain expectbody text string \
         contenttest",
        "expect",
        "body",
        form::body_contains,
    ),
    key(
        "failifbodymatchesregexp invertedregex bodynotmatches reversecontentmatch forbiddenregex \
         notregexp notmatches",
        "expect",
        "body",
        form::body_not_regex,
    ),
    key(
        "notkeyword invertkeyword notcontain doesnotcontain bodynotcontains excludes forbidden \
         absent notcontaining",
        "expect",
        "body",
        form::body_not_contains,
    ),
    key(
        "failifheadermatches forbiddenheaders",
        "expect",
        "headers",
        header::negated_tests,
    ),
    text(
        "jsonpath jsonquery expectedvalue failifbodyjsonmatchescel \
         failifbodyjsonnotmatchescel jmespath",
        "write `body = { json = { \"PATH\" = VALUE } }` in [{t}.expect], such as \
         `{ \"items[0].status\" = \"UP\" }` or `{ \"count\" = { \">\" = 0 } }`",
    ),
    key(
        "failifheadernotmatches expectedheaders responseheaders expectheaders \
         requiredheaders responseheader",
        "expect",
        "headers",
        header::tests,
    ),
    key(
        "responsetime maxlatency latency degradedresponsetime slow maxduration \
         slowerthanms slowthreshold responsetimethreshold",
        "expect",
        "slower_than",
        times::milliseconds,
    ),
    key(
        "slowafter maxseconds",
        "expect",
        "slower_than",
        times::seconds,
    ),
    key(
        "certificateexpiration certexpiry certificateexpiry sslexpiry certdays \
         dayswarning mindays expirynotification certexpirydays certificatewarning \
         warndays sslcheckdays checkcertificateexpiration expirythreshold",
        "expect",
        "certificate_days",
        times::day_switch,
    ),
    // Keys for notifications.
    text(
        "alerts alerting notify notifications notification alertchannels alertsettings \
         receivers contacts webhook slack email alertmanager notificationids",
        "use the alerting rules in deploy/prometheus, or CloudWatch alarms; for alarms, write the \
         table [cloudwatch] with `enabled = true` and `alarm_actions`",
    ),
];
