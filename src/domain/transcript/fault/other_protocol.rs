//! Recognizes messages and commands about connections of other protocols than HTTP, such as those of
//! databases, message brokers and mail servers, and about the connections that a proxy opens for
//! itself.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use super::signs::is_file;
use crate::domain::transcript::pattern::{MAX_LINE, pattern, pattern_set};

/// Expressions that match names of other protocols, and of their servers and clients.
const NAMES: [&str; 7] = [
    r"redis|valkey|mongo(?:d|db|s|\w*error|\w*exception|\w*client)?\b|postgres|psycopg|\bpsql\b|\bpgx\b|pgconn|\bpq: |pgbouncer|libpq|asyncpg|mysql|mariadb|jdbc|hikari|\bsqlx\b|sqlalchemy|sqlstate|\(hy000\)|\bora-\d{5}|sqlserver|mssql|tedious|sequelize|typeorm|activerecord|\bdatabase\b|cassandra|datastax|scylla|neo4j|memcache|\bdalli\b",
    r"kafka|amqp|rabbitmq|\bpika\b|\bcelery\b|\bkombu\b|mqtt|mosquitto|\bnats\b|\bstomp\b|activemq|\bjms\b|pulsar|zookeeper|\betcd|clientv3",
    r"\bsmtp|smtps?\b|\besmtp|sendmail|postfix|dovecot|\bexim\b|\bimaps?\b|imaplib|\bpop3s?\b|poplib|nodemailer|\bmailer\b|\.mail\.|mailconnect|\bldap|jldap|ldaps?\b",
    r"\bs?ftp|ftps?\b|\bssh\b|\bsshd\b|paramiko|\bjsch\b|\brsync\b|\btelnet\b|\bgrpc|grpc\b|\brpc error:|openvpn|tls error: tls key negotiation|wireguard|strongswan|\bradius\b|syslog|\bsnmp\b|\bntp\b|\brtsp\b|\brtmp\b|\bxmpp\b|\bstatsd\b",
    // The codes of SMTP replies, such as `550 5.1.1`.
    r"\b[245]\d\d[ -][245]\.\d{1,3}\.\d{1,3}\b",
    // The status of a gRPC call, as grpcurl prints it.
    r"^\s*code: (?-i:Unavailable|Unknown|Internal|DeadlineExceeded|Unimplemented|ResourceExhausted|Unauthenticated|PermissionDenied|Canceled|Aborted)\s*$",
    // A proxy's connections to its providers, its certificate authority and its own network.
    r"\bprovidername=|\bconnindex=|serve (?:tunnel|quic) connection|requesting certificate status|\bocsp",
];

/// Ports of other protocols than HTTP, and of the interfaces with which proxies are controlled.
const PORTS: &str = "|21|22|23|25|110|119|143|161|389|465|514|587|636|873|989|990|993|995|1433|1521|1812|1883\
    |2019|2049|2181|2375|2376|2379|2380|3268|3306|3389|4222|5060|5222|5432|5433|5671|5672|5900|6379|6380\
    |6432|6514|7687|7844|8125|8883|9042|9092|9094|11211|26379|27017|27018|27019|33060|50051|61613|61616|";

/// Matches words of HTTP and its clients.
static HTTP: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"(?i)https?:|\bhttp/\d|https?\b|(?-i:Https?[A-Z])|https?connection|httpx|axios|\bfetch|aiohttp|urllib|\brequests\.|resttemplate|webclient|resourceaccess|feign|okhttp|undici|reqwest|\bcurl: \(|\bnet::err|(?-i:\b(?:GET|POST|PUT|HEAD|PATCH|DELETE) ["/])|\bget ""#,
    )
});

/// Matches a host and a port. Captures both.
static ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"(?i)(?:\b([\w.-]+):|\[[\da-f:]+\]:|\bport["':= ]{1,3}|, )(\d{2,5})(?:[^\d:.]|[.:]\D|[.:]?$)"#,
    )
});

