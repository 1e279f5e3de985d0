//! Builds the URLs of requests: the host of a service in a region, or the configured endpoint, with
//! an encoded path and query.

use url::Url;

use super::error::ReadError;
use super::service::Service;

/// The settings that determine the URLs of all services in a region.
#[derive(Clone)]
pub(super) struct Endpoint {
    region: String,
    fips: bool,
    /// The URL that replaces AWS's hosts for all services, such as that of an emulator; `None`
    /// means AWS's hosts.
    custom: Option<Url>,
}

/// The domains of AWS's partitions, as (prefix of the region, domain). The domain of all other
/// regions is `amazonaws.com`. Source: botocore's `partitions.json`.
const DOMAINS: [(&str, &str); 6] = [
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
];

impl Endpoint {
    /// Creates the endpoint of a region. `fips` selects AWS's FIPS endpoints. `custom` is the URL
    /// that replaces AWS's hosts; `None` means AWS's hosts.
    ///
    /// # Errors
    /// Returns an error if the region or the URL is unusable.
    pub(super) fn new(region: &str, fips: bool, custom: Option<&str>) -> Result<Self, ReadError> {
        // The region becomes part of the host name, so a wrong one could send requests elsewhere.
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if region.is_empty() || !region.chars().all(allowed) {
            return Err(ReadError::Rejected(format!(
                "{region:?} is not an AWS region; write a region code, such as \"eu-west-1\""
            )));
        }
        Ok(Self {
            region: region.to_owned(),
            fips,
            custom: custom.map(parse_custom).transpose()?,
        })
    }

    /// Returns the region in which the resources are read.
    pub(super) fn region(&self) -> &str {
        &self.region
    }

    /// Returns the region to use in signatures. CloudFront has one such region for each partition;
    /// for every other service, it is the region in which the resources are read.
    pub(super) fn signing_region(&self, service: Service) -> &str {
        match service {
            Service::CloudFront if self.region.starts_with("cn-") => "cn-northwest-1",
            Service::CloudFront => "us-east-1",
            _ => &self.region,
        }
    }

    /// Returns the URL of a request. Path segments and query parameters are percent-encoded. An
    /// empty last segment gives a path that ends with a slash.
    ///
    /// # Errors
    /// Returns an error if a path segment is unusable: `.`, `..`, or empty except at the end.
    pub(super) fn url(
        &self,
        service: Service,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Url, ReadError> {
        let mut url = self.base(service)?;
        let mut full_path = url.path().trim_end_matches('/').to_owned();
        for (index, segment) in path.iter().enumerate() {
            let is_last = index + 1 == path.len();
            // With such a segment, the URL could name another resource: URL libraries resolve `.`
            // and `..`.
            if [".", ".."].contains(segment) || (segment.is_empty() && !is_last) {
                return Err(ReadError::Rejected(format!(
                    "{segment:?} cannot be part of the path of an AWS request"
                )));
            }
            full_path.push('/');
            full_path.push_str(&encode(segment));
        }
        if !path.is_empty() {
            url.set_path(&full_path);
        }
        if !query.is_empty() {
            url.set_query(Some(&encode_pairs(query.iter().copied())));
        }
        Ok(url)
    }

    fn base(&self, service: Service) -> Result<Url, ReadError> {
        if let Some(url) = &self.custom {
            return Ok(url.clone());
        }
        let domain = DOMAINS
            .iter()
            .find(|(prefix, _)| self.region.starts_with(*prefix))
            .map_or("amazonaws.com", |(_, domain)| *domain);
        let (name, region) = (service.name(), &self.region);
        let suffix = if self.fips && !self.is_always_fips(service) {
            "-fips"
        } else {
            ""
        };
        let host = match service {
            Service::CloudFront if !self.region.starts_with("cn-") => {
                format!("{name}{suffix}.{domain}")
            }
            _ => format!("{name}{suffix}.{}.{domain}", self.signing_region(service)),
        };
        Url::parse(&format!("https://{host}/")).map_err(|error| {
            ReadError::Rejected(format!(
                "the endpoint URL of {name} in {region} is invalid: {error}"
            ))
        })
    }

    /// Returns whether the normal endpoint of the service complies with FIPS, so that there is no
    /// separate FIPS endpoint. Source: botocore's endpoint rules.
    fn is_always_fips(&self, service: Service) -> bool {
        self.region.starts_with("us-gov-")
            && matches!(
                service,
                Service::LoadBalancing | Service::CloudTrail | Service::Sts
            )
    }
}

/// Percent-encodes pairs of names and values as the query of a URL or the body of a form.
pub(super) fn encode_pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let encoded: Vec<String> = pairs
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    encoded.join("&")
}

/// Percent-encodes all characters except the unreserved ones, as signatures require.
fn encode(text: &str) -> String {
    const HEX: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(HEX[usize::from(byte >> 4)]);
            encoded.push(HEX[usize::from(byte & 15)]);
        }
    }
    encoded
}

