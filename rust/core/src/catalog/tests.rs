use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::record::{Attribute, MetaOutcome};
use crate::tier::vector::{Quantization, VectorConfig, VectorSpace};

const IDS: [&str; 4] = ["a", "b", "01HQ0000000000000000000000", "01HQ0000000000000000000001"];

fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    for name in ["state", "text"] {
        let name = name.to_owned();
        let space = VectorSpace { name, dim: 2, quantization: Quantization::F32, encoder: None };
        catalog.add_space(VectorStore::new(space, VectorConfig::default()));
    }
    catalog
}

#[derive(Debug, Clone)]
enum Step {
    Add { id: usize, known_at: i64, shows_after: i64, agent: u8, embedded: bool },
    Erase { id: usize, every: usize },
    Forget { id: usize },
    Tidy,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let add = (0..IDS.len(), 0_i64..9, 0_i64..9, 0_u8..3, any::<bool>());
    let add = add.prop_map(|(id, known_at, shows_after, agent, embedded)| Step::Add {
        id,
        known_at,
        shows_after,
        agent,
        embedded,
    });
    let erase = (0..IDS.len(), 1_usize..3).prop_map(|(id, every)| Step::Erase { id, every });
    let forget = (0..IDS.len()).prop_map(|id| Step::Forget { id });
    proptest::collection::vec(prop_oneof![6 => add, 2 => erase, 1 => forget, 1 => Just(Step::Tidy)], 0..40)
}

/// The versions of each record, in the order in which they were added, and whether it was forgotten.
type Model = BTreeMap<&'static str, (Vec<Meta>, bool)>;

fn meta(number: u32, commit: u64, known_at: i64, shows_after: i64, agent: u8, embedding: Option<u32>) -> Meta {
    Meta {
        namespace: "trades".into(),
        kind: "trade".into(),
        agent_id: (agent > 0).then(|| format!("agent {agent}")),
        symbol: None,
        regime: None,
        writer: "root".into(),
        event_time: known_at - i64::from(agent),
        known_at,
        recorded_at: i64::try_from(commit / 2).unwrap(),
        visible_at: known_at + shows_after,
        expires_at: (agent == 2).then_some(20),
        commit,
        version: number,
        importance: f64::from(agent),
        confidence: (agent == 1).then_some(0.5),
        trust: 1.0,
        outcome: (shows_after > 0).then_some(MetaOutcome { reward: 1.5, known_at, has_payload: false }),
        tags: vec![format!("tag {agent}")],
        attributes: vec![
            ("word".into(), Attribute::Text(format!("{agent}"))),
            ("number".into(), Attribute::Number(f64::from(number) - 0.5)),
            ("list".into(), Attribute::List(vec!["x".into(); usize::from(agent)])),
        ],
        embeddings: embedding.map(|source| ("state".into(), source)).into_iter().collect(),
        body: None,
    }
}

/// Do a step to both.
fn apply(step: &Step, commit: u64, catalog: &mut Catalog, model: &mut Model) {
    match *step {
        Step::Add { id, known_at, shows_after, agent, embedded } => {
            let (versions, forgotten) = model.entry(IDS[id]).or_default();
            if *forgotten {
                return;
            }
            let number = versions.iter().map(|version| version.version + 1).max().unwrap_or(0);
            // A settlement refers to the embedding of the version that it settles.
            let earlier = versions.last().and_then(|last| last.embeddings.first()).map(|(_, source)| *source);
            let source = if embedded { Some(number) } else { earlier };
            let units = if embedded { vec![("state".to_owned(), vec![1.0, f32::from(agent)])] } else { Vec::new() };
            let meta = meta(number, commit, known_at, shows_after, agent, source);
            catalog.add(IDS[id], &meta, &units).unwrap();
            versions.push(meta);
        }
        Step::Erase { id, every } => {
            let Some((versions, _)) = model.get_mut(IDS[id]) else { return };
            let numbers: Vec<u32> = versions.iter().step_by(every).map(|version| version.version).collect();
            versions.retain(|version| !numbers.contains(&version.version));
            let is_gone = versions.is_empty();
            catalog.erase(IDS[id], &numbers);
            if is_gone {
                model.remove(IDS[id]);
            }
        }
        Step::Forget { id } => {
            if let Some((_, forgotten)) = model.get_mut(IDS[id]) {
                *forgotten = true;
            }
            catalog.forget(IDS[id]);
        }
        Step::Tidy => catalog.tidy(),
    }
}

fn order(meta: &Meta) -> (i64, i64, u32) {
    (meta.visible_at, meta.recorded_at, meta.version)
}

