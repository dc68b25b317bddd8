use std::collections::HashSet;

use proptest::prelude::*;

use super::points::Clamped;
use super::*;
use crate::tier::vector::{Quantization, SearchCode};
use ::hnsw_rs::prelude::Distance;

const DIM: usize = 16;
const SMALL: GraphConfig = GraphConfig { m: 4, ef_construction: 12 };

/// An adapter with its codes, and which slots are live.
struct Kept {
    adapter: Adapter,
    codes: Codes,
    live: Vec<u32>,
    free: Vec<u32>,
    slots: u32,
}

impl Kept {
    fn new(config: GraphConfig) -> Self {
        let mut adapter = Adapter::new(config, DIM);
        adapter.reserve().unwrap();
        Self {
            adapter,
            codes: Codes::new(Quantization::F16, SearchCode::Stored, DIM),
            live: vec![],
            free: vec![],
            slots: 0,
        }
    }

    fn insert(&mut self, vectors: impl IntoIterator<Item = [f32; DIM]>) {
        let slots: Vec<u32> = vectors.into_iter().map(|vector| self.write(vector)).collect();
        self.adapter.insert_all(&self.codes, &slots);
    }

    fn write(&mut self, vector: [f32; DIM]) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots += 1;
            self.slots - 1
        });
        self.codes.reserve(self.slots).unwrap();
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        self.codes.write(slot, &vector.map(|x| x / norm));
        self.live.push(slot);
        slot
    }

    fn remove(&mut self, at: usize) -> Option<u32> {
        let slot = (!self.live.is_empty()).then(|| self.live.swap_remove(at % self.live.len()))?;
        self.adapter.remove(slot);
        Some(slot)
    }

    fn repair(&mut self) {
        let mut repair = self.adapter.begin_repair();
        while !self.adapter.advance(&mut repair, &self.codes, 128) {}
        self.free.extend(self.adapter.end_repair(&mut repair));
    }

    fn unit(&self, slot: u32) -> Vec<f32> {
        let mut unit = Vec::new();
        self.codes.read(slot, &mut unit);
        unit
    }

    fn found(&self, slot: u32, ef: usize) -> Option<Vec<u32>> {
        let found = self.adapter.search(&self.codes, &self.unit(slot), ef, None)?;
        Some(found.into_iter().map(|(slot, _)| slot).collect())
    }

    /// Live slots that a search of their own vector does not find.
    fn lost(&self) -> usize {
        self.live.iter().filter(|slot| !self.found(**slot, 64).unwrap().contains(slot)).count()
    }
}

/// Points of clusters, as far from their centre as told.
fn clustered(count: usize, clusters: usize, spread: f32) -> Vec<[f32; DIM]> {
    let mut state = 1_u64;
    #[allow(clippy::cast_precision_loss, reason = "24 bits")]
    let mut number = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let centres: Vec<[f32; DIM]> = (0..clusters).map(|_| std::array::from_fn(|_| number())).collect();
    (0..count).map(|n| centres[n % clusters].map(|x| x + spread * number())).collect()
}

fn one_thread() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap()
}

#[test]
fn every_two_slices_have_a_distance() {
    let distance = |left: &[f32], right: &[f32]| Clamped::new().eval(left, right);
    // A unit vector as f16 may be longer than 1, and the product of two of them.
    assert!((distance(&[1.001], &[1.001]) - 0.0).abs() < f32::EPSILON);
    assert!((distance(&[1.0, 0.0], &[0.0, 1.0]) - 1.0).abs() < f32::EPSILON);
    assert!((distance(&[f32::NAN, 0.0], &[1.0, 0.0]) - 2.0).abs() < f32::EPSILON);
    assert!((distance(&[1.0, 0.0, 0.0], &[1.0]) - 2.0).abs() < f32::EPSILON);
    // Nobody's nearest.
    assert!((distance(&[0.0, 0.0], &[1.0, 0.0]) - 1.0).abs() < f32::EPSILON);
}

#[test]
fn equal_vectors_longer_than_one_are_linked() {
    let mut kept = Kept::new(SMALL);
    kept.insert(clustered(300, 3, 0.0));
    assert!(kept.live.iter().any(|slot| kept.codes.dot(&kept.unit(*slot), *slot) > 1.0), "none is longer");
    assert!(!kept.adapter.is_broken());
}

#[test]
fn a_query_that_is_no_vector_ends_nothing() {
    let mut kept = Kept::new(SMALL);
    kept.insert(clustered(300, 3, 1.0));
    for unit in [&[f32::NAN; DIM][..], &[0.0; DIM], &[1.0; 3], &[]] {
        kept.adapter.ask(|| kept.adapter.points.walk(unit, 8, None)).unwrap();
    }
}

