//! Reads the error code that a platform reports in a header or on its error page.
//!
//! A platform shows the same code in several places, and a transcript may lack some of them, so
//! each place is read. Cloudflare adds its headers to the responses of the origin too. A
//! Cloudflare code therefore counts only if the response shows that Cloudflare generated it.

use crate::domain::diagnosis::fact::Facts;
use crate::model::observation::Response;

use super::{squid, truncate};

/// The HTTP statuses that Cloudflare defines. Cloudflare uses these numbers as error codes, too.
const CLOUDFLARE_STATUSES: std::ops::RangeInclusive<u32> = 520..=530;
/// The four-digit error codes of Cloudflare.
const CLOUDFLARE_CODES: std::ops::RangeInclusive<u32> = 1000..=1299;

/// Texts that precede the error code on a Cloudflare page.
const CLOUDFLARE_CODE_PREFIXES: &[&str] = &["\"cf-error-code\">", "Error code "];

/// The beginning of Cloudflare's plain-text error for clients that do not accept HTML.
const CLOUDFLARE_TEXT: &str = "error code: ";

/// The prefix of ngrok's error codes.
const NGROK: &str = "ERR_NGROK_";

impl Facts {
    /// Adds the error code of a platform, and Cloudflare's error code with its source. The facts
    /// about the body must already be set.
    pub(super) fn add_platform_error(&mut self, response: &Response) {
        let text = self.text("body.text").unwrap_or_default();
        let code = response
            .header("x-vercel-error")
            .or_else(|| response.header("ngrok-error-code"))
            .or_else(|| vercel_code(text))
            .or_else(|| ngrok_code(text))
            .map(truncate)
            .or_else(|| squid::error(response.header("x-squid-error"), text));
        let cloudflare = self.cloudflare_error(response);
        if let Some(code) = code {
            self.set_text("platform_error", &code);
        }
        if let Some((code, stated)) = cloudflare {
            self.set_number("cloudflare.error", f64::from(code));
            self.set_text("cloudflare.stated", stated);
        }
    }

    /// Returns Cloudflare's error code and the value of `cloudflare.stated`: `yes` for a header or
    /// JSON that only Cloudflare writes, `page` for text that looks like a Cloudflare page. `None`
    /// if the response contains no such code.
    fn cloudflare_error(&self, response: &Response) -> Option<(u32, &'static str)> {
        let status = u32::from(response.status);
        let is_code =
            |code: &u32| CLOUDFLARE_STATUSES.contains(code) || CLOUDFLARE_CODES.contains(code);
        if let Some(kind) = response.header("cf-error-type") {
            let code = kind.trim().parse().ok().filter(is_code);
            let by_status = Some(status).filter(|status| CLOUDFLARE_STATUSES.contains(status));
            return Some((code.or(by_status)?, "yes"));
        }
        let has_id = self.text("body.json.ray_id").is_some();
        let has_category = self.text("body.json.error_category").is_some();
        if has_id && has_category {
            let stated = self.number("body.json.error_code")?;
            let mut known = CLOUDFLARE_STATUSES.chain(CLOUDFLARE_CODES);
            let code = known.find(|known| (f64::from(*known) - stated).abs() < 0.5)?;
            return Some((code, "yes"));
        }
        let text = self.text("body.text")?;
        let code = match text.strip_prefix(CLOUDFLARE_TEXT) {
            Some(code) => number(code).filter(|_| text.lines().count() == 1),
            None if text.contains("/cdn-cgi/") || text.contains("cf-error-details") => {
                let mut prefixes = CLOUDFLARE_CODE_PREFIXES.iter();
                prefixes.find_map(|prefix| number(text.split_once(prefix)?.1).filter(is_code))
            }
            None => None,
        };
        Some((code.filter(is_code)?, "page"))
    }
}

/// Returns the number at the start of a text; `None` if the text does not start with a number.
fn number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit());
    text[..end.unwrap_or(text.len())].parse().ok()
}

