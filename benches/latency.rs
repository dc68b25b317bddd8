//! Percentiles of every tier: `cargo bench -p nt-memory -- l1_cache`.

#![allow(missing_docs, clippy::pedantic, clippy::unwrap_used, reason = "a benchmark may end at the first surprise")]

mod harness;
mod locks;
mod pubsub;
mod vectors;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use harness::{Bench, Random, calls, embeddings, keys};
use nt_memory::{
    Attribute, CacheConfig, Clock, ColdEngine, Filter, HotCache, Namespace, Op, Operand, Operation, Quantization,
    Query, Record, RecordedBy, Store, StoreConfig, VectorSpace, Weights,
};

const KEYS: usize = 100_000;
const CALLS: usize = 1_000_000;

fn main() {
    let mut bench = Bench::from_arguments();
    bench.group("l1_cache", l1_cache);
    bench.group("l1_cache_concurrent", l1_cache_concurrent);
    bench.group("cold", cold);
    bench.group("recall", recall);
    bench.group("vector", vectors::vector);
    bench.group("tiering", vectors::tiering);
    bench.group("namespace", namespace);
    bench.group("pubsub", pubsub::pubsub);
    bench.group("distributed_locks", locks::distributed_locks);
    bench.finish("latency.jsonl");
}

fn full_cache(max_entries: usize, keys: &[(String, String)]) -> HotCache {
    let config = CacheConfig { max_entries, ..CacheConfig::default() };
    let cache = HotCache::new(config, Arc::new(Clock::system()));
    for (namespace, key) in keys {
        cache.insert(namespace, key, &[7; 100], None);
    }
    cache
}

fn l1_cache(bench: &mut Bench) {
    let keys = keys(KEYS);
    let cache = full_cache(KEYS, &keys);
    let get = |(namespace, key): &(String, String)| black_box(cache.get(namespace, key).is_some());
    let random = calls(&keys, CALLS);
    bench.latency("l1_cache/random_hit_100k", CALLS, 1, |i| {
        assert!(get(&random[i]));
    });
    let positions = calls(&keys[..1000], CALLS);
    bench.latency("l1_cache/position_hit_1k_batch16", CALLS, 16, |i| {
        get(&positions[i]);
    });
    bench.latency("l1_cache/miss", CALLS, 1, |i| {
        black_box(cache.get("swarm/agent-1", &random[i].0).is_none());
    });
    let others: Vec<String> = (0..200_000).map(|i| format!("new/{i}")).collect();
    bench.latency("l1_cache/insert_at_capacity", others.len(), 1, |i| {
        cache.insert("swarm/agent-7", &others[i], &[7; 100], None);
    });
}

fn l1_cache_concurrent(bench: &mut Bench) {
    let keys = keys(KEYS);
    let cache = full_cache(KEYS * 2, &keys);
    for threads in [1, 2, 4] {
        for (name, writes) in [("get", 0), ("get_95_put_5", 5)] {
            let started = Instant::now();
            std::thread::scope(|scope| {
                for thread in 0..threads {
                    let (keys, cache) = (&keys, &cache);
                    scope.spawn(move || {
                        let mut random = Random(thread);
                        for _ in 0..CALLS {
                            let (namespace, key) = &keys[random.below(KEYS)];
                            if random.below(100) < writes {
                                cache.insert(namespace, key, &[8; 100], None);
                            } else {
                                black_box(cache.get(namespace, key).is_some());
                            }
                        }
                    });
                }
            });
            let rate = threads as f64 * CALLS as f64 / started.elapsed().as_secs_f64();
            bench.number(&format!("l1_cache_concurrent/{name}_{threads}_threads"), rate, "calls/s");
        }
    }
}

fn config(path: &Path, engine: ColdEngine) -> StoreConfig {
    let spaces = vec![VectorSpace { name: "state".into(), dim: 256, quantization: Quantization::F16, encoder: None }];
    // One entry in the hot tier, so that reads come from the disk's engine.
    let cache = CacheConfig { max_entries: 1, ..CacheConfig::default() };
    StoreConfig { path: Some(path.to_path_buf()), engine, cache, spaces, ..StoreConfig::default() }
}

fn open(path: &Path, engine: ColdEngine) -> Store {
    Store::open(config(path, engine)).unwrap()
}

fn put((namespace, key): &(String, String)) -> Operation {
    Operation::Put { namespace: namespace.clone(), key: key.clone(), value: vec![7; 100], ttl: None }
}

