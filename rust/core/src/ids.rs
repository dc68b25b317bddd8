//! ULIDs: 48 bits of time, 80 bits from the system or, under a manual clock, from a seed.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Clock;
use crate::error::{Error, Result};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

const NO_DIGIT: u8 = u8::MAX;

/// The place of each letter in the alphabet.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < 32 {
        digits[ALPHABET[digit as usize] as usize] = digit;
        digit += 1;
    }
    digits
};

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
        let letters = encode_ulid((millis << 80) | random);
        Ok(letters.iter().copied().map(char::from).collect())
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
    bytes[6..].copy_from_slice(&random_bytes::<10>()?);
    Ok(u128::from_be_bytes(bytes))
}

/// Bytes from the system.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::Internal(format!("the system gave no random bits: {error}")))?;
    Ok(bytes)
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood 2014).
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

pub(crate) fn encode_ulid(bits: u128) -> [u8; 26] {
    std::array::from_fn(|i| ALPHABET[((bits >> (125 - 5 * i)) & 31) as usize])
}

/// The bits of a ULID as this module writes it; `None` for any other text.
pub(crate) fn decode_ulid(text: &str) -> Option<u128> {
    let letters: &[u8; 26] = text.as_bytes().try_into().ok()?;
    let mut bits = 0_u128;
    for letter in letters {
        let digit = DIGITS[usize::from(*letter)];
        if digit == NO_DIGIT || bits >> 123 != 0 {
            return None;
        }
        bits = (bits << 5) | u128::from(digit);
    }
    Some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ulid_is_read_back_and_nothing_else_is() {
        for bits in [0, 1, u128::MAX, 0x0123_4567_89AB_CDEF_0123_4567_89AB_CDEF] {
            let letters = encode_ulid(bits);
            assert_eq!(decode_ulid(std::str::from_utf8(&letters).unwrap()), Some(bits));
        }
        for text in ["", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "0000000000000000000000000U", "0000000000000000000000000a"] {
            assert_eq!(decode_ulid(text), None, "{text}");
        }
    }

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
