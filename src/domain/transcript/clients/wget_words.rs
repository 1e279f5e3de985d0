//! Recognizes the lines of wget in languages other than English.
//!
//! The words are those of wget's translations. The addresses between vertical bars, the dots and
//! the reason at the end are the same in all languages.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::transcript::fault::phrase;
use crate::domain::transcript::pattern::pattern;

/// The translations of wget's words `HTTP request sent, awaiting response`. The status follows the
/// words.
const WAITING: [&str; 24] = [
    "HTTP-Anforderung gesendet, auf Antwort wird gewartet",
    "HTTP-Anforderung gesendet, warte auf Antwort",
    "HTTP-Anfrage gesendet, auf Antwort wird gewartet",
    "requête HTTP transmise, en attente de la réponse",
    "Petición HTTP enviada, esperando respuesta",
    "Richiesta HTTP inviata, in attesa di risposta",
    "A requisição HTTP foi enviada, aguardando resposta",
    "Pedido HTTP enviado, a aguardar resposta",
    "Pedido HTTP enviado, aguardando resposta",
    "HTTP-запрос отправлен. Ожидание ответа",
    "Запрос HTTP послан, ожидание ответа",
    "HTTP-запит надіслано, очікування відповіді",
    "HTTP による接続要求を送信しました、応答を待っています",
    "已发出 HTTP 请求，正在等待回应",
    "已傳送 HTTP 請求，正在等候回應",
    "已送出 HTTP 要求，正在等候回應",
    "HTTP 요청을 보냈습니다. 응답 기다리는 중",
    "HTTP 요청을 전송했습니다. 응답을 기다리는 중",
    "Żądanie HTTP wysłano, oczekiwanie na odpowiedź",
    "HTTP-verzoek is verzonden; wachten op antwoord",
    "HTTP-begäran skickad, väntar på svar",
    "HTTP požadavek odeslán, program čeká na odpověď",
    "HTTP isteği gönderildi, yanıt bekleniyor",
    "HTTP kérés elküldve, várakozás válaszra",
];

/// The translations of wget's word `ERROR`, which precedes a status or a message about a failure.
const ERROR: [&str; 14] = [
    "FEHLER",
    "ERREUR",
    "ERRORE",
    "ERRO",
    "ОШИБКА",
    "Ошибка",
    "ПОМИЛКА",
    "错误",
    "錯誤",
    "エラー",
    "오류",
    "BŁĄD",
    "FOUT",
    "HATA",
];

/// Matches a line about a connection. Captures the host, the port and the outcome.
static CONNECTING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"([\w.-]+)(?: \(\S{1,255}\))?\|[\d.a-f:]+\|:(\d{1,5})(?:[^\w.\x{2026}]\S{1,20}| \S{1,20})?\s?(?:\.\.\.|\x{2026})\s?(.*)$",
    )
});

/// Matches a line about a failed resolution of a name. Captures the reason.
static RESOLVING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"^(?:正在解析主机|正在查找主机|正在解析主機|Auflösen des Hostnamens?|Résolution de|Resolviendo|Risoluzione di|Resolvendo|Resolução de|Распозна\S+|Translacja|Rozwiązywanie|Herleiden van|Slår upp).{1,300}?(?:\.\.\.|\x{2026})\s?\S.{0,40}?[:：]\s?(.*)$",
    )
});

/// What a line of wget's output reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LineReport<'a> {
    /// The response's status and reason, or empty text if there is no response yet.
    Waited(&'a str),
    /// A connection to a host and a port was established.
    Connected(&'a str, &'a str),
    /// The name was not resolved, the connection was not established, or TLS failed.
    Failed,
}

/// Returns what a line of wget's output in a language other than English reports; `None` for other
/// lines and for lines longer than [`MAX_LINE`].
pub(super) fn read_line(line: &str) -> Option<LineReport<'_>> {
    if line.is_ascii() || line.len() > MAX_LINE {
        return read_ascii_line(line);
    }
    read_waiting(line)
        .or_else(|| read_connection(line))
        .or_else(|| {
            let is_resolving = RESOLVING.as_ref().is_some_and(|it| it.is_match(line));
            let mut errors = ERROR.iter();
            let is_error = errors.any(|word| {
                let rest = line.strip_prefix(word).map(str::trim_start);
                rest.is_some_and(|rest| rest.starts_with([':', '：']))
            });
            let fails = (is_resolving || is_error) && phrase::find_statement(line).is_some();
            fails.then_some(LineReport::Failed)
        })
}

