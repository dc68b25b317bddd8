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
    /// In their order.
    Few(Vec<u32>),
    Many(Box<RoaringBitmap>),
}

/// Most records of a list: a set keeps some dozen bytes for every 65,536 records there are.
const FEW: usize = 256;
/// Bytes of a set beside its members, where those are spread over a million records.
const SET_BYTES: usize = 1024;
/// Bytes of a member in a set; a dense set takes less.
const MEMBER_BYTES: usize = 2;

impl Posting {
    fn insert(&mut self, record: u32) {
        match self {
            Self::None => *self = Self::One(record),
            Self::One(other) if *other == record => {}
            Self::One(other) => *self = Self::Few(vec![record.min(*other), record.max(*other)]),
            Self::Few(records) => {
                let Err(place) = records.binary_search(&record) else { return };
                if records.len() < FEW {
                    // A few more are likely; twice as many would leave half of it empty.
                    if records.len() == records.capacity() {
                        records.reserve_exact(records.len() / 4 + 2);
                    }
                    records.insert(place, record);
                } else {
                    let mut set: RoaringBitmap = records.iter().copied().collect();
                    set.insert(record);
                    *self = Self::Many(Box::new(set));
                }
            }
            Self::Many(records) => _ = records.insert(record),
        }
    }

    fn remove(&mut self, record: u32) {
        match self {
            Self::One(other) if *other == record => *self = Self::None,
            Self::Few(records) => {
                if let Ok(place) = records.binary_search(&record) {
                    records.remove(place);
                }
            }
            Self::Many(records) => _ = records.remove(record),
            Self::None | Self::One(_) => {}
        }
    }

    /// Bytes beside the posting itself.
    fn bytes(&self) -> usize {
        match self {
            Self::None | Self::One(_) => 0,
            Self::Few(records) => records.capacity() * size_of::<u32>(),
            Self::Many(records) => SET_BYTES + usize::try_from(records.len()).unwrap_or(usize::MAX / 4) * MEMBER_BYTES,
        }
    }

    /// Change it; returns the bytes before and after.
    fn change(&mut self, change: impl FnOnce(&mut Self)) -> (usize, usize) {
        let before = self.bytes();
        change(self);
        (before, self.bytes())
    }

    fn add_to(&self, all: &mut RoaringBitmap) {
        match self {
            Self::None => {}
            Self::One(record) => _ = all.insert(*record),
            Self::Few(records) => all.extend(records),
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
        self.account(|own| own.profiles[at].change(|posting| posting.insert(record)));
        for word in words {
            self.account(|own| own.words.entry(word).or_default().change(|posting| posting.insert(record)));
        }
    }

    fn account(&mut self, change: impl FnOnce(&mut Self) -> (usize, usize)) {
        let (before, after) = change(self);
        self.set_bytes = self.set_bytes + after - before;
    }

    pub(super) fn remove(&mut self, record: u32, profile: u32, words: &[(Symbol, Symbol)]) {
        let remove = |posting: Option<&mut Posting>| {
            posting.map_or((0, 0), |posting| posting.change(|posting| posting.remove(record)))
        };
        self.account(|own| remove(own.profiles.get_mut(profile as usize)));
        for word in words {
            self.account(|own| remove(own.words.get_mut(word)));
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
