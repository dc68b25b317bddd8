//! What is in memory of every version of every record: the fields that
//! filters and ranking read, in columns.  Rebuilt from L3 at open.

mod attributes;
mod ids;
mod postings;
mod profiles;
mod rows;
mod tidy;
mod view;
mod words;

use std::cmp::Ordering;
use std::sync::atomic::{self, AtomicU64};

use roaring::RoaringBitmap;

pub(crate) use self::attributes::Value;
pub(crate) use self::profiles::{Profile, Usage};
pub(crate) use self::rows::NEVER;
pub(crate) use self::view::{Bound, Entry, Version};
pub(crate) use self::words::{Interner, NONE, Symbol};

use self::ids::Ids;
use self::postings::Postings;
use self::rows::Rows;
use crate::column::{Near, Sparse, prefetch_at, put};
use crate::embedding::Embedding;
use crate::error::{Error, Result};
use crate::record::Meta;
use crate::tier::vector::{SearchCode, VectorStore};

/// The version never had an embedding in the space.
const ABSENT: u32 = u32::MAX;
/// It had one, and was forgotten.
const GONE: u32 = u32::MAX - 1;

/// Where the versions' codes lie in one space.
struct Codes {
    slots: Sparse<u32>,
    /// The record of each slot.
    owners: Near,
    /// The version that the embedding came with, where it is another one.
    sources: Sparse<u32>,
}

/// All records, strings and spaces.
#[derive(Default)]
pub(crate) struct Catalog {
    pub names: Interner,
    pub namespaces: Interner,
    pub spaces: Vec<VectorStore>,
    /// Searches of all spaces.
    searches: AtomicU64,
    codes: Vec<Codes>,
    rows: Rows,
    postings: Postings,
    ids: Ids,
    /// The greatest version of each record; [`NONE`] where there is no record any more.
    heads: Vec<u32>,
    forgotten: RoaringBitmap,
    free: Vec<u32>,
}

