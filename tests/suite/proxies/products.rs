//! The proxies: how each is started, and which faults it cannot have.

/// A proxy that Debian or PyPI has a package of.
pub(crate) struct Product {
    /// Its folder in `tests/corpus/captures`.
    pub(crate) id: &'static str,
    /// The program, and the arguments that make it print its version.
    pub(crate) program: &'static str,
    pub(crate) version: &'static [&'static str],
    /// The text before the version in that output.
    pub(crate) version_after: &'static str,
    /// The name before the version in the captures.
    pub(crate) name: &'static str,
    /// The file in `tests/corpus/configurations`.
    pub(crate) configuration: &'static str,
    /// The arguments that run it in the foreground. Texts such as `@folder@` are replaced.
    pub(crate) arguments: &'static [&'static str],
    /// Whether it speaks TLS itself. If not, the test ends TLS in front of it.
    pub(crate) tls: bool,
    /// Requests sent before the probes of a fault, which use up an allowance or a connection.
    pub(crate) before: &'static [(&'static str, Before)],
    /// Faults that it cannot have, with the reason.
    pub(crate) lacks: &'static [(&'static str, &'static str)],
}

/// What precedes the probes of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// A request that stays open during the probes.
    Occupy,
    /// A request that ends before the probes.
    Send,
}

pub(crate) const NGINX: Product = Product {
    id: "nginx",
    program: "nginx",
    version: &["-v"],
    version_after: "nginx/",
    name: "nginx",
    configuration: "nginx.conf",
    arguments: &[
        "-p",
        "@folder@",
        "-c",
        "@configuration@",
        "-e",
        "@folder@/error.log",
    ],
    tls: true,
    before: &[
        ("backend-full", Before::Occupy),
        ("too-many-connections", Before::Occupy),
        ("too-many-requests", Before::Send),
    ],
    lacks: &[],
};

pub(crate) const HAPROXY: Product = Product {
    id: "haproxy",
    program: "haproxy",
    version: &["-v"],
    version_after: "HAProxy version ",
    name: "HAProxy",
    configuration: "haproxy.cfg",
    arguments: &["-db", "-f", "@configuration@"],
    tls: true,
    before: &[("backend-full", Before::Occupy)],
    lacks: &[("too-many-connections", "connections above the limit wait")],
};

pub(crate) const APACHE: Product = Product {
    id: "apache",
    program: "apache2",
    version: &["-v"],
    version_after: "Apache/",
    name: "Apache",
    configuration: "apache.conf",
    arguments: &["-X", "-d", "@folder@", "-f", "@configuration@"],
    tls: true,
    before: &[("backend-full", Before::Occupy)],
    lacks: &[
        ("too-many-connections", "connections above the limit wait"),
        (
            "too-many-requests",
            "no module of httpd limits the request rate",
        ),
    ],
};

pub(crate) const VARNISH: Product = Product {
    id: "varnish",
    program: "varnishd",
    version: &["-V"],
    version_after: "varnish-",
    name: "Varnish",
    configuration: "varnish.vcl",
    arguments: &[
        "-F",
        "-j",
        "none",
        "-n",
        "@folder@/state",
        "-a",
        "127.0.0.1:@http@",
        "-f",
        "@configuration@",
        "-s",
        "malloc,16m",
        "-p",
        "feature=+http2",
    ],
    tls: false,
    before: &[("backend-full", Before::Occupy)],
    lacks: &[
        ("too-many-connections", "connections above the limit wait"),
        (
            "backend-name-unknown",
            "names are resolved when the configuration is loaded",
        ),
        (
            "backend-certificate-expired",
            "it speaks no TLS to backends",
        ),
        (
            "backend-certificate-untrusted",
            "it speaks no TLS to backends",
        ),
        (
            "backend-certificate-misnamed",
            "it speaks no TLS to backends",
        ),
        ("backend-plain-http", "it speaks no TLS to backends"),
        ("plain-http-to-https", "it speaks no TLS to clients"),
        ("client-certificate-missing", "it speaks no TLS to clients"),
    ],
};

pub(crate) const CADDY: Product = Product {
    id: "caddy",
    program: "caddy",
    version: &["version"],
    version_after: "v",
    name: "Caddy",
    configuration: "Caddyfile",
    arguments: &[
        "run",
        "--config",
        "@configuration@",
        "--adapter",
        "caddyfile",
    ],
    tls: true,
    before: &[
        ("backend-full", Before::Occupy),
        ("backend-down", Before::Send),
    ],
    lacks: &[
        ("too-many-connections", "connections above the limit wait"),
        (
            "too-many-requests",
            "only an extension limits the request rate",
        ),
    ],
};
