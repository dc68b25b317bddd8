//! One graph of the crate, and what it does not say of itself.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::sync::Mutex;
use ::hnsw_rs::prelude::{Distance, FilterT, Hnsw};
use rayon::prelude::*;
use roaring::RoaringBitmap;

use crate::tier::vector::codes::Codes;
use crate::tier::vector::graph::GraphConfig;
use crate::tier::vector::kernel::{self, Kernels};
use crate::workers;

/// Points that are linked one after the other before several are at once: of two that come first,
/// one stays without a link.
const ALONE: u64 = 256;
/// Layers there are at most; the crate has no more.
const LAYERS: usize = 16;
/// Points that its tables have room for at first.
const ROOM: usize = 1024;
/// Nodes kept by who looks for itself; most need no more than the first.
const LOOKS: [usize; 2] = [16, 64];
/// Points whose links are counted.
const SAMPLE: usize = 256;
/// Bytes of a point without its numbers and links, and of a link: measured, with the allocator's.
const POINT_BYTES: usize = 712;
const LINK_BYTES: usize = 62;
/// Cosine -1: nothing is farther.
const FARTHEST: f32 = 2.0;

/// A distance for every two slices.  The crate's own assert that no product exceeds 1, which
/// rounding does, and take a zero vector for everybody's nearest.
#[derive(Clone, Copy)]
pub(super) struct Clamped(Kernels);

impl Clamped {
    pub(super) fn new() -> Self {
        Self(kernel::kernels())
    }
}

impl Distance<f32> for Clamped {
    fn eval(&self, left: &[f32], right: &[f32]) -> f32 {
        if left.len() != right.len() {
            return FARTHEST;
        }
        let distance = 1.0 - (self.0.f32)(left, right);
        // A maximum of NaN and zero is zero.
        if distance.is_nan() { FARTHEST } else { distance.max(0.0) }
    }
}

#[derive(Default)]
struct Slots {
    linked: RoaringBitmap,
    /// Linked, and not found by a walk to their own place.
    beside: RoaringBitmap,
    /// Linked since all were looked for: each may have taken the last link to another.
    since: u64,
    /// Links of a point, on average.
    links: usize,
}

#[derive(Default)]
pub(super) struct Points {
    hnsw: Option<Hnsw<'static, f32, Clamped>>,
    slots: Mutex<Slots>,
}

impl Points {
    /// An empty graph with settings that were checked: the crate ends the process for others.
    pub(super) fn new(config: GraphConfig) -> Self {
        let hnsw = Hnsw::new(config.m, ROOM, LAYERS, config.ef_construction, Clamped::new());
        // Until they are counted, as many as there may be.
        let slots = Slots { links: 2 * config.m, ..Slots::default() };
        Self { hnsw: Some(hnsw), slots: Mutex::new(slots) }
    }

    pub(super) fn is_open(&self) -> bool {
        self.hnsw.is_some()
    }

    pub(super) fn len(&self) -> u64 {
        self.slots.lock().linked.len()
    }

    pub(super) fn linked(&self) -> RoaringBitmap {
        self.slots.lock().linked.clone()
    }

    /// Whom a search has to look at beside its walk; `None` where looking at all is quicker.
    pub(super) fn beside(&self, ef: usize) -> Option<RoaringBitmap> {
        let slots = self.slots.lock();
        let is_worth_it = (ef as u64) < slots.linked.len() && slots.beside.len() * 4 < slots.linked.len();
        is_worth_it.then(|| slots.beside.clone())
    }

    pub(super) fn link(&self, codes: &Codes, slots: &[u32]) {
        let Some(hnsw) = &self.hnsw else { return };
        let insert = |slot: &u32| {
            let mut unit = Vec::new();
            codes.read(*slot, &mut unit);
            hnsw.insert((&unit, *slot as usize));
        };
        let alone = usize::try_from(ALONE.saturating_sub(self.len())).unwrap_or(0);
        let (first, rest) = slots.split_at(slots.len().min(alone));
        first.iter().for_each(insert);
        workers::share(|| rest.par_iter().for_each(insert));
        let mut known = self.slots.lock();
        known.linked.extend(slots);
        known.since += slots.len() as u64;
    }

    /// Keep beside the graph who does not find itself in it.
    pub(super) fn look_for(&self, codes: &Codes, slots: &[u32]) {
        let lost: Vec<bool> = workers::share(|| slots.par_iter().map(|slot| !self.finds(codes, *slot)).collect());
        let mut known = self.slots.lock();
        for (slot, is_lost) in slots.iter().zip(lost) {
            if is_lost {
                known.beside.insert(*slot);
            } else {
                known.beside.remove(*slot);
            }
        }
    }

    fn finds(&self, codes: &Codes, slot: u32) -> bool {
        let mut unit = Vec::new();
        codes.read(slot, &mut unit);
        LOOKS.iter().any(|ef| self.walk(&unit, *ef, None).contains(&slot))
    }

    /// Whether so many were linked that others may be found no more.
    pub(super) fn may_have_lost(&self) -> bool {
        let slots = self.slots.lock();
        slots.since * 4 > slots.linked.len()
    }

    /// All were looked for.
    pub(super) fn settle(&self) {
        let links = self.count_links();
        let mut slots = self.slots.lock();
        slots.since = 0;
        slots.links = links.unwrap_or(slots.links);
        let Slots { linked, beside, .. } = &mut *slots;
        *beside &= &*linked;
    }

    fn count_links(&self) -> Option<usize> {
        let points = self.hnsw.as_ref()?.get_point_indexation();
        let step = points.get_nb_point() / SAMPLE + 1;
        let sample = (0..LAYERS).flat_map(|layer| points.get_layer_iterator(layer).step_by(step));
        let counts: Vec<usize> = sample.map(|point| point.get_neighborhood_id().iter().map(Vec::len).sum()).collect();
        counts.iter().sum::<usize>().checked_div(counts.len())
    }

    /// The points nearest to a query, of those that a filter admits, nearest first.
    pub(super) fn walk(&self, unit: &[f32], ef: usize, filter: Option<&dyn FilterT>) -> Vec<u32> {
        let found = self.hnsw.as_ref().map(|hnsw| hnsw.search_filter(unit, ef, ef, filter));
        found.into_iter().flatten().filter_map(|near| u32::try_from(near.d_id).ok()).collect()
    }

    /// It keeps each vector as floats of its own, sixteen tables a point, and an allocation a link.
    pub(super) fn bytes(&self, dim: usize) -> usize {
        let slots = self.slots.lock();
        let point = dim * size_of::<f32>() + POINT_BYTES + slots.links * LINK_BYTES;
        usize::try_from(slots.linked.len()).unwrap_or(usize::MAX).saturating_mul(point)
    }
}

impl Drop for Points {
    fn drop(&mut self) {
        let hnsw = self.hnsw.take();
        // Its own drop asks two clocks and all cores, and panics where one of them fails it.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(hnsw)));
    }
}
