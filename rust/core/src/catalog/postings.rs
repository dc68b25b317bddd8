//! Which records have had a profile, or a word as an attribute: a filter that leaves few is
//! answered by a look at those.

use std::collections::HashMap;

use roaring::RoaringBitmap;

use super::words::Symbol;

/// Records; most words of a large store belong to one.
#[derive(Default)]
pub(super) enum Posting {
    #[default]
    None,
    One(u32),
    Many(Box<RoaringBitmap>),
}

/// Bytes of a set beside its members: the set, and a container of some.
const SET_BYTES: usize = 96;
/// Bytes of a member in a set; a dense set takes less.
const MEMBER_BYTES: usize = 2;

impl Posting {
    /// Returns by how many bytes it grew.
    fn insert(&mut self, record: u32) -> usize {
        match self {
            Self::None => *self = Self::One(record),
            Self::One(other) if *other == record => {}
            Self::One(other) => {
                *self = Self::Many(Box::new(RoaringBitmap::from_iter([*other, record])));
                return SET_BYTES + 2 * MEMBER_BYTES;
            }
            Self::Many(records) => return usize::from(records.insert(record)) * MEMBER_BYTES,
        }
        0
    }

    /// Returns by how many bytes it shrank.
    fn remove(&mut self, record: u32) -> usize {
        match self {
            Self::One(other) if *other == record => *self = Self::None,
            Self::Many(records) => return usize::from(records.remove(record)) * MEMBER_BYTES,
            _ => {}
        }
        0
    }

    fn add_to(&self, all: &mut RoaringBitmap) {
        match self {
            Self::None => {}
            Self::One(record) => {
                all.insert(*record);
            }
            Self::Many(records) => *all |= &**records,
        }
    }
}

#[derive(Default)]
pub(super) struct Postings {
    profiles: Vec<Posting>,
    /// By the attribute's name and one of its words.
    words: HashMap<(Symbol, Symbol), Posting, foldhash::fast::RandomState>,
    /// Bytes of the sets.
    set_bytes: usize,
}

impl Postings {
    pub(super) fn add(&mut self, record: u32, profile: u32, words: Vec<(Symbol, Symbol)>) {
        let at = profile as usize;
        if at >= self.profiles.len() {
            self.profiles.resize_with(at + 1, Posting::default);
        }
        self.set_bytes += self.profiles[at].insert(record);
        for word in words {
            self.set_bytes += self.words.entry(word).or_default().insert(record);
        }
    }

    pub(super) fn remove(&mut self, record: u32, profile: u32, words: &[(Symbol, Symbol)]) {
        let profile = self.profiles.get_mut(profile as usize).map(|posting| posting.remove(record));
        self.set_bytes -= profile.unwrap_or(0);
        for word in words {
            self.set_bytes -= self.words.get_mut(word).map_or(0, |posting| posting.remove(record));
        }
    }

    /// Records that have had one of these profiles.
    pub(super) fn of_profiles(&self, profiles: impl Iterator<Item = usize>) -> RoaringBitmap {
        union(profiles.filter_map(|profile| self.profiles.get(profile)))
    }

    /// Records that have had one of these words as an attribute.
    pub(super) fn of_words(&self, name: Symbol, words: &[Symbol]) -> RoaringBitmap {
        union(words.iter().filter_map(|word| self.words.get(&(name, *word))))
    }

    pub(super) fn bytes(&self) -> usize {
        let words = self.words.capacity() * (size_of::<((Symbol, Symbol), Posting)>() + 1);
        self.profiles.capacity() * size_of::<Posting>() + words + self.set_bytes
    }
}

fn union<'a>(postings: impl Iterator<Item = &'a Posting>) -> RoaringBitmap {
    let mut all = RoaringBitmap::new();
    postings.for_each(|posting| posting.add_to(&mut all));
    all
}