/// Matches the scheme of a URL of another protocol, and options of openssl for other protocols.
static SCHEME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:ftps?|sftp|scp|tftp|smtps?|imaps?|pop3s?|ldaps?|telnet|mqtts?|gopher|dict|rtsp|rtmp|smb)://|-starttls\s",
    )
});

/// The compiled expressions of [`NAMES`].
static OF_NAMES: LazyLock<RegexSet> = LazyLock::new(|| pattern_set(NAMES, true));

/// Returns whether a line names another protocol than HTTP or one of its ports, and has no words of
/// HTTP.
pub(in crate::domain::transcript) fn is_named(line: &str) -> bool {
    line.len() <= MAX_LINE && !names_http(line) && (OF_NAMES.is_match(line) || has_port(line))
}

/// Returns whether a line has words of HTTP or its clients.
pub(in crate::domain::transcript) fn names_http(line: &str) -> bool {
    HTTP.as_ref().is_some_and(|http| http.is_match(line))
}

/// Returns whether a command uses another protocol than HTTP.
pub(in crate::domain::transcript) fn is_of_command(command: &str) -> bool {
    let has_scheme = SCHEME.as_ref().is_some_and(|it| it.is_match(command));
    has_scheme || command.contains("s_client") && has_port(command)
}

/// Returns whether a line contains an address with a port of [`PORTS`].
fn has_port(line: &str) -> bool {
    let Some(address) = ADDRESS.as_ref() else {
        return false;
    };
    address.captures_iter(line).any(|found| {
        let host = found.get(1).map_or("host", |host| host.as_str());
        // A time of day, a date with a time, or the name of a file precede a colon, too.
        let is_host = host.contains(|letter: char| letter.is_ascii_alphabetic() || letter == '.');
        let is_date = host.as_bytes().get(4) == Some(&b'-') && host.contains('T');
        is_host && !is_date && !is_file(host) && PORTS.contains(&format!("|{}|", &found[2]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expressions_are_valid() {
        assert_eq!(OF_NAMES.len(), NAMES.len());
        assert!(HTTP.is_some() && ADDRESS.is_some() && SCHEME.is_some());
    }

    #[test]
    fn messages_of_other_protocols_are_found() {
        for line in [
            "redis.exceptions.ConnectionError: Error 111 connecting to redis:6379.",
            "dial tcp 10.0.0.7:5432: connect: connection refused",
            "dial tcp [::1]:3306: connect: connection refused",
            "Error: connect ECONNREFUSED 10.0.0.7:1883",
            "Couldn't connect to host, port: a.example, 587; timeout 5000;",
            "connection to server at \"db.example\" (10.0.0.7), port 5432 failed",
            "rpc error: code = Unavailable desc = connection error",
            "550 5.1.1 User unknown",
            "server closed the connection 10.0.0.7:5432.",
        ] {
            assert!(is_named(line), "{line}");
        }
        for line in [
            "dial tcp 10.0.0.7:8080: connect: connection refused",
            "Get \"http://redis.example:6379/\": EOF",
            "HTTPConnectionPool(host='redis', port=80)",
            "2025-11-11T03:22:25 Error: connect ECONNREFUSED 10.0.0.7:80",
            "[03:12:25] Error: read ECONNRESET",
            "Error: read ECONNRESET at main.go:143",
            "at net.js:110:22",
            "AxiosError: connect ECONNREFUSED 10.0.0.7:5432",
            "curl: (7) Failed to connect to redis.example port 443",
        ] {
            assert!(!is_named(line), "{line}");
        }
    }

    #[test]
    fn commands_of_other_protocols_are_found() {
        for (command, expected) in [
            ("curl ftp://a.example/b", true),
            ("curl smtp://a.example:25 --mail-from a@a.example", true),
            ("openssl s_client -connect a.example:993", true),
            (
                "openssl s_client -starttls smtp -connect a.example:2525",
                true,
            ),
            ("openssl s_client -connect a.example:443", false),
            ("curl https://ftp.example:2019/", false),
        ] {
            assert_eq!(is_of_command(command), expected, "{command}");
        }
    }
}
