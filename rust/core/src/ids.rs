//! ULIDs: 48 bits of time, 80 bits from the system or, under a manual clock, from a seed.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Clock;
use crate::error::{Error, Result};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Maker of ids for one opening of a store.
#[derive(Debug)]
pub(crate) struct IdSource {
    base: u64,
    counter: AtomicU64,
}

impl IdSource {
    pub(crate) fn new(seed: u64, generation: u64) -> Self {
        Self { base: mix(seed ^ mix(generation)), counter: AtomicU64::new(0) }
    }

    pub(crate) fn next(&self, clock: &Clock) -> Result<String> {
        let random = if clock.is_manual() { self.seeded() } else { system_random()? };
        let millis = u128::try_from(clock.now_us() / 1000).unwrap_or(0) & 0xFFFF_FFFF_FFFF;
        Ok(encode((millis << 80) | random))
    }

    fn seeded(&self) -> u128 {
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        let high = mix(self.base.wrapping_add(count));
        let low = mix(high) & 0xFFFF;
        (u128::from(high) << 16) | u128::from(low)
    }
}

fn system_random() -> Result<u128> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes[6..])
        .map_err(|error| Error::Internal(format!("the system gave no random bits: {error}")))?;
    Ok(u128::from_be_bytes(bytes))
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood 2014).
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn encode(bits: u128) -> String {
    (0..26).map(|i| char::from(ALPHABET[((bits >> (125 - 5 * i)) & 31) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeded_ids_repeat_and_generations_differ() {
        let clock = Clock::manual(1_700_000_000_000_000);
        let ids = |generation| {
            let source = IdSource::new(7, generation);
            (0..100).map(|_| source.next(&clock).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(ids(1), ids(1));
        assert!(ids(1).iter().all(|id| !ids(2).contains(id)));
        assert!(ids(1).iter().all(|id| id.len() == 26));
    }
}
