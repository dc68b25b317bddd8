//! What is linked, as bytes: a row a slot, with its state, its links on all levels, and its code.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::Ordering;

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use super::blocks::{Blocks, Source, invalid};
use super::config::{VectorConfig, VectorEngine};
use super::engine::Engine;
use super::graph::{Graph, GraphConfig};
use super::space::{SearchCode, VectorSpace};
use super::store::VectorStore;
use crate::error::{Error, Result};
use crate::{disk, record};

/// Slots a block, and between two looks at a lock.
const BLOCK_SLOTS: u32 = 1024;

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
    /// The slots of each block.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = Range<u32>> + use<> {
        let end = self.slots;
        (0..end).step_by(BLOCK_SLOTS as usize).map(move |from| from..end.min(from + BLOCK_SLOTS))
    }

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
    /// Write what is linked to a file.
    ///
    /// # Errors
    /// [`Error::Vector`] where there is no graph of ours; the system's.
    pub fn save(&self, path: &Path) -> Result<()> {
        let image = self.image().ok_or_else(|| Error::Vector("there is no graph to save".into()))?;
        self.save_as(path, &image).map_err(|error| Error::io(path, &error))
    }

    fn save_as(&self, path: &Path, image: &Image) -> io::Result<()> {
        let mut blocks = Blocks::begin(disk::own_file().truncate(true).open(path)?)?;
        blocks.write(&record::encode(image).map_err(io::Error::other)?)?;
        let mut block = Vec::new();
        for slots in image.blocks() {
            block.clear();
            slots.for_each(|slot| self.write_row(slot, &mut block));
            blocks.write(&block)?;
        }
        blocks.end()
    }

    /// Read what was saved.
    ///
    /// # Errors
    /// [`Error::Corruption`] for a file that is no graph, or of another space; the system's.
    pub fn load(definition: &VectorSpace, config: VectorConfig, path: &Path) -> Result<Self> {
        let broken = |error: io::Error| Error::Corruption(format!("{}: {error}", path.display()));
        let mut source = Source::open(path).map_err(broken)?;
        let image: Image = record::decode(&source.block().map_err(broken)?, "graph")?;
        if !image.fits(definition, config)
            || image.code != config.code
            || source.length < u64::from(image.slots) * image.min_row() as u64
        {
            return Err(broken(invalid("the graph of a space that was configured in another way, or a part of it")));
        }
        let mut store = Self::from_image(config, &image)?;
        store.read_rows(&mut source, &image, |_| Some(())).map_err(broken)?;
        Ok(store)
    }

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

    /// Read all rows, each behind what `before` reads.
    ///
    /// # Errors
    /// Those of the file, and for rows that are no graph.
    pub(crate) fn read_rows(
        &mut self,
        source: &mut Source,
        image: &Image,
        mut before: impl FnMut(&mut &[u8]) -> Option<()>,
    ) -> io::Result<()> {
        let broken = || invalid("its rows are no graph");
        for slots in image.blocks() {
            let block = source.block()?;
            let mut rest = block.as_slice();
            for slot in slots {
                before(&mut rest).and_then(|()| self.read_row(slot, image.code, &mut rest)).ok_or_else(broken)?;
            }
            if !rest.is_empty() {
                return Err(broken());
            }
        }
        if source.is_at_end()? && self.complete(image) { Ok(()) } else { Err(broken()) }
    }

    fn read_row(&mut self, slot: u32, code: SearchCode, bytes: &mut &[u8]) -> Option<()> {
        self.compact()?.read_row(slot, bytes)?;
        self.codes.read_row(slot, code, bytes)
    }

    /// All rows were read: whether they are a graph.
    fn complete(&mut self, image: &Image) -> bool {
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
