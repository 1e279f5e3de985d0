# Varnish: one backend per fault. Texts such as @refused.port@ are replaced.
vcl 4.1;

backend ok { .host = "127.0.0.1"; .port = "@ok.port@"; }
backend refused { .host = "127.0.0.1"; .port = "@refused.port@"; }
backend unanswered { .host = "127.0.0.1"; .port = "@unanswered.port@"; .connect_timeout = 1s; }
backend silent { .host = "127.0.0.1"; .port = "@silent.port@"; .first_byte_timeout = 1s; }
backend reset { .host = "127.0.0.1"; .port = "@reset.port@"; }
backend empty { .host = "127.0.0.1"; .port = "@empty.port@"; }
backend garbage { .host = "127.0.0.1"; .port = "@garbage.port@"; }
backend huge_header { .host = "127.0.0.1"; .port = "@huge_header.port@"; }
backend truncated { .host = "127.0.0.1"; .port = "@truncated.port@"; }
backend full { .host = "127.0.0.1"; .port = "@hold.port@"; .max_connections = 1; }
backend application_500 { .host = "127.0.0.1"; .port = "@application_500.port@"; }
backend application_503 { .host = "127.0.0.1"; .port = "@application_503.port@"; }
backend relayed_502 { .host = "127.0.0.1"; .port = "@relayed_502.port@"; }
backend down {
    .host = "127.0.0.1";
    .port = "@down.port@";
    .probe = { .initial = 0; }
}

sub vcl_recv {
    if (req.url == "/ok") { set req.backend_hint = ok; }
    elsif (req.url == "/backend-refused") { set req.backend_hint = refused; }
    elsif (req.url == "/backend-unanswered-connect") { set req.backend_hint = unanswered; }
    elsif (req.url == "/backend-silent") { set req.backend_hint = silent; }
    elsif (req.url == "/backend-reset") { set req.backend_hint = reset; }
    elsif (req.url == "/backend-empty") { set req.backend_hint = empty; }
    elsif (req.url == "/backend-garbage") { set req.backend_hint = garbage; }
    elsif (req.url == "/backend-huge-header") { set req.backend_hint = huge_header; }
    elsif (req.url == "/backend-truncated") { set req.backend_hint = truncated; }
    elsif (req.url == "/backend-full") { set req.backend_hint = full; }
    elsif (req.url == "/backend-down") { set req.backend_hint = down; }
    elsif (req.url == "/application-500") { set req.backend_hint = application_500; }
    elsif (req.url == "/application-503") { set req.backend_hint = application_503; }
    elsif (req.url == "/relayed-502") { set req.backend_hint = relayed_502; }
    elsif (req.url == "/forbidden") { return (synth(403)); }
    elsif (req.url == "/too-many-requests") { return (synth(429)); }
    else { return (synth(404)); }
    return (pass);
}
