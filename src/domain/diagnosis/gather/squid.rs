//! Reads the error of a Squid proxy: its code and the number of the system error.
//!
//! Squid states the code and the number in the header `X-Squid-Error`, and also on its error page.
//! The language of the page depends on the request. The page is therefore recognized by its markup,
//! which is the same in all languages.

/// The prefix of Squid's error codes.
const PREFIX: &str = "ERR_";

/// The text before the error code on Squid's error page. Some versions write the code in quotation
/// marks.
const BEFORE_CODE: &str = "<body id=";

/// The text before the number of the system error on Squid's error page.
const BEFORE_NUMBER: &str = "<i>(";

/// Maximum length of an error code in bytes.
const MAX_CODE: usize = 64;

/// Returns Squid's error code and the number of the system error, such as `ERR_CONNECT_FAIL 111`,
/// or only Squid's error code if there is no system error. `header` is the value of
/// `X-Squid-Error`, and `page` is the body. Returns `None` if neither contains an error.
pub(super) fn error(header: Option<&str>, page: &str) -> Option<String> {
    header.and_then(in_header).or_else(|| on_page(page))
}

fn in_header(value: &str) -> Option<String> {
    let mut words = value.split_ascii_whitespace();
    let code = code(words.next()?)?;
    Some(with_number(code, words.next()))
}

fn on_page(page: &str) -> Option<String> {
    let after = page.split_once(BEFORE_CODE)?.1.trim_start_matches('"');
    let is_end = |c: char| !c.is_ascii_uppercase() && c != '_';
    let code = code(&after[..after.find(is_end)?])?;
    let number = after.split_once(BEFORE_NUMBER);
    let number = number.and_then(|(_, rest)| Some(rest.split_once(") ")?.0));
    Some(with_number(code, number))
}

/// Returns the text if it has the form of an error code of Squid; otherwise `None`.
fn code(text: &str) -> Option<&str> {
    let name = text.strip_prefix(PREFIX)?;
    let is_of_code = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
    let is_code = !name.is_empty() && text.len() <= MAX_CODE && name.bytes().all(is_of_code);
    is_code.then_some(text)
}

/// Returns the code with the number of the system error, or only the code if the number is missing,
/// invalid, or 0. The number 0 means that there is no system error.
fn with_number(code: &str, number: Option<&str>) -> String {
    let number = number.and_then(|number| number.parse::<u16>().ok());
    match number.filter(|number| *number > 0) {
        Some(number) => format!("{code} {number}"),
        None => code.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: Option<&str>, page: &str, expected: Option<&str>) {
        assert_eq!(
            error(header, page).as_deref(),
            expected,
            "{header:?} {page}"
        );
    }

    #[test]
    fn the_header_and_the_page_state_the_same_error() {
        let page = "<html><head><title>ERROR</title></head><body id=ERR_CONNECT_FAIL>\n\
                    <p id=\"sysmsg\">The system returned: <i>(111) Connection refused</i></p>";
        check(None, page, Some("ERR_CONNECT_FAIL 111"));
        check(
            Some("ERR_CONNECT_FAIL 111"),
            "",
            Some("ERR_CONNECT_FAIL 111"),
        );
        check(Some("ERR_DNS_FAIL 0"), page, Some("ERR_DNS_FAIL"));
        check(
            None,
            "<body id=\"ERR_READ_TIMEOUT\"><i>[No Error]</i>",
            Some("ERR_READ_TIMEOUT"),
        );
    }

    #[test]
    fn other_headers_and_pages_have_no_error() {
        check(Some("none"), "", None);
        check(Some("ERR_"), "", None);
        check(Some("ERR_<script>"), "", None);
        check(Some(""), "", None);
        check(None, "<body id=main>ERR_DNS_FAIL", None);
        check(None, "<body id=ERR_DNS_FAIL", None);
        check(None, "ERR_CONNECT_FAIL 111", None);
    }
}