/// Returns the code on Vercel's plain-text page: a line of capitals and underscores, followed by a
/// line with the request id, such as `fra1::abcde-1700000000000-0123456789ab`. `None` for any other
/// text.
fn vercel_code(text: &str) -> Option<&str> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let is_code = |line: &str| {
        line.len() <= 64
            && line.contains('_')
            && line.chars().all(|c| c.is_ascii_uppercase() || c == '_')
    };
    let code = lines.by_ref().take(4).find(|line| is_code(line))?;
    let id = lines.next()?;
    (id.contains("::") && id.len() <= 128).then_some(code)
}

/// Returns the ngrok error code at the first `ERR_NGROK_` in a body; `None` if the body does not
/// contain this prefix, or if no digit follows it.
fn ngrok_code(text: &str) -> Option<&str> {
    let from = &text[text.find(NGROK)?..];
    let digits = from[NGROK.len()..].find(|c: char| !c.is_ascii_digit());
    let end = digits.map_or(from.len(), |digits| NGROK.len() + digits);
    (end > NGROK.len()).then_some(&from[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(
        (status, headers, body): (u16, &[(&str, &str)], &str),
        platform: Option<&str>,
        cloudflare: Option<(f64, &str)>,
    ) {
        let response = Response::of(status, headers, body);
        let mut facts = Facts::default();
        facts.add_body(&response);
        facts.add_platform_error(&response);
        assert_eq!(facts.text("platform_error"), platform, "{body}");
        let code = facts.number("cloudflare.error");
        let found = code.zip(facts.text("cloudflare.stated"));
        assert_eq!(found, cloudflare, "{body}");
    }

    #[test]
    fn the_code_of_a_platform_stands_in_a_header_or_on_its_page() {
        let page = "An error occurred with your deployment\n\nFUNCTION_INVOCATION_TIMEOUT\n\nfra1::abc-17-01";
        check((504, &[], page), Some("FUNCTION_INVOCATION_TIMEOUT"), None);
        check(
            (504, &[], "An error occurred\n\nSOME_CODE\n\nid"),
            None,
            None,
        );
        let header = [("x-vercel-error", "NOT_FOUND")];
        check(
            (404, &header, "The page could not be found"),
            Some("NOT_FOUND"),
            None,
        );
        let header = [("ngrok-error-code", "ERR_NGROK_3200")];
        check((404, &header, ""), Some("ERR_NGROK_3200"), None);
        check(
            (502, &[], "<p>(ERR_NGROK_8012)</p>"),
            Some("ERR_NGROK_8012"),
            None,
        );
        check((502, &[], "ERR_NGROK_"), None, None);
        let header = [("x-squid-error", "ERR_READ_TIMEOUT 0")];
        check((504, &header, ""), Some("ERR_READ_TIMEOUT"), None);
    }

    #[test]
    fn a_code_of_cloudflare_needs_a_sign_that_cloudflare_wrote_the_response() {
        check(
            (522, &[("cf-error-type", "522")], ""),
            None,
            Some((522.0, "yes")),
        );
        check(
            (530, &[("cf-error-type", "1016")], ""),
            None,
            Some((1016.0, "yes")),
        );
        check(
            (524, &[("cf-error-type", "5xx")], ""),
            None,
            Some((524.0, "yes")),
        );
        check((500, &[("cf-error-type", "5xx")], ""), None, None);
        let json = r#"{"status":530,"error_code":1033,"error_category":"dns","ray_id":"a"}"#;
        check((530, &[], json), None, Some((1033.0, "yes")));
        check((530, &[], r#"{"error_code":1033}"#), None, None);
        let page = "<html><link href=\"/cdn-cgi/styles/main.css\"><span class=\"cf-error-code\">1020</span>";
        check((403, &[], page), None, Some((1020.0, "page")));
        let page = "<div id=\"cf-error-details\"><span>Error code 520</span>";
        check((520, &[], page), None, Some((520.0, "page")));
        check((530, &[], "error code: 1033"), None, Some((1033.0, "page")));
        check((503, &[], "error code: 7"), None, None);
        check((503, &[], "error code: 1033\nof our own"), None, None);
        // The origin may return this status itself.
        check((522, &[("cf-ray", "a-FRA")], "timeout"), None, None);
    }
}
