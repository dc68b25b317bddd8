use crate::GraphConfig;
use proptest::prelude::*;

use super::*;
use crate::Quantization;

fn store(engine: VectorEngine, dim: usize) -> VectorStore {
    let space = VectorSpace { name: "s".into(), dim, quantization: Quantization::F32, encoder: None };
    let graph = GraphConfig { m: 4, ef_construction: 10 };
    VectorStore::new(space, VectorConfig { engine, graph, ..VectorConfig::default() })
}

#[derive(Debug, Clone)]
enum Step {
    Insert([f32; 3]),
    Remove(u32),
    Index,
    Repair,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => proptest::array::uniform3(0.1_f32..1.0).prop_map(Step::Insert),
        3 => (0..30_u32).prop_map(Step::Remove),
        2 => Just(Step::Index),
        1 => Just(Step::Repair),
    ]
}

proptest! {
    #[test]
    fn all_engines_find_the_same(steps in proptest::collection::vec(step(), 1..80), query in proptest::array::uniform3(0.1_f32..1.0)) {
        let mut stores = [VectorEngine::Exact, VectorEngine::Compact, VectorEngine::HnswRs].map(|engine| store(engine, 3));
        // The slots of each, by the order of insertion.
        let mut slots: Vec<[u32; 3]> = Vec::new();
        for step in steps {
            match step {
                Step::Insert(vector) => slots.push(stores.each_mut().map(|store| store.insert(&vector).unwrap())),
                Step::Remove(at) if (at as usize) < slots.len() => {
                    for (store, slot) in stores.iter_mut().zip(slots.swap_remove(at as usize)) {
                        prop_assert!(store.remove(slot));
                        prop_assert!(!store.remove(slot));
                    }
                }
                Step::Remove(at) => prop_assert!(stores.iter_mut().all(|store| !store.remove(at + 1000))),
                Step::Index => stores.iter().for_each(VectorStore::index),
                Step::Repair => stores.iter_mut().for_each(VectorStore::repair),
            }
            let found = stores.each_ref().map(|store| store.search(&query, 5, 200).unwrap());
            for (store, found_here) in stores.iter().zip(&found) {
                prop_assert_eq!((store.len(), store.unreachable()), (slots.len(), 0));
                prop_assert_eq!(found[0].len(), found_here.len());
                let mut both = found[0].iter().zip(found_here);
                prop_assert!(both.all(|((_, a), (_, b))| (a - b).abs() < 1e-6), "{:?} {found_here:?}", found[0]);
            }
        }
    }
}

#[test]
fn the_largest_dimension_is_searched() {
    let mut store = store(VectorEngine::Compact, 8192);
    let axis = |at: usize| (0..8192).map(|other| if other % 64 == at { 1.0 } else { 0.0 }).collect::<Vec<f32>>();
    let slots: Vec<u32> = (0..64).map(|at| store.insert(&axis(at)).unwrap()).collect();
    store.index();
    for (at, slot) in slots.into_iter().enumerate() {
        assert_eq!(store.search(&axis(at), 1, 64).unwrap()[0].0, slot);
    }
}

#[test]
fn a_large_space_gets_a_graph_by_itself() {
    let mut store = store(VectorEngine::Auto, 2);
    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    for turn in 0..AUTO_FROM + 10 {
        assert_eq!(store.engine(), if turn < AUTO_FROM { "exact" } else { "compact" });
        let angle = turn as f32;
        store.insert(&[angle.cos(), angle.sin()]).unwrap();
    }
    assert_eq!(store.waiting(), AUTO_FROM + 10);
    store.index();
    assert_eq!((store.waiting(), store.unreachable()), (0, 0));
}