#[test]
fn an_empty_graph_finds_nobody() {
    let mut kept = Kept::new(SMALL);
    kept.repair();
    assert_eq!(kept.adapter.search(&kept.codes, &[1.0; DIM], 0, None), None);
    assert!(!kept.adapter.is_broken());
}

#[test]
fn whoever_does_not_find_itself_is_beside_the_graph() {
    let mut kept = Kept::new(GraphConfig { m: 5, ef_construction: 20 });
    for some in clustered(1500, 15, 0.3).chunks(16) {
        one_thread().install(|| kept.insert(some.iter().copied()));
    }
    assert!(kept.adapter.needs_repair(), "nobody was looked for a second time");
    assert!(kept.lost() > 0, "the links of none were pruned");
    kept.repair();
    assert!(!kept.adapter.needs_repair());
    let beside = kept.adapter.points.beside(64).unwrap();
    assert!(!beside.is_empty());
    assert_eq!(kept.lost(), 0);
}

#[test]
fn a_graph_that_loses_most_is_not_asked() {
    let mut kept = Kept::new(SMALL);
    kept.insert(clustered(800, 10, 0.01));
    kept.repair();
    assert_eq!(kept.found(0, 64), None);
}

#[test]
fn slots_are_free_when_the_old_graph_is_gone() {
    let mut kept = Kept::new(SMALL);
    kept.insert(clustered(200, 200, 1.0));
    kept.repair();
    for at in 0..120 {
        kept.remove(at);
    }
    assert!(kept.adapter.needs_repair());
    let mut repair = kept.adapter.begin_repair();
    let before = kept.adapter.bytes();
    for _ in 0..3 {
        assert!(!kept.adapter.advance(&mut repair, &kept.codes, 16));
        let found = kept.found(kept.live[0], 20).unwrap();
        assert!(found.contains(&kept.live[0]) && found.iter().all(|slot| kept.live.contains(slot)));
    }
    assert!(kept.adapter.bytes() > before, "the second graph weighs nothing");
    let linked = repair.todo[0];
    let to_come = *repair.todo.last().unwrap();
    for slot in [linked, to_come] {
        kept.remove(kept.live.iter().position(|live| *live == slot).unwrap());
    }
    while !kept.adapter.advance(&mut repair, &kept.codes, 16) {}
    let freed = kept.adapter.end_repair(&mut repair);
    // It was linked again before it died.
    assert!(freed.contains(to_come) && !freed.contains(linked));
    assert_eq!((freed.len(), kept.live.len()), (121, 78));
    assert!(kept.found(kept.live[0], 20).unwrap().iter().all(|slot| kept.live.contains(slot)));
    assert!(kept.adapter.bytes() < before);
}

#[test]
fn one_thread_builds_the_same_graph_twice() {
    let build = || {
        let mut kept = Kept::new(SMALL);
        one_thread().install(|| kept.insert(clustered(1000, 10, 0.5)));
        (0..1000).map(|slot| kept.adapter.points.walk(&kept.unit(slot), 10, None)).collect::<Vec<_>>()
    };
    assert_eq!(build(), build());
}

#[derive(Debug, Clone)]
enum Step {
    Insert(Vec<[f32; DIM]>),
    Remove(usize),
    Repair,
}

fn step() -> impl Strategy<Value = Step> {
    let vector = proptest::array::uniform16(prop_oneof![Just(0.5_f32), 0.1_f32..1.0]);
    prop_oneof![
        3 => proptest::collection::vec(vector, 1..30).prop_map(Step::Insert),
        3 => any::<usize>().prop_map(Step::Remove),
        1 => Just(Step::Repair),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_found_is_alive_and_each_once(steps in proptest::collection::vec(step(), 1..25), odd in any::<bool>()) {
        let mut kept = Kept::new(SMALL);
        for step in steps {
            match step {
                Step::Insert(vectors) => kept.insert(vectors),
                Step::Remove(at) => drop(kept.remove(at)),
                Step::Repair => kept.repair(),
            }
            prop_assert!(!kept.adapter.is_broken());
            let admits = |slot: u32| !odd || slot % 2 == 1;
            let Some(found) = kept.adapter.search(&kept.codes, &[0.25; DIM], 6, Some(&admits)) else { continue };
            let slots: HashSet<u32> = found.iter().map(|(slot, _)| *slot).collect();
            prop_assert_eq!(slots.len(), found.len());
            prop_assert!(slots.iter().all(|slot| kept.live.contains(slot) && admits(*slot)));
            prop_assert!(found.iter().all(|(slot, dot)| (kept.codes.dot(&[0.25; DIM], *slot) - dot).abs() < 1e-9));
            prop_assert!(found.is_sorted_by(|a, b| a.1 >= b.1));
        }
    }
}
