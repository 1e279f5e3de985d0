use super::*;

#[test]
fn an_arn_has_six_parts() {
    let check = |text: &str, valid: bool| assert_eq!(is_arn(text), valid, "{text:?}");
    check("arn:aws:sns:eu-west-1:123456789012:on-call", true);
    check(
        "arn:aws-cn:lambda:cn-north-1:123456789012:function:page:live",
        true,
    );
    check("arn:aws:iam::123456789012:role/reader", true);
    check("arn:aws:sns:eu-west-1:123456789012:", false);
    check("arn:aws:sns", false);
    check("", false);
}

#[test]
fn an_error_about_a_url_does_not_quote_its_password() {
    for wrong in [
        "ftp://shop:hunter2@example.com/",
        "https://shop:hunter2@exa mple/",
        "shop:hunter2@example.com",
    ] {
        let error = parse_url(wrong).expect_err(wrong);
        assert!(!error.contains("hunter2"), "{error}");
    }
}
