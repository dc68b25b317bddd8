//! The row that every write rewrites: whose it is, its number, and a sum over all rows.

use std::collections::HashMap;
use std::path::Path;

use super::seal::way_out;
use super::{Change, ColdStore};
use crate::error::{Error, Result};
use crate::{frame, keys};

/// Beside the head, which every commit rewrites too: the engine copies no other page for it.
pub(super) const KEY: [u8; 2] = [keys::STATE, 0];
const SIZE: usize = 40;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    pub store: [u8; 16],
    pub sequence: u64,
    /// Rows, and the wrapping sum of their hashes; zero where the engine needs none.
    pub rows: u64,
    pub sum: u64,
}

impl Stamp {
    pub(super) fn row(&self) -> Change {
        let mut bytes = Vec::with_capacity(SIZE);
        bytes.extend_from_slice(&self.store);
        for number in [self.sequence, self.rows, self.sum] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        (KEY.to_vec(), Some(frame::seal(&KEY, &bytes, false)))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (store, rest) = bytes.split_first_chunk::<16>()?;
        let (numbers, []) = rest.as_chunks::<8>() else { return None };
        let [sequence, rows, sum] = *<&[[u8; 8]; 3]>::try_from(numbers).ok()?;
        let number = u64::from_le_bytes;
        Some(Self { store: *store, sequence: number(sequence), rows: number(rows), sum: number(sum) })
    }

    fn add(&mut self, key: &[u8], value: &[u8]) {
        self.rows = self.rows.wrapping_add(1);
        self.sum = self.sum.wrapping_add(hash(key, value));
    }

    fn subtract(&mut self, key: &[u8], value: &[u8]) {
        self.rows = self.rows.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(hash(key, value));
    }

    /// Follow changes that are about to be written.
    pub(super) fn change(&mut self, engine: &impl ColdStore, changes: &[Change]) -> Result<()> {
        // Of several changes of a row the last one counts.
        let last: HashMap<_, _> = changes.iter().map(|(key, value)| (key, value)).collect();
        for (key, value) in last {
            if let Some(before) = engine.get(key)? {
                self.subtract(key, &before);
            }
            if let Some(value) = value {
                self.add(key, value);
            }
        }
        Ok(())
    }
}

/// A row's share of the sum; the checksum is spread, so that sums of few rows do not meet.
fn hash(key: &[u8], value: &[u8]) -> u64 {
    let length = (key.len() as u64).to_le_bytes();
    let checksum = [key, value].iter().fold(crc32c::crc32c(&length), |sum, part| crc32c::crc32c_append(sum, part));
    let mut mixed = u64::from(checksum).wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// The stamp of the last write; `None` before the first.
pub(super) fn read(engine: &impl ColdStore, path: &Path) -> Result<Option<Stamp>> {
    let Some(row) = engine.get(&KEY)? else { return Ok(None) };
    let stamp = frame::open(&KEY, &row).ok().and_then(|bytes| Stamp::parse(&bytes));
    stamp.map(Some).ok_or_else(|| Error::Corruption(format!("{} is damaged: {}", path.display(), way_out(path))))
}

/// Whether the rows are those that the stamp counted.
pub(super) fn check_rows(engine: &impl ColdStore, path: &Path, stamp: &Stamp) -> Result<()> {
    let mut found = Stamp { rows: 0, sum: 0, ..*stamp };
    engine.scan(&[], &[u8::MAX; 2], &mut |key, value| {
        if key != KEY {
            found.add(key, value);
        }
        Ok(true)
    })?;
    if found == *stamp {
        return Ok(());
    }
    Err(Error::Corruption(format!(
        "{} holds {} rows where {} were written, or other ones: restore a backup of the whole directory",
        path.display(),
        found.rows,
        stamp.rows
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tier::cold::MemoryCold;
    use proptest::prelude::*;

    fn changes() -> impl Strategy<Value = Vec<Vec<Change>>> {
        let bytes = || proptest::collection::vec(0_u8..3, 0..3);
        let change = (bytes(), proptest::option::of(bytes()));
        proptest::collection::vec(proptest::collection::vec(change, 0..8), 0..8)
    }

    proptest! {
        #[test]
        fn the_sum_follows_every_change_and_misses_none(batches in changes(), lost: prop::sample::Index) {
            let engine = MemoryCold::default();
            let mut stamp = Stamp::default();
            for batch in batches {
                stamp.change(&engine, &batch).unwrap();
                engine.write(batch, true).unwrap();
            }
            let path = Path::new("store");
            prop_assert!(check_rows(&engine, path, &stamp).is_ok());
            let mut keys = Vec::new();
            engine.scan(&[], &[9], &mut |key, _| { keys.push(key.to_vec()); Ok(true) }).unwrap();
            if !keys.is_empty() {
                engine.write(vec![(lost.get(&keys).clone(), None)], true).unwrap();
                prop_assert!(check_rows(&engine, path, &stamp).is_err());
            }
        }

        #[test]
        fn a_stamp_is_read_as_it_was_written(store: [u8; 16], sequence: u64, rows: u64, sum: u64) {
            let engine = MemoryCold::default();
            let stamp = Stamp { store, sequence, rows, sum };
            engine.write(vec![stamp.row()], true).unwrap();
            prop_assert_eq!(read(&engine, Path::new("store")).unwrap(), Some(stamp));
        }

        #[test]
        fn any_bytes_can_be_looked_at(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            prop_assert_eq!(Stamp::parse(&bytes).is_some(), bytes.len() == SIZE);
        }
    }
}
