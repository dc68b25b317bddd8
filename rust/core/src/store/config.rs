//! How a store is opened.

use std::path::PathBuf;
use std::sync::Arc;

use crate::clock::Clock;
use crate::tier::cold::ColdEngine;
use crate::tier::hot::CacheConfig;
use crate::tier::vector::{VectorConfig, VectorSpace};

/// The durable engine's cache is a sixteenth of the bound on memory, and not so small that writing crawls.
const COLD_SHARE: usize = 16;
const MIN_COLD_CACHE: usize = 8 << 20;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Directory; not needed for [`ColdEngine::Memory`].
    pub path: Option<PathBuf>,
    /// Durable engine.
    pub engine: ColdEngine,
    /// Bounds of the hot tier.
    pub cache: CacheConfig,
    /// Vector spaces; they must fit those that the directory has.
    pub spaces: Vec<VectorSpace>,
    /// How spaces are searched.
    pub vector: VectorConfig,
    /// Compress values over 1 KiB.
    pub compression: bool,
    /// Bound over hot tier and codes; the hot tier gives way.
    pub max_memory_bytes: usize,
    /// Whether a commit waits for the disk.
    pub durable: bool,
    /// Source of all times.
    pub clock: Arc<Clock>,
    /// Seed of the ids under a manual clock.
    pub seed: u64,
}

impl StoreConfig {
    /// Bytes of the durable engine's own cache, beside the bound.
    #[must_use]
    pub fn cold_cache_bytes(&self) -> usize {
        (self.max_memory_bytes / COLD_SHARE).max(MIN_COLD_CACHE)
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            path: None,
            engine: ColdEngine::Memory,
            cache: CacheConfig::default(),
            spaces: Vec::new(),
            vector: VectorConfig::default(),
            compression: true,
            max_memory_bytes: 1 << 30,
            durable: true,
            clock: Arc::new(Clock::system()),
            seed: 0,
        }
    }
}
