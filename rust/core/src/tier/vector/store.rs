//! The embeddings of one space in slots, and the graph over them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::sync::Mutex;
use roaring::RoaringBitmap;

use super::codes::Codes;
use super::config::{VectorConfig, VectorEngine};
use super::engine::{Engine, Repair};
use super::graph::{Audit, MAX_SLOTS};
use super::kernel;
use super::space::{Quantization, SearchCode, VectorSpace};
use crate::error::{Error, Result};

/// Live vectors from which [`VectorEngine::Auto`] builds a graph; below that a scan is as quick.
const AUTO_FROM: usize = 10_000;
/// Vectors not linked yet that a search scans beside the graph.
const MOST_WAITING: usize = 8192;
/// Rows of a repair between two looks at the lock.
const REPAIR_ROWS: u32 = 256;

/// The embeddings of one space.
///
/// What is written is found at once, by a scan; [`Self::index`] links it into the graph.
/// Slots of removed vectors are used again after [`Self::repair`].
///
/// ```
/// use nt_memory::{Quantization, VectorConfig, VectorSpace, VectorStore};
///
/// let space = VectorSpace { name: "state".into(), dim: 2, quantization: Quantization::F16, encoder: None };
/// let mut store = VectorStore::new(space, VectorConfig::default());
/// let north = store.insert(&[0.0, 2.0])?;
/// store.insert(&[1.0, 0.0])?;
/// assert_eq!(store.search(&[0.1, 1.0], 1, 64)?[0].0, north);
/// # Ok::<(), nt_memory::Error>(())
/// ```
pub struct VectorStore {
    pub(crate) definition: VectorSpace,
    pub(super) config: VectorConfig,
    pub(super) codes: Codes,
    pub(super) live: RoaringBitmap,
    pub(super) free: Vec<u32>,
    pub(super) slots: u32,
    pub(super) graph: Option<Engine>,
    /// Written and not linked yet.
    waiting: Mutex<BTreeSet<u32>>,
    /// Held while links are changed.
    work: Mutex<Work>,
    /// Number of the last search of the store that went here.
    searched: AtomicU64,
    /// Links made and vectors removed since the last image.
    pub(super) changes: AtomicUsize,
}

/// What is done to the graph beside searches.
#[derive(Default)]
struct Work {
    /// Between the steps of a repair the graph is not whole.
    repairing: bool,
    /// An audit found somebody who cannot be reached.
    broken: bool,
}

impl VectorStore {
    /// An empty store.
    #[must_use]
    pub fn new(definition: VectorSpace, config: VectorConfig) -> Self {
        let codes = Codes::new(definition.quantization, config.code, definition.dim);
        let has_graph = matches!(config.engine, VectorEngine::Compact | VectorEngine::HnswRs);
        let graph = has_graph.then(|| Engine::new(config.engine, config.graph, definition.dim));
        Self {
            definition,
            config,
            codes,
            live: RoaringBitmap::new(),
            free: Vec::new(),
            slots: 0,
            graph,
            waiting: Mutex::default(),
            work: Mutex::default(),
            searched: AtomicU64::new(0),
            changes: AtomicUsize::new(0),
        }
    }

    /// Remember which search of the store was the last one here.
    pub(crate) fn touch(&self, search: u64) {
        self.searched.fetch_max(search, Ordering::Relaxed);
    }

    pub(crate) fn last_search(&self) -> u64 {
        self.searched.load(Ordering::Relaxed)
    }

    /// Check an embedding and bring it to unit length.
    pub(crate) fn normalise(&self, embedding: &[f32]) -> Result<Vec<f32>> {
        let VectorSpace { name, dim, .. } = &self.definition;
        if embedding.len() != *dim {
            return Err(Error::Dimension(format!(
                "embedding for space {name:?} has {} dimensions; the space has {dim}",
                embedding.len()
            )));
        }
        if let Some(at) = embedding.iter().position(|x| !x.is_finite()) {
            return Err(Error::Embedding(format!(
                "embedding for space {name:?} holds {} at position {at}; every value must be finite",
                embedding[at]
            )));
        }
        let squares = kernel::dot_exact(embedding.iter().map(|x| (f64::from(*x), f64::from(*x))));
        if squares <= 0.0 {
            return Err(Error::Embedding(format!(
                "embedding for space {name:?} is all zero; leave it out where there is none"
            )));
        }
        let norm = squares.sqrt();
        #[allow(clippy::cast_possible_truncation, reason = "codes are single precision or less")]
        Ok(embedding.iter().map(|x| (f64::from(*x) / norm) as f32).collect())
    }

    /// Store an embedding; returns its slot.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::Embedding`] for one that is not finite or all zero,
    /// [`Error::Vector`] where there is no memory.
    pub fn insert(&mut self, embedding: &[f32]) -> Result<u32> {
        let unit = self.normalise(embedding)?;
        self.insert_unit(&unit)
    }

