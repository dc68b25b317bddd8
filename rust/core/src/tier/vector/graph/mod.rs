//! A navigable graph over the codes of a space: HNSW (Malkov and Yashunin,
//! 2018), with links of four bytes.
//!
//! All levels share one slot a vector.  Level 0 is a flat table, the few nodes
//! of the upper levels have a side table.  Which levels a slot is on follows
//! from its number, so a slot that is used again has the room it needs.
//!
//! **Concurrency.**  Rows are added under `&mut`; searches and inserts share
//! `&self`.  A link is one atomic word, so a search that meets a row while it
//! is rewritten sees old and new links, each of them a node.  Writers of a row
//! hold its lock.
//!
//! **Reachability.**  What pruning leaves of a graph may not reach everybody.
//! So some links of level 0 are pinned: those of a tree that spans all nodes,
//! in both directions.  Pruning keeps them, and every node can be reached from
//! every other.

mod image;
mod insert;
mod repair;
mod walk;

pub(crate) use repair::{Audit, Repair};

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::sync::{Mutex, MutexGuard};

use super::arena::Arena;
use crate::error::{Result, value_error};

/// Links of the tree.
const PIN: u32 = 1 << 31;
/// Slots that a graph can hold: a link is a slot plus one, and a bit.
pub(super) const MAX_SLOTS: u32 = PIN - 2;
const MAX_LEVEL: usize = 12;
/// Most nodes that a search, or an insert, may keep on its way.
pub(super) const MAX_EF: usize = 4096;
/// Locks of rows; two rows that share one wait for each other sometimes.
const LOCKS: usize = 1024;

/// Not in the graph.
const FREE: u8 = 0;
const LINKED: u8 = 1;
/// Still walked through, and never found.
const DEAD: u8 = 2;

/// How a graph is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GraphConfig {
    /// Links of a node on an upper level; twice as many on level 0.
    pub m: usize,
    /// Nodes that an insert looks at for each level.
    pub ef_construction: usize,
}

impl Default for GraphConfig {
    fn default() -> Self {
        Self { m: 16, ef_construction: 200 }
    }
}

impl GraphConfig {
    /// Refuse what no graph can be built with.
    pub(crate) fn check(&self) -> Result<()> {
        in_range("vector.m", self.m, 4..=64)?;
        in_range("vector.ef_construction", self.ef_construction, self.m..=MAX_EF)
    }
}

/// Refuse a setting out of its range.
pub(super) fn in_range(name: &str, value: usize, range: RangeInclusive<usize>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    value_error(format!("{name}={value}: give an integer from {} to {}", range.start(), range.end()))
}

/// Links of the levels above 0.
#[derive(Default)]
struct Upper {
    /// First row of each slot that is on a level above 0.
    rows: HashMap<u32, u32, foldhash::fast::RandomState>,
    links: Vec<AtomicU32>,
}

pub(crate) struct Graph {
    config: GraphConfig,
    base: Arena<AtomicU32>,
    upper: Upper,
    states: Vec<AtomicU8>,
    /// Level in the upper half and slot plus one in the lower; 0 in an empty graph.
    entry: AtomicU64,
    entry_lock: Mutex<()>,
    locks: Box<[Mutex<()>]>,
    linked: AtomicUsize,
    dead: AtomicUsize,
}

impl Graph {
    pub(crate) fn new(config: GraphConfig) -> Self {
        Self {
            config,
            base: Arena::new(2 * config.m),
            upper: Upper::default(),
            states: Vec::new(),
            entry: AtomicU64::new(0),
            entry_lock: Mutex::default(),
            locks: (0..LOCKS).map(|_| Mutex::default()).collect(),
            linked: AtomicUsize::new(0),
            dead: AtomicUsize::new(0),
        }
    }

