//! Groups `vector` and `tiering`: the index by itself, and what a store does between its tiers.

use std::hint::black_box;
use std::time::{Duration, Instant};

use nt_memory::{
    ColdEngine, GraphConfig, Quantization, Query, SearchCode, Store, VectorConfig, VectorEngine, VectorSpace,
    VectorStore,
};

use super::harness::{Bench, Random, embeddings, keys};
use super::{config, put, query, write};

const SIZE: usize = 50_000;
const QUERIES: usize = 1000;
const TOP_K: usize = 10;

fn space() -> VectorSpace {
    VectorSpace { name: "state".into(), dim: 256, quantization: Quantization::F16, encoder: None }
}

/// Build time, bytes, recall and latency of each engine over the same vectors.
pub fn vector(bench: &mut Bench) {
    let vectors = embeddings(SIZE + QUERIES);
    let (stored, queries) = vectors.split_at(SIZE);
    let exact = built(bench, "exact", VectorEngine::Exact, SearchCode::Stored, stored);
    let truth: Vec<Vec<u32>> = queries.iter().map(|query| found(&exact, query, 1)).collect();
    bench.latency("vector/exact_50k", 200, 1, |i| {
        black_box(found(&exact, &queries[i], 1));
    });
    for (name, code) in [("compact", SearchCode::Stored), ("compact_i8", SearchCode::I8)] {
        let store = built(bench, name, VectorEngine::Compact, code, stored);
        for ef in [32, 64, 128] {
            let hits: usize = queries
                .iter()
                .zip(&truth)
                .map(|(query, truth)| found(&store, query, ef).iter().filter(|slot| truth.contains(slot)).count())
                .sum();
            bench.number(
                &format!("vector/{name}_50k_ef{ef}_recall"),
                hits as f64 / (QUERIES * TOP_K) as f64,
                "of the ten nearest",
            );
            bench.latency(&format!("vector/{name}_50k_ef{ef}"), 10 * QUERIES, 1, |i| {
                black_box(found(&store, &queries[i % QUERIES], ef));
            });
        }
    }
}

fn built(bench: &mut Bench, name: &str, engine: VectorEngine, code: SearchCode, vectors: &[Vec<f32>]) -> VectorStore {
    let config = VectorConfig { engine, graph: GraphConfig::default(), code, ..VectorConfig::default() };
    let mut store = VectorStore::new(space(), config);
    let started = Instant::now();
    for vector in vectors {
        store.insert(vector).unwrap();
    }
    store.index();
    bench.number(&format!("vector/{name}_50k_build"), SIZE as f64 / started.elapsed().as_secs_f64(), "vectors/s");
    bench.number(&format!("vector/{name}_50k_bytes"), store.bytes() as f64 / SIZE as f64, "bytes a vector");
    store
}

fn found(store: &VectorStore, query: &[f32], ef: usize) -> Vec<u32> {
    store.search(query, TOP_K, ef).unwrap().into_iter().map(|(slot, _)| slot).collect()
}

/// From tier to tier: promotion, codes that shrink, a graph that is read from its file.
pub fn tiering(bench: &mut Bench) {
    promotion(bench);
    let vectors = embeddings(SIZE + QUERIES);
    let (stored, queries) = vectors.split_at(SIZE);
    let directory = tempfile::tempdir().unwrap();
    let opened = |code: SearchCode| {
        let mut config = config(directory.path(), ColdEngine::Redb);
        config.vector.code = code;
        Store::open(config).unwrap()
    };
    let store = opened(SearchCode::Stored);
    for (batch, vectors) in stored.chunks(1000).enumerate() {
        store.commit(vectors.iter().enumerate().map(|(i, v)| write(batch * 1000 + i, v)).collect()).unwrap();
    }
    linked(&store);
    let nearest = |i: usize| Query { bodies: false, ..query(&queries[i % QUERIES], None) };
    store.close().unwrap();
    for (name, code) in [("f16", SearchCode::Stored), ("i8_scored_by_the_disk", SearchCode::I8)] {
        let started = Instant::now();
        let store = opened(code);
        bench.number(&format!("tiering/open_50k_with_graph_{name}"), started.elapsed().as_secs_f64() * 1000.0, "ms");
        linked(&store);
        bench.latency(&format!("tiering/recall_50k_by_index_{name}"), 5000, 1, |i| {
            black_box(store.search(&nearest(i)).unwrap());
        });
        bench.latency(&format!("tiering/recall_50k_exact_{name}"), 200, 1, |i| {
            black_box(store.search(&Query { exact: Some(true), ..nearest(i) }).unwrap());
        });
        store.close().unwrap();
    }
    let mut codes = VectorStore::new(space(), VectorConfig { engine: VectorEngine::Exact, ..VectorConfig::default() });
    for vector in stored {
        codes.insert(vector).unwrap();
    }
    let started = Instant::now();
    codes.shrink().unwrap();
    bench.number("tiering/codes_to_i8", SIZE as f64 / started.elapsed().as_secs_f64(), "vectors/s");
}

/// A value that is on the disk only, and then in the hot tier.
fn promotion(bench: &mut Bench) {
    let keys = keys(20_000);
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(directory.path(), ColdEngine::Redb);
    config.cache.max_entries = keys.len();
    let store = Store::open(config.clone()).unwrap();
    for batch in keys.chunks(1000) {
        store.commit(batch.iter().map(put).collect()).unwrap();
    }
    let get = |store: &Store, i: usize| {
        let (namespace, key) = &keys[i];
        black_box(store.get(namespace, key).unwrap().is_some());
    };
    bench.latency("tiering/get_of_what_was_just_put", keys.len(), 1, |i| get(&store, i));
    store.close().unwrap();
    let store = Store::open(config).unwrap();
    bench.latency("tiering/get_and_promote", keys.len(), 1, |i| get(&store, i));
    let mut random = Random(5);
    bench.latency("tiering/get_of_what_was_promoted", keys.len(), 1, |_| get(&store, random.below(keys.len())));
}

fn linked(store: &Store) {
    while store.stats().unwrap().l2_waiting > 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
}
