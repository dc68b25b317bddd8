use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::filter::{Filter, Op, Operand};
use crate::record::{Attribute, Outcome, Record};
use crate::tier::vector::{Quantization, SearchCode, VectorConfig, VectorSpace};

const DAY: i64 = 86_400_000_000;

fn spaces() -> Vec<VectorSpace> {
    vec![VectorSpace { name: "state".into(), dim: 4, quantization: Quantization::F16, encoder: None }]
}

fn open_with(path: Option<&Path>, engine: ColdEngine, clock: &Arc<Clock>) -> Store {
    Store::open(StoreConfig {
        path: path.map(Path::to_path_buf),
        engine,
        spaces: spaces(),
        clock: Arc::clone(clock),
        ..StoreConfig::default()
    })
    .unwrap()
}

fn memory() -> (Store, Arc<Clock>) {
    let clock = Arc::new(Clock::manual(100 * DAY));
    (open_with(None, ColdEngine::Memory, &clock), clock)
}

fn put(key: &str, value: &[u8]) -> Operation {
    Operation::Put { namespace: "n".into(), key: key.into(), value: value.to_vec(), ttl: None }
}

fn record(id: &str, known_at: i64, embedding: [f32; 4]) -> Record {
    Record {
        id: id.into(),
        namespace: "trades".into(),
        kind: "trade".into(),
        event_time: known_at,
        known_at,
        agent_id: None,
        symbol: None,
        regime: None,
        expires_at: None,
        importance: 1.0,
        confidence: None,
        text: None,
        embeddings: vec![("state".into(), embedding.to_vec().into())],
        attributes: vec![("sharpe".into(), Attribute::Number(1.5))],
        payload: Some(b"payload".to_vec()),
        outcome: None,
        tags: vec!["a".into()],
        writer: "root".into(),
        source: None,
        trust: 1.0,
        parents: Vec::new(),
        recorded_at: 0,
        commit: 0,
        version: 0,
    }
}

fn write(record: Record) -> Operation {
    Operation::Write(Box::new(record))
}

fn query() -> Query {
    Query {
        space: "state".into(),
        vector: Some(vec![1.0, 0.0, 0.0, 0.0]),
        namespace: None,
        filter: None,
        as_of: None,
        recorded_by: RecordedBy::Now,
        top_k: 10,
        half_life: None,
        weights: Weights { similarity: 1.0, recency: 0.0, importance: 0.0, outcome: 0.0 },
        order_by: None,
        after: None,
        diversity: 0.0,
        min_trust: None,
        exact: None,
        bodies: true,
        within: None,
    }
}

fn ids(result: &SearchResult) -> Vec<&str> {
    result.matches.iter().map(|found| found.id.as_str()).collect()
}

#[test]
fn a_refused_operation_undoes_its_batch() {
    let (store, _) = memory();
    let expect = Operation::Expect { namespace: "n".into(), key: "a".into(), value: None };
    let refused = store.commit(vec![put("a", b"1"), expect]);
    assert!(matches!(refused, Err(Error::Conflict(_))));
    assert!(store.get("n", "a").unwrap().is_none());
    assert_eq!(store.commit(vec![put("a", b"1")]).unwrap().number, 1);
}

#[test]
fn a_record_is_seen_from_its_known_at_on() {
    let (store, _) = memory();
    store.commit(vec![write(record("a", DAY, [1.0, 0.0, 0.0, 0.0]))]).unwrap();
    let seen = |as_of| store.search(&Query { as_of: Some(as_of), ..query() }).unwrap().matches.len();
    assert_eq!((seen(DAY - 1), seen(DAY)), (0, 1));
}

#[test]
fn an_outcome_has_a_known_at_of_its_own() {
    let (store, _) = memory();
    store.commit(vec![write(record("a", DAY, [1.0, 0.0, 0.0, 0.0]))]).unwrap();
    let outcome = Outcome { reward: 2.0, known_at: Some(3 * DAY), payload: None };
    store.commit(vec![Operation::Settle { id: "a".into(), outcome, revise: false }]).unwrap();
    let outcome = |as_of| store.fetch("a", Some(as_of), RecordedBy::Now).unwrap().unwrap().outcome;
    assert!(outcome(3 * DAY - 1).is_none());
    assert!((outcome(3 * DAY).unwrap().reward - 2.0).abs() < f64::EPSILON);
}

#[test]
fn a_bound_on_the_commit_hides_what_came_later() {
    let (store, _) = memory();
    let first = store.commit(vec![write(record("a", DAY, [1.0, 0.0, 0.0, 0.0]))]).unwrap().number;
    store.commit(vec![write(record("b", DAY, [1.0, 0.0, 0.0, 0.0]))]).unwrap();
    let bounded = Query { recorded_by: RecordedBy::Commit(first), ..query() };
    assert_eq!(ids(&store.search(&bounded).unwrap()), ["a"]);
    assert_eq!(ids(&store.search(&query()).unwrap()), ["a", "b"]);
}

