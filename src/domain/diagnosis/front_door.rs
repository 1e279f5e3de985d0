//! The gateways, proxies and platforms that can be recognized by a response.
//!
//! `recognition` recognizes the outermost one that a request went through, `error_page` the
//! one that wrote a body.

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
        /// An Application Load Balancer, recognized by its own error page or a fixed response.
        Alb = "alb",
        /// CloudFront, recognized by its own error page.
        CloudFront = "cloudfront",
        /// Cloudflare.
        Cloudflare = "cloudflare",
        /// Envoy, alone or as the proxy of a service mesh such as Istio.
        Envoy = "envoy",
        /// nginx and the servers made from it, such as OpenResty, Tengine and ingress-nginx.
        Nginx = "nginx",
        /// Apache httpd.
        Apache = "apache",
        /// HAProxy.
        Haproxy = "haproxy",
        /// Traefik.
        Traefik = "traefik",
        /// Varnish.
        Varnish = "varnish",
        /// Fastly.
        Fastly = "fastly",
        /// Kong.
        Kong = "kong",
        /// Vercel.
        Vercel = "vercel",
        /// Azure Front Door.
        AzureFrontDoor = "azure-front-door",
        /// Azure Application Gateway.
        AzureApplicationGateway = "azure-application-gateway",
        /// Azure App Service, including Azure Functions.
        AppService = "app-service",
        /// Apigee.
        Apigee = "apigee",
        /// Amazon S3.
        S3 = "s3",
        /// The default backend of a GKE ingress.
        GkeIngress = "gke-ingress",
        /// ngrok.
        Ngrok = "ngrok",
        /// Caddy.
        Caddy = "caddy",
        /// Linkerd's proxy.
        Linkerd = "linkerd",
        /// Heroku's router.
        Heroku = "heroku",
        /// Render.
        Render = "render",
        /// Railway.
        Railway = "railway",
        /// Netlify.
        Netlify = "netlify",
        /// A load balancer or serverless platform of Google Cloud.
        GoogleCloud = "google-cloud",
        /// None of these is recognized.
        Unknown = "unknown",
    }
}