/// Maximum length of a line that is examined, in bytes.
const MAX_LINE: usize = 1_000;

/// Returns what a translated line with only ASCII characters reports. Returns `None` for other
/// lines, for the English `Connecting to `, and for lines longer than [`MAX_LINE`].
fn read_ascii_line(line: &str) -> Option<LineReport<'_>> {
    if line.len() > MAX_LINE || line.starts_with("Connecting to ") {
        return None;
    }
    read_waiting(line).or_else(|| read_connection(line))
}

fn read_waiting(line: &str) -> Option<LineReport<'_>> {
    let rest = WAITING.iter().find_map(|words| line.strip_prefix(words))?;
    let rest = rest.trim_start();
    let rest = rest
        .strip_prefix("...")
        .or_else(|| rest.strip_prefix('\u{2026}'))?;
    Some(LineReport::Waited(rest.trim()))
}

fn read_connection(line: &str) -> Option<LineReport<'_>> {
    if !line.contains("|:") {
        return None;
    }
    let found = CONNECTING.as_ref()?.captures(line)?;
    let outcome = found.get(3)?.as_str();
    if outcome.contains([':', '：']) {
        return phrase::find_statement(outcome).map(|_| LineReport::Failed);
    }
    (!outcome.trim().is_empty()).then(|| {
        Some(LineReport::Connected(
            found.get(1)?.as_str(),
            found.get(2)?.as_str(),
        ))
    })?
}

/// Returns the text after a word of [`ERROR`]; `None` if `rest` does not start with such a word.
/// `rest` is the part of a line after the date and the time. The returned text starts with the
/// status, or is a message about a failure without a status.
pub(super) fn error(rest: &str) -> Option<&str> {
    let rest = ERROR.iter().find_map(|word| rest.strip_prefix(word))?;
    Some(rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_wget_in_other_languages_are_recognized() {
        for (line, expected) in [
            (
                "已发出 HTTP 请求，正在等待回应... 502 Bad Gateway",
                Some(LineReport::Waited("502 Bad Gateway")),
            ),
            (
                "HTTP-Anforderung gesendet, auf Antwort wird gewartet … 404 Not Found",
                Some(LineReport::Waited("404 Not Found")),
            ),
            (
                "Richiesta HTTP inviata, in attesa di risposta... 503 Oops",
                Some(LineReport::Waited("503 Oops")),
            ),
            (
                "正在连接 api.example.com|192.0.2.7|:80... 已连接。",
                Some(LineReport::Connected("api.example.com", "80")),
            ),
            (
                "api.example.com (api.example.com)|192.0.2.7|:443 に接続しています... 接続しました。",
                Some(LineReport::Connected("api.example.com", "443")),
            ),
            (
                "Connexion à api.example.com (api.example.com)|192.0.2.7|:443… connecté.",
                Some(LineReport::Connected("api.example.com", "443")),
            ),
            (
                "Verbindungsaufbau zu api.example.com (api.example.com)|192.0.2.7|:443 … fehlgeschlagen: Verbindungsaufbau abgelehnt.",
                Some(LineReport::Failed),
            ),
            (
                "正在解析主机 x.example (x.example)... 失败：未知的名称或服务。",
                Some(LineReport::Failed),
            ),
            ("错误: “x.example”的证书不可信。", Some(LineReport::Failed)),
            ("错误: 没有这个文件", None),
            ("Connecting to x|192.0.2.7|:80... connected.", None),
            ("a table |1|:2 of numbers", None),
        ] {
            assert_eq!(read_line(line), expected, "{line}");
        }
        assert_eq!(error("错误 502：Bad Gateway。"), Some("502：Bad Gateway。"));
        assert_eq!(error("INFO 502"), None);
    }
}
