use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::tier::vector::codes::Codes;
use crate::tier::vector::{Quantization, SearchCode};

const DIM: usize = 6;
const SMALL: GraphConfig = GraphConfig { m: 4, ef_construction: 12 };

/// A graph with its codes, and which slots are live.
struct Kept {
    graph: Graph,
    codes: Codes,
    live: Vec<u32>,
    free: Vec<u32>,
    slots: u32,
}

impl Kept {
    fn new(config: GraphConfig) -> Self {
        Self {
            graph: Graph::new(config),
            codes: Codes::new(Quantization::F16, SearchCode::Stored, DIM),
            live: vec![],
            free: vec![],
            slots: 0,
        }
    }

    fn write(&mut self, vector: [f32; DIM]) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots += 1;
            self.slots - 1
        });
        self.codes.reserve(self.slots).unwrap();
        self.graph.reserve(self.slots).unwrap();
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        self.codes.write(slot, &vector.map(|x| x / norm));
        self.live.push(slot);
        slot
    }

    fn insert(&mut self, vector: [f32; DIM]) {
        let slot = self.write(vector);
        self.graph.insert(&self.codes, slot);
    }

    fn remove(&mut self, at: usize) {
        if !self.live.is_empty() {
            let slot = self.live.swap_remove(at % self.live.len());
            self.graph.remove(slot);
        }
    }

    fn repair(&mut self) {
        let mut repair = Repair::new(&self.graph);
        while !repair.advance(&self.graph, &self.codes, 7) {}
        self.free.extend(repair.take_freed());
    }

    fn found(&self) -> HashSet<u32> {
        let found = self.graph.search(&self.codes, &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0], self.slots as usize + 1);
        found.into_iter().map(|(slot, _)| slot).collect()
    }

    fn check(&self) {
        let audit = self.graph.audit();
        assert_eq!(audit, Audit { nodes: self.live.len(), unreachable: 0, unanswered: 0 });
        assert_eq!(self.found(), self.live.iter().copied().collect());
        for slot in 0..self.slots {
            for level in 0..=self.graph.level(slot) {
                let row: Vec<u32> = self.graph.neighbours(level, slot).map(|(node, _)| node).collect();
                assert!(!row.contains(&slot), "{slot} links to itself");
                assert_eq!(row.len(), row.iter().collect::<HashSet<_>>().len(), "{slot} links twice");
                assert!(row.iter().all(|node| self.graph.level(*node) >= level), "a link on a level that is not there");
                assert!(row.iter().all(|node| self.graph.state(*node) != FREE), "a link to nobody");
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Insert([f32; DIM]),
    /// Several at once, on all cores.
    Many(Vec<[f32; DIM]>),
    Remove(usize),
    Repair,
}

/// Few different vectors, and many alike: where pruning cuts nodes off.
fn vector() -> impl Strategy<Value = [f32; DIM]> {
    prop_oneof![
        proptest::array::uniform6(-1.0_f32..1.0).prop_map(|v| if v.iter().all(|x| *x == 0.0) { [1.0; DIM] } else { v }),
        (0..3_usize, -0.01_f32..0.01).prop_map(|(axis, noise)| {
            let mut vector = [noise; DIM];
            vector[axis] = 1.0;
            vector
        }),
        Just([1.0; DIM]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => vector().prop_map(Step::Insert),
        1 => proptest::collection::vec(vector(), 1..40).prop_map(Step::Many),
        4 => any::<usize>().prop_map(Step::Remove),
        1 => Just(Step::Repair),
    ]
}

fn replay(steps: Vec<Step>) -> Kept {
    let mut kept = Kept::new(SMALL);
    for step in steps {
        match step {
            Step::Insert(vector) => kept.insert(vector),
            Step::Many(vectors) => {
                let slots: Vec<u32> = vectors.into_iter().map(|vector| kept.write(vector)).collect();
                kept.graph.insert_all(&kept.codes, &slots);
            }
            Step::Remove(at) => kept.remove(at),
            Step::Repair => kept.repair(),
        }
        kept.check();
    }
    kept
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn whatever_comes_and_goes_every_live_vector_is_found(steps in proptest::collection::vec(step(), 1..60)) {
        replay(steps);
    }

    #[test]
    fn many_nodes_on_two_cores_are_all_found(vectors in proptest::collection::vec(vector(), 400..900)) {
        let mut kept = Kept::new(SMALL);
        let slots: Vec<u32> = vectors.into_iter().map(|vector| kept.write(vector)).collect();
        kept.graph.insert_all(&kept.codes, &slots);
        kept.check();
    }
}

fn links(graph: &Graph) -> Vec<Vec<(u32, bool)>> {
    let rows = |slot| (0..=graph.level(slot)).map(move |level| graph.neighbours(level, slot).collect());
    graph.states.iter().enumerate().flat_map(|(slot, _)| rows(u32::try_from(slot).unwrap())).collect()
}

/// A walk through the unit cube whose steps look random.
#[allow(clippy::cast_precision_loss, reason = "small numbers")]
fn scattered(count: usize) -> Vec<[f32; DIM]> {
    (0..count).map(|i| std::array::from_fn(|axis| ((i * (axis + 3) * 7919) % 1009) as f32 / 1009.0 - 0.5)).collect()
}

fn built(count: usize) -> Kept {
    let mut kept = Kept::new(GraphConfig::default());
    for vector in scattered(count) {
        kept.insert(vector);
    }
    kept
}

#[test]
fn a_walk_finds_what_a_scan_finds() {
    let kept = built(4000);
    let mut found = 0;
    for slot in (0..kept.slots).step_by(40) {
        let mut unit = Vec::new();
        kept.codes.read(slot, &mut unit);
        let mut all: Vec<(u32, f32)> = (0..kept.slots).map(|other| (other, kept.codes.dot(&unit, other))).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        let near: HashSet<u32> =
            kept.graph.search(&kept.codes, &unit, 32).into_iter().take(10).map(|(slot, _)| slot).collect();
        found += all[..10].iter().filter(|(slot, _)| near.contains(slot)).count();
    }
    assert!(found >= 990, "{found} of 1000");
    // A node of an upper level is a node like others on level 0.
    let mean = |wanted: bool| {
        let nodes: Vec<u32> = (0..kept.slots).filter(|slot| (kept.graph.level(*slot) > 0) == wanted).collect();
        nodes.iter().map(|slot| kept.graph.neighbours(0, *slot).count()).sum::<usize>() * 100 / nodes.len()
    };
    assert!(mean(true) * 10 > mean(false) * 9, "{} and {} links a hundred nodes", mean(true), mean(false));
}

#[test]
fn the_same_input_gives_the_same_graph() {
    assert_eq!(links(&built(2000).graph), links(&built(2000).graph));
}

#[test]
fn a_node_that_was_cut_off_is_told_and_linked_again() {
    let mut kept = built(500);
    for slot in 0..kept.slots {
        let row: Vec<u32> = kept.graph.links(0, slot).iter().map(|link| link.load(Ordering::Relaxed)).collect();
        insert::write(kept.graph.links(0, slot), row.into_iter().filter(|word| word & !PIN != 8));
    }
    assert_eq!(kept.graph.audit().unreachable, 1);
    assert!(kept.graph.audit().unanswered > 0);
    kept.repair();
    kept.check();
}

#[test]
fn after_everybody_is_removed_the_graph_begins_anew() {
    let mut kept = built(300);
    for _ in 0..300 {
        kept.remove(0);
    }
    assert!(kept.found().is_empty());
    kept.repair();
    kept.check();
    for vector in scattered(300) {
        kept.insert(vector);
    }
    kept.check();
    assert_eq!(kept.slots, 300, "slots are used again");
}
