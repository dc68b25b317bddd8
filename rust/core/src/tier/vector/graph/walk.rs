//! Best-first search on one level.

use super::{Graph, LINKED};
use crate::tier::vector::codes::Codes;
use crate::tier::vector::kernel;
use std::cell::RefCell;

/// A node and how far it is, in one word that sorts by distance, then slot; the last bit says
/// that its neighbours were looked at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(u64);

impl Key {
    #[inline]
    pub(super) fn new(distance: f32, slot: u32) -> Self {
        let bits = distance.to_bits();
        let ordered = if bits >> 31 == 0 { bits | 1 << 31 } else { !bits };
        Self(u64::from(ordered) << 32 | u64::from(slot) << 1)
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the lower half is taken")]
    pub(super) fn slot(self) -> u32 {
        self.0 as u32 >> 1
    }

    #[inline]
    pub(super) fn distance(self) -> f32 {
        let ordered = u32::try_from(self.0 >> 32).unwrap_or(u32::MAX);
        f32::from_bits(if ordered >> 31 == 1 { ordered & !(1 << 31) } else { !ordered })
    }

    fn is_open(self) -> bool {
        self.0 & 1 == 0
    }

    fn close(&mut self) {
        self.0 |= 1;
    }

    fn opened(self) -> Self {
        Self(self.0 & !1)
    }
}

/// Slots that a walk has met: a hash table in place of a bit a slot, since a walk meets some
/// thousands of a million.
#[derive(Default)]
pub(super) struct Visited {
    cells: Vec<u32>,
    count: usize,
}

impl Visited {
    pub(super) fn clear(&mut self) {
        const LEAST: usize = 4096;
        if self.cells.is_empty() {
            self.cells.resize(LEAST, 0);
        } else {
            self.cells.fill(0);
        }
        self.count = 0;
    }

    /// Whether the slot is new.
    #[inline]
    pub(super) fn insert(&mut self, slot: u32) -> bool {
        if self.count * 2 >= self.cells.len() {
            self.grow();
        }
        let mask = self.cells.len() - 1;
        let mut at = slot.wrapping_mul(0x9e37_79b1) as usize >> 7 & mask;
        loop {
            match self.cells[at] {
                0 => {
                    self.cells[at] = slot + 1;
                    self.count += 1;
                    return true;
                }
                found if found == slot + 1 => return false,
                _ => at = (at + 1) & mask,
            }
        }
    }

    #[cold]
    fn grow(&mut self) {
        let doubled = vec![0; (self.cells.len() * 2).max(16)];
        let old = std::mem::replace(&mut self.cells, doubled);
        self.count = 0;
        for slot in old.into_iter().filter(|cell| *cell != 0) {
            self.insert(slot - 1);
        }
    }
}

/// What a walk works with; each thread keeps one.
#[derive(Default)]
pub(super) struct Scratch {
    pub visited: Visited,
    /// The nearest nodes so far, nearest first.
    pub pool: Vec<Key>,
    fresh: Vec<u32>,
}

impl Scratch {
    pub(super) fn with<R>(work: impl FnOnce(&mut Self) -> R) -> R {
        thread_local! {
            static SCRATCH: RefCell<Scratch> = RefCell::default();
        }
        SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
            Ok(mut scratch) => work(&mut scratch),
            Err(_) => work(&mut Self::default()),
        })
    }

    /// Begin a walk at some nodes, the nearest first.
    fn begin(&mut self, start: &[Key], most: usize) {
        self.visited.clear();
        self.pool.clear();
        for key in start {
            self.visited.insert(key.slot());
        }
        self.pool.extend(start.iter().take(most).map(|key| key.opened()));
    }

    /// Look around the nearest node that was not looked around yet, until there is none; `around`
    /// gives those not met before, and asks for their codes.  It is told, too, whose turn is next if
    /// none of them is nearer.
    #[inline]
    fn walk(
        &mut self,
        codes: &Codes,
        unit: &[f32],
        ef: usize,
        mut around: impl FnMut(u32, Option<u32>, &mut Visited, &mut Vec<u32>),
    ) {
        let mut fresh = std::mem::take(&mut self.fresh);
        let mut next = 0;
        while let Some(key) = self.pool.get_mut(next) {
            next += 1;
            if !key.is_open() {
                continue;
            }
            key.close();
            let slot = key.slot();
            fresh.clear();
            let ahead = self.pool.get(next).map(|key| key.slot());
            around(slot, ahead, &mut self.visited, &mut fresh);
            for slot in &fresh {
                let key = Key::new(distance(codes, unit, *slot), *slot);
                if let Some(at) = self.offer(key, ef) {
                    next = next.min(at);
                }
            }
        }
        self.fresh = fresh;
    }

    /// Put a node among the nearest `most`; returns its place.
    #[inline]
    fn offer(&mut self, key: Key, most: usize) -> Option<usize> {
        if self.pool.len() == most {
            if self.pool.last().is_some_and(|last| key >= *last) {
                return None;
            }
            self.pool.pop();
        }
        let at = self.pool.partition_point(|other| *other < key);
        self.pool.insert(at, key);
        Some(at)
    }
}