impl Catalog {
    pub(crate) fn entry(&self, id: &str) -> Option<Entry<'_>> {
        self.ids.number(id).and_then(|record| self.record(record))
    }

    /// A record by its number, unless it was erased.
    #[inline]
    pub(crate) fn record(&self, record: u32) -> Option<Entry<'_>> {
        let head = self.heads.get(record as usize).copied().filter(|head| *head != NONE)?;
        Some(Entry { catalog: self, record, head })
    }

    /// Ask for where a record's versions are.
    #[inline]
    pub(crate) fn prefetch_record(&self, record: u32) {
        prefetch_at(&self.heads, record);
    }

    /// Ask for the greatest version of a record, which should be near by now.
    #[inline]
    pub(crate) fn prefetch_version(&self, record: u32, space: u16) {
        let row = self.heads.get(record as usize).copied().unwrap_or(NONE);
        self.rows.prefetch(row);
        if let Some(codes) = self.codes.get(usize::from(space)) {
            codes.slots.prefetch(row);
        }
    }

    /// A version by its row.
    pub(crate) fn version(&self, row: u32) -> Version<'_> {
        Version { catalog: self, row }
    }

    /// The record that an embedding belongs to.
    #[inline]
    pub(crate) fn owner(&self, space: u16, slot: u32) -> Option<u32> {
        self.codes[usize::from(space)].owners.get(slot)
    }

    /// Records of which only the tombstone is left.
    pub(crate) fn tombstones(&self) -> impl Iterator<Item = Entry<'_>> {
        self.forgotten.iter().filter_map(|record| self.record(record))
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        (0..self.end()).filter_map(|record| self.record(record))
    }

    /// A number greater than those of all records.
    pub(crate) fn end(&self) -> u32 {
        u32::try_from(self.heads.len()).unwrap_or(NONE)
    }

    /// Records, tombstones included.
    pub(crate) fn len(&self) -> usize {
        self.heads.len() - self.free.len()
    }

    pub(crate) fn profiles(&self) -> &[Profile] {
        self.rows.profiles.all()
    }

    /// How many versions a profile has had, and the latest time at which one of them shows.
    pub(crate) fn usage(&self, profile: usize) -> Usage {
        self.rows.profiles.usage(profile)
    }

    pub(crate) fn compare_ids(&self, a: u32, b: u32) -> Ordering {
        self.ids.compare(a, b)
    }

    pub(crate) fn add_space(&mut self, space: VectorStore) {
        self.spaces.push(space);
        self.codes.push(Codes { slots: Sparse::new(ABSENT), owners: Near::default(), sources: Sparse::new(NONE) });
    }

    pub(crate) fn space(&self, name: &str) -> Result<(u16, &VectorStore)> {
        let found = self.spaces.iter().position(|space| space.definition.name == name);
        let number = found.and_then(|at| u16::try_from(at).ok());
        number.map(|number| (number, &self.spaces[usize::from(number)])).ok_or_else(|| {
            let names: Vec<_> = self.spaces.iter().map(|space| space.definition.name.as_str()).collect();
            Error::Vector(format!("there is no space {name:?}; this store has {names:?}"))
        })
    }

    /// The space that a search goes to, which is not cold for a while.
    pub(crate) fn searched_space(&self, name: &str) -> Result<(u16, &VectorStore)> {
        let found = self.space(name)?;
        found.1.touch(self.searches.fetch_add(1, atomic::Ordering::Relaxed) + 1);
        Ok(found)
    }

    /// Let the coldest space that still has codes of full precision go on with bytes; whether there
    /// was one, and the memory for it.
    pub(crate) fn shrink_coldest(&mut self) -> bool {
        let spaces = self.spaces.iter_mut();
        let full = spaces.filter(|space| space.code() == SearchCode::Stored && !space.is_empty());
        full.min_by_key(|space| space.last_search()).is_some_and(|space| space.shrink().is_ok())
    }

    /// Make room for so many embeddings more in a space.
    ///
    /// # Errors
    /// Where the system gives no memory.
    pub(crate) fn reserve(&mut self, space: &str, more: usize) -> Result<()> {
        let (number, _) = self.space(space)?;
        self.spaces[usize::from(number)].reserve(more)
    }

    /// Embeddings at unit length, each for its space.
    ///
    /// # Errors
    /// For a space that there is not, and an embedding that does not fit it.
    pub(crate) fn units(&self, embeddings: &[(String, Embedding)]) -> Result<Vec<(String, Vec<f32>)>> {
        let unit = |(name, embedding): &(String, Embedding)| {
            let (_, space) = self.space(name)?;
            Ok((name.clone(), space.normalise(embedding)?))
        };
        embeddings.iter().map(unit).collect()
    }

    /// Add a version; `units` are unit vectors of its own, other spaces reuse an earlier version's slot.
    pub(crate) fn add<S: AsRef<str>>(&mut self, id: &str, meta: &Meta<S>, units: &[(String, Vec<f32>)]) -> Result<()> {
        self.add_with_slots(id, meta, units, &[])
    }

    /// Add a version of which some embeddings have their slots already.
    pub(crate) fn add_with_slots<S: AsRef<str>>(
        &mut self,
        id: &str,
        meta: &Meta<S>,
        units: &[(String, Vec<f32>)],
        slots: &[(u16, u32)],
    ) -> Result<()> {
        let row = self.rows.insert(&mut self.names, &mut self.namespaces, meta)?;
        let record = match self.ids.number(id) {
            Some(record) => record,
            None => self.add_record(id)?,
        };
        for codes in &mut self.codes {
            codes.slots.set(row, None);
            codes.sources.set(row, None);
        }
        for (name, source) in &meta.embeddings {
            let name = name.as_ref();
            let (space, _) = self.space(name)?;
            let slot = if let Some((_, unit)) = units.iter().find(|(in_space, _)| in_space == name) {
                let slot = self.spaces[usize::from(space)].insert_unit(unit)?;
                self.codes[usize::from(space)].owners.set(slot, record);
                slot
            } else if let Some((_, slot)) = slots.iter().find(|(in_space, _)| *in_space == space) {
                self.codes[usize::from(space)].owners.set(*slot, record);
                *slot
            } else {
                self.record(record).and_then(|entry| entry.slot_of(space, *source)).unwrap_or(GONE)
            };
            let codes = &mut self.codes[usize::from(space)];
            codes.slots.set(row, Some(slot));
            codes.sources.set(row, Some(*source).filter(|source| *source != meta.version));
        }
        self.post(record, row);
        self.link(record, row);
        Ok(())
    }

    /// Let filters find a record by what one of its versions has.
    fn post(&mut self, record: u32, row: u32) {
        let (profile, words) = self.posted(row);
        self.postings.add(record, profile, words);
    }

    /// What a version is found by: its profile, and the words of its attributes.
    fn posted(&self, row: u32) -> (u32, Vec<(Symbol, Symbol)>) {
        let at = self.rows.attributes.get(row);
        let words = if at == NONE { Vec::new() } else { self.rows.kept.words(at) };
        (self.rows.profile[row as usize], words)
    }

    /// Records among which are all that have a version with one of these profiles.
    pub(crate) fn with_profiles(&self, profiles: impl Iterator<Item = usize>) -> RoaringBitmap {
        self.postings.of_profiles(profiles)
    }

    /// Records among which are all that have a version with one of these words as an attribute.
    pub(crate) fn with_words(&self, name: Symbol, words: &[Symbol]) -> RoaringBitmap {
        self.postings.of_words(name, words)
    }

    fn add_record(&mut self, id: &str) -> Result<u32> {
        let record = match self.free.pop() {
            Some(record) => record,
            None => u32::try_from(self.heads.len())
                .ok()
                .filter(|record| *record < GONE)
                .ok_or_else(|| Error::Internal("more than 2^32 records".into()))?,
        };
        put(&mut self.heads, record, NONE);
        self.forgotten.remove(record);
        self.ids.insert(record, id);
        Ok(record)
    }

    /// Put a version in its place among its record's.
    fn link(&mut self, record: u32, row: u32) {
        let order = self.version(row).order();
        let mut after = NONE;
        let mut next = self.heads[record as usize];
        while next != NONE && self.version(next).order() > order {
            after = next;
            next = self.rows.older.get(next);
        }
        self.rows.older.set(row, Some(next).filter(|next| *next != NONE));
        self.point(record, after, row);
    }

    /// Let what points at the version behind `after` point at `row`.
    fn point(&mut self, record: u32, after: u32, row: u32) {
        if after == NONE {
            self.heads[record as usize] = row;
        } else {
            self.rows.older.set(after, Some(row).filter(|row| *row != NONE));
        }
    }

    /// Drop a record's codes and mark it; its filter fields stay as the tombstone.
    pub(crate) fn forget(&mut self, id: &str) {
        let Some(entry) = self.entry(id) else { return };
        let record = entry.record;
        let rows: Vec<u32> = entry.versions().map(|version| version.row).collect();
        self.forgotten.insert(record);
        for (codes, space) in self.codes.iter_mut().zip(&mut self.spaces) {
            let mut slots: Vec<u32> = Vec::new();
            for row in &rows {
                let slot = codes.slots.get(*row);
                if slot != ABSENT {
                    codes.slots.set(*row, Some(GONE));
                    slots.push(slot);
                }
            }
            free(space, slots);
        }
    }

    /// Drop versions for good, and the record when none is left.
    pub(crate) fn erase(&mut self, id: &str, numbers: &[u32]) {
        let Some(entry) = self.entry(id) else { return };
        let record = entry.record;
        let (dropped, kept): (Vec<Version<'_>>, Vec<Version<'_>>) =
            entry.versions().partition(|version| numbers.contains(&version.number()));
        let rows = |versions: Vec<Version<'_>>| versions.into_iter().map(|version| version.row).collect::<Vec<u32>>();
        let (dropped, kept) = (rows(dropped), rows(kept));
        for (codes, space) in self.codes.iter().zip(&mut self.spaces) {
            let slots = |rows: &[u32]| rows.iter().map(|row| codes.slots.get(*row)).collect::<Vec<u32>>();
            let (mut freed, needed) = (slots(&dropped), slots(&kept));
            freed.retain(|slot| !needed.contains(slot));
            free(space, freed);
        }
        let mut after = NONE;
        for row in &kept {
            self.point(record, after, *row);
            after = *row;
        }
        self.point(record, after, NONE);
        for row in &dropped {
            let (profile, words) = self.posted(*row);
            self.postings.remove(record, profile, &words);
        }
        // What versions share was taken from those that stay, too.
        for row in &kept {
            self.post(record, *row);
        }
        for row in dropped {
            self.rows.remove(row);
        }
        if after == NONE {
            self.ids.remove(record);
            self.free.push(record);
        }
    }

    /// Greatest commit among a namespace's versions recorded before a time.
    pub(crate) fn greatest_commit(&self, namespace: &str, before: i64) -> u64 {
        let Some(symbol) = self.namespaces.number(namespace) else { return 0 };
        let versions = self.entries().flat_map(Entry::versions);
        let seen = versions.filter(|version| version.profile().namespace == symbol && version.recorded_at() < before);
        seen.map(Version::commit).max().unwrap_or(0)
    }

    /// Versions there are.
    pub(crate) fn versions(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn vectors(&self) -> usize {
        self.spaces.iter().map(VectorStore::len).sum()
    }

    /// Bytes of the codes.
    pub(crate) fn vector_bytes(&self) -> usize {
        self.spaces.iter().map(VectorStore::bytes).sum()
    }

    /// Bytes of what is here, without the slots that are free for others.
    pub(crate) fn used_bytes(&self) -> usize {
        self.bytes() - self.spaces.iter().map(VectorStore::free_bytes).sum::<usize>()
    }

    /// Bytes of all that is here, the codes included.
    pub(crate) fn bytes(&self) -> usize {
        let codes: usize =
            self.codes.iter().map(|codes| codes.slots.bytes() + codes.owners.bytes() + codes.sources.bytes()).sum();
        let records = (self.heads.capacity() + self.free.capacity()) * 4
            + self.forgotten.serialized_size()
            + self.ids.bytes()
            + self.postings.bytes();
        self.vector_bytes() + self.rows.bytes() + codes + records + self.names.bytes() + self.namespaces.bytes()
    }
}

/// Hand slots back to their space, each once.
fn free(space: &mut VectorStore, mut slots: Vec<u32>) {
    slots.sort_unstable();
    slots.dedup();
    for slot in slots.into_iter().filter(|slot| *slot < GONE) {
        space.remove(slot);
    }
}

#[cfg(test)]
mod tests;
