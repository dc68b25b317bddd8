//! What a graph of `hnsw_rs` says it takes is what the allocator gives it: a budget stands on it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use nt_memory::{GraphConfig, Quantization, VectorConfig, VectorEngine, VectorSpace, VectorStore};

static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, and how much it gave.
struct Counting;

/// A block with its head, as the GNU library rounds it.
fn block(size: usize) -> usize {
    (size + 8).next_multiple_of(16).max(32)
}

// SAFETY: every call is the system's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.fetch_add(block(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        TAKEN.fetch_sub(block(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a space takes, and what it says it takes.
fn taken(engine: VectorEngine, vectors: &[Vec<f32>]) -> nt_memory::Result<(usize, usize)> {
    let dim = vectors[0].len();
    let space = VectorSpace { name: "s".into(), dim, quantization: Quantization::F16, encoder: None };
    let graph = GraphConfig { m: 16, ef_construction: 60 };
    let before = TAKEN.load(Ordering::Relaxed);
    let mut store = VectorStore::new(space, VectorConfig { engine, graph, ..VectorConfig::default() });
    for vector in vectors {
        store.insert(vector)?;
    }
    store.index();
    store.repair();
    Ok((TAKEN.load(Ordering::Relaxed) - before, store.bytes()))
}

#[test]
#[allow(clippy::cast_precision_loss, reason = "small numbers")]
fn a_graph_says_what_it_takes() -> nt_memory::Result<()> {
    let wave =
        |n: usize, at: usize| 0.01 + ((n * n % 1009 * (at + 1)) as f32).sin() + ((n % 20 * 31 * (at + 1)) as f32).sin();
    let vectors: Vec<Vec<f32>> = (0..1500).map(|n| (0..128).map(|at| wave(n, at)).collect()).collect();
    let (codes, said_of_codes) = taken(VectorEngine::Exact, &vectors)?;
    let (all, said) = taken(VectorEngine::HnswRs, &vectors)?;
    let share = (said - said_of_codes) as f64 / (all - codes) as f64;
    assert!((0.85..1.15).contains(&share), "{share}");
    Ok(())
}