    /// Make room for so many slots in all.
    pub(crate) fn reserve(&mut self, slots: u32) -> Result<()> {
        self.base.reserve(slots)?;
        for slot in u32::try_from(self.states.len()).unwrap_or(MAX_SLOTS)..slots {
            let level = self.level(slot);
            if level > 0 {
                let row = self.upper.links.len() / self.config.m;
                self.upper.rows.insert(slot, u32::try_from(row).unwrap_or(u32::MAX));
                let length = self.upper.links.len() + level * self.config.m;
                self.upper.links.resize_with(length, AtomicU32::default);
            }
            self.states.push(AtomicU8::new(FREE));
        }
        Ok(())
    }

    /// The highest level of a slot: geometric, as in the paper, from the bits of its number.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "53 bits")]
    fn level(&self, slot: u32) -> usize {
        // SplitMix64 (Steele, Lea and Flood, 2014).
        let mut bits = u64::from(slot).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let uniform = ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
        ((-(1.0 - uniform).ln() / (self.config.m as f64).ln()) as usize).min(MAX_LEVEL)
    }

    #[inline]
    fn links(&self, level: usize, slot: u32) -> &[AtomicU32] {
        if level == 0 {
            return self.base.row(slot);
        }
        let row = self.upper.rows.get(&slot).map_or(0, |row| *row as usize);
        &self.upper.links[(row + level - 1) * self.config.m..][..self.config.m]
    }

    /// The nodes that a row links to, and whether the link is pinned.
    #[inline]
    fn neighbours(&self, level: usize, slot: u32) -> impl Iterator<Item = (u32, bool)> {
        let words = self.links(level, slot).iter().map(|link| link.load(Ordering::Relaxed));
        words.take_while(|word| *word != 0).map(|word| ((word & !PIN) - 1, word & PIN != 0))
    }

    /// The nodes that a node has in the tree.
    fn pinned(&self, slot: u32) -> impl Iterator<Item = u32> {
        self.neighbours(0, slot).filter(|(_, pinned)| *pinned).map(|(next, _)| next)
    }

    /// Links of a node on level 0.
    fn base_width(&self) -> usize {
        2 * self.config.m
    }

    fn state(&self, slot: u32) -> u8 {
        self.states[slot as usize].load(Ordering::Acquire)
    }

    /// Whether a search may find a slot.
    #[inline]
    pub(crate) fn holds(&self, slot: u32) -> bool {
        self.states.get(slot as usize).is_some_and(|state| state.load(Ordering::Acquire) == LINKED)
    }

    fn set_state(&self, slot: u32, state: u8) {
        let before = self.states[slot as usize].swap(state, Ordering::AcqRel);
        let count = |state| match state {
            LINKED => Some(&self.linked),
            DEAD => Some(&self.dead),
            _ => None,
        };
        if let Some(count) = count(before) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(count) = count(state) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Find a slot no more; it stays on the way of others until the next [`Repair`].
    pub(crate) fn remove(&self, slot: u32) {
        self.set_state(slot, DEAD);
    }

    /// Slots that a search may find.
    pub(crate) fn len(&self) -> usize {
        self.linked.load(Ordering::Relaxed)
    }

    /// Slots that were removed and are still on the way of others.
    pub(crate) fn dead(&self) -> usize {
        self.dead.load(Ordering::Relaxed)
    }

    /// Level and slot where every walk begins.
    fn entry(&self) -> Option<(usize, u32)> {
        let word = self.entry.load(Ordering::Acquire);
        let slot = u32::try_from(word & u64::from(u32::MAX)).unwrap_or(0);
        (slot > 0).then(|| (usize::try_from(word >> 32).unwrap_or(0), slot - 1))
    }

    fn set_entry(&self, entry: Option<(usize, u32)>) {
        let word = entry.map_or(0, |(level, slot)| (level as u64) << 32 | u64::from(slot + 1));
        self.entry.store(word, Ordering::Release);
    }

    fn lock(&self, slot: u32) -> MutexGuard<'_, ()> {
        self.locks[slot as usize % LOCKS].lock()
    }

    pub(crate) fn bytes(&self) -> usize {
        let upper = self.upper.links.capacity() * 4 + self.upper.rows.capacity() * 9;
        self.base.bytes() + upper + self.states.capacity()
    }
}
