//! How spaces are searched.

use super::graph::{GraphConfig, MAX_EF, in_range};
use super::space::SearchCode;
use crate::error::Result;

/// What answers the searches of a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VectorEngine {
    /// A graph for a large space, a scan for a small one.
    #[default]
    Auto,
    /// Every candidate is looked at.
    Exact,
    /// A graph for every space.
    Compact,
    /// One of the crate `hnsw_rs`: slower to build and larger.
    HnswRs,
}

/// How spaces are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VectorConfig {
    /// What answers.
    pub engine: VectorEngine,
    /// How a graph is built.
    pub graph: GraphConfig,
    /// Nodes that a search keeps on its way; more find more and take longer.
    pub ef_search: usize,
    /// What they are searched with.
    pub code: SearchCode,
}

impl Default for VectorConfig {
    fn default() -> Self {
        Self { engine: VectorEngine::Auto, graph: GraphConfig::default(), ef_search: 64, code: SearchCode::Stored }
    }
}

impl VectorConfig {
    /// Refuse what no space can be searched with.
    pub(crate) fn check(&self) -> Result<()> {
        self.graph.check()?;
        in_range("vector.ef_search", self.ef_search, 1..=MAX_EF)
    }
}
