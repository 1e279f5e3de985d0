//! Lists the gateways, proxies and platforms that can be recognized by a response.
//!
//! `recognition` recognizes the outermost front door that a request went through. `error_page`
//! recognizes the front door that wrote a body.

use crate::model::text_enum::text_enum;

text_enum! {
    /// The front doors that can be recognized by a response.
    ///
    /// The texts are the values of the facts `front_door` and `error_page`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum FrontDoor {
        /// An HTTP API of API Gateway.
        HttpApi = "http-api",
        /// A REST API of API Gateway.
        RestApi = "rest-api",
        /// A Lambda function URL.
        FunctionUrl = "function-url",
        /// An Application Load Balancer, recognized by the `server` header of the responses that it
        /// generates.
        Alb = "alb",
        /// CloudFront, recognized by its own error page.
        CloudFront = "cloudfront",
        /// The Cloudflare CDN.
        Cloudflare = "cloudflare",
        /// The Envoy proxy, alone or in a service mesh such as Istio.
        Envoy = "envoy",
        /// nginx and servers based on nginx, such as OpenResty, Tengine and ingress-nginx.
        Nginx = "nginx",
        /// The Apache HTTP server (httpd).
        Apache = "apache",
        /// The HAProxy load balancer.
        Haproxy = "haproxy",
        /// The Traefik proxy.
        Traefik = "traefik",
        /// The Varnish cache.
        Varnish = "varnish",
        /// The Fastly CDN.
        Fastly = "fastly",
        /// The Kong API gateway.
        Kong = "kong",
        /// The Vercel platform.
        Vercel = "vercel",
        /// The Azure Front Door CDN.
        AzureFrontDoor = "azure-front-door",
        /// The Azure Application Gateway load balancer.
        AzureApplicationGateway = "azure-application-gateway",
        /// The Azure App Service platform, including Azure Functions.
        AppService = "app-service",
        /// The Apigee API gateway.
        Apigee = "apigee",
        /// The Amazon S3 object storage.
        S3 = "s3",
        /// The default backend of a GKE ingress.
        GkeIngress = "gke-ingress",
        /// The ngrok tunnel service.
        Ngrok = "ngrok",
        /// The Caddy web server.
        Caddy = "caddy",
        /// The proxy of the Linkerd service mesh.
        Linkerd = "linkerd",
        /// The router of the Heroku platform.
        Heroku = "heroku",
        /// The Render platform.
        Render = "render",
        /// The Railway platform.
        Railway = "railway",
        /// The Netlify platform.
        Netlify = "netlify",
        /// A load balancer or serverless platform of Google Cloud.
        GoogleCloud = "google-cloud",
        /// The Squid proxy, recognized by the responses that it generates.
        Squid = "squid",
        /// The Akamai CDN, recognized by the responses that it generates.
        Akamai = "akamai",
        /// No front door is recognized.
        Unknown = "unknown",
    }
}
