//! The door, as a space sees it.

use crate::error::Error;
use crate::tier::vector::{GraphConfig, Quantization, VectorConfig, VectorEngine, VectorSpace, VectorStore};

const SMALL: GraphConfig = GraphConfig { m: 4, ef_construction: 10 };

fn space() -> VectorSpace {
    VectorSpace { name: "s".into(), dim: 2, quantization: Quantization::F32, encoder: None }
}

fn config(graph: GraphConfig) -> VectorConfig {
    VectorConfig { engine: VectorEngine::HnswRs, graph, ef_search: 1, ..VectorConfig::default() }
}

fn on_a_circle(count: u16) -> VectorStore {
    let mut store = VectorStore::new(space(), config(SMALL));
    for turn in 0..count {
        let angle = f32::from(turn);
        store.insert(&[angle.cos(), angle.sin()]).unwrap();
    }
    store.index();
    store
}

#[test]
fn after_a_panic_in_a_walk_the_space_is_scanned() {
    let mut store = on_a_circle(200);
    let east = [1.0, 0.0];
    assert_eq!(store.nearest_among(&east, 8, &[], |slot| slot > 0).unwrap()[0].0, 44);
    assert_eq!(store.nearest_among(&east, 8, &[], |_| panic!("a filter's")), None);
    assert_eq!(store.nearest(&east, 8), None);
    store.insert(&east).unwrap();
    store.index();
    assert_eq!(store.search(&east, 2, 8).unwrap().iter().map(|(slot, _)| *slot).collect::<Vec<_>>(), [0, 200]);
    assert!(store.remove(0) && store.has_work());
    store.repair();
    assert_eq!((store.engine(), store.waiting(), store.has_work()), ("exact", 0, false));
    assert_eq!(store.insert(&east).unwrap(), 0);
}

#[test]
fn what_no_engine_takes_is_refused_before_it_sees_it() {
    let mut store = on_a_circle(100);
    assert!(matches!(store.insert(&[f32::NAN, 1.0]), Err(Error::Embedding(_))));
    assert!(matches!(store.insert(&[0.0, 0.0]), Err(Error::Embedding(_))));
    assert!(matches!(store.insert(&[1.0, 0.0, 0.0]), Err(Error::Dimension(_))));
    assert!(matches!(store.search(&[f32::INFINITY, 1.0], 1, 8), Err(Error::Embedding(_))));
    assert!(matches!(store.search(&[1.0], 1, 8), Err(Error::Dimension(_))));
    // So much would not be given.
    assert_eq!(store.search(&[1.0, 0.0], 1, 1 << 50).unwrap()[0].0, 0);
    assert_eq!(store.engine(), "hnsw_rs");
    assert!(store.nearest(&[1.0, 0.0], 8).is_some());
}

#[test]
fn a_setting_that_would_end_the_process_is_refused() {
    let refused = |m, ef_construction| {
        let config = config(GraphConfig { m, ef_construction });
        let Error::Value(text) = VectorStore::new(space(), config).insert(&[1.0, 0.0]).unwrap_err() else {
            panic!("another error")
        };
        text
    };
    assert_eq!(refused(257, 300), "vector.m=257: give an integer from 4 to 64");
    assert_eq!(refused(0, 8), "vector.m=0: give an integer from 4 to 64");
    assert_eq!(refused(8, 1 << 50), format!("vector.ef_construction={}: give an integer from 8 to 4096", 1_u64 << 50));
}

#[test]
fn what_is_written_during_a_rebuild_waits_for_its_end() {
    let mut store = on_a_circle(100);
    (0..60).for_each(|slot| assert!(store.remove(slot)));
    let mut repair = store.begin_repair().unwrap();
    let east = store.insert(&[1.0, 0.0]).unwrap();
    store.index();
    assert_eq!((east, store.waiting()), (100, 1));
    assert_eq!(store.search(&[1.0, 0.0], 1, 8).unwrap()[0].0, east);
    while !store.advance_repair(&mut repair) {}
    drop(store.end_repair(repair));
    store.index();
    assert_eq!((store.waiting(), store.nearest(&[1.0, 0.0], 8).unwrap()[0].0), (0, east));
    assert!(store.insert(&[0.0, 1.0]).unwrap() < 60);
}
