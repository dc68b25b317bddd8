//! Linking a node.

use std::sync::atomic::{AtomicU32, Ordering};

use rayon::prelude::*;

use super::walk::{Key, Scratch, distance};
use super::{DEAD, Graph, LINKED, PIN};
use crate::tier::vector::codes::Codes;
use crate::workers;

/// Nodes that are linked one after the other before several are at once: who comes first sees
/// too few to choose from.
const ALONE: usize = 256;

impl Graph {
    /// Link nodes on all cores, in no fixed order.
    pub(crate) fn insert_all(&self, codes: &Codes, slots: &[u32]) {
        let (first, rest) = slots.split_at(slots.len().min(ALONE.saturating_sub(self.len())));
        for slot in first {
            self.insert(codes, *slot);
        }
        workers::share(|| rest.par_iter().for_each(|slot| self.insert(codes, *slot)));
    }

    /// Link a node whose code is written.
    pub(crate) fn insert(&self, codes: &Codes, slot: u32) {
        let level = self.level(slot);
        if self.is_first(level, slot) {
            return;
        }
        let mut unit = Vec::new();
        codes.read(slot, &mut unit);
        Scratch::with(|scratch| {
            // Chosen on all levels before the first link to the node is set: who comes to it goes on.
            let chosen = self.choose_neighbours(codes, &unit, level, scratch);
            for (level, near) in chosen.iter().enumerate() {
                write(self.links(level, slot), near.iter().map(|near| near + 1));
            }
            if let Some(near) = chosen.first() {
                self.adopt(codes, slot, near, scratch);
            }
            for (level, near) in chosen.iter().enumerate() {
                for other in near {
                    self.link(codes, level, *other, slot, 0);
                }
            }
        });
        self.set_state(slot, LINKED);
        self.raise_entry(level, slot);
    }

    /// Begin an empty graph with a node.
    fn is_first(&self, level: usize, slot: u32) -> bool {
        if self.entry().is_some() {
            return false;
        }
        let _guard = self.entry_lock.lock();
        let is_first = self.entry().is_none();
        if is_first {
            self.set_state(slot, LINKED);
            self.set_entry(Some((level, slot)));
        }
        is_first
    }

    fn raise_entry(&self, level: usize, slot: u32) {
        if self.entry().is_some_and(|(top, _)| level > top) {
            let _guard = self.entry_lock.lock();
            if self.entry().is_some_and(|(top, _)| level > top) {
                self.set_entry(Some((level, slot)));
            }
        }
    }

    /// The neighbours on each level of a node; leaves the nearest of level 0 in the pool.
    fn choose_neighbours(&self, codes: &Codes, unit: &[f32], level: usize, scratch: &mut Scratch) -> Vec<Vec<u32>> {
        let Some((top, entry)) = self.entry() else { return Vec::new() };
        let mut start = self.descend(codes, unit, Key::new(distance(codes, unit, entry), entry), top, level);
        let mut chosen = vec![Vec::new(); level.min(top) + 1];
        for (level, chosen) in chosen.iter_mut().enumerate().rev() {
            self.nearest(codes, unit, start, level, self.config.ef_construction, scratch);
            start = scratch.pool.first().copied().unwrap_or(start);
            // The dead are neighbours only where nobody else is: they are on the way until a repair.
            if scratch.pool.iter().any(|key| self.state(key.slot()) != DEAD) {
                scratch.pool.retain(|key| self.state(key.slot()) != DEAD);
            }
            let candidates = scratch.pool.iter().map(|key| (*key, false));
            *chosen = select(codes, candidates, self.config.m).into_iter().map(|word| (word & !PIN) - 1).collect();
        }
        chosen
    }

    /// Hang a node into the tree, under the nearest node that has room for a child.
    fn adopt(&self, codes: &Codes, slot: u32, near: &[u32], scratch: &mut Scratch) {
        let mut candidates = near.iter().copied().chain(scratch.pool.iter().map(|key| key.slot()));
        let parent = candidates.find(|parent| *parent != slot && self.try_adopt(codes, *parent, slot));
        let parent = parent.or_else(|| self.adopt_below(codes, scratch.pool.first()?.slot(), slot, scratch));
        if let Some(parent) = parent {
            self.link(codes, 0, slot, parent, PIN);
        }
    }

    /// Follow the tree from a node to one that has room for a child; a leaf has.
    pub(super) fn adopt_below(&self, codes: &Codes, from: u32, slot: u32, scratch: &mut Scratch) -> Option<u32> {
        scratch.visited.clear();
        scratch.visited.insert(slot);
        let mut waiting = std::collections::VecDeque::from([from]);
        while let Some(node) = waiting.pop_front() {
            if self.try_adopt(codes, node, slot) {
                return Some(node);
            }
            waiting.extend(self.pinned(node).filter(|next| scratch.visited.insert(*next)));
        }
        None
    }

    /// Pin a link to a child, where the parent has few enough.
    pub(super) fn try_adopt(&self, codes: &Codes, parent: u32, child: u32) -> bool {
        let _guard = self.lock(parent);
        let has_room = self.pinned(parent).count() < self.config.m;
        if has_room {
            self.link_locked(codes, 0, parent, child, PIN);
        }
        has_room
    }

    /// Link `from` to `to`, pinned or not; where the row is full, keep the best.
    pub(super) fn link(&self, codes: &Codes, level: usize, from: u32, to: u32, pin: u32) {
        let _guard = self.lock(from);
        self.link_locked(codes, level, from, to, pin);
    }

    fn link_locked(&self, codes: &Codes, level: usize, from: u32, to: u32, pin: u32) {
        let row = self.links(level, from);
        for link in row {
            let word = link.load(Ordering::Relaxed);
            if word == 0 || word & !PIN == to + 1 {
                link.store((to + 1) | (word & PIN) | pin, Ordering::Relaxed);
                return;
            }
        }
        let all = self.neighbours(level, from).chain([(to, pin != 0)]);
        let mut keys: Vec<(Key, bool)> =
            all.map(|(node, pinned)| (Key::new(1.0 - codes.dot_pair(from, node), node), pinned)).collect();
        keys.sort_unstable();
        write(row, select(codes, keys.into_iter(), row.len()).into_iter());
    }
}

/// Of candidates, nearest first, those that are nearer to the base than to one chosen before
/// (the paper's heuristic), and all that are pinned; as words of a row.
pub(super) fn select(codes: &Codes, candidates: impl Iterator<Item = (Key, bool)> + Clone, most: usize) -> Vec<u32> {
    let mut pinned = candidates.clone().filter(|(_, pinned)| *pinned).count();
    let mut words: Vec<u32> = Vec::with_capacity(most);
    // Those that the heuristic chose: who is pinned without it keeps nobody else out.
    let mut chosen: Vec<u32> = Vec::with_capacity(most);
    for (key, is_pinned) in candidates {
        let slot = key.slot();
        let has_room = is_pinned || words.len() + pinned < most;
        let is_chosen = has_room && chosen.iter().all(|other| 1.0 - codes.dot_pair(slot, *other) > key.distance());
        if is_chosen {
            chosen.push(slot);
        }
        if is_pinned {
            pinned -= 1;
            words.push((slot + 1) | PIN);
        } else if is_chosen {
            words.push(slot + 1);
        }
        if words.len() == most {
            break;
        }
    }
    words
}

/// Fill a row with words, and its rest with nothing.
pub(super) fn write(row: &[AtomicU32], words: impl Iterator<Item = u32>) {
    let mut words = words.fuse();
    for link in row {
        link.store(words.next().unwrap_or(0), Ordering::Relaxed);
    }
}
