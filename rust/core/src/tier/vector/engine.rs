//! What a space is searched with, where it is not scanned.

use super::codes::Codes;
use super::config::VectorEngine;
use super::graph::{self, Graph, GraphConfig};
use super::hnsw::{self, Adapter};
use crate::error::Result;

/// A graph over the codes of a space.
pub(super) enum Engine {
    Compact(Graph),
    HnswRs(Adapter),
}

/// A repair of one of them, under way.
pub(crate) enum Repair {
    Compact(graph::Repair),
    HnswRs(hnsw::Repair),
}

impl Engine {
    pub(super) fn new(engine: VectorEngine, config: GraphConfig, dim: usize) -> Self {
        match engine {
            VectorEngine::HnswRs => Self::HnswRs(Adapter::new(config, dim)),
            _ => Self::Compact(Graph::new(config)),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Compact(_) => "compact",
            Self::HnswRs(_) => "hnsw_rs",
        }
    }

    /// Make room for so many slots in all.
    pub(super) fn reserve(&mut self, slots: u32) -> Result<()> {
        match self {
            Self::Compact(graph) => graph.reserve(slots),
            Self::HnswRs(graph) => graph.reserve(),
        }
    }

    pub(super) fn insert_all(&self, codes: &Codes, slots: &[u32]) {
        match self {
            Self::Compact(graph) => graph.insert_all(codes, slots),
            Self::HnswRs(graph) => graph.insert_all(codes, slots),
        }
    }

    pub(super) fn remove(&mut self, slot: u32) {
        match self {
            Self::Compact(graph) => graph.remove(slot),
            Self::HnswRs(graph) => graph.remove(slot),
        }
    }

    /// The slots nearest to a query, nearest first, with their products; `None` where a scan has to
    /// answer.
    pub(super) fn search(&self, codes: &Codes, unit: &[f32], ef: usize) -> Option<Vec<(u32, f32)>> {
        match self {
            Self::Compact(graph) => Some(graph.search(codes, unit, ef)),
            Self::HnswRs(graph) => graph.search(codes, unit, ef, None),
        }
    }

    /// The same of slots that a filter admits.
    pub(super) fn search_among(
        &self,
        codes: &Codes,
        unit: &[f32],
        ef: usize,
        seeds: &[u32],
        admits: &dyn Fn(u32) -> bool,
    ) -> Option<Vec<(u32, f32)>> {
        match self {
            Self::Compact(graph) => Some(graph.search_among(codes, unit, ef, seeds, admits)),
            Self::HnswRs(graph) => graph.search(codes, unit, ef, Some(admits)),
        }
    }

    pub(super) fn needs_repair(&self) -> bool {
        match self {
            Self::Compact(graph) => graph.needs_repair(),
            Self::HnswRs(graph) => graph.needs_repair(),
        }
    }

    pub(super) fn begin_repair(&self) -> Repair {
        match self {
            Self::Compact(graph) => Repair::Compact(graph::Repair::new(graph)),
            Self::HnswRs(graph) => Repair::HnswRs(graph.begin_repair()),
        }
    }

    /// Do the work of about so many rows; `true` when all is done.
    pub(super) fn advance_repair(&self, repair: &mut Repair, codes: &Codes, rows: u32) -> bool {
        match (self, repair) {
            (Self::Compact(graph), Repair::Compact(repair)) => repair.advance(graph, codes, rows),
            (Self::HnswRs(graph), Repair::HnswRs(repair)) => graph.advance(repair, codes, rows),
            _ => true,
        }
    }

    /// The slots that nobody needs any more.
    pub(super) fn end_repair(&mut self, repair: &mut Repair) -> Vec<u32> {
        match (self, repair) {
            (Self::HnswRs(graph), Repair::HnswRs(repair)) => graph.end_repair(repair).iter().collect(),
            (Self::Compact(_), Repair::Compact(repair)) => repair.take_freed(),
            _ => Vec::new(),
        }
    }

    /// Whether it answers nothing any more.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self, Self::HnswRs(graph) if graph.is_broken())
    }

    /// What no walk finds; nothing, where those are scanned.
    pub(super) fn audit(&self) -> Option<graph::Audit> {
        match self {
            Self::Compact(graph) => Some(graph.audit()),
            Self::HnswRs(_) => None,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Compact(graph) => graph.bytes(),
            Self::HnswRs(graph) => graph.bytes(),
        }
    }
}