fn cold(bench: &mut Bench) {
    let keys = keys(KEYS);
    for (name, engine) in [("redb", ColdEngine::Redb), ("sled", ColdEngine::Sled)] {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path(), engine);
        let started = Instant::now();
        for batch in keys.chunks(100) {
            store.commit(batch.iter().map(put).collect()).unwrap();
        }
        bench.number(
            &format!("cold/{name}_put_100B_batch100"),
            KEYS as f64 / started.elapsed().as_secs_f64(),
            "puts/s",
        );
        bench.latency(&format!("cold/{name}_put_100B_single"), 1000, 1, |i| {
            store.commit(vec![put(&keys[i])]).unwrap();
        });
        let mut random = Random(3);
        bench.latency(&format!("cold/{name}_get_miss"), 100_000, 1, |_| {
            let (namespace, key) = &keys[random.below(KEYS)];
            black_box(store.get(namespace, key).unwrap().is_some());
        });
        records(bench, name, &store);
        shared_commits(bench, name, &store, &keys);
    }
}

fn records(bench: &mut Bench, name: &str, store: &Store) {
    let vectors = embeddings(20_000);
    let started = Instant::now();
    for (batch, vectors) in vectors.chunks(100).enumerate() {
        store.commit(vectors.iter().enumerate().map(|(i, v)| write(batch * 100 + i, v)).collect()).unwrap();
    }
    let rate = vectors.len() as f64 / started.elapsed().as_secs_f64();
    bench.number(&format!("cold/{name}_record_256_batch100"), rate, "records/s");
}

/// Eight threads of single puts: how many of them one commit to the disk serves.
fn shared_commits(bench: &mut Bench, name: &str, store: &Store, keys: &[(String, String)]) {
    let groups = |store: &Store| store.stats().unwrap().groups;
    let before = groups(store);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                for i in 0..500 {
                    store.commit(vec![put(&keys[thread * 500 + i])]).unwrap();
                }
            });
        }
    });
    bench.number(&format!("cold/{name}_put_8_threads"), 4000.0 / started.elapsed().as_secs_f64(), "puts/s");
    let served = 4000.0 / (groups(store) - before) as f64;
    bench.number(&format!("cold/{name}_puts_per_sync_8_threads"), served, "puts");
}

fn record(i: usize, embedding: &[f32]) -> Record {
    let time = 1_700_000_000_000_000 + i as i64 * 60_000_000;
    Record {
        id: format!("r{i:08}"),
        namespace: "market".into(),
        kind: "state".into(),
        event_time: time,
        known_at: time,
        agent_id: Some(format!("agent-{}", i % 10)),
        symbol: Some("SPY".into()),
        regime: None,
        expires_at: None,
        importance: 1.0,
        confidence: None,
        text: None,
        embeddings: vec![("state".into(), embedding.to_vec().into())],
        attributes: vec![("volatility".into(), Attribute::Number(i as f64))],
        payload: None,
        outcome: None,
        tags: Vec::new(),
        writer: "root".into(),
        source: None,
        trust: 1.0,
        parents: Vec::new(),
        recorded_at: 0,
        commit: 0,
        version: 0,
    }
}

fn write(i: usize, embedding: &[f32]) -> Operation {
    Operation::Write(Box::new(record(i, embedding)))
}

fn query(vector: &[f32], filter: Option<Filter>) -> Query {
    Query {
        space: "state".into(),
        vector: Some(vector.to_vec()),
        namespace: None,
        filter,
        as_of: None,
        recorded_by: RecordedBy::Now,
        top_k: 10,
        half_life: Some(3.6e9),
        weights: Weights { similarity: 0.6, recency: 0.2, importance: 0.1, outcome: 0.1 },
        order_by: None,
        after: None,
        diversity: 0.0,
        min_trust: None,
        exact: None,
        bodies: true,
        within: None,
    }
}

fn exact(vector: &[f32], filter: Option<Filter>) -> Query {
    Query { exact: Some(true), ..query(vector, filter) }
}

fn recall(bench: &mut Bench) {
    let vectors = embeddings(51_000);
    let (stored, queries) = vectors.split_at(50_000);
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), ColdEngine::Redb);
    for (batch, vectors) in stored.chunks(1000).enumerate() {
        store.commit(vectors.iter().enumerate().map(|(i, v)| write(batch * 1000 + i, v)).collect()).unwrap();
    }
    let agent = Filter::Test { field: "agent_id".into(), op: Op::Eq, value: Operand::Text("agent-3".into()) };
    bench.latency("recall/exact_50k_filter_1_in_10", 1000, 1, |i| {
        black_box(store.search(&exact(&queries[i], Some(agent.clone()))).unwrap());
    });
    bench.latency("recall/exact_50k_no_filter", 1000, 1, |i| {
        black_box(store.search(&exact(&queries[i], None)).unwrap());
    });
}

fn namespace(bench: &mut Bench) {
    bench.latency("namespace/validate_batch16", CALLS, 16, |_| {
        black_box(Namespace::validate(black_box("swarm/agent-1/position")).is_ok());
    });
    bench.latency("namespace/build_batch16", CALLS, 16, |_| {
        black_box(Namespace::build(black_box("agent-1"), &["position"]).is_ok());
    });
    bench.latency("namespace/extract_agent_id_batch16", CALLS, 16, |_| {
        black_box(Namespace::extract_agent_id(black_box("swarm/agent-1/position")));
    });
}
