//! A seeded generator of the random numbers that the population is drawn with.
//!
//! The generator is SplitMix64 (Steele, Lea, Flood, 2014). It has 64 bits of state and uses
//! integer operations only, so a seed gives the same stream on every platform. It never
//! uses the system's entropy, so every table can be reproduced.

/// A seeded stream of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Starts the stream of a seed.
    #[must_use]
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Starts another stream without advancing this one. Draws from it leave all others unchanged.
    pub(crate) fn branch(&self) -> Self {
        Self(self.clone().unit().to_bits())
    }

    /// Uniform in `0.0..1.0`.
    pub(crate) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        // An f64 holds 53 bits exactly.
        ((word ^ (word >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// Uniform in `low..high`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Log-uniform in `low..high`: every factor of ten is equally likely.
    pub(crate) fn log_between(&mut self, low: f64, high: f64) -> f64 {
        self.between(low.ln(), high.ln()).exp()
    }

    /// Exponential with this mean, like the waiting time in a queue.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// One element of a non-empty slice, all equally likely.
    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[(self.unit() * choices.len() as f64) as usize]
    }

    /// Poisson with this mean, like the number of other callers' requests in a window. Uses
    /// Knuth's product in steps of at most 30, because `exp(-mean)` underflows for a large
    /// mean.
    pub(crate) fn poisson(&mut self, mean: f64) -> f64 {
        let mut left = mean;
        let mut count = 0.0;
        while left > 0.0 {
            let floor = (-left.min(30.0)).exp();
            let mut product = self.unit();
            while product > floor {
                count += 1.0;
                product *= self.unit();
            }
            left -= 30.0;
        }
        count
    }

    /// Binomial: the successes in `count` trials that each succeed with probability `share`.
    pub(crate) fn binomial(&mut self, count: f64, share: f64) -> f64 {
        let mut successes = 0.0;
        let mut left = count;
        while left >= 1.0 {
            if self.chance(share) {
                successes += 1.0;
            }
            left -= 1.0;
        }
        successes
    }
}
