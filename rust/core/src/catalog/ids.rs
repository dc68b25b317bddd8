//! Ids of records: sixteen bytes each where they are short, or ULIDs as those that the store makes.

use std::cmp::Ordering;
use std::hash::BuildHasher;
use std::ops::Deref;

use hashbrown::HashTable;

use crate::column::put;
use crate::ids::{decode_ulid, encode_ulid};

/// Set in a packed id that is no ULID; no ULID of the next four thousand years has this bit.
const TEXT: u128 = 1 << 127;
/// Set, too, where the text is in the other fifteen bytes, and not apart; its length is in the first.
const SHORT: u128 = 1 << 126;
const MAX_SHORT: usize = 15;
const LENGTH_SHIFT: u32 = 120;

/// The numbers of records by id, and back.
#[derive(Default)]
pub(super) struct Ids {
    packed: Vec<u128>,
    texts: Vec<Box<str>>,
    text_bytes: usize,
    free_texts: Vec<usize>,
    numbers: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
}

/// An id as text.
pub(crate) enum Id<'a> {
    Ulid([u8; 26]),
    Short([u8; 16], usize),
    Text(&'a str),
}

impl Deref for Id<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Ulid(letters) => std::str::from_utf8(letters).unwrap_or_default(),
            Self::Short(bytes, length) => std::str::from_utf8(&bytes[1..=*length]).unwrap_or_default(),
            Self::Text(text) => text,
        }
    }
}

/// An id that needs no more than sixteen bytes.
fn packed(id: &str) -> Option<u128> {
    decode_ulid(id).filter(|bits| bits & TEXT == 0).or_else(|| {
        let mut bytes = [0; 16];
        bytes[1..].get_mut(..id.len())?.copy_from_slice(id.as_bytes());
        Some(TEXT | SHORT | (id.len() as u128) << LENGTH_SHIFT | u128::from_be_bytes(bytes))
    })
}

/// Where a text lies, for a packed id that is not the id itself.
fn apart(packed: u128) -> Option<usize> {
    usize::try_from(packed & !TEXT).ok().filter(|_| packed & (TEXT | SHORT) == TEXT)
}

impl Ids {
    pub(super) fn get(&self, record: u32) -> Id<'_> {
        let packed = self.packed[record as usize];
        match self.text(packed) {
            Some(text) => Id::Text(text),
            None if packed & TEXT == 0 => Id::Ulid(encode_ulid(packed)),
            None => {
                let bytes = packed.to_be_bytes();
                Id::Short(bytes, usize::from(bytes[0]) & MAX_SHORT)
            }
        }
    }

    fn text(&self, packed: u128) -> Option<&str> {
        self.texts.get(apart(packed)?).map(|text| &**text)
    }

    pub(super) fn number(&self, id: &str) -> Option<u32> {
        let packed = packed(id);
        let matches = |record: &u32| {
            let found = self.packed[*record as usize];
            packed.map_or_else(|| self.text(found) == Some(id), |bits| bits == found)
        };
        self.numbers.find(self.hash(id, packed), matches).copied()
    }

    fn hash(&self, id: &str, packed: Option<u128>) -> u64 {
        packed.map_or_else(|| self.hasher.hash_one(id), |bits| self.hasher.hash_one(bits))
    }

    /// Name a record that has no name.
    pub(super) fn insert(&mut self, record: u32, id: &str) {
        let bits = packed(id);
        let kept = bits.unwrap_or_else(|| self.keep_text(id));
        put(&mut self.packed, record, kept);
        let hash = self.hash(id, bits);
        let Self { packed, texts, numbers, hasher, .. } = self;
        numbers.insert_unique(hash, record, |record| {
            let packed = packed[*record as usize];
            apart(packed).map_or_else(|| hasher.hash_one(packed), |at| hasher.hash_one(&*texts[at]))
        });
    }

    fn keep_text(&mut self, id: &str) -> u128 {
        self.text_bytes += id.len();
        let at = self.free_texts.pop().unwrap_or_else(|| {
            self.texts.push(Box::default());
            self.texts.len() - 1
        });
        self.texts[at] = id.into();
        TEXT | at as u128
    }

    pub(super) fn remove(&mut self, record: u32) {
        let id = self.get(record);
        let hash = self.hash(&id, packed(&id));
        if let Ok(found) = self.numbers.find_entry(hash, |other| *other == record) {
            found.remove();
        }
        if let Some(at) = apart(self.packed[record as usize]) {
            self.text_bytes -= self.texts[at].len();
            self.texts[at] = Box::default();
            self.free_texts.push(at);
        }
    }

    /// The order of two records' ids as bytes.
    pub(super) fn compare(&self, a: u32, b: u32) -> Ordering {
        let (x, y) = (self.packed[a as usize], self.packed[b as usize]);
        // ULIDs sort as their numbers do.
        if (x | y) & TEXT == 0 { x.cmp(&y) } else { self.get(a).as_bytes().cmp(self.get(b).as_bytes()) }
    }

    pub(super) fn bytes(&self) -> usize {
        let fixed = self.packed.capacity() * 16 + self.texts.capacity() * size_of::<Box<str>>();
        fixed + self.text_bytes + self.numbers.allocation_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_id() -> impl Strategy<Value = String> {
        prop_oneof!["[0-9A-HJKMNP-TV-Z]{26}", "[0-3][0-9A-HJKMNP-TV-Z]{25}", "[!-~]{1,30}", "[ab]{1,2}", "[aü]{5,10}"]
    }

    proptest! {
        #[test]
        fn ids_come_back_and_sort_as_text(ids in proptest::collection::btree_set(any_id(), 1..20)) {
            let mut kept = Ids::default();
            for (record, id) in (0..).zip(&ids) {
                kept.insert(record, id);
            }
            for (record, id) in (0..).zip(&ids) {
                prop_assert_eq!(&*kept.get(record), id.as_str());
                prop_assert_eq!(kept.number(id), Some(record));
                prop_assert_eq!(kept.compare(0, record), 0.cmp(&record));
            }
        }

        #[test]
        fn a_removed_id_can_be_given_again(ids in proptest::collection::btree_set(any_id(), 2..20)) {
            let mut kept = Ids::default();
            for (record, id) in (0..).zip(&ids) {
                kept.insert(record, id);
            }
            let first = ids.first().unwrap();
            kept.remove(0);
            prop_assert_eq!(kept.number(first), None);
            kept.insert(0, first);
            for (record, id) in (0..).zip(&ids) {
                prop_assert_eq!(kept.number(id), Some(record));
            }
        }
    }
}
