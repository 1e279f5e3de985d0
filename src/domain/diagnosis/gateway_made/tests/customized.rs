//! Tests gateway responses of REST APIs that were customized with headers of their own.

use super::check;
use crate::domain::diagnosis::answered_by::AnsweredBy;
use crate::domain::diagnosis::front_door::FrontDoor;
use crate::domain::diagnosis::gateway_made::GatewayMade;
use crate::model::observation::Response;

const DEFAULT: &str = r#"{"message": "Internal server error"}"#;
const CUSTOMIZED: &str = r#"{"Code":"BadGatewayError"}"#;
const API: [(&str, &str); 2] = [("x-amzn-requestid", "u"), ("x-amz-apigw-id", "i=")];
const ERROR_TYPE: (&str, &str) = ("x-amzn-errortype", "InternalServerErrorException");

#[test]
fn a_customary_header_leaves_a_response_with_the_error_type_the_apis() {
    let customary = [("retry-after", "10"), ("cache-control", "no-store")];
    let headers = [&API[..], &customary].concat();
    let with_type = [&headers[..], &[ERROR_TYPE]].concat();
    for (body, made) in [
        (DEFAULT, GatewayMade::Yes),
        (CUSTOMIZED, GatewayMade::Unclear),
        ("", GatewayMade::Unclear),
    ] {
        check(502, &with_type, body, (FrontDoor::RestApi, made));
        let integration = (FrontDoor::RestApi, GatewayMade::No);
        check(502, &headers, body, integration);
    }
}

#[test]
fn only_a_header_of_the_integration_attributes_an_error_type_to_the_application() {
    let application = AnsweredBy::Application;
    for (own, expected) in [
        (("x-shop", "custom"), AnsweredBy::Unknown),
        (("x-powered-by", "Express"), application),
        (("server", "gunicorn"), application),
        (("x-amzn-remapped-date", "x"), application),
    ] {
        for body in [DEFAULT, CUSTOMIZED] {
            let headers = [&API[..], &[ERROR_TYPE, own]].concat();
            let response = Response::of(502, &headers, body);
            let made = GatewayMade::judge(FrontDoor::RestApi, &response);
            assert_eq!(made, GatewayMade::No, "{own:?}");
            let judged = AnsweredBy::judge(FrontDoor::RestApi, made, &response, true);
            assert_eq!(judged, expected, "{own:?}");
            // Without the error type, the application responded.
            let headers = [&API[..], &[own]].concat();
            let response = Response::of(502, &headers, body);
            let judged = AnsweredBy::judge(FrontDoor::RestApi, made, &response, true);
            assert_eq!(judged, application, "{own:?}");
        }
    }
}
