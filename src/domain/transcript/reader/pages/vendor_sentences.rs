//! Lists the sentences that only one proxy or platform writes. Each sentence is listed with the
//! status, the facts and the body that follow from it. `api_sentences` lists those of API gateways,
//! registries and APIs.

/// A sentence, with the status, the facts and the body of the response that it implies.
pub(super) struct Sentence {
    /// The texts that a line with the sentence contains, in this order.
    pub(super) parts: &'static [&'static str],
    pub(super) status: u16,
    /// The facts that follow from the sentence, each with its name and its value.
    pub(super) facts: &'static [(&'static str, &'static str)],
    pub(super) body: Body,
    /// Whether other programs and people write the same sentence. It then counts only if the line
    /// has no other text, or states the status before the sentence.
    pub(super) is_common: bool,
}

/// The response body that contains a sentence.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// The line itself.
    Line,
    /// A JSON object with this text as its member `message`.
    Message(&'static str),
    /// A page with this title.
    Title(&'static str),
    /// This text, which the markup of the page contains but a browser does not display.
    Text(&'static str),
    /// The body is unknown.
    None,
}

const CLOUDFRONT: &[(&str, &str)] = &[("front_door", "cloudfront"), ("gateway_made", "yes")];
const HAPROXY: &[(&str, &str)] = &[("error_page", "haproxy")];
pub(super) const APACHE: &[(&str, &str)] = &[("error_page", "apache")];
pub(super) const NO_ENDPOINTS: &[(&str, &str)] = &[("proxy_log.error", "unhealthy")];
pub(super) const UNREACHABLE: &[(&str, &str)] = &[("proxy_log.error", "unreachable")];

const fn of_cloudfront(parts: &'static [&'static str], status: u16) -> Sentence {
    Sentence {
        parts,
        status,
        facts: CLOUDFRONT,
        body: Body::Line,
        is_common: false,
    }
}

/// Returns a sentence of nginx's error page with the title `title`. The page repeats the title as a
/// sentence, without the status.
const fn of_nginx(parts: &'static [&'static str], title: &'static str) -> Sentence {
    Sentence {
        parts,
        status: 400,
        facts: &[("error_page", "nginx")],
        body: Body::Title(title),
        is_common: false,
    }
}

/// Returns a sentence of an error page. `author` lists the facts that follow from the sentence,
/// such as the author of the page (`error_page`). The list may be empty.
pub(super) const fn of_page(
    parts: &'static [&'static str],
    status: u16,
    author: &'static [(&'static str, &'static str)],
) -> Sentence {
    Sentence {
        parts,
        status,
        facts: author,
        body: Body::Line,
        is_common: false,
    }
}

const fn of_heroku(parts: &'static [&'static str], status: u16, page: &'static str) -> Sentence {
    Sentence {
        parts,
        status,
        facts: &[("error_page", "heroku")],
        body: Body::Text(page),
        is_common: false,
    }
}

/// Returns a sentence of a page that other programs and people write, too.
const fn of_common_page(
    parts: &'static [&'static str],
    status: u16,
    author: &'static [(&'static str, &'static str)],
) -> Sentence {
    Sentence {
        is_common: true,
        ..of_page(parts, status, author)
    }
}

/// Returns a sentence of the page with which Cloudflare tests whether the client is a browser.
const fn of_challenge(parts: &'static [&'static str]) -> Sentence {
    Sentence {
        parts,
        status: 403,
        facts: &[("front_door", "cloudflare")],
        body: Body::Title("Just a moment..."),
        is_common: true,
    }
}

const fn of_kong(message: &'static [&'static str], status: u16) -> Sentence {
    Sentence {
        parts: message,
        status,
        facts: &[],
        body: Body::Message(message[0]),
        is_common: false,
    }
}

pub(super) const fn of_log(
    parts: &'static [&'static str],
    status: u16,
    facts: &'static [(&'static str, &'static str)],
) -> Sentence {
    Sentence {
        parts,
        status,
        facts,
        body: Body::None,
        is_common: false,
    }
}

