//! Reads CloudFront distributions. They belong to the account, not to a Region.

use super::calls::{Calls, Part, endless};
use super::xml::Element;
use crate::domain::discovery::account::Distribution;
use crate::io::aws::read::{ReadError, Service};

/// Maximum number of pages of the list.
const MAX_PAGES: usize = 100;

/// Reads all distributions. After a failure, records it and returns the distributions that were
/// read before.
pub(super) async fn read(calls: &mut Calls<'_>) -> Vec<Distribution> {
    calls.report("the list of CloudFront distributions".to_owned());
    let mut found = Vec::new();
    if let Err(error) = list(calls, &mut found).await {
        calls.record("CloudFront distributions", &error, Part::Details);
    }
    found
}

async fn list(calls: &mut Calls<'_>, found: &mut Vec<Distribution>) -> Result<(), ReadError> {
    let operation = (Service::CloudFront, "ListDistributions");
    let mut marker: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let mut query = vec![("MaxItems", "100")];
        query.extend(marker.as_deref().map(|marker| ("Marker", marker)));
        let path = ["2020-05-31", "distribution"];
        let document = calls.get_xml(operation, &path, &query).await?;
        let root = Element::parse(&document).ok_or_else(|| {
            ReadError::Malformed("ListDistributions: the response is not complete XML".to_owned())
        })?;
        found.extend(root.list(&["Items"]).iter().filter_map(parse_distribution));
        let next = root.text(&["NextMarker"]).map(str::to_owned);
        if next.is_none() || root.text(&["IsTruncated"]) == Some("false") {
            return Ok(());
        }
        if next == marker {
            break;
        }
        marker = next;
    }
    Err(endless("ListDistributions"))
}

fn parse_distribution(summary: &Element) -> Option<Distribution> {
    Some(Distribution {
        domain_name: summary.text(&["DomainName"])?.to_owned(),
        aliases: summary.texts(&["Aliases", "Items"]),
        enabled: summary.text(&["Enabled"]) == Some("true"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_has_its_aliases() {
        let document = "<DistributionSummary><DomainName>d1.cloudfront.net</DomainName><Aliases>\
                        <Quantity>1</Quantity><Items><CNAME>www.example.com</CNAME></Items>\
                        </Aliases><Enabled>true</Enabled></DistributionSummary>";
        let found = parse_distribution(&Element::parse(document).unwrap()).unwrap();
        assert_eq!(found.aliases, ["www.example.com"]);
        assert!(found.enabled);
        let off = document.replace(">true<", ">false<");
        let off = parse_distribution(&Element::parse(&off).unwrap()).unwrap();
        assert!(!off.enabled);
    }
}