impl Graph {
    /// The slots nearest to a query, nearest first, with their products: of those that `ef` nodes
    /// kept on the way lead to.
    pub(crate) fn search(&self, codes: &Codes, unit: &[f32], ef: usize) -> Vec<(u32, f32)> {
        let Some((top, entry)) = self.entry() else { return Vec::new() };
        Scratch::with(|scratch| {
            let start = self.descend(codes, unit, Key::new(distance(codes, unit, entry), entry), top, 0);
            self.nearest(codes, unit, start, 0, ef, scratch);
            let found = scratch.pool.iter().filter(|key| self.state(key.slot()) == LINKED);
            found.map(|key| (key.slot(), 1.0 - key.distance())).collect()
        })
    }

    /// The same of slots that a filter admits.  The walk goes from one of them to the next, past
    /// neighbours that it does not admit to theirs (Patel and others, 2024).
    pub(crate) fn search_among(
        &self,
        codes: &Codes,
        unit: &[f32],
        ef: usize,
        seeds: &[u32],
        admits: &dyn Fn(u32) -> bool,
    ) -> Vec<(u32, f32)> {
        const NEAR: usize = 16;
        let Some((top, entry)) = self.entry() else { return Vec::new() };
        Scratch::with(|scratch| {
            let start = self.descend(codes, unit, Key::new(distance(codes, unit, entry), entry), top, 0);
            self.nearest(codes, unit, start, 0, NEAR, scratch);
            let near = scratch.pool.iter().map(|key| key.slot()).filter(|slot| admits(*slot));
            let mut start: Vec<Key> = near
                .chain(seeds.iter().copied().filter(|slot| self.holds(*slot)))
                .map(|slot| Key::new(distance(codes, unit, slot), slot))
                .collect();
            start.sort_unstable();
            start.dedup();
            self.nearest_among(codes, unit, &start, ef, admits, scratch);
            let found = scratch.pool.iter().filter(|key| self.state(key.slot()) == LINKED);
            found.map(|key| (key.slot(), 1.0 - key.distance())).collect()
        })
    }

    /// Fill the pool with the `ef` nearest admitted nodes that a walk over admitted ones meets.
    fn nearest_among(
        &self,
        codes: &Codes,
        unit: &[f32],
        start: &[Key],
        ef: usize,
        admits: &dyn Fn(u32) -> bool,
        scratch: &mut Scratch,
    ) {
        let mut passed = Visited::default();
        passed.clear();
        let mut passages = Vec::new();
        scratch.begin(start, ef);
        scratch.walk(codes, unit, ef, |slot, ahead, visited, fresh| {
            if let Some(ahead) = ahead {
                kernel::prefetch(self.links(0, ahead));
            }
            passages.clear();
            for (near, _) in self.neighbours(0, slot) {
                if !admits(near) {
                    kernel::prefetch(self.links(0, near));
                    passages.push(near);
                } else if visited.insert(near) {
                    codes.prefetch(near);
                    fresh.push(near);
                }
            }
            for passage in &passages {
                if fresh.len() >= self.base_width() {
                    break;
                }
                if passed.insert(*passage) {
                    let far = self.neighbours(0, *passage).map(|(far, _)| far);
                    let met = far.filter(|far| admits(*far) && visited.insert(*far));
                    fresh.extend(met.inspect(|far| codes.prefetch(*far)));
                }
            }
        });
    }

    /// Go from level `from` to just above level `to`, each time to the nearest node that steps lead to.
    pub(super) fn descend(&self, codes: &Codes, unit: &[f32], start: Key, from: usize, to: usize) -> Key {
        let mut best = start;
        for level in (to + 1..=from).rev() {
            loop {
                let here = best.slot();
                for (slot, _) in self.neighbours(level, here) {
                    codes.prefetch(slot);
                }
                for (slot, _) in self.neighbours(level, here) {
                    best = best.min(Key::new(distance(codes, unit, slot), slot));
                }
                if best.slot() == here {
                    break;
                }
            }
        }
        best
    }

    /// Fill the pool with the `ef` nearest nodes of a level that a best-first walk meets.
    pub(super) fn nearest(
        &self,
        codes: &Codes,
        unit: &[f32],
        start: Key,
        level: usize,
        ef: usize,
        scratch: &mut Scratch,
    ) {
        scratch.begin(&[start], ef);
        scratch.walk(codes, unit, ef, |slot, ahead, visited, fresh| {
            if let Some(ahead) = ahead {
                kernel::prefetch(self.links(level, ahead));
            }
            let met = self.neighbours(level, slot).map(|(near, _)| near).filter(|near| visited.insert(*near));
            fresh.extend(met.inspect(|near| codes.prefetch(*near)));
        });
    }
}

/// Distance of unit vectors; half the square of the Euclidean one.
#[inline]
pub(super) fn distance(codes: &Codes, unit: &[f32], slot: u32) -> f32 {
    1.0 - codes.dot(unit, slot)
}
