//! The web configuration file: who may come in at the daemon's own endpoint, in the format
//! that users of Prometheus know from its exporters.
//!
//! <https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md>.
//! Every key of that format is read; those that would weaken what the TLS library does
//! anyway are told to have no effect. Problems name the file, never a secret.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::problem::{Problem, Problems};
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

/// The page's own policy must not be undone by a slip; these are what the format allows.
const HEADERS: [&str; 5] = [
    "Content-Security-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
];

/// Certificates and keys are a few kilobytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Reads a web configuration file. What is wrong is told in `problems`, and the result is
/// then used by nobody.
pub(super) fn read(path: &Path, problems: &mut Problems) -> WebSettings {
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
        reader.try_out(&settings);
    }
    settings.files = reader.files;
    settings
}

struct Reader<'a> {
    path: &'a Path,
    files: Vec<PathBuf>,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn wrong(&mut self, key: &str, message: impl Into<String>) {
        let problem = self.problem(key, message);
        self.problems.error(problem);
    }

    fn problem(&self, key: &str, message: impl Into<String>) -> Problem {
        Problem {
            file: self.path.to_owned(),
            line: None,
            key: key.to_owned(),
            message: message.into(),
        }
    }

    fn file(&mut self) -> Option<WebFile> {
        let read = super::validate::read_file(self.path, MAX_FILE);
        let text = match read {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(message) => {
                self.wrong("", message);
                return None;
            }
        };
        if text.trim().is_empty() {
            return Some(WebFile::default());
        }
        match serde_saphyr::from_str(&text) {
            Ok(file) => Some(file),
            Err(error) => {
                // Its longer form quotes the file, which holds hashes of passwords.
                let location = error.location();
                let line = location.map(|location| location.line() as usize);
                let problem = Problem {
                    line,
                    ..self.problem("", WRONG_FORM)
                };
                self.problems.error(problem);
                None
            }
        }
    }

    fn headers(&mut self, headers: BTreeMap<String, String>) -> Vec<(String, String)> {
        for (name, value) in &headers {
            let known = HEADERS.iter().any(|known| known.eq_ignore_ascii_case(name));
            if !known {
                let key = format!("http_server_config.headers.{name}");
                self.wrong(
                    &key,
                    format!("cannot be set; the format knows {}", HEADERS.join(", ")),
                );
            } else if http::HeaderValue::from_str(value).is_err() {
                let key = format!("http_server_config.headers.{name}");
                self.wrong(&key, "is no header value; leave line breaks out");
            }
        }
        headers.into_iter().collect()
    }

    fn users(&mut self, users: BTreeMap<String, String>) -> BTreeMap<String, Secret> {
        for (name, hash) in &users {
            let parts: Result<bcrypt::HashParts, _> = hash.parse();
            let key = format!("basic_auth_users.{name}");
            if parts.is_err() {
                self.wrong(
                    &key,
                    "is no bcrypt hash; make one with `htpasswd -nBC 10 \"\"`",
                );
            } else if name.contains(':') {
                self.wrong(&key, "a user's name has no colon in it");
            }
        }
        users
            .into_iter()
            .map(|(name, hash)| (name, Secret::new(hash)))
            .collect()
    }

    fn rate(&mut self, table: &RateTable) -> Option<RateLimit> {
        match humantime::parse_duration(&table.interval) {
            // As in the format: no limit of the file's own.
            Ok(Duration::ZERO) => None,
            Ok(interval) if table.burst > 0 => Some(RateLimit {
                interval,
                burst: table.burst,
            }),
            Ok(_) => {
                self.wrong("rate_limit.burst", "nothing would be let through; write 20");
                None
            }
            Err(_) => {
                self.wrong("rate_limit.interval", "is no duration; write 1s");
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
                let problem =
                    self.problem(&key, "has no effect: only safe suites and curves are used");
                self.problems.warn(problem);
            }
        }
        let chain = self.pem("cert", table.cert.as_ref(), table.cert_file.as_ref());
        let key = self.pem("key", table.key.as_ref(), table.key_file.as_ref());
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
                self.wrong(
                    "tls_server_config.min_version",
                    "is no version; write TLS12 or TLS13",
                );
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

    fn clients(&mut self, table: &TlsTable, authorities: Option<Vec<u8>>) -> ClientAuth {
        const KEY: &str = "tls_server_config.client_auth_type";
        let authorities: Option<Arc<[u8]>> = authorities.map(Into::into);
        let names = table.client_allowed_sans.clone();
        match (table.client_auth_type.as_deref(), authorities) {
            (None | Some("" | "NoClientCert"), None) => ClientAuth::None,
            (None | Some("" | "NoClientCert"), Some(_)) => {
                self.wrong(KEY, "nobody is asked for a certificate, yet `client_ca_file` is set; write RequireAndVerifyClientCert");
                ClientAuth::None
            }
            (Some("RequireAndVerifyClientCert"), Some(ca)) => ClientAuth::Required(ca, names),
            (Some("VerifyClientCertIfGiven"), Some(ca)) => ClientAuth::IfGiven(ca),
            (Some("RequireAndVerifyClientCert" | "VerifyClientCertIfGiven"), None) => {
                self.wrong(
                    "tls_server_config.client_ca_file",
                    "is missing: who signs the clients' certificates?",
                );
                ClientAuth::None
            }
            (Some("RequestClientCert" | "RequireAnyClientCert"), _) => {
                self.wrong(KEY, "a certificate that nobody verifies proves nothing; write RequireAndVerifyClientCert");
                ClientAuth::None
            }
            (Some(_), _) => {
                self.wrong(KEY, "is no type; write RequireAndVerifyClientCert, VerifyClientCertIfGiven or NoClientCert");
                ClientAuth::None
            }
        }
    }

    /// A PEM text that must be there, in the file or beside it.
    fn pem(&mut self, key: &str, text: Option<&String>, file: Option<&String>) -> Option<Vec<u8>> {
        if text.is_none() && file.is_none() {
            let key = format!("tls_server_config.{key}_file");
            self.wrong(&key, "is missing; name a PEM file");
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
                let key = format!("tls_server_config.{key}");
                self.wrong(&key, "stands here and in a file; leave one out");
                None
            }
            (Some(text), None) => Some(text.clone().into_bytes()),
            (None, Some(name)) => {
                let folder = self.path.parent().unwrap_or_else(|| Path::new(""));
                let path = folder.join(name);
                let read = super::validate::read_file(&path, MAX_FILE);
                self.files.push(path);
                if let Err(message) = &read {
                    self.wrong(&format!("tls_server_config.{key}_file"), message.as_str());
                }
                read.ok()
            }
            (None, None) => None,
        }
    }

    /// What is well-formed may still not go together.
    fn try_out(&mut self, settings: &WebSettings) {
        if let Some(tls) = &settings.tls
            && let Err(error) = server_config(tls, settings.http2)
        {
            self.wrong("tls_server_config", error.to_string());
        }
    }
}

const WRONG_FORM: &str = "is no web configuration as Prometheus's exporters know it: a key is \
     unknown, of another type or not well-formed; it has tls_server_config, http_server_config, \
     basic_auth_users and rate_limit";
