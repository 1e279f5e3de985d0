//! Decides who generated a failed response: the application, or a gateway or proxy in front of the
//! application.
//!
//! Fallback rules test the result to suggest where to look next. A proxy may relay or generate any
//! response, so the result is `unknown` unless a header or the body shows who generated it.
//! `gateway_made` decides whether the recognized front door generated the response; its result is
//! an input of this module.

use crate::domain::diagnosis::application_header;
use crate::domain::diagnosis::error_page;
use crate::domain::diagnosis::front_door::FrontDoor;
use crate::domain::diagnosis::gateway_made::GatewayMade;
use crate::model::observation::Response;
use crate::model::text_enum::text_enum;

text_enum! {
    /// The component that generated a response.
    ///
    /// The texts are the values of the fact `answered_by`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum AnsweredBy {
        /// The application generated the response. One of these conditions holds: The response has
        /// a header of a framework or application server. Or an AWS API relayed the response,
        /// according to `gateway_made`. Or the response has no sign of a gateway or proxy, and no
        /// proxy is known to write such a body.
        Application = "application",
        /// A gateway or proxy generated the response.
        Proxy = "proxy",
        /// The response does not show who generated it.
        Unknown = "unknown",
    }
}

/// Headers that proxies add to the responses that they relay.
const PROXY_HEADERS: &[&str] = &[
    "age",
    "akamai-grn",
    "fly-request-id",
    "proxy-status",
    "via",
    "x-amz-cf-id",
    "x-cache",
    "x-cdn",
    "x-iinfo",
    "x-served-by",
    "x-sucuri-id",
    "x-timer",
];

/// Statuses that both applications and proxies generate. With these statuses, only a JSON object
/// counts as a body that no proxy writes.
const STATUSES_OF_PROXIES: &[u16] = &[
    400, 401, 403, 404, 405, 407, 408, 411, 413, 414, 421, 426, 429, 431, 499, 500, 502, 503, 504,
];

/// Statuses for which even a JSON object may be from a gateway.
const STATUSES_OF_GATEWAYS: std::ops::RangeInclusive<u16> = 502..=504;

impl AnsweredBy {
    /// Decides who generated a response that came through `door`. `made` is whether `door`
    /// generated the response. `is_object` is whether the body is a JSON object.
    pub(super) fn judge(
        door: FrontDoor,
        made: GatewayMade,
        response: &Response,
        is_object: bool,
    ) -> Self {
        if made == GatewayMade::Yes || error_page::author(response).is_some() {
            return Self::Proxy;
        }
        if made.is_relayed(door, response) || application_header::is_present(response) {
            return Self::Application;
        }
        let status = response.status;
        let own_body = if STATUSES_OF_GATEWAYS.contains(&status) || (520..=530).contains(&status) {
            false
        } else {
            is_object || (!STATUSES_OF_PROXIES.contains(&status) && !response.body.is_empty())
        };
        if own_body && door == FrontDoor::Unknown && !has_proxy_header(response) {
            return Self::Application;
        }
        Self::Unknown
    }
}

/// Returns whether a header shows that the response came through a proxy or an AWS service.
fn has_proxy_header(response: &Response) -> bool {
    PROXY_HEADERS
        .iter()
        .any(|name| response.header(name).is_some())
        || response
            .headers
            .iter()
            .any(|(name, _)| name.starts_with("x-amz") || name == "apigw-requestid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, headers: &[(&str, &str)], body: &str, expected: AnsweredBy) {
        let response = Response::of(status, headers, body);
        let door = FrontDoor::recognize(&response, "x.example");
        let made = GatewayMade::judge(door, &response);
        let judged = AnsweredBy::judge(door, made, &response, body.starts_with('{'));
        assert_eq!(judged, expected, "{status} {headers:?} {body}");
    }

    #[test]
    fn a_header_of_the_application_outweighs_the_proxy_that_relays_it() {
        let application = AnsweredBy::Application;
        check(500, &[("x-powered-by", "Express")], "oops", application);
        let relayed = [("server", "nginx"), ("x-powered-by", "PHP/8.3")];
        check(503, &relayed, "oops", application);
        check(502, &[("server", "gunicorn")], "", application);
        check(
            500,
            &[("via", "1.1 vegur"), ("x-runtime", "0.01")],
            "",
            application,
        );
        check(
            500,
            &[("x-powered-by", "ASP.NET")],
            "oops",
            AnsweredBy::Unknown,
        );
    }

    #[test]
    fn a_body_without_any_sign_of_a_proxy_is_the_applications() {
        let object = r#"{"details":"Error id 1"}"#;
        check(500, &[], object, AnsweredBy::Application);
        check(418, &[], "short and stout", AnsweredBy::Application);
        check(
            418,
            &[("server", "cloudflare")],
            "short",
            AnsweredBy::Unknown,
        );
        check(500, &[("via", "1.1 x")], object, AnsweredBy::Unknown);
        check(
            500,
            &[("x-amzn-requestid", "u")],
            object,
            AnsweredBy::Unknown,
        );
        // Proxies also generate these responses.
        check(503, &[], object, AnsweredBy::Unknown);
        check(522, &[], object, AnsweredBy::Unknown);
        check(404, &[], "404 page not found", AnsweredBy::Unknown);
        check(418, &[], "", AnsweredBy::Unknown);
    }

    #[test]
    fn a_page_of_a_proxy_is_the_proxys() {
        let page = "<html>\n<head><title>500 Internal Server Error</title></head>\n<body>\n\
                    <center><h1>500 Internal Server Error</h1></center>\n<hr><center>nginx</center>\n\
                    </body>\n</html>";
        check(500, &[("x-powered-by", "Express")], page, AnsweredBy::Proxy);
        let api = [("apigw-requestid", "K=")];
        check(
            503,
            &api,
            r#"{"message":"Service Unavailable"}"#,
            AnsweredBy::Proxy,
        );
        let relayed = [("apigw-requestid", "K="), ("x-mine", "1")];
        check(503, &relayed, "down", AnsweredBy::Application);
        check(503, &api, "down", AnsweredBy::Unknown);
    }
}
