//! Healing: after deletes, and of the tree that makes everybody reachable.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::Ordering;

use rayon::prelude::*;

use super::insert::{select, write};
use super::walk::{Key, Scratch, Visited, distance};
use super::{DEAD, FREE, Graph, LINKED, PIN};
use crate::tier::vector::codes::Codes;
use crate::workers;

/// What an [`Graph::audit`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Audit {
    pub nodes: usize,
    /// Nodes that no walk on level 0 could find.
    pub unreachable: usize,
    /// Pinned links that are not answered by one.
    pub unanswered: usize,
}

/// A repair under way: leads everybody's links around the dead, lets go of those, and spans the
/// tree anew.  Between its steps searches and removals go on, and nobody may insert.
pub(crate) struct Repair {
    dead: Vec<u32>,
    is_dead: Vec<bool>,
    phase: Phase,
    cursor: u32,
    reached: Vec<bool>,
    waiting: VecDeque<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    LeadAround,
    LetGo,
    Unpin,
    Span,
    Hang,
    Done,
}

impl Repair {
    pub(crate) fn new(graph: &Graph) -> Self {
        let is_dead: Vec<bool> = graph.slots().map(|slot| graph.state(slot) == DEAD).collect();
        Self {
            dead: graph.slots().filter(|slot| is_dead[*slot as usize]).collect(),
            reached: vec![false; is_dead.len()],
            is_dead,
            phase: Phase::LeadAround,
            cursor: 0,
            waiting: VecDeque::new(),
        }
    }

    /// Do the work of about so many rows; `true` when all is done.
    pub(crate) fn advance(&mut self, graph: &Graph, codes: &Codes, rows: u32) -> bool {
        let end = u32::try_from(self.is_dead.len()).unwrap_or(0);
        let range = self.cursor..end.min(self.cursor.saturating_add(rows));
        match self.phase {
            Phase::LeadAround => workers::share(|| self.lead_around(graph, codes, range.clone())),
            Phase::LetGo => graph.let_go(&self.dead),
            Phase::Unpin => range.clone().for_each(|slot| graph.unpin(slot)),
            Phase::Span => self.span(graph, codes, rows),
            Phase::Hang => range.clone().for_each(|slot| self.hang(graph, codes, slot)),
            Phase::Done => return true,
        }
        let walks = matches!(self.phase, Phase::LeadAround | Phase::Unpin | Phase::Hang);
        self.cursor = if walks { range.end } else { end };
        if self.cursor == end && self.waiting.is_empty() {
            self.cursor = 0;
            self.begin_next(graph);
        }
        self.phase == Phase::Done
    }

    fn begin_next(&mut self, graph: &Graph) {
        self.phase = match self.phase {
            Phase::LeadAround => Phase::LetGo,
            Phase::LetGo => Phase::Unpin,
            Phase::Unpin => {
                if let Some((_, root)) = graph.entry() {
                    self.reach(root);
                }
                Phase::Span
            }
            Phase::Span => Phase::Hang,
            Phase::Hang | Phase::Done => Phase::Done,
        };
    }

    /// The slots that nobody needs any more.
    pub(crate) fn take_freed(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.dead)
    }

    fn reach(&mut self, slot: u32) {
        self.reached[slot as usize] = true;
        self.waiting.push_back(slot);
    }

    fn lead_around(&self, graph: &Graph, codes: &Codes, slots: Range<u32>) {
        slots.into_par_iter().with_min_len(64).for_each(|slot| {
            if graph.state(slot) != FREE && !self.is_dead[slot as usize] {
                (0..=graph.level(slot)).for_each(|level| graph.lead_around(codes, level, slot, &self.is_dead));
            }
        });
    }

    /// Pin a tree, breadth first.
    fn span(&mut self, graph: &Graph, codes: &Codes, rows: u32) {
        for _ in 0..rows {
            let Some(node) = self.waiting.pop_front() else { return };
            let next: Vec<u32> = graph.neighbours(0, node).map(|(next, _)| next).collect();
            for next in next {
                if self.reached[next as usize] {
                    continue;
                }
                if !graph.try_adopt(codes, node, next) {
                    break;
                }
                graph.link(codes, 0, next, node, PIN);
                self.reach(next);
            }
        }
    }

    /// Hang a node that nobody leads to under the nearest that was reached, and go on from it.
    fn hang(&mut self, graph: &Graph, codes: &Codes, slot: u32) {
        if graph.state(slot) != FREE && !self.reached[slot as usize] {
            graph.hang(codes, slot, &self.reached);
            self.reach(slot);
            self.span(graph, codes, u32::MAX);
        }
    }
}

