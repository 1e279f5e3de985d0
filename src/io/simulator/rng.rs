//! Generates request ids and latency jitter from a seed.
//!
//! Constant latencies would be unrealistic, and random latencies would make tests flaky. The seed
//! and the order of calls determine every value, so the values must not be used as secrets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A deterministic random number generator that all requests share.
#[derive(Debug)]
pub(super) struct SeededRng {
    seed: u64,
    drawn: AtomicU64,
}

/// The increment of `SplitMix64`: the fractional part of the golden ratio in 64 bits. With this
/// increment, consecutive states differ in about half of their bits.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The number of bytes in the request id of an HTTP API. In base64, 11 bytes are 15 characters and
/// one `=`, as in the captured ids.
const ID_BYTES: u32 = 11;

/// The alphabet of URL-safe base64, which the captured request ids use.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl SeededRng {
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            seed,
            drawn: AtomicU64::new(0),
        }
    }

    /// Returns a request id in the format of `K2ZEDjwtIAMEcig=`. The ids of one generator are
    /// unique, because [`mix`] is a bijection.
    pub(super) fn request_id(&self) -> String {
        let unique = self.draw();
        let rest = mix(unique) >> 40;
        // `unique` and `rest` have 88 bits together. Two zero bits fill the fifteenth character.
        let bits = ((u128::from(unique) << 24) | u128::from(rest)) << 2;
        let letters = (ID_BYTES * 8).div_ceil(6);
        let mut id: String = (0..letters)
            .rev()
            .map(|place| char::from(ALPHABET[((bits >> (place * 6)) & 63) as usize]))
            .collect();
        id.push('=');
        id
    }

    /// Returns an id in the format of a version 4 UUID, like the request ids of REST APIs and
    /// Lambda.
    pub(super) fn uuid(&self) -> String {
        let (high, low) = (self.draw(), self.draw());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            0x8000 | ((low >> 48) & 0x3fff),
            low & 0xffff_ffff_ffff
        )
    }

    /// Returns a duration between `min` and `min + spread`.
    pub(super) fn between(&self, min: Duration, spread: Duration) -> Duration {
        // Steps of `spread` / 1,024 are fine enough: each is shorter than a millisecond for every
        // `spread` that the simulator uses.
        let step = u32::try_from(self.draw() >> 54).unwrap_or(0);
        min + spread * step / 1024
    }

    fn draw(&self) -> u64 {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        mix(self.seed.wrapping_add(drawn.wrapping_mul(GOLDEN)))
    }
}

/// Returns the output of `SplitMix64` for a state. This function is a bijection on 64 bits.
const fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(GOLDEN);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn request_ids_have_the_captured_shape_and_never_repeat() {
        let rng = SeededRng::new(7);
        let ids: HashSet<String> = (0..10_000).map(|_| rng.request_id()).collect();
        assert_eq!(ids.len(), 10_000);
        for id in &ids {
            assert_eq!(id.len(), "K2ZEDjwtIAMEcig=".len(), "{id}");
            let letters = id.strip_suffix('=').unwrap();
            assert!(letters.bytes().all(|byte| ALPHABET.contains(&byte)), "{id}");
        }
    }

    #[test]
    fn a_uuid_has_the_form_of_version_4() {
        let id = SeededRng::new(7).uuid();
        let groups: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12], "{id}");
        assert_eq!(id.as_bytes()[14], b'4', "{id}");
        assert!(
            matches!(id.as_bytes()[19], b'8'..=b'9' | b'a'..=b'b'),
            "{id}"
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_sequence() {
        let (one, two) = (SeededRng::new(1), SeededRng::new(1));
        let min = Duration::from_millis(4);
        let spread = Duration::from_millis(6);
        for _ in 0..100 {
            let time = one.between(min, spread);
            assert_eq!(time, two.between(min, spread));
            assert!(time >= min && time <= min + spread, "{time:?}");
        }
        assert_ne!(
            SeededRng::new(1).request_id(),
            SeededRng::new(2).request_id()
        );
    }
}
