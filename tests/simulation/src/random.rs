//! Random numbers that a seed determines, on every machine and for ever.

use std::ops::RangeInclusive;

/// `SplitMix64` (Steele, Lea and Flood, 2014).
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The numbers of a seed. `purpose` separates streams, so that more draws for one purpose leave the others alone.
    #[must_use]
    pub fn new(seed: u64, purpose: &str) -> Self {
        let mut random = Self { state: seed };
        for byte in purpose.bytes() {
            random.state ^= u64::from(byte);
            random.draw();
        }
        random
    }

    /// Another stream, which follows from where this one is.
    #[must_use]
    pub fn apart(&self, purpose: &str) -> Self {
        Self::new(self.state, purpose)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number of the range.
    pub fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let width = range.end() - range.start() + 1;
        range.start() + self.draw() % width
    }

    /// A number of the range, from 0.0 up to but not 1.0 of the way.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub fn between(&mut self, least: f64, most: f64) -> f64 {
        let share = (self.draw() >> 11) as f64 / (1_u64 << 53) as f64;
        least + (most - least) * share
    }

    /// True this many times in a thousand.
    pub fn per_mille(&mut self, times: u64) -> bool {
        self.draw() % 1000 < times
    }

    /// One of them.
    ///
    /// # Panics
    /// When there is none.
    pub fn one_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let at = usize::try_from(self.draw() % items.len() as u64).expect("an index");
        &items[at]
    }
}