impl Graph {
    /// Whether so many are dead that going around them costs.
    pub(crate) fn needs_repair(&self) -> bool {
        const LIVE_A_DEAD: usize = 32;
        self.dead() * LIVE_A_DEAD > self.len()
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = u32> + use<> {
        0..u32::try_from(self.states.len()).unwrap_or(0)
    }

    /// Replace links to the dead by links to whom those link to (Singh and others, 2021).
    fn lead_around(&self, codes: &Codes, level: usize, slot: u32, is_dead: &[bool]) {
        if self.neighbours(level, slot).all(|(node, _)| !is_dead[node as usize]) {
            return;
        }
        let mut near: Vec<(u32, bool)> = Vec::new();
        for (node, pinned) in self.neighbours(level, slot) {
            if is_dead[node as usize] {
                let next = self.neighbours(level, node).map(|(next, _)| (next, false));
                near.extend(next.filter(|(next, _)| !is_dead[*next as usize] && *next != slot));
            } else {
                near.push((node, pinned));
            }
        }
        let mut keys: Vec<(Key, bool)> =
            near.into_iter().map(|(node, pinned)| (Key::new(1.0 - codes.dot_pair(slot, node), node), pinned)).collect();
        keys.sort_unstable_by_key(|(key, pinned)| (*key, !pinned));
        keys.dedup_by_key(|(key, _)| *key);
        let row = self.links(level, slot);
        write(row, select(codes, keys.into_iter(), row.len()).into_iter());
    }

    /// Nobody links to the dead any more: forget them.
    fn let_go(&self, dead: &[u32]) {
        for slot in dead {
            (0..=self.level(*slot)).for_each(|level| write(self.links(level, *slot), std::iter::empty()));
            self.set_state(*slot, FREE);
        }
        if self.entry().is_some_and(|(_, slot)| self.state(slot) == FREE) {
            let left = self.slots().filter(|slot| self.state(*slot) != FREE);
            self.set_entry(left.map(|slot| (self.level(slot), slot)).max_by_key(|(level, slot)| (*level, !slot)));
        }
    }

    fn unpin(&self, slot: u32) {
        for link in self.links(0, slot) {
            link.fetch_and(!PIN, Ordering::Relaxed);
        }
    }

    fn hang(&self, codes: &Codes, slot: u32, reached: &[bool]) {
        let Some((top, entry)) = self.entry() else { return };
        let mut unit = Vec::new();
        codes.read(slot, &mut unit);
        Scratch::with(|scratch| {
            let start = self.descend(codes, &unit, Key::new(distance(codes, &unit, entry), entry), top, 0);
            self.nearest(codes, &unit, start, 0, self.config.ef_construction, scratch);
            let slots = scratch.pool.iter().map(|key| key.slot());
            let near: Vec<u32> = slots.filter(|node| reached[*node as usize]).collect();
            let parent = near.iter().copied().find(|node| self.try_adopt(codes, *node, slot));
            let from = near.first().copied().unwrap_or(entry);
            let parent = parent.or_else(|| self.adopt_below(codes, from, slot, scratch));
            if let Some(parent) = parent {
                self.link(codes, 0, slot, parent, PIN);
            }
        });
    }

    /// Walk from the entry over level 0, and count who is not met.
    pub(crate) fn audit(&self) -> Audit {
        let mut visited = Visited::default();
        visited.clear();
        let mut waiting: Vec<u32> = self.entry().map(|(_, slot)| slot).into_iter().collect();
        waiting.retain(|slot| visited.insert(*slot));
        let mut nodes = 0;
        while let Some(node) = waiting.pop() {
            nodes += usize::from(self.state(node) == LINKED);
            waiting.extend(self.neighbours(0, node).map(|(next, _)| next).filter(|next| visited.insert(*next)));
        }
        let pins = self.slots().flat_map(|slot| self.pinned(slot).map(move |next| (slot, next)));
        let unanswered = pins.filter(|(slot, next)| self.pinned(*next).all(|back| back != *slot)).count();
        Audit { nodes: self.len(), unreachable: self.len() - nodes, unanswered }
    }
}
