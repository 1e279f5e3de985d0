//! A hash that stays the same over releases, platforms and restarts, which the standard
//! library's does not promise.
//!
//! What it decides must never change silently: ids of incidents, names of alarms, a
//! target's place in the schedule, the shard that holds it. No secret is involved.

/// FNV-1a of a text, 64 bits (RFC 9923).
#[must_use]
pub fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Spreads a hash over all 64 bits (the first half of the finisher of `MurmurHash3`): FNV-1a
/// of texts that differ in their last letter only lie close together.
#[must_use]
pub const fn mix(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_test_values_come_out() {
        // From the authors' list at www.isthe.com/chongo/tech/comp/fnv/.
        for (text, expected) in [
            ("", 0xcbf2_9ce4_8422_2325),
            ("a", 0xaf63_dc4c_8601_ec8c),
            ("foobar", 0x8594_4171_f739_67e8),
        ] {
            assert_eq!(fnv1a(text), expected, "{text}");
        }
        assert_eq!(mix(0), 0);
        assert_ne!(mix(1), mix(2));
    }
}
