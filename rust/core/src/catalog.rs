//! What is in memory of every version of every record: the fields that
//! filters and ranking read.  Rebuilt from L3 at open.

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::error::{Error, Result};
use crate::record::{Attribute, Meta};
use crate::tier::vector::{Space, VectorSpace};

/// An interned string; [`NONE`] stands for an absent one.
pub(crate) type Symbol = u32;
pub(crate) const NONE: Symbol = u32::MAX;

/// Strings by number.
#[derive(Default)]
pub(crate) struct Interner {
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, Symbol, foldhash::fast::RandomState>,
}

impl Interner {
    pub(crate) fn intern(&mut self, name: &str) -> Symbol {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(NONE);
        let name: Arc<str> = name.into();
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }

    fn optional(&mut self, name: Option<&str>) -> Symbol {
        name.map_or(NONE, |name| self.intern(name))
    }

    pub(crate) fn number(&self, name: &str) -> Option<Symbol> {
        self.numbers.get(name).copied()
    }

    pub(crate) fn name(&self, number: Symbol) -> &str {
        self.names.get(number as usize).map_or("", |name| name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Symbol, &str)> {
        (0..).zip(self.names.iter().map(|name| &**name))
    }
}

/// An attribute with its words interned.
pub(crate) enum Value {
    Text(Symbol),
    Number(f64),
    List(Box<[Symbol]>),
}

/// One version as filters and ranking see it.
pub(crate) struct Version {
    pub number: u32,
    pub namespace: Symbol,
    pub kind: Symbol,
    pub agent_id: Symbol,
    pub symbol: Symbol,
    pub regime: Symbol,
    pub writer: Symbol,
    pub event_time: i64,
    pub known_at: i64,
    pub recorded_at: i64,
    pub visible_at: i64,
    pub expires_at: i64,
    pub commit: u64,
    pub importance: f64,
    /// NaN where there is none.
    pub confidence: f64,
    pub trust: f64,
    /// NaN where the version has no outcome.
    pub reward: f64,
    pub tags: Box<[Symbol]>,
    pub attributes: Box<[(Symbol, Value)]>,
    pub codes: SmallVec<[Code; 1]>,
}

/// Where a version's code lies in a space.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Code {
    pub space: u16,
    /// The version that the embedding came with; later ones share its slot.
    pub source: u32,
    /// [`NONE`] after a forget.
    pub slot: u32,
}

pub(crate) const NEVER: i64 = i64::MAX;

impl Version {
    /// The order that decides which of several visible versions is shown.
    pub(crate) fn order(&self) -> (i64, i64, u32) {
        (self.visible_at, self.recorded_at, self.number)
    }

    pub(crate) fn is_expired(&self, as_of: i64) -> bool {
        self.expires_at != NEVER && self.expires_at <= as_of
    }

    pub(crate) fn slot(&self, space: u16) -> Option<u32> {
        self.codes.iter().find(|code| code.space == space).map(|code| code.slot)
    }
}

/// What a question may see.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    pub as_of: i64,
    pub recorded_by: i64,
    pub commit: u64,
}

/// A record: its versions in the order of [`Version::order`].
pub(crate) struct Entry {
    pub id: Box<str>,
    pub versions: SmallVec<[Version; 1]>,
    pub forgotten: bool,
}

impl Entry {
    /// The version shown under a bound, expired or not.
    pub(crate) fn select(&self, bound: Bound) -> Option<&Version> {
        self.versions.iter().rev().find(|version| {
            version.visible_at <= bound.as_of
                && version.recorded_at <= bound.recorded_by
                && version.commit <= bound.commit
        })
    }

    /// The code of an embedding that some version still has.
    pub(crate) fn code(&self, space: u16, source: u32) -> Option<Code> {
        let mut codes = self.versions.iter().flat_map(|version| &version.codes);
        codes.find(|code| code.space == space && code.source == source).copied()
    }

    /// Whether nothing of the record can be seen at or after the horizon.
    pub(crate) fn is_erased(&self, horizon: i64) -> bool {
        self.versions.last().is_some_and(|latest| {
            latest.visible_at <= horizon && latest.recorded_at < horizon && latest.is_expired(horizon)
        })
    }
}

/// All records, strings and spaces.
#[derive(Default)]
pub(crate) struct Catalog {
    pub names: Interner,
    pub namespaces: Interner,
    pub entries: Vec<Entry>,
    by_id: HashMap<Box<str>, u32, foldhash::fast::RandomState>,
    pub spaces: Vec<Space>,
    pub versions: u64,
}

