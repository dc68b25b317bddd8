//! How a row lies in L3: flags, a crc32c over key and value, the value, compressed where that helps.

use std::borrow::Cow;

use crate::error::{Error, Result};

const PLAIN: u8 = 1;
const LZ4: u8 = 2;
const HEADER: usize = 5;
/// Values below this gain too little from compression to pay for it.
const COMPRESS_FROM: usize = 1024;
/// Longest value that a frame may unpack to; guards against a corrupt length.
const MAX_VALUE: usize = 80 << 20;

/// Wrap a value for its key.
pub(crate) fn seal(key: &[u8], value: &[u8], compress: bool) -> Vec<u8> {
    let packed = (compress && value.len() > COMPRESS_FROM)
        .then(|| lz4_flex::compress_prepend_size(value))
        .filter(|packed| packed.len() < value.len() - value.len() / 16);
    let (kind, content) = packed.as_deref().map_or((PLAIN, value), |packed| (LZ4, packed));
    let mut frame = Vec::with_capacity(HEADER + content.len());
    frame.push(kind);
    frame.extend_from_slice(&checksum(kind, key, content).to_le_bytes());
    frame.extend_from_slice(content);
    frame
}

/// Check and unwrap a value.
pub(crate) fn open<'a>(key: &[u8], frame: &'a [u8]) -> Result<Cow<'a, [u8]>> {
    let corrupt = |what: &str| {
        Error::Corruption(format!(
            "{what} of row {:?}; run verify() and restore a backup",
            String::from_utf8_lossy(&key[..key.len().min(80)])
        ))
    };
    let Some((head, content)) = frame.split_first_chunk::<HEADER>() else {
        return Err(corrupt("cut off value"));
    };
    let [kind, crc @ ..] = *head;
    if u32::from_le_bytes(crc) != checksum(kind, key, content) {
        return Err(corrupt("wrong checksum"));
    }
    match kind {
        PLAIN => Ok(Cow::Borrowed(content)),
        LZ4 => {
            let (size, block) =
                lz4_flex::block::uncompressed_size(content).map_err(|_| corrupt("unreadable compressed value"))?;
            // A block of LZ4 grows to 255 times its length at most.
            if size > MAX_VALUE.min(block.len().saturating_mul(255)) {
                return Err(corrupt("impossible length"));
            }
            let value = lz4_flex::decompress(block, size).map_err(|_| corrupt("unreadable compressed value"))?;
            Ok(Cow::Owned(value))
        }
        _ => Err(corrupt("unknown format")),
    }
}

fn checksum(kind: u8, key: &[u8], content: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(u32::from(kind), key), content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn opens_what_it_sealed(key: Vec<u8>, value in proptest::collection::vec(0_u8..4, 0..5000), compress: bool) {
            let sealed = seal(&key, &value, compress);
            prop_assert_eq!(open(&key, &sealed).unwrap(), value);
        }

        #[test]
        fn finds_every_flipped_bit(value in proptest::collection::vec(any::<u8>(), 0..200), at: prop::sample::Index, bit in 0_u8..8) {
            let mut frame = seal(b"key", &value, true);
            let at = at.index(frame.len());
            frame[at] ^= 1 << bit;
            prop_assert!(open(b"key", &frame).is_err());
        }

        #[test]
        fn any_bytes_can_be_opened(key: Vec<u8>, mut content in proptest::collection::vec(any::<u8>(), 0..300), kind in 0_u8..4) {
            let _ = open(&key, &content);
            // The same behind a checksum that fits, as a value of each kind.
            let mut frame = vec![kind];
            frame.extend_from_slice(&checksum(kind, &key, &content).to_le_bytes());
            frame.append(&mut content);
            let opened = open(&key, &frame);
            prop_assert!(kind == PLAIN || kind == LZ4 || opened.is_err());
        }

        #[test]
        fn a_length_that_no_block_can_have_is_refused(size in 3000_u32.., block in proptest::collection::vec(any::<u8>(), 0..10)) {
            let content = [size.to_le_bytes().as_slice(), &block].concat();
            let frame = [&[LZ4], checksum(LZ4, b"key", &content).to_le_bytes().as_slice(), &content].concat();
            prop_assert!(open(b"key", &frame).unwrap_err().to_string().contains("impossible length"));
        }

        #[test]
        fn a_block_never_yields_more_than_it_says(size in 0_u32..3000, block in proptest::collection::vec(any::<u8>(), 12..40)) {
            let content = [size.to_le_bytes().as_slice(), &block].concat();
            let frame = [&[LZ4], checksum(LZ4, b"key", &content).to_le_bytes().as_slice(), &content].concat();
            if let Ok(value) = open(b"key", &frame) {
                prop_assert!(value.len() <= size as usize);
            }
        }

        #[test]
        fn finds_a_value_under_another_key(value: Vec<u8>) {
            prop_assert!(open(b"other", &seal(b"key", &value, true)).is_err());
        }
    }
}
