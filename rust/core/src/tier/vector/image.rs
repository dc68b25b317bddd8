//! What is linked, as bytes: a row a slot, with its state, its links on all levels, and its code.

use std::sync::atomic::Ordering;

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use super::engine::Engine;
use super::graph::{Graph, GraphConfig};
use super::space::{SearchCode, VectorSpace};
use super::store::{VectorConfig, VectorEngine, VectorStore};
use crate::error::Result;

/// What comes before the rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Image {
    pub definition: VectorSpace,
    pub code: SearchCode,
    pub m: usize,
    pub ef_construction: usize,
    pub slots: u32,
    entry: u64,
}

impl Image {
    /// Bytes of the shortest row.
    pub(crate) fn min_row(&self) -> usize {
        1 + 8 * self.m + self.definition.dim
    }

    /// Whether a store that is opened like this would have made it.
    pub(crate) fn fits(&self, definition: &VectorSpace, config: VectorConfig) -> bool {
        let GraphConfig { m, ef_construction } = config.graph;
        self.definition == *definition && (self.m, self.ef_construction) == (m, ef_construction)
    }
}

impl VectorStore {
    fn compact(&self) -> Option<&Graph> {
        match &self.graph {
            Some(Engine::Compact(graph)) => Some(graph),
            _ => None,
        }
    }

    /// What its rows begin with; `None` without a graph of ours.
    pub(crate) fn image(&self) -> Option<Image> {
        let graph = self.compact()?;
        let GraphConfig { m, ef_construction } = self.config.graph;
        let (slots, entry) = (graph.end(), graph.entry_word());
        Some(Image { definition: self.definition.clone(), code: self.code(), m, ef_construction, slots, entry })
    }

    /// Write a slot's row.
    pub(crate) fn write_row(&self, slot: u32, out: &mut Vec<u8>) {
        if let Some(graph) = self.compact() {
            graph.write_row(slot, out);
            self.codes.write_row(slot, out);
        }
    }

    /// A store with room for the rows of an image.
    ///
    /// # Errors
    /// Where the system gives no memory.
    pub(crate) fn from_image(config: VectorConfig, image: &Image) -> Result<Self> {
        let mut graph = Graph::new(config.graph);
        graph.reserve(image.slots)?;
        let mut store = Self::new(image.definition.clone(), config);
        store.codes.reserve(image.slots)?;
        store.slots = image.slots;
        store.graph = Some(Engine::Compact(graph));
        Ok(store)
    }

    /// Read a slot's row; `None` where it is none.
    pub(crate) fn read_row(&mut self, slot: u32, code: SearchCode, bytes: &mut &[u8]) -> Option<()> {
        self.compact()?.read_row(slot, bytes)?;
        self.codes.read_row(slot, code, bytes)
    }

    /// All rows were read: whether they are a graph.
    pub(crate) fn complete(&mut self, image: &Image) -> bool {
        let Some(graph) = self.compact() else { return false };
        let is_sound = graph.set_entry_word(image.entry) && graph.is_sound();
        let live = (0..image.slots).filter(|slot| graph.holds(*slot)).collect();
        let free = (0..image.slots).rev().filter(|slot| graph.is_free(*slot)).collect();
        (self.live, self.free) = (live, free);
        is_sound
    }

    /// Slots that somebody has.
    pub(crate) fn live(&self) -> &RoaringBitmap {
        &self.live
    }

    /// A store without vectors that makes the same codes.
    pub(crate) fn emptied(&self) -> Self {
        Self::new(
            self.definition.clone(),
            VectorConfig { engine: VectorEngine::Exact, code: self.code(), ..self.config },
        )
    }

    /// Checksum of a slot's code.
    pub(crate) fn checksum(&self, slot: u32) -> u32 {
        let mut code = Vec::new();
        self.codes.write_row(slot, &mut code);
        crc32c::crc32c(&code)
    }

    /// Checksum of the code that an embedding gets; `None` for one that is not of this space.
    pub(crate) fn checksum_of(&mut self, embedding: &[f32]) -> Option<u32> {
        let slot = self.insert(embedding).ok()?;
        let sum = self.checksum(slot);
        self.remove(slot);
        Some(sum)
    }

    /// Write the code of a slot that came without one.
    pub(crate) fn write_code(&mut self, slot: u32, unit: &[f32]) {
        self.codes.write(slot, unit);
    }

    /// Links made and vectors removed that the last image does not have.
    pub(crate) fn changes(&self) -> usize {
        self.changes.load(Ordering::Relaxed)
    }

    /// An image has so many more changes.
    pub(crate) fn settle(&self, changes: usize) {
        self.changes.fetch_sub(changes, Ordering::Relaxed);
    }
}
