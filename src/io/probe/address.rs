//! Which addresses a probe may talk to.
//!
//! A redirect or a hostile name could point the prober at the credentials service of
//! the host it runs on. Link-local and metadata addresses are therefore refused at
//! every hop unless the target names them. Pure: it looks at addresses, never at names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Url;

/// The metadata service of EC2 over IPv6: unique-local, so the link-local rule misses it.
const EC2_METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254);
/// Alibaba Cloud's metadata service sits in shared address space.
const ALIBABA_METADATA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
/// RFC 6052's well-known prefix, behind which a NAT64 gateway reaches IPv4.
const NAT64: [u16; 6] = [0x0064, 0xff9b, 0, 0, 0, 0];

/// An address that the rule refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is a link-local or metadata address: list it in `request.allow_addresses` to probe it"
)]
pub(super) struct AddressRefused(pub(super) IpAddr);

/// Lets an address pass unless it is link-local or a metadata service.
pub(super) fn permit(address: IpAddr, allowed: &[IpAddr]) -> Result<(), AddressRefused> {
    let plain = unmapped(address);
    let listed = allowed
        .iter()
        .any(|allowed| *allowed == address || unmapped(*allowed) == plain);
    if listed || !is_guarded(plain) {
        Ok(())
    } else {
        Err(AddressRefused(address))
    }
}

/// The address that a URL spells out, if it does.
pub(super) fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        url::Host::Domain(_) => None,
        url::Host::Ipv4(address) => Some(address.into()),
        url::Host::Ipv6(address) => Some(address.into()),
    }
}

fn is_guarded(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local() || address == ALIBABA_METADATA,
        IpAddr::V6(address) => address.is_unicast_link_local() || address == EC2_METADATA_V6,
    }
}

/// The IPv4 address inside a mapped, compatible or NAT64 form.
fn unmapped(address: IpAddr) -> IpAddr {
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

    fn check(address: &str, allowed: &[&str], passes: bool) {
        let allowed: Vec<IpAddr> = allowed.iter().map(|text| text.parse().unwrap()).collect();
        let verdict = permit(address.parse().unwrap(), &allowed);
        assert_eq!(verdict.is_ok(), passes, "{address}");
    }

    #[test]
    fn every_form_of_a_guarded_address_is_refused() {
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
    fn loopback_private_and_public_addresses_pass() {
        for address in ["127.0.0.1", "::1", "10.0.0.1", "fd00::1", "93.184.216.34"] {
            check(address, &[], true);
        }
    }

    #[test]
    fn a_listed_address_passes_in_any_form() {
        check("::ffff:169.254.169.254", &["169.254.169.254"], true);
        check("169.254.169.253", &["169.254.169.254"], false);
    }
}