#[test]
fn forgetting_leaves_a_tombstone_that_searches_count() {
    let (store, _) = memory();
    store.commit(vec![write(record("a", DAY, [1.0, 0.0, 0.0, 0.0]))]).unwrap();
    store.commit(vec![Operation::Forget { ids: vec!["a".into()] }]).unwrap();
    let result = store.search(&query()).unwrap();
    assert_eq!((result.matches.len(), result.forgotten), (0, 1));
    assert!(matches!(store.fetch("a", None, RecordedBy::Now), Err(Error::Forgotten(_))));
    assert!(store.verify().unwrap().is_empty());
}

#[test]
fn a_filter_is_compared_inside_the_search() {
    let (store, _) = memory();
    let tagged = |id: &str, tag: &str| Record { tags: vec![tag.into()], ..record(id, DAY, [1.0, 0.0, 0.0, 0.0]) };
    store.commit(vec![write(tagged("a", "x")), write(tagged("b", "y"))]).unwrap();
    let test = Filter::Test { field: "tags".into(), op: Op::Eq, value: Operand::Text("y".into()) };
    let found = store.search(&Query { filter: Some(test), top_k: 1, ..query() }).unwrap();
    assert_eq!(ids(&found), ["b"]);
}

#[test]
fn retention_moves_the_horizon_and_erases_what_it_hides() {
    let (store, clock) = memory();
    let options = NamespaceOptions { history: true, ttl: Some(DAY), retention: Some(10 * DAY), fenced: None };
    for namespace in ["n", "trades"] {
        store.commit(vec![Operation::Configure { namespace: namespace.into(), options: options.clone() }]).unwrap();
    }
    let now = clock.now_us();
    store.commit(vec![put("a", b"1"), write(record("a", now, [1.0, 0.0, 0.0, 0.0]))]).unwrap();
    let rows = store.stats().unwrap().l3_entries;
    clock.advance(30 * DAY.unsigned_abs());
    store.commit(vec![put("b", b"1")]).unwrap();
    assert!(matches!(store.get_as_of("n", "a", now), Err(Error::Horizon { .. })));
    let old = Query { as_of: Some(now), ..query() };
    assert!(matches!(store.search(&old), Err(Error::Horizon { .. })));
    assert_eq!((rows, store.stats().unwrap().l3_entries, store.record_count()), (2, 1, 0));
    assert!(store.verify().unwrap().is_empty());
}

#[test]
fn a_reopened_store_answers_as_before() {
    for engine in [ColdEngine::Redb, ColdEngine::Sled] {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(Clock::manual(100 * DAY));
        let before = {
            let store = open_with(Some(directory.path()), engine, &clock);
            let vectors = [[1.0, 0.0, 0.0, 0.0], [0.9, 0.1, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]];
            let records = ["a", "b", "c"].iter().zip(vectors).map(|(id, v)| write(record(id, DAY, v)));
            store.commit(records.collect()).unwrap();
            store.commit(vec![put("k", &vec![7; 200_000]), Operation::Forget { ids: vec!["c".into()] }]).unwrap();
            store.search(&query()).unwrap()
        };
        let store = open_with(Some(directory.path()), engine, &clock);
        let after = store.search(&query()).unwrap();
        assert_eq!(ids(&before), ids(&after));
        assert_eq!((before.commit, before.forgotten), (after.commit, after.forgotten));
        assert_eq!(store.get("n", "k").unwrap().unwrap().bytes(), vec![7; 200_000]);
        assert!(store.verify().unwrap().is_empty());
    }
}

#[test]
fn one_process_owns_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(Clock::manual(0));
    let _first = open_with(Some(directory.path()), ColdEngine::Redb, &clock);
    let config =
        StoreConfig { path: Some(directory.path().to_path_buf()), engine: ColdEngine::Redb, ..StoreConfig::default() };
    match Store::open(config).err() {
        Some(Error::Locked { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_space_refuses_another_dimension() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(Clock::manual(0));
    drop(open_with(Some(directory.path()), ColdEngine::Redb, &clock));
    let mut other = spaces();
    other[0].dim = 5;
    let config = StoreConfig {
        path: Some(directory.path().to_path_buf()),
        engine: ColdEngine::Redb,
        spaces: other,
        ..StoreConfig::default()
    };
    assert!(matches!(Store::open(config).err(), Some(Error::Vector(_))));
}

#[test]
fn a_closed_store_says_so() {
    let (store, _) = memory();
    store.close().unwrap();
    store.close().unwrap();
    assert!(matches!(store.get("n", "a"), Err(Error::Closed)));
    assert!(matches!(store.commit(vec![put("a", b"1")]), Err(Error::Closed)));
}

#[test]
fn many_threads_share_a_commit_and_none_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(Clock::system());
    let store = open_with(Some(directory.path()), ColdEngine::Redb, &clock);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let store = &store;
            scope.spawn(move || {
                for i in 0..50 {
                    let add = Operation::Increment { namespace: "n".into(), key: "count".into(), by: 1, ttl: None };
                    store.commit(vec![add, put(&format!("{thread}-{i}"), b"v")]).unwrap();
                }
            });
        }
    });
    assert_eq!(store.get("n", "count").unwrap().unwrap().bytes(), b"400");
    assert_eq!(store.stats().unwrap().commits, 400);
}

