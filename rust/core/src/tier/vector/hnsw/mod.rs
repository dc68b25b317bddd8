//! A graph by the crate `hnsw_rs`, behind a door that keeps its faults out.
//!
//! - It cannot delete.  The dead are filtered out of its walks; when they are the most, the living
//!   are linked anew beside it, and the old graph answers until that is done.
//! - A link may be pruned that was the only one to a point.  Who does not find itself is kept in a
//!   list that every search scans.
//! - It panics, and above 256 links ends the process.  Settings are checked before it sees them, its
//!   distances are made by a type of ours, and after a panic it is not asked again.
//! - Its loader trusts the file.  It is never called: the graph is built from L3.

mod points;

#[cfg(test)]
mod door_tests;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ::hnsw_rs::prelude::FilterT;
use roaring::RoaringBitmap;

use self::points::Points;
use super::codes::Codes;
use super::graph::GraphConfig;
use crate::error::Result;

/// Rows of a step of ours for each of the crate's, which takes so much longer.
const SLOWER: u32 = 16;

pub(crate) struct Adapter {
    config: GraphConfig,
    dim: usize,
    points: Points,
    /// Removed, and still on the way of others.
    dead: RoaringBitmap,
    /// A panic came out of the crate: nothing is asked of it any more.
    broken: AtomicBool,
    /// Bytes of a graph that is to replace this one.
    rebuilding: AtomicUsize,
}

/// A rebuild without the dead, or a look at who does not find itself any more.  Between its steps
/// searches and removals go on, and nobody may insert.
pub(crate) struct Repair {
    todo: Vec<u32>,
    done: usize,
    is_linking: bool,
    replacement: Option<Points>,
}

impl Adapter {
    pub(crate) fn new(config: GraphConfig, dim: usize) -> Self {
        Self {
            config,
            dim,
            points: Points::default(),
            dead: RoaringBitmap::new(),
            broken: AtomicBool::new(false),
            rebuilding: AtomicUsize::new(0),
        }
    }

    /// Nothing is linked before this: the crate sees no settings that it ends the process for.
    pub(crate) fn reserve(&mut self) -> Result<()> {
        self.config.check()?;
        if !self.points.is_open() {
            self.points = Points::new(self.config);
        }
        Ok(())
    }

    /// Ask the crate, until it panics for the first time.
    fn ask<R>(&self, work: impl FnOnce() -> R) -> Option<R> {
        if self.is_broken() {
            return None;
        }
        let answer = catch_unwind(AssertUnwindSafe(work));
        self.broken.fetch_or(answer.is_err(), Ordering::Relaxed);
        answer.ok()
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Link nodes on all cores, in no fixed order; on one, in theirs.
    pub(crate) fn insert_all(&self, codes: &Codes, slots: &[u32]) {
        self.ask(|| {
            self.points.link(codes, slots);
            self.points.look_for(codes, slots);
        });
    }

    /// Find a slot no more; it stays on the way of others until a rebuild.
    pub(crate) fn remove(&mut self, slot: u32) {
        self.dead.insert(slot);
    }

    /// The slots nearest to a query, of those that a filter admits, nearest first, with their
    /// products; `None` where a scan is quicker, or there is nobody to ask.
    pub(crate) fn search(
        &self,
        codes: &Codes,
        unit: &[f32],
        ef: usize,
        filter: Option<&dyn Fn(u32) -> bool>,
    ) -> Option<Vec<(u32, f32)>> {
        let admits = |slot| !self.dead.contains(slot) && filter.is_none_or(|admits| admits(slot));
        let by_id = |id: &usize| u32::try_from(*id).is_ok_and(admits);
        let is_filtered = filter.is_some() || !self.dead.is_empty();
        let beside = self.points.beside(ef)?;
        let slots = self.ask(|| {
            let mut slots = self.points.walk(unit, ef, is_filtered.then_some(&by_id as &dyn FilterT));
            slots.extend(beside.into_iter().filter(|slot| admits(*slot)));
            slots
        })?;
        // By the same kernel as what is scanned: a slot that is found twice has one product.
        let mut found: Vec<(u32, f32)> = slots.into_iter().map(|slot| (slot, codes.dot(unit, slot))).collect();
        found.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        found.dedup_by_key(|(slot, _)| *slot);
        Some(found)
    }

    /// Whether most are dead, many were linked since all were looked for, or all is to be given up.
    pub(crate) fn needs_repair(&self) -> bool {
        self.is_broken() || self.is_mostly_dead() || self.points.may_have_lost()
    }

    fn is_mostly_dead(&self) -> bool {
        self.dead.len() * 2 > self.points.len()
    }

    pub(crate) fn begin_repair(&self) -> Repair {
        let rebuilds = self.is_mostly_dead() && !self.is_broken();
        Repair {
            todo: (self.points.linked() - &self.dead).iter().collect(),
            done: 0,
            is_linking: rebuilds,
            replacement: rebuilds.then(|| Points::new(self.config)),
        }
    }

    /// Do the work of about so many rows of our own graph; `true` when all is done.
    pub(crate) fn advance(&self, repair: &mut Repair, codes: &Codes, rows: u32) -> bool {
        let points = repair.replacement.as_ref().unwrap_or(&self.points);
        let rest = repair.todo.get(repair.done..).unwrap_or_default();
        let batch: Vec<u32> = rest.iter().copied().take(rows.div_ceil(SLOWER) as usize).collect();
        let is_last = batch.len() == rest.len();
        let living: Vec<u32> = batch.iter().copied().filter(|slot| !self.dead.contains(*slot)).collect();
        let answer = self.ask(|| match (repair.is_linking, is_last) {
            (true, _) => points.link(codes, &living),
            (false, false) => points.look_for(codes, &living),
            (false, true) => {
                points.look_for(codes, &living);
                points.settle();
            }
        });
        if repair.replacement.is_some() {
            self.rebuilding.store(points.bytes(self.dim), Ordering::Relaxed);
        }
        repair.done = if is_last && repair.is_linking { 0 } else { repair.done + batch.len() };
        let is_over = is_last && !repair.is_linking;
        repair.is_linking &= !is_last;
        is_over || answer.is_none()
    }

    /// Let the replacement answer; returns the slots that nobody needs any more, and leaves the old
    /// graph in the repair.
    pub(crate) fn end_repair(&mut self, repair: &mut Repair) -> RoaringBitmap {
        self.rebuilding.store(0, Ordering::Relaxed);
        if self.is_broken() {
            return std::mem::take(&mut self.dead);
        }
        let Some(replacement) = &mut repair.replacement else { return RoaringBitmap::new() };
        std::mem::swap(&mut self.points, replacement);
        let linked = self.points.linked();
        let freed = &self.dead - &linked;
        self.dead &= linked;
        freed
    }

    /// What the crate takes, and what is built beside it.
    pub(crate) fn bytes(&self) -> usize {
        self.points.bytes(self.dim) + self.rebuilding.load(Ordering::Relaxed)
    }
}
