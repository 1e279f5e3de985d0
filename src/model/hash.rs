//! A hash whose values are the same in all releases, on all platforms and after restarts. The
//! standard library's hash does not guarantee this.
//!
//! Incident ids, alarm names, and the schedules and shards of targets depend on the hash, so its
//! values must not change. The hash is not cryptographic.

/// Returns the 64-bit FNV-1a hash of a string (RFC 9923).
#[must_use]
pub fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Mixes the bits of a hash, because FNV-1a returns similar values for strings that differ only
/// in the last character. The function is the first half of `MurmurHash3`'s 64-bit finalizer.
#[must_use]
pub const fn mix(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_matches_the_published_test_vectors() {
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
