//! Decides which addresses a probe may connect to.
//!
//! A redirect or a hostile DNS name could direct a probe to the metadata service of the daemon's
//! host, which returns credentials. Therefore, a probe does not connect to link-local and metadata
//! addresses unless the configuration of its target names them. Name resolution is in `resolve`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Url;

/// The IPv6 address of the EC2 metadata service. The check for link-local addresses does not cover
/// it, because it is a unique local address.
const EC2_METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254);
/// The address of the Alibaba Cloud metadata service. The check for link-local addresses does not
/// cover it, because it is in the shared address space.
const ALIBABA_METADATA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
/// The well-known NAT64 prefix (RFC 6052). An address with this prefix ends with an IPv4 address.
const NAT64: [u16; 6] = [0x0064, 0xff9b, 0, 0, 0, 0];

/// The error for a link-local or metadata address that the target does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is a link-local or metadata address; list it in `request.allow_addresses` to probe it"
)]
pub(in super::super) struct AddressRefused(IpAddr);

/// Checks that a probe may connect to an address: the address is neither a link-local nor a
/// metadata address, or the target lists it in `allowed`.
pub(in super::super) fn check_allowed(
    address: IpAddr,
    allowed: &[IpAddr],
) -> Result<(), AddressRefused> {
    let canonical = embedded_ipv4(address);
    let listed = allowed
        .iter()
        .any(|allowed| *allowed == address || embedded_ipv4(*allowed) == canonical);
    if listed || !is_restricted(canonical) {
        Ok(())
    } else {
        Err(AddressRefused(address))
    }
}

/// Returns the addresses in `found` that [`check_allowed`] accepts. Returns an error only if at
/// least one address was refused and none is left.
pub(super) fn allowed_addresses(
    found: Vec<IpAddr>,
    allowed: &[IpAddr],
) -> Result<Vec<IpAddr>, AddressRefused> {
    let mut refused: Option<AddressRefused> = None;
    let mut kept = Vec::new();
    for address in found {
        match check_allowed(address, allowed) {
            Ok(()) => kept.push(address),
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if kept.is_empty() => Err(error),
        _ => Ok(kept),
    }
}

/// Returns the IP address in a URL, or `None` if the host of the URL is a name.
pub(in super::super) fn literal_address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        url::Host::Domain(_) => None,
        url::Host::Ipv4(address) => Some(address.into()),
        url::Host::Ipv6(address) => Some(address.into()),
    }
}

fn is_restricted(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local() || address == ALIBABA_METADATA,
        IpAddr::V6(address) => address.is_unicast_link_local() || address == EC2_METADATA_V6,
    }
}

/// Returns the IPv4 address embedded in an IPv4-mapped, IPv4-compatible or NAT64 address. Returns
/// any other address unchanged.
fn embedded_ipv4(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    let segments = v6.segments();
    let embeds = segments[..6] == NAT64 || (segments[..6] == [0; 6] && segments[6] != 0);
    if embeds {
        let octets = v6.octets();
        return Ipv4Addr::new(octets[12], octets[13], octets[14], octets[15]).into();
    }
    v6.to_ipv4_mapped().map_or(address, IpAddr::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, allowed: &[&str], allowed_expected: bool) {
        let allowed: Vec<IpAddr> = allowed.iter().map(|text| text.parse().unwrap()).collect();
        let result = check_allowed(address.parse().unwrap(), &allowed);
        assert_eq!(result.is_ok(), allowed_expected, "{address}");
    }

    #[test]
    fn every_form_of_a_restricted_address_is_refused() {
        for address in [
            "169.254.169.254",
            "169.254.0.1",
            "100.100.100.200",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "::169.254.169.254",
        ] {
            check(address, &[], false);
        }
    }

    #[test]
    fn loopback_private_and_public_addresses_are_allowed() {
        for address in ["127.0.0.1", "::1", "10.0.0.1", "fd00::1", "93.184.216.34"] {
            check(address, &[], true);
        }
    }

    #[test]
    fn a_listed_address_is_allowed_in_every_form() {
        check("::ffff:169.254.169.254", &["169.254.169.254"], true);
        check("169.254.169.253", &["169.254.169.254"], false);
    }
}