/// The sentences that this module lists.
pub(super) const SENTENCES: &[Sentence] = &[
    of_cloudfront(&["CloudFront wasn't able to connect to the origin"], 502),
    of_cloudfront(
        &["CloudFront attempted to establish a connection with the origin"],
        502,
    ),
    of_cloudfront(
        &["CloudFront wasn't able to resolve the origin domain name"],
        502,
    ),
    of_cloudfront(&["The Lambda function returned invalid "], 502),
    of_cloudfront(&["The Lambda function returned an invalid "], 502),
    of_cloudfront(&["The Lambda function result failed validation"], 502),
    of_cloudfront(
        &["Lambda function associated with the CloudFront distribution was throttled"],
        503,
    ),
    of_cloudfront(
        &["function associated with the CloudFront distribution is invalid or "],
        503,
    ),
    of_cloudfront(
        &["CloudFront distribution is configured to block access from your country"],
        403,
    ),
    of_kong(
        &["An invalid response was received from the upstream server"],
        502,
    ),
    of_kong(&["The upstream server is timing out"], 504),
    of_kong(&["The upstream server is currently unavailable"], 503),
    of_kong(&["failure to get a peer from the ring-balancer"], 503),
    of_kong(&["no Route matched with those values"], 404),
    Sentence {
        parts: &["Fastly error: unknown domain"],
        status: 500,
        facts: &[],
        body: Body::Line,
        is_common: false,
    },
    // Kubernetes: the API server calls a service that has no ready pods or does not exist.
    of_log(&["no endpoints available for service"], 503, NO_ENDPOINTS),
    of_log(
        &["://", ".svc:", "\": service \"", "\" not found"],
        503,
        NO_ENDPOINTS,
    ),
    // Cloud Run.
    of_log(
        &["request was aborted because there was no available instance"],
        503,
        NO_ENDPOINTS,
    ),
    of_log(
        &["There was a connection error while trying to route the request"],
        502,
        UNREACHABLE,
    ),
    // ASP.NET Core in IIS: the process of the application could not be started.
    of_log(&["HTTP Error 502.5 - "], 502, NO_ENDPOINTS),
    // HAProxy, `src/http.c`.
    of_common_page(
        &["No server is available to handle this request."],
        503,
        HAPROXY,
    ),
    of_common_page(
        &["The server returned an invalid or incomplete response."],
        502,
        HAPROXY,
    ),
    of_common_page(&["The server didn't respond in time."], 504, HAPROXY),
    // nginx, `src/http/ngx_http_special_response.c`.
    of_nginx(
        &["No required SSL certificate was sent"],
        "400 No required SSL certificate was sent",
    ),
    Sentence {
        is_common: true,
        ..of_nginx(
            &["The SSL certificate error"],
            "400 The SSL certificate error",
        )
    },
    of_nginx(
        &["The plain HTTP request was sent to HTTPS port"],
        "400 The plain HTTP request was sent to HTTPS port",
    ),
    of_nginx(
        &["Request Header Or Cookie Too Large"],
        "400 Request Header Or Cookie Too Large",
    ),
    // Apache httpd, `modules/http/http_protocol.c`.
    of_page(
        &["temporarily unable to service your request due to maintenance downtime or capacity"],
        503,
        APACHE,
    ),
    of_page(
        &["The gateway did not receive a timely response from the upstream server or application."],
        504,
        APACHE,
    ),
    // Azure App Service.
    of_page(&["Error 403 - This web app is stopped."], 403, &[]),
    of_page(&["404 Web Site not found"], 404, &[]),
    // Heroku.
    of_heroku(
        &["An error occurred in the application and your page could not be served."],
        503,
        "error-pages/application-error.html",
    ),
    of_heroku(
        &["There is no app configured at that hostname."],
        404,
        "error-pages/no-such-app.html",
    ),
    // Squid, `errors/templates`.
    of_page(
        &["Unable to determine IP address from host name"],
        503,
        &[("error_page", "squid"), ("platform_error", "ERR_DNS_FAIL")],
    ),
    of_page(
        &["Access control configuration prevents your request from being allowed at this time."],
        403,
        &[
            ("error_page", "squid"),
            ("platform_error", "ERR_ACCESS_DENIED"),
        ],
    ),
    // Google's load balancers.
    of_page(
        &["The server encountered a temporary error and could not complete your request."],
        502,
        &[("front_door", "google-cloud")],
    ),
    // Imperva.
    of_page(&["Request unsuccessful. Incapsula incident ID"], 403, &[]),
    // Cloudflare.
    of_challenge(&["Enable JavaScript and cookies to continue"]),
    Sentence {
        is_common: false,
        ..of_challenge(&["_cf_chl_opt", "{"])
    },
];