#[test]
fn counters_are_told_after_a_failed_write() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Clock::manual(0));
    let store = open_with(Some(folder.path()), ColdEngine::Redb, &clock);
    store.commit(vec![put("k", b"v")]).unwrap();
    let before = store.stats().unwrap();
    assert!(before.l3_size_bytes > 0);
    store.inner.fail(&Error::Storage("the disk is gone".into()));
    assert_eq!(store.stats().unwrap(), before);
    store.close().unwrap();
    assert!(matches!(store.stats(), Err(Error::Closed)));
}

#[test]
fn logged_recalls_behind_the_horizon_are_erased_step_by_step() {
    let (store, clock) = memory();
    let options = NamespaceOptions { retention: Some(DAY), ..NamespaceOptions::default() };
    store.commit(vec![Operation::Configure { namespace: "desk/one".into(), options }]).unwrap();
    let scopes = [None, Some("desk"), Some("desk/one"), Some("desk/two"), Some("des")];
    for number in 0..5 * sweep::MAX_WORK / 2 {
        let scope = scopes[number % scopes.len()];
        store.log_recall(&number.to_string(), b"entry", Some(clock.now_us()), scope, None).unwrap();
    }
    store.log_recall("kept", b"entry", None, Some("desk/one"), None).unwrap();
    store.flush().unwrap().wait().unwrap();
    clock.advance(2 * DAY.unsigned_abs());
    let mut left = vec![store.stats().unwrap().recalls];
    while left.len() < 2 || left[left.len() - 2] != left[left.len() - 1] {
        store.log_recall("new", b"entry", Some(clock.now_us()), None, None).unwrap();
        store.flush().unwrap().wait().unwrap();
        left.push(store.stats().unwrap().recalls);
    }
    let new = [10_241, 10_241 + 1 - 4096, 10_241 + 1 - 6144];
    assert_eq!(left, [new.as_slice(), &[10_241 + 1 - 6144]].concat());
    assert_eq!(store.recall_log("2").unwrap(), None);
    assert_eq!(store.recall_log("3").unwrap().map(|(_, entry)| entry).as_deref(), Some(b"entry".as_slice()));
    assert!(store.recall_log("kept").unwrap().is_some());
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
}

#[test]
fn an_entry_that_was_logged_again_is_kept_as_long_as_the_later_one_says() {
    let (store, clock) = memory();
    let options = NamespaceOptions { retention: Some(DAY), ..NamespaceOptions::default() };
    store.commit(vec![Operation::Configure { namespace: "desk".into(), options }]).unwrap();
    store.log_recall("one", b"early", Some(clock.now_us()), None, None).unwrap();
    store.flush().unwrap().wait().unwrap();
    store.log_recall("one", b"late", Some(clock.now_us() + 9 * DAY), None, None).unwrap();
    clock.advance(2 * DAY.unsigned_abs());
    for key in ["k", "l"] {
        store.commit(vec![put(key, b"v")]).unwrap();
    }
    assert_eq!(store.recall_log("one").unwrap().map(|(_, entry)| entry).as_deref(), Some(b"late".as_slice()));
    assert_eq!((store.stats().unwrap().recalls, store.verify().unwrap()), (1, Vec::new()));
}

#[test]
fn an_entry_of_an_older_store_is_read_as_it_is() {
    let old = b"\x88\xa6format\x01".as_slice();
    assert_eq!(recalls::split(old), (b"".as_slice(), old));
    assert_eq!(recalls::split(b""), (b"".as_slice(), b"".as_slice()));
}

#[test]
fn verify_finds_a_code_that_is_not_its_embeddings() {
    for code in [SearchCode::Stored, SearchCode::I8] {
        let vector = VectorConfig { code, ..VectorConfig::default() };
        let store = Store::open(StoreConfig { spaces: spaces(), vector, ..StoreConfig::default() }).unwrap();
        store.commit(vec![write(record("r", 0, [3.0, 4.0, 0.0, 0.0]))]).unwrap();
        assert_eq!(store.verify().unwrap(), Vec::<String>::new());
        store.inner.shared.write().catalog.spaces[0].write_code(0, &[0.8, 0.6, 0.0, 0.0]);
        assert!(store.verify().unwrap()[0].starts_with("record r is searched in space \"state\""));
    }
}