    /// Store a unit vector; returns its slot.
    pub(crate) fn insert_unit(&mut self, unit: &[f32]) -> Result<u32> {
        self.reserve(1)?;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots += 1;
            self.slots - 1
        });
        self.codes.write(slot, unit);
        self.live.insert(slot);
        if self.graph.is_some() {
            self.waiting.get_mut().insert(slot);
        }
        Ok(slot)
    }

    /// Make room for so many more.
    ///
    /// # Errors
    /// [`Error::Vector`] where there is no memory, or no number for a slot.
    pub fn reserve(&mut self, more: usize) -> Result<()> {
        let slots = self.slots as usize + more.saturating_sub(self.free.len());
        let slots = u32::try_from(slots).ok().filter(|slots| *slots < MAX_SLOTS).ok_or_else(|| {
            Error::Vector(format!("space {:?} cannot hold more than {MAX_SLOTS} embeddings", self.definition.name))
        })?;
        self.codes.reserve(slots)?;
        if self.graph.is_none() && self.config.engine == VectorEngine::Auto && self.len() + more >= AUTO_FROM {
            self.begin_graph();
        }
        self.graph.as_mut().map_or(Ok(()), |graph| graph.reserve(slots))
    }

    fn begin_graph(&mut self) {
        *self.waiting.get_mut() = self.live.iter().collect();
        self.graph = Some(Engine::new(self.config.engine, self.config.graph, self.definition.dim));
    }

    /// Find a vector no more; `false` where there was none.
    pub fn remove(&mut self, slot: u32) -> bool {
        let was_there = self.live.remove(slot);
        if was_there {
            match &mut self.graph {
                Some(graph) if !self.waiting.get_mut().remove(&slot) => {
                    *self.changes.get_mut() += 1;
                    graph.remove(slot);
                }
                _ => self.free.push(slot),
            }
        }
        was_there
    }

    /// The `k` embeddings most similar to a query, with their cosines, the most similar first.
    ///
    /// # Errors
    /// Those of [`Self::insert`] for the query.
    pub fn search(&self, query: &[f32], k: usize, ef: usize) -> Result<Vec<(u32, f32)>> {
        let unit = self.normalise(query)?;
        let mut found = self.nearest(&unit, ef.max(k)).unwrap_or_else(|| self.scan(&unit));
        found.truncate(k);
        Ok(found)
    }

    /// What a walk through the graph and a scan of what waits find, the most similar first; `None`
    /// where there is no graph, or too much waits.
    pub(crate) fn nearest(&self, unit: &[f32], ef: usize) -> Option<Vec<(u32, f32)>> {
        self.found(unit, |_| true, |graph| graph.search(&self.codes, unit, ef))
    }

    /// The same of slots that a filter admits; it begins near the query, and at `seeds`.
    pub(crate) fn nearest_among(
        &self,
        unit: &[f32],
        ef: usize,
        seeds: &[u32],
        admits: impl Fn(u32) -> bool,
    ) -> Option<Vec<(u32, f32)>> {
        self.found(unit, &admits, |graph| graph.search_among(&self.codes, unit, ef, seeds, &admits))
    }

    fn found(
        &self,
        unit: &[f32],
        admits: impl Fn(u32) -> bool,
        walk: impl FnOnce(&Engine) -> Option<Vec<(u32, f32)>>,
    ) -> Option<Vec<(u32, f32)>> {
        let graph = self.graph.as_ref()?;
        // Taken before the walk: what is linked meanwhile is found by one of the two.
        let waiting: Vec<u32> = {
            let waiting = self.waiting.lock();
            if waiting.len() > MOST_WAITING {
                return None;
            }
            waiting.iter().copied().filter(|slot| admits(*slot)).collect()
        };
        let mut found = walk(graph)?;
        if !waiting.is_empty() {
            found.extend(waiting.into_iter().map(|slot| (slot, self.codes.dot(unit, slot))));
            sort(&mut found);
            found.dedup_by_key(|(slot, _)| *slot);
        }
        Some(found)
    }

    fn scan(&self, unit: &[f32]) -> Vec<(u32, f32)> {
        let mut found: Vec<(u32, f32)> = self.live.iter().map(|slot| (slot, self.codes.dot(unit, slot))).collect();
        sort(&mut found);
        found
    }

    /// Link all that waits, on all cores.
    pub fn index(&self) {
        while self.index_some(1024) {}
    }

    /// Link some of what waits; whether there was any.
    pub(crate) fn index_some(&self, most: usize) -> bool {
        let Some(graph) = &self.graph else { return false };
        let work = self.work.lock();
        if work.repairing {
            return false;
        }
        let batch: Vec<u32> = self.waiting.lock().iter().copied().take(most).collect();
        graph.insert_all(&self.codes, &batch);
        self.changes.fetch_add(batch.len(), Ordering::Relaxed);
        let mut waiting = self.waiting.lock();
        for slot in &batch {
            waiting.remove(slot);
        }
        !batch.is_empty()
    }

    /// Lead the graph around what was removed, and free its slots.
    pub fn repair(&mut self) {
        let Some(mut repair) = self.begin_repair() else { return };
        while !self.advance_repair(&mut repair) {}
        drop(self.end_repair(repair));
    }

    /// A repair, where one is due; the graph is whole again when it has ended.
    pub(crate) fn begin_repair(&self) -> Option<Repair> {
        let mut work = self.work.lock();
        let repair =
            self.graph.as_ref().filter(|graph| work.broken || graph.needs_repair()).map(Engine::begin_repair)?;
        *work = Work { repairing: true, broken: false };
        Some(repair)
    }

    pub(crate) fn advance_repair(&self, repair: &mut Repair) -> bool {
        let _work = self.work.lock();
        self.graph.as_ref().is_none_or(|graph| graph.advance_repair(repair, &self.codes, REPAIR_ROWS))
    }

    /// Returns what is left over; to let go of a graph takes time, so not under a lock.
    pub(crate) fn end_repair(&mut self, mut repair: Repair) -> impl Sized + use<> {
        let freed = self.graph.as_mut().map(|graph| graph.end_repair(&mut repair));
        self.free.extend(freed.into_iter().flatten());
        self.work.get_mut().repairing = false;
        let failed = self.graph.take_if(|graph| graph.has_failed());
        if failed.is_some() {
            self.waiting.get_mut().clear();
        }
        (repair, failed)
    }

    /// Count the vectors that no walk could find; there are some only by a fault of ours, and the
    /// next repair links them.
    pub(crate) fn unreachable(&self) -> usize {
        let mut work = self.work.lock();
        let audit = self.graph.as_ref().filter(|_| !work.repairing).and_then(Engine::audit);
        let Some(Audit { unreachable, unanswered, .. }) = audit else { return 0 };
        work.broken |= unreachable > 0 || unanswered > 0;
        unreachable
    }

    /// Vectors that wait to be linked.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.lock().len()
    }

    /// Whether there is something to link, or enough to repair.
    pub(crate) fn has_work(&self) -> bool {
        self.graph.as_ref().is_some_and(|graph| self.waiting() > 0 || graph.needs_repair() || self.work.lock().broken)
    }

    /// What a search keeps on its way where it does not say.
    pub(crate) fn ef_search(&self) -> usize {
        self.config.ef_search
    }

    /// Name of what answers.
    #[must_use]
    pub fn engine(&self) -> &'static str {
        self.graph.as_ref().map_or("exact", Engine::name)
    }

    /// Ask for a code before it is read.
    #[inline]
    pub(crate) fn prefetch(&self, slot: u32) {
        self.codes.prefetch(slot);
    }

    /// Cosine by the fast kernel.
    pub(crate) fn cosine_fast(&self, unit: &[f32], slot: u32) -> f32 {
        self.codes.dot(unit, slot).clamp(-1.0, 1.0)
    }

    /// By how much that cosine may be off, beyond the rounding of the kernel.
    pub(crate) fn slack(&self, slot: u32, cosine: f32) -> f32 {
        self.codes.slack(slot, cosine)
    }

    /// The stored code's numbers; `None` where they are not in memory.
    pub(crate) fn numbers(&self, slot: u32) -> Option<Box<dyn Iterator<Item = f64> + '_>> {
        self.codes.numbers(slot)
    }

    /// What searches compare with.
    #[must_use]
    pub fn code(&self) -> SearchCode {
        self.codes.code()
    }

    /// Name of what searches compare with.
    #[must_use]
    pub fn code_name(&self) -> &'static str {
        match (self.code(), self.definition.quantization) {
            (SearchCode::I8, _) => "i8",
            (SearchCode::Stored, Quantization::F16) => "f16",
            (SearchCode::Stored, Quantization::F32) => "f32",
        }
    }

    /// Search with bytes from now on; no search may be under way, so this is not done in steps.
    ///
    /// # Errors
    /// Where the system gives no memory; then nothing changed.
    pub fn shrink(&mut self) -> Result<()> {
        self.codes.shrink()
    }

    /// Vectors there are.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.live.len()).unwrap_or(usize::MAX)
    }

    /// Whether there is no vector.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of slots that nobody has, or will have after a repair.
    pub(crate) fn free_bytes(&self) -> usize {
        self.codes.bytes() - self.len() * self.codes.slot_bytes()
    }

    /// Bytes of codes and graph.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.codes.bytes() + self.graph.as_ref().map_or(0, Engine::bytes)
    }
}

/// The most similar first, then by slot.
fn sort(found: &mut [(u32, f32)]) {
    found.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
}

#[cfg(test)]
mod tests;