fn same(version: Version<'_>, meta: &Meta) {
    let catalog = version.catalog;
    let name = |symbol: Symbol| catalog.names.name(symbol).to_owned();
    assert_eq!((version.number(), version.commit()), (meta.version, meta.commit));
    assert_eq!(version.order(), order(meta));
    assert_eq!((version.known_at(), version.event_time()), (meta.known_at, meta.event_time));
    assert_eq!(version.expires_at(), meta.expires_at.unwrap_or(NEVER));
    assert_eq!(
        (version.importance().to_bits(), version.trust().to_bits()),
        (meta.importance.to_bits(), 1.0_f64.to_bits())
    );
    assert_eq!(version.confidence().is_nan(), meta.confidence.is_none());
    assert_eq!(version.reward().is_nan(), meta.outcome.is_none());
    let profile = version.profile();
    assert_eq!(profile.tags.iter().map(|tag| name(*tag)).collect::<Vec<_>>(), meta.tags);
    assert_eq!(Some(name(profile.agent_id)).filter(|agent| !agent.is_empty()), meta.agent_id);
    for (found, attribute) in &meta.attributes {
        let symbol = catalog.names.number(found).unwrap();
        match (version.attribute(symbol).unwrap(), attribute) {
            (Value::Text(word), Attribute::Text(text)) => assert_eq!(&name(word), text),
            (Value::Number(number), Attribute::Number(expected)) => assert_eq!(number.to_bits(), expected.to_bits()),
            (Value::List(words), Attribute::List(list)) => assert_eq!(words.len(), list.len()),
            _ => panic!("{found} has another kind"),
        }
    }
    assert!(version.attribute(NONE).is_none());
}

fn compare(catalog: &Catalog, model: &Model) {
    assert_eq!(catalog.len(), model.len());
    assert_eq!(catalog.entries().count(), model.len());
    let mut slots = Vec::new();
    for (id, (versions, forgotten)) in model {
        let entry = catalog.entry(id).unwrap();
        assert_eq!((&*entry.id(), entry.forgotten()), (*id, *forgotten));
        let mut expected: Vec<&Meta> = versions.iter().collect();
        expected.sort_by_key(|meta| std::cmp::Reverse(order(meta)));
        assert_eq!(entry.versions().count(), expected.len());
        for (version, meta) in entry.versions().zip(&expected) {
            same(version, meta);
            assert_eq!(version.slot(0).is_some(), !meta.embeddings.is_empty());
            assert_eq!(version.slot(1), None);
            slots.extend(version.slot(0).filter(|slot| *slot < GONE));
        }
        for as_of in 0..18 {
            let bound = Bound { as_of, recorded_by: i64::MAX, commit: u64::MAX };
            let shown = expected.iter().find(|meta| meta.visible_at <= as_of);
            assert_eq!(entry.select(bound).map(Version::number), shown.map(|meta| meta.version));
        }
        let early = Bound { as_of: i64::MAX, recorded_by: i64::MAX, commit: 9 };
        let shown = expected.iter().find(|meta| meta.commit <= 9);
        assert_eq!(entry.select(early).map(Version::number), shown.map(|meta| meta.version));
    }
    slots.sort_unstable();
    slots.dedup();
    assert_eq!(catalog.vectors(), slots.len());
}

proptest! {
    #[test]
    fn the_columns_hold_what_was_added(steps in steps()) {
        let (mut catalog, mut model) = (catalog(), Model::new());
        for (commit, step) in (1..).zip(&steps) {
            apply(step, commit, &mut catalog, &mut model);
            compare(&catalog, &model);
        }
    }
}

#[test]
fn plain_records_take_little_room() {
    let mut catalog = catalog();
    let count = 20_000_u64;
    for number in 0..count {
        let id = String::from_utf8(crate::ids::encode_ulid(u128::from(number) << 64).to_vec()).unwrap();
        let mut plain = meta(0, number / 100, 5, 0, 0, None);
        plain.attributes.clear();
        plain.importance = 1.0;
        catalog.add(&id, &plain, &[]).unwrap();
    }
    let each = catalog.bytes() / usize::try_from(count).unwrap();
    assert!(each < 70, "{each} bytes a record");
}

#[test]
fn what_comes_and_goes_takes_no_more_and_more_room() {
    let mut catalog = catalog();
    let mut sizes = Vec::new();
    for round in 0..12 {
        for number in 0..5000 {
            let mut one = meta(0, round * 5000 + number, 5, 1, 1, None);
            one.attributes.push((format!("name {round} {number}"), Attribute::Text(format!("word {round} {number}"))));
            one.tags = vec![format!("tag {round} {number}")];
            catalog.add(&format!("id {round} {number}"), &one, &[]).unwrap();
        }
        for number in 0..5000 {
            catalog.erase(&format!("id {round} {number}"), &[0]);
        }
        catalog.tidy_if_due();
        sizes.push(catalog.bytes());
    }
    assert!(sizes[11] <= sizes[1] + sizes[1] / 4, "{sizes:?}");
}
