//! Reads the web configuration file, which configures TLS, users, response headers and the rate
//! limit of the daemon's HTTP server in the format of Prometheus exporters.
//!
//! <https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md> defines
//! the format. All keys of the format are accepted. Keys that could only weaken TLS have no effect
//! and cause a warning. Messages never contain a secret.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::named_file::read_file;
use super::problem::{Problem, Problems};
use super::wording::alternatives;
use crate::io::web_access::server_config;
use crate::model::secret::Secret;
use crate::model::settings::web::{ClientAuth, RateLimit, ServerTls, WebSettings};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WebFile {
    tls_server_config: Option<TlsTable>,
    http_server_config: HttpTable,
    basic_auth_users: BTreeMap<String, String>,
    rate_limit: Option<RateTable>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TlsTable {
    cert: Option<String>,
    key: Option<String>,
    cert_file: Option<String>,
    key_file: Option<String>,
    client_auth_type: Option<String>,
    client_ca: Option<String>,
    client_ca_file: Option<String>,
    client_allowed_sans: Vec<String>,
    min_version: Option<String>,
    max_version: Option<IgnoredAny>,
    cipher_suites: Option<IgnoredAny>,
    prefer_server_cipher_suites: Option<IgnoredAny>,
    curve_preferences: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HttpTable {
    http2: bool,
    headers: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RateTable {
    interval: String,
    #[serde(default)]
    burst: u32,
}

impl Default for HttpTable {
    fn default() -> Self {
        Self {
            http2: true,
            headers: BTreeMap::new(),
        }
    }
}

/// Names of the response headers that the web configuration file may set, as in the format of
/// Prometheus exporters. Other headers could weaken the security policy of the page.
const HEADERS: [&str; 5] = [
    "Content-Security-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
];

/// Maximum size in bytes of the web configuration file and of each PEM file that it names.
/// Certificates and keys are a few kilobytes long, so the path of a larger file is probably wrong.
const MAX_FILE: u64 = 1024 * 1024;

/// Reads a web configuration file. Blocks on I/O. The settings are usable only if no error was
/// reported to `problems`.
pub(super) fn read(path: &Path, problems: &Problems) -> WebSettings {
    let mut reader = Reader {
        path,
        files: vec![path.to_owned()],
        problems,
    };
    let mut settings = WebSettings::default();
    if let Some(file) = reader.file() {
        settings.http2 = file.http_server_config.http2;
        settings.headers = reader.headers(file.http_server_config.headers);
        settings.users = reader.users(file.basic_auth_users);
        settings.rate = file.rate_limit.and_then(|table| reader.rate(&table));
        settings.tls = file.tls_server_config.and_then(|table| reader.tls(&table));
        reader.check_tls(&settings);
    }
    settings.files = reader.files;
    settings
}

struct Reader<'a> {
    path: &'a Path,
    files: Vec<PathBuf>,
    problems: &'a Problems,
}

impl Reader<'_> {
    fn error(&self, key: &str, message: impl Into<String>) {
        self.problems.error(self.problem(key, message));
    }

    fn problem(&self, key: &str, message: impl Into<String>) -> Problem {
        Problem {
            key: key.to_owned(),
            ..Problem::of_file(self.path, message)
        }
    }

    fn file(&self) -> Option<WebFile> {
        // The file contains password hashes, so it can be missing on a machine without secrets.
        if self.problems.skips_secrets() && !self.path.exists() {
            return None;
        }
        let bytes = read_file(self.path, MAX_FILE).map_err(|message| self.error("", message));
        let text = String::from_utf8_lossy(&bytes.ok()?).into_owned();
        if text.trim().is_empty() {
            return Some(WebFile::default());
        }
        match serde_saphyr::from_str(&text) {
            Ok(file) => Some(file),
            Err(error) => {
                // The parser's message is not shown, because it quotes the file, which contains
                // password hashes.
                let location = error.location();
                self.problems.error(Problem {
                    line: location.map(|location| location.line() as usize),
                    ..self.problem("", WRONG_FORM)
                });
                None
            }
        }
    }

    fn headers(&self, headers: BTreeMap<String, String>) -> Vec<(String, String)> {
        for (name, value) in &headers {
            let key = format!("http_server_config.headers.{name}");
            if !HEADERS.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                let known = alternatives(HEADERS.map(str::to_owned).into_iter());
                self.error(
                    &key,
                    format!("this header cannot be set; remove it or use {known}"),
                );
            } else if http::HeaderValue::from_str(value).is_err() {
                self.error(
                    &key,
                    "is not a valid header value; use only printable ASCII characters",
                );
            }
        }
        headers.into_iter().collect()
    }

    fn users(&self, users: BTreeMap<String, String>) -> BTreeMap<String, Secret> {
        for (name, hash) in &users {
            let parts: Result<bcrypt::HashParts, _> = hash.parse();
            let key = format!("basic_auth_users.{name}");
            if parts.is_err() {
                let message = "is not a bcrypt hash; create one with `htpasswd -nBC 10 \"\"`";
                self.error(&key, message);
            } else if name.contains(':') {
                self.error(&key, "a user name cannot contain a colon; rename the user");
            }
        }
        users
            .into_iter()
            .map(|(name, hash)| (name, Secret::new(hash)))
            .collect()
    }

    fn rate(&self, table: &RateTable) -> Option<RateLimit> {
        match humantime::parse_duration(&table.interval) {
            // In the format of Prometheus exporters, an interval of zero means no limit.
            Ok(Duration::ZERO) => None,
            Ok(interval) if table.burst > 0 => Some(RateLimit {
                interval,
                burst: table.burst,
            }),
            Ok(_) => {
                let message =
                    "zero (the default) would reject every request; write a number such as 20";
                self.error("rate_limit.burst", message);
                None
            }
            Err(_) => {
                let message = "is not a duration; write a duration such as 1s";
                self.error("rate_limit.interval", message);
                None
            }
        }
    }

    fn tls(&mut self, table: &TlsTable) -> Option<ServerTls> {
        for (key, is_set) in [
            ("max_version", table.max_version.is_some()),
            ("cipher_suites", table.cipher_suites.is_some()),
            (
                "prefer_server_cipher_suites",
                table.prefer_server_cipher_suites.is_some(),
            ),
            ("curve_preferences", table.curve_preferences.is_some()),
        ] {
            if is_set {
                let key = format!("tls_server_config.{key}");
                let message = "has no effect, because the daemon uses only safe TLS versions, \
                               cipher suites and curves; remove this key";
                self.problems.warn(self.problem(&key, message));
            }
        }
        let chain = self.pem("cert", table.cert.as_ref(), table.cert_file.as_ref());
        let key = if self.problems.skips_secrets() {
            None
        } else {
            self.pem("key", table.key.as_ref(), table.key_file.as_ref())
        };
        let authorities = self.optional_pem(
            "client_ca",
            table.client_ca.as_ref(),
            table.client_ca_file.as_ref(),
        );
        let clients = self.clients(table, authorities);
        let only_tls13 = match table.min_version.as_deref() {
            None | Some("TLS12" | "TLS11" | "TLS10") => false,
            Some("TLS13") => true,
            Some(_) => {
                let message = "is not a supported version; write TLS12 or TLS13";
                self.error("tls_server_config.min_version", message);
                false
            }
        };
        Some(ServerTls {
            chain: chain?.into(),
            key: Secret::new(String::from_utf8_lossy(&key?).into_owned()),
            clients,
            only_tls13,
        })
    }

    fn clients(&self, table: &TlsTable, authorities: Option<Vec<u8>>) -> ClientAuth {
        const KEY: &str = "tls_server_config.client_auth_type";
        const CA_KEY: &str = "tls_server_config.client_ca_file";
        let authorities: Option<Arc<[u8]>> = authorities.map(Into::into);
        let (key, message) = match (table.client_auth_type.as_deref(), authorities) {
            (None | Some("" | "NoClientCert"), None) => return ClientAuth::None,
            (Some("RequireAndVerifyClientCert"), Some(ca)) => {
                return ClientAuth::Required(ca, table.client_allowed_sans.clone());
            }
            (Some("VerifyClientCertIfGiven"), Some(ca)) => return ClientAuth::IfGiven(ca),
            (None | Some("" | "NoClientCert"), Some(_)) => (
                KEY,
                "does not request client certificates, but `client_ca` or `client_ca_file` is set; \
                 write RequireAndVerifyClientCert or VerifyClientCertIfGiven, or remove the CA",
            ),
            (Some("RequireAndVerifyClientCert" | "VerifyClientCertIfGiven"), None) => (
                CA_KEY,
                "is missing; set the path of a PEM file with the CA certificates of the clients",
            ),
            (Some("RequestClientCert" | "RequireAnyClientCert"), _) => (
                KEY,
                "would accept certificates without verifying them; write \
                 RequireAndVerifyClientCert or VerifyClientCertIfGiven",
            ),
            (Some(_), _) => (
                KEY,
                "is not supported; write RequireAndVerifyClientCert, VerifyClientCertIfGiven or \
                 NoClientCert",
            ),
        };
        self.error(key, message);
        ClientAuth::None
    }

    /// Returns a required PEM text: `text` from the web configuration, or the content of `file`. If
    /// both or neither is given, or the file cannot be read, reports an error and returns `None`.
    fn pem(&mut self, key: &str, text: Option<&String>, file: Option<&String>) -> Option<Vec<u8>> {
        if text.is_none() && file.is_none() {
            let key = format!("tls_server_config.{key}_file");
            self.error(&key, "is missing; set the path of a PEM file");
        }
        self.optional_pem(key, text, file)
    }

    fn optional_pem(
        &mut self,
        key: &str,
        text: Option<&String>,
        file: Option<&String>,
    ) -> Option<Vec<u8>> {
        match (text, file) {
            (Some(_), Some(_)) => {
                let (key, file) = (format!("tls_server_config.{key}"), format!("{key}_file"));
                self.error(
                    &key,
                    format!("cannot be combined with `{file}`; remove one of them"),
                );
                None
            }
            (Some(text), None) => Some(text.clone().into_bytes()),
            (None, Some(name)) => {
                let directory = self.path.parent().unwrap_or_else(|| Path::new(""));
                let path = directory.join(name);
                let read = read_file(&path, MAX_FILE);
                self.files.push(path);
                if let Err(message) = &read {
                    self.error(&format!("tls_server_config.{key}_file"), message.as_str());
                }
                read.ok()
            }
            (None, None) => None,
        }
    }

    /// Reports an error if no TLS configuration can be built from the certificate, the key and the
    /// CA certificates of the clients.
    fn check_tls(&self, settings: &WebSettings) {
        if let Some(tls) = &settings.tls
            && let Err(error) = server_config(tls, settings.http2)
        {
            self.error("tls_server_config", error.to_string());
        }
    }
}

/// The error message for a file that is not YAML or does not have the expected keys and types.
const WRONG_FORM: &str = "not a web configuration of Prometheus exporters (YAML error, unknown \
     key or wrong type); write only `tls_server_config`, `http_server_config`, `basic_auth_users` \
     and `rate_limit`, with their keys";