fn parse_custom(text: &str) -> Result<Url, ReadError> {
    // The messages do not contain the URL, because it may contain a password.
    let unusable = |reason: &str| ReadError::Rejected(format!("`endpoint_url`: {reason}"));
    let mut url = Url::parse(text).map_err(|error| unusable(&error.to_string()))?;
    if !["http", "https"].contains(&url.scheme()) || !url.has_host() {
        return Err(unusable(
            "the URL must have the scheme http or https and a host",
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unusable(
            "the URL contains a user name or a password; remove them, because requests are signed \
             with the AWS credentials",
        ));
    }
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(
        (region, fips, custom): (&str, bool, Option<&str>),
        service: Service,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<String, ReadError> {
        let endpoint = Endpoint::new(region, fips, custom)?;
        endpoint
            .url(service, path, query)
            .map(|url| url.as_str().to_owned())
    }

    #[test]
    fn the_host_depends_on_service_region_and_partition() {
        for (region, fips, service, expected) in [
            (
                "eu-west-1",
                false,
                Service::Lambda,
                "lambda.eu-west-1.amazonaws.com",
            ),
            (
                "cn-north-1",
                false,
                Service::ApiGateway,
                "apigateway.cn-north-1.amazonaws.com.cn",
            ),
            (
                "us-gov-west-1",
                false,
                Service::LoadBalancing,
                "elasticloadbalancing.us-gov-west-1.amazonaws.com",
            ),
            (
                "us-iso-east-1",
                false,
                Service::CloudTrail,
                "cloudtrail.us-iso-east-1.c2s.ic.gov",
            ),
            (
                "us-isob-east-1",
                false,
                Service::CloudTrail,
                "cloudtrail.us-isob-east-1.sc2s.sgov.gov",
            ),
            (
                "us-east-1",
                true,
                Service::Lambda,
                "lambda-fips.us-east-1.amazonaws.com",
            ),
            (
                "us-gov-west-1",
                true,
                Service::CloudTrail,
                "cloudtrail.us-gov-west-1.amazonaws.com",
            ),
            (
                "eu-west-1",
                false,
                Service::CloudFront,
                "cloudfront.amazonaws.com",
            ),
            (
                "cn-north-1",
                false,
                Service::CloudFront,
                "cloudfront.cn-northwest-1.amazonaws.com.cn",
            ),
        ] {
            let url = url((region, fips, None), service, &[], &[]).unwrap();
            assert_eq!(url, format!("https://{expected}/"));
        }
    }

    #[test]
    fn path_and_query_are_encoded() {
        let place = ("eu-west-1", false, Some("http://127.0.0.1:5000/"));
        for (path, query, expected) in [
            (
                &[
                    "2015-03-31",
                    "functions",
                    "arn:aws:lambda:eu-west-1:1:function:a",
                    "policy",
                ][..],
                &[("Qualifier", "a b+c")][..],
                "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A1%3Afunction%3Aa/policy\
                 ?Qualifier=a%20b%2Bc",
            ),
            (
                &["v2", "apis", "a1", "stages", "$default"],
                &[],
                "/v2/apis/a1/stages/%24default",
            ),
            (
                &["2015-03-31", "functions", ""],
                &[],
                "/2015-03-31/functions/",
            ),
            (&["a/../b?c#d%2F"], &[], "/a%2F..%2Fb%3Fc%23d%252F"),
            (&["é"], &[("x", "'&=")], "/%C3%A9?x=%27%26%3D"),
            (&[], &[], "/"),
        ] {
            let url = url(place, Service::Lambda, path, query).unwrap();
            assert_eq!(url, format!("http://127.0.0.1:5000{expected}"));
        }
    }

    #[test]
    fn the_path_of_a_configured_endpoint_is_kept() {
        let place = (
            "eu-west-1",
            false,
            Some("https://emulator.example/aws/?x#y"),
        );
        let url = url(place, Service::Lambda, &["a"], &[]).unwrap();
        assert_eq!(url, "https://emulator.example/aws/a");
    }

    #[test]
    fn an_unusable_region_endpoint_or_path_is_rejected_without_secrets() {
        for (region, custom, path) in [
            ("", None, "a"),
            ("evil.example/", None, "a"),
            ("eu-west-1", Some("ftp://a.example"), "a"),
            ("eu-west-1", Some("http://user:hunter2@a.example"), "a"),
            ("eu-west-1", Some("hunter2"), "a"),
            ("eu-west-1", None, ".."),
        ] {
            let result = url((region, false, custom), Service::Lambda, &[path], &[]);
            let error = result.unwrap_err();
            assert!(matches!(error, ReadError::Rejected(_)), "{error:?}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        let place = ("eu-west-1", false, None);
        assert!(url(place, Service::Lambda, &["", "a"], &[]).is_err());
    }
}
