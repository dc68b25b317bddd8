//! What many versions have in common: who wrote about what, where.  A filter
//! on these fields is decided once a profile, not once a record.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::words::Symbol;

/// The words of a version that are not attributes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Profile {
    pub namespace: Symbol,
    pub kind: Symbol,
    pub agent_id: Symbol,
    pub symbol: Symbol,
    pub regime: Symbol,
    pub writer: Symbol,
    pub tags: Box<[Symbol]>,
}

/// What is known of the versions of a profile without a look at them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Versions there are.
    pub versions: usize,
    /// No version that there ever was shows later.
    pub latest: i64,
}

#[derive(Default)]
pub(super) struct Profiles {
    all: Vec<Profile>,
    usage: Vec<Usage>,
    numbers: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
    tag_bytes: usize,
}

impl Profiles {
    /// The number of a profile, new or known.
    pub(super) fn intern(&mut self, profile: Profile) -> u32 {
        let Self { all, numbers, hasher, .. } = self;
        let hash = hasher.hash_one(&profile);
        if let Some(number) = numbers.find(hash, |number| all[*number as usize] == profile) {
            return *number;
        }
        let number = u32::try_from(all.len()).unwrap_or(u32::MAX);
        self.tag_bytes += size_of_val(&*profile.tags);
        all.push(profile);
        self.usage.push(Usage { versions: 0, latest: i64::MIN });
        numbers.insert_unique(hash, number, |number| hasher.hash_one(&all[*number as usize]));
        number
    }

    pub(super) fn usage(&self, number: usize) -> Usage {
        self.usage[number]
    }

    /// Count a version that shows from a time on.
    pub(super) fn add(&mut self, number: u32, shows_at: i64) {
        let usage = &mut self.usage[number as usize];
        usage.versions += 1;
        usage.latest = usage.latest.max(shows_at);
    }

    pub(super) fn remove(&mut self, number: u32) {
        self.usage[number as usize].versions -= 1;
    }

    pub(super) fn get(&self, number: u32) -> &Profile {
        &self.all[number as usize]
    }

    pub(super) fn all(&self) -> &[Profile] {
        &self.all
    }

    pub(super) fn bytes(&self) -> usize {
        self.all.capacity() * (size_of::<Profile>() + size_of::<Usage>())
            + self.tag_bytes
            + self.numbers.allocation_size()
    }
}