impl Catalog {
    pub(crate) fn entry(&self, id: &str) -> Option<&Entry> {
        self.by_id.get(id).map(|at| &self.entries[*at as usize])
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn add_space(&mut self, definition: VectorSpace) {
        self.spaces.push(Space::new(definition));
    }

    pub(crate) fn space(&self, name: &str) -> Result<(u16, &Space)> {
        let found = self.spaces.iter().position(|space| space.definition.name == name);
        let number = found.and_then(|at| u16::try_from(at).ok());
        number.map(|number| (number, &self.spaces[usize::from(number)])).ok_or_else(|| {
            let names: Vec<_> = self.spaces.iter().map(|space| space.definition.name.as_str()).collect();
            Error::Vector(format!("there is no space {name:?}; this store has {names:?}"))
        })
    }

    /// Add a version; `units` are unit vectors of its own, other spaces reuse an earlier version's slot.
    pub(crate) fn add(&mut self, id: &str, meta: &Meta, units: &[(String, Vec<f32>)]) -> Result<()> {
        let codes = self.codes(id, meta, units)?;
        let version = self.version(meta, codes);
        let at = if let Some(at) = self.by_id.get(id) {
            *at
        } else {
            let at = u32::try_from(self.entries.len()).map_err(|_| Error::Internal("more than 2^32 records".into()))?;
            self.by_id.insert(id.into(), at);
            self.entries.push(Entry { id: id.into(), versions: SmallVec::new(), forgotten: false });
            at
        };
        let versions = &mut self.entries[at as usize].versions;
        let place = versions.partition_point(|earlier| earlier.order() < version.order());
        versions.insert(place, version);
        self.versions += 1;
        Ok(())
    }

    fn codes(&mut self, id: &str, meta: &Meta, units: &[(String, Vec<f32>)]) -> Result<SmallVec<[Code; 1]>> {
        let mut codes = SmallVec::new();
        for (name, source) in &meta.embeddings {
            let (space, _) = self.space(name)?;
            let slot = if let Some((_, unit)) = units.iter().find(|(in_space, _)| in_space == name) {
                self.spaces[usize::from(space)].insert(unit)
            } else {
                self.entry(id).and_then(|entry| entry.code(space, *source)).map_or(NONE, |code| code.slot)
            };
            codes.push(Code { space, source: *source, slot });
        }
        Ok(codes)
    }

    fn version(&mut self, meta: &Meta, codes: SmallVec<[Code; 1]>) -> Version {
        let names = &mut self.names;
        Version {
            number: meta.version,
            namespace: self.namespaces.intern(&meta.namespace),
            kind: names.intern(&meta.kind),
            agent_id: names.optional(meta.agent_id.as_deref()),
            symbol: names.optional(meta.symbol.as_deref()),
            regime: names.optional(meta.regime.as_deref()),
            writer: names.intern(&meta.writer),
            event_time: meta.event_time,
            known_at: meta.known_at,
            recorded_at: meta.recorded_at,
            visible_at: meta.visible_at,
            expires_at: meta.expires_at.unwrap_or(NEVER),
            commit: meta.commit,
            importance: meta.importance,
            confidence: meta.confidence.unwrap_or(f64::NAN),
            trust: meta.trust,
            reward: meta.outcome.map_or(f64::NAN, |outcome| outcome.reward),
            tags: meta.tags.iter().map(|tag| names.intern(tag)).collect(),
            attributes: meta
                .attributes
                .iter()
                .map(|(name, attribute)| (names.intern(name), value(names, attribute)))
                .collect(),
            codes,
        }
    }

    /// Drop a record's codes and mark it; its filter fields stay as the tombstone.
    pub(crate) fn forget(&mut self, id: &str) {
        let Some(at) = self.by_id.get(id) else { return };
        let entry = &mut self.entries[*at as usize];
        entry.forgotten = true;
        let mut freed: SmallVec<[Code; 2]> = SmallVec::new();
        for code in entry.versions.iter_mut().flat_map(|version| &mut version.codes) {
            if !freed.contains(code) {
                freed.push(*code);
            }
            code.slot = NONE;
        }
        self.free(&freed);
    }

    /// Hand slots back to their spaces.
    fn free(&mut self, codes: &[Code]) {
        for code in codes.iter().filter(|code| code.slot != NONE) {
            self.spaces[usize::from(code.space)].remove(code.slot);
        }
    }

    /// Drop versions for good, and the record when none is left.
    pub(crate) fn erase(&mut self, id: &str, numbers: &[u32]) {
        let Some(at) = self.by_id.get(id).copied() else { return };
        let entry = &mut self.entries[at as usize];
        let before = entry.versions.len();
        let mut dropped: SmallVec<[Code; 2]> = SmallVec::new();
        for version in entry.versions.iter().filter(|version| numbers.contains(&version.number)) {
            dropped.extend(version.codes.iter().copied());
        }
        entry.versions.retain(|version| !numbers.contains(&version.number));
        self.versions -= (before - entry.versions.len()) as u64;
        dropped.retain(|code| entry.code(code.space, code.source).is_none());
        dropped.sort_unstable();
        dropped.dedup();
        self.free(&dropped);
        if self.entries[at as usize].versions.is_empty() {
            self.by_id.remove(id);
            self.entries.swap_remove(at as usize);
            if let Some(moved) = self.entries.get(at as usize) {
                self.by_id.insert(moved.id.clone(), at);
            }
        }
    }

    /// Greatest commit among a namespace's versions recorded before a time.
    pub(crate) fn greatest_commit(&self, namespace: &str, before: i64) -> u64 {
        let Some(symbol) = self.namespaces.number(namespace) else { return 0 };
        let versions = self.entries.iter().flat_map(|entry| &entry.versions);
        let seen = versions.filter(|version| version.namespace == symbol && version.recorded_at < before);
        seen.map(|version| version.commit).max().unwrap_or(0)
    }

    pub(crate) fn vectors(&self) -> usize {
        self.spaces.iter().map(Space::len).sum()
    }

    pub(crate) fn vector_bytes(&self) -> usize {
        self.spaces.iter().map(Space::bytes).sum()
    }
}

fn value(names: &mut Interner, attribute: &Attribute) -> Value {
    match attribute {
        Attribute::Text(text) => Value::Text(names.intern(text)),
        Attribute::Number(number) => Value::Number(*number),
        Attribute::List(words) => Value::List(words.iter().map(|word| names.intern(word)).collect()),
    }
}
