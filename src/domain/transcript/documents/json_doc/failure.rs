//! Reads errors that programs serialize as JSON, such as the output of axios's `toJSON`.

use serde_json::Value;

use crate::domain::transcript::command;
use crate::domain::transcript::exchange::{Exchange, Source};

/// Reads a serialized error without a response; `None` if the value is not such an error, or if its
/// message states no known fault.
pub(super) fn read(value: &Value) -> Option<Exchange> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    // Node's system errors have a code and a system call, but no enumerable message.
    let message = text("message").or_else(|| text("syscall"))?;
    let is_error = text("name").is_some_and(|name| name.ends_with("Error"))
        || text("code").is_some_and(|code| code.starts_with('E'));
    let status = value.get("status").filter(|status| !status.is_null());
    if !is_error || status.is_some() || value.get("headers").is_some() {
        return None;
    }
    let mut exchange = Exchange {
        source: Source::Message,
        ..Exchange::default()
    };
    let config = value.get("config");
    let of_config = |name: &str| config?.get(name)?.as_str();
    let url = of_config("url").or_else(|| text("url"));
    let url = url.and_then(command::url_of).or_else(|| {
        let (base, path) = (of_config("baseURL")?, of_config("url").unwrap_or_default());
        command::url_of(&format!("{base}{path}"))
    });
    let url = url.or_else(|| {
        let host = text("hostname").or_else(|| text("address"))?;
        let port = value.get("port").and_then(Value::as_u64)?;
        let scheme = if port == 443 { "https" } else { "http" };
        command::url_of(&format!("{scheme}://{host}:{port}/"))
    });
    exchange.progress.uses_tls = url.as_ref().is_some_and(|url| url.scheme() == "https");
    exchange.request.url = url;
    exchange.request.method = of_config("method").map(str::to_ascii_uppercase);
    let code = text("code").unwrap_or_default();
    exchange.message(&format!("{message} {code}"), 1);
    exchange.fault.is_some().then_some(exchange)
}
