//! `nt_memory.store.Store`, embedded.

use std::sync::Arc;

use nt_memory::{
    CacheConfig, Handle, Operation, Publication, RecordedBy, Store, StoreConfig, Subscribe, TopicOptions, VectorConfig,
};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::clock::PyClock;
use crate::config::{SpaceTuple, VectorTuple, cold_engine, space, vector_config};
use crate::errors::{Plain, guarded, guarded_short, plain, to_python};
use crate::locks::PyLocks;
use crate::messages::PySubscription;
use crate::waiting::{interruptible, room, wait, with_progress};
use crate::{batch, messages, query, record};

/// Records from which a search takes long enough to be worth interrupting.
const LONG_SEARCH: usize = 100_000;
/// Searches that are done before a thread is begun, and records from which even those take long.
const FEW_SEARCHES: usize = 16;
const VERY_LONG_SEARCH: usize = 1_000_000;
/// Keys from which a scan does.
const LONG_SCAN: usize = 10_000;

/// The embedded store.
#[pyclass(frozen, name = "Store", module = "nt_memory._native")]
pub(crate) struct PyStore {
    handle: Handle,
}

#[pymethods]
impl PyStore {
    /// Open or create a store.
    #[staticmethod]
    #[pyo3(signature = (path, *, engine, cache_max_entries, cache_ttl_us, cache_max_bytes, track_access, spaces,
                        compression, max_memory_bytes, durability, clock, vector = None, seed = None))]
    #[allow(clippy::too_many_arguments, reason = "a flat call keeps the boundary plain")]
    #[allow(clippy::fn_params_excessive_bools, reason = "as above")]
    fn open(
        py: Python<'_>,
        path: Option<Plain<std::path::PathBuf>>,
        engine: &str,
        cache_max_entries: usize,
        cache_ttl_us: u64,
        cache_max_bytes: usize,
        track_access: bool,
        spaces: Plain<Vec<SpaceTuple>>,
        compression: bool,
        max_memory_bytes: usize,
        durability: &str,
        clock: &PyClock,
        vector: Option<VectorTuple>,
        seed: Option<u64>,
    ) -> PyResult<Self> {
        let config = StoreConfig {
            engine: cold_engine(engine, path.is_some())?,
            path: path.map(|path| path.0),
            cache: CacheConfig {
                max_entries: cache_max_entries,
                ttl_us: cache_ttl_us,
                track_access,
                max_bytes: cache_max_bytes,
            },
            spaces: spaces.0.into_iter().map(space).collect::<PyResult<_>>()?,
            vector: vector.map_or_else(|| Ok(VectorConfig::default()), vector_config)?,
            compression,
            max_memory_bytes,
            durable: durability == "group",
            clock: Arc::clone(&clock.inner),
            seed: seed.unwrap_or(0),
        };
        let store = interruptible(py, move || Store::open(config))?;
        Ok(Self { handle: Handle::root(store) })
    }

    /// The store in the hands of an agent.
    #[pyo3(signature = (agent_id, /))]
    fn agent(&self, py: Python<'_>, agent_id: Plain<&str>) -> PyResult<Self> {
        guarded_short(py, || self.handle.of_agent(agent_id.0)).map(|handle| Self { handle })
    }

    /// Paths that an agent reads and writes beside its own.
    #[pyo3(signature = (agent_id, /))]
    fn rights(&self, py: Python<'_>, agent_id: Plain<&str>) -> PyResult<(Vec<String>, Vec<String>)> {
        let rights = guarded_short(py, || Ok(self.handle.owner("looks up rights")?.rights(agent_id.0)))?;
        Ok(rights.map(|rights| (rights.read, rights.write)).unwrap_or_default())
    }

    /// Paths that this handle reads; None where all are.
    fn readable(&self) -> Option<Vec<String>> {
        self.handle.readable()
    }

    /// What was not as it should be at opening, and what is done about it.
    fn notices(&self) -> Vec<String> {
        self.handle.anyone().notices().to_vec()
    }

    /// Make a store in a new directory from a backup; return the number of rows.
    #[staticmethod]
    #[pyo3(signature = (file, path, engine, progress = None, /))]
    fn restore(
        py: Python<'_>,
        file: Plain<std::path::PathBuf>,
        path: Plain<std::path::PathBuf>,
        engine: &str,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<u64> {
        let config = StoreConfig { engine: cold_engine(engine, true)?, path: Some(path.0), ..StoreConfig::default() };
        with_progress(py, progress, move |progress| Store::restore(&config, &file.0, progress))
    }

    /// Write every row, as of one commit, to a new file; return their number.
    #[pyo3(signature = (file, progress = None, /))]
    fn backup(
        &self,
        py: Python<'_>,
        file: Plain<std::path::PathBuf>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<u64> {
        let store = self.owned(py, "copies the whole store")?;
        with_progress(py, progress, move |progress| store.backup(&file.0, progress))
    }

    /// Give back the room that the files do not need; return their bytes before and after.
    #[pyo3(signature = (progress = None, /))]
    fn compact(&self, py: Python<'_>, progress: Option<&Bound<'_, PyAny>>) -> PyResult<(u64, u64)> {
        let store = self.owned(py, "compacts the store")?;
        with_progress(py, progress, move |progress| store.compact(progress))
    }

    /// Apply a batch whole or not at all.
    #[pyo3(signature = (ops, /, *, dry_run = false))]
    fn commit<'py>(&self, py: Python<'py>, ops: &Bound<'py, PyAny>, dry_run: bool) -> PyResult<Bound<'py, PyAny>> {
        let mut operations = ops
            .try_iter()?
            .map(|op| batch::operation(&op?).map_err(|error| plain(py, error)))
            .collect::<PyResult<Vec<_>>>()?;
        let store = guarded_short(py, || self.handle.committing(&mut operations))?;
        room(py, store)?;
        let pending = guarded(py, || store.submit(operations, dry_run))?;
        batch::commit(py, &wait(py, &pending)?)
    }

    /// Return the value of a key; keeps the GIL while the hot tier answers.
    #[pyo3(signature = (namespace, key, as_of = None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        namespace: Plain<&str>,
        key: Plain<&str>,
        as_of: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let store = self.handle.reading(namespace.0).map_err(|error| to_python(py, &error))?;
        if let Some(as_of) = as_of {
            let as_of = micros(&as_of)?;
            let value = guarded(py, || store.get_as_of(namespace.0, key.0, as_of))?;
            return Ok(value.map(|value| PyBytes::new(py, &value)));
        }
        match store.peek(namespace.0, key.0) {
            Ok(Some(entry)) => Ok(Some(PyBytes::new(py, entry.value()))),
            Ok(None) => {
                let value = guarded(py, || store.get_cold(namespace.0, key.0))?;
                Ok(value.map(|value| PyBytes::new(py, &value)))
            }
            Err(error) => Err(to_python(py, &error)),
        }
    }

    /// Return whether the hot tier holds a key, and its value.
    #[pyo3(signature = (namespace, key, /))]
    fn peek<'py>(
        &self,
        py: Python<'py>,
        namespace: Plain<&str>,
        key: Plain<&str>,
    ) -> PyResult<(bool, Option<Bound<'py, PyBytes>>)> {
        let entry = guarded_short(py, || self.handle.reading(namespace.0)?.peek(namespace.0, key.0))?;
        Ok((entry.is_some(), entry.map(|entry| PyBytes::new(py, entry.value()))))
    }

    /// List live keys in byte order after a cursor.
    #[pyo3(signature = (namespace, prefix, limit, cursor, /))]
    fn scan(
        &self,
        py: Python<'_>,
        namespace: Plain<&str>,
        prefix: Plain<&str>,
        limit: Plain<i64>,
        cursor: Option<Plain<&str>>,
    ) -> PyResult<(Vec<String>, Option<String>)> {
        let (namespace, prefix, cursor) = (namespace.0, prefix.0, cursor.map(|cursor| cursor.0));
        let limit = limit.0;
        let limit =
            usize::try_from(limit).map_err(|_| PyValueError::new_err(format!("limit is {limit}; use at least 1")))?;
        if limit < LONG_SCAN {
            return guarded(py, || self.handle.reading(namespace)?.scan(namespace, prefix, limit, cursor));
        }
        let store = guarded_short(py, || self.handle.reading(namespace).cloned())?;
        let (namespace, prefix) = (namespace.to_owned(), prefix.to_owned());
        let cursor = cursor.map(str::to_owned);
        interruptible(py, move || store.scan(&namespace, &prefix, limit, cursor.as_deref()))
    }

    /// Return the version of a record that is visible at a time.
    #[pyo3(signature = (id, as_of = None, recorded_by_time = None, recorded_by_commit = None, /))]
    fn fetch<'py>(
        &self,
        py: Python<'py>,
        id: Plain<&str>,
        as_of: Option<Plain<i64>>,
        recorded_by_time: Option<Plain<i64>>,
        recorded_by_commit: Option<Plain<u64>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let bound: RecordedBy =
            query::recorded_by(recorded_by_time.map(|time| time.0), recorded_by_commit.map(|commit| commit.0))?;
        let found = guarded(py, || self.handle.anyone().fetch(id.0, as_of.map(|time| time.0), bound))?;
        let found = found.filter(|record| self.handle.may_read(&record.namespace));
        found.map(|found| record::to_python(py, found)).transpose()
    }

    /// Return all versions of a record that are kept.
    #[pyo3(signature = (id, /))]
    fn versions<'py>(&self, py: Python<'py>, id: Plain<&str>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let found = guarded(py, || self.handle.anyone().versions(id.0))?;
        let shown = found.into_iter().filter(|record| self.handle.may_read(&record.namespace));
        shown.map(|found| record::to_python(py, found)).collect()
    }

    /// Filter, score and rank records as of a time.
    #[pyo3(signature = (query, /))]
    fn vector_search<'py>(&self, py: Python<'py>, query: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let mut query = query::from_python(query)?;
        let store = Arc::clone(guarded_short(py, || self.handle.searching(&mut query))?);
        if store.record_count() < LONG_SEARCH {
            return query::result(py, guarded(py, || store.search(&query))?);
        }
        // A walk is done before a thread is begun.
        if let Some(result) = guarded(py, || store.search_indexed(&query))? {
            return query::result(py, result);
        }
        query::result(py, interruptible(py, move || store.search(&query))?)
    }

    /// The same for several queries, on all cores.
    #[pyo3(signature = (queries, /))]
    fn vector_searches<'py>(&self, py: Python<'py>, queries: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let mut queries: Vec<_> =
            queries.try_iter()?.map(|query| query::from_python(&query?)).collect::<PyResult<_>>()?;
        for query in &mut queries {
            guarded_short(py, || self.handle.searching(query).map(|_| ()))?;
        }
        let store = Arc::clone(self.handle.anyone());
        let results = if queries.len() <= FEW_SEARCHES && store.record_count() < VERY_LONG_SEARCH {
            guarded(py, || store.search_many(&queries))?
        } else {
            interruptible(py, move || store.search_many(&queries))?
        };
        results.into_iter().map(|result| query::result(py, result)).collect()
    }

    /// Return the ids of all records that pass a filter, whenever they show; for an agent, of those
    /// that it may change.
    #[pyo3(signature = (namespace = None, tree = None, /))]
    fn select(
        &self,
        py: Python<'_>,
        namespace: Option<Plain<String>>,
        tree: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Vec<String>> {
        let filter = tree.map(query::filter).transpose()?;
        let (store, within) = (Arc::clone(self.handle.anyone()), self.handle.writable());
        interruptible(py, move || {
            let namespace = namespace.as_ref().map(|namespace| namespace.0.as_str());
            store.select(namespace, within.as_deref(), filter.as_ref())
        })
    }

    /// Return the ids of the records that these were parents of, and so on; for an agent, of those
    /// that it may change.
    #[pyo3(signature = (ids, /))]
    fn derived(&self, py: Python<'_>, ids: Plain<Vec<String>>) -> PyResult<Vec<String>> {
        let handle = self.handle.clone();
        interruptible(py, move || {
            let derived = handle.anyone().derived(&ids.0)?;
            let changes = |id: &String| {
                let namespace = handle.anyone().namespace_of(id)?;
                Ok(namespace.is_some_and(|namespace| handle.may_write(&namespace)).then(|| id.clone()))
            };
            derived.iter().filter_map(|id| changes(id).transpose()).collect()
        })
    }

    /// Queue a recall for the next group commit.
    #[pyo3(signature = (id, entry, as_of = None, namespace = None, /))]
    fn log_recall(
        &self,
        py: Python<'_>,
        id: Plain<&str>,
        entry: &[u8],
        as_of: Option<Plain<i64>>,
        namespace: Option<Plain<&str>>,
    ) -> PyResult<()> {
        let (as_of, namespace) = (as_of.map(|time| time.0), namespace.map(|name| name.0));
        guarded(py, || self.handle.anyone().log_recall(id.0, entry, as_of, namespace, self.handle.agent()))
    }

    /// Return a logged recall, waiting for those still queued.
    #[pyo3(signature = (id, /))]
    fn recall_log<'py>(&self, py: Python<'py>, id: Plain<&str>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let entry = guarded(py, || self.handle.recall_log(id.0))?;
        Ok(entry.map(|entry| PyBytes::new(py, &entry)))
    }

    /// The locks of the store.
    fn locks(&self) -> PyLocks {
        PyLocks::of(&self.handle)
    }

    /// Give a message to all who listen; return its sequence.
    #[pyo3(signature = (topic, payload, sender = None, recipients = None, agent = None, /))]
    fn publish(
        &self,
        py: Python<'_>,
        topic: Plain<String>,
        payload: &[u8],
        sender: Option<Plain<String>>,
        recipients: Option<Plain<Vec<String>>>,
        agent: Option<Plain<String>>,
    ) -> PyResult<u64> {
        let (sender, recipients) = (sender.map(|sender| sender.0), recipients.map(|recipients| recipients.0));
        let (payload, agent) = (payload.to_vec(), agent.map(|agent| agent.0));
        let mut publication = Publication { topic: topic.0, payload, sender, recipients, agent };
        let store = guarded_short(py, || self.handle.publishing(&mut publication))?;
        messages::publish(py, store, publication)
    }

    /// Listen to topics.
    #[pyo3(signature = (pattern, *, capacity = None, from_seq = None, durable = None, agent = None))]
    fn subscribe(
        &self,
        py: Python<'_>,
        pattern: Plain<String>,
        capacity: Option<Plain<usize>>,
        from_seq: Option<Plain<u64>>,
        durable: Option<Plain<String>>,
        agent: Option<Plain<String>>,
    ) -> PyResult<PySubscription> {
        let (from_seq, durable) = (from_seq.map(|from| from.0), durable.map(|name| name.0));
        let agent = agent.map(|agent| agent.0);
        let capacity = capacity.map_or(nt_memory::CAPACITY, |capacity| capacity.0);
        let mut options = Subscribe { pattern: pattern.0, capacity, from_seq, durable, agent, within: None };
        let store = guarded_short(py, || self.handle.listening(&mut options))?;
        PySubscription::open(py, store, &options)
    }

    /// Keep messages of topics on the disk, for so many microseconds or for ever; or let the rule go.
    #[pyo3(signature = (pattern, durable, retention = None, /))]
    fn configure_topic(
        &self,
        py: Python<'_>,
        pattern: Plain<String>,
        durable: bool,
        retention: Option<Plain<i64>>,
    ) -> PyResult<()> {
        let options = durable.then(|| TopicOptions { retention: retention.map(|retention| retention.0) });
        let operation = Operation::ConfigureTopic { pattern: pattern.0, options };
        let store = self.owned(py, "says what is kept")?;
        room(py, &store)?;
        let pending = guarded(py, || store.submit(vec![operation], false))?;
        wait(py, &pending).map(|_| ())
    }

    /// Return a fresh ULID.
    fn new_id(&self, py: Python<'_>) -> PyResult<String> {
        guarded_short(py, || self.handle.anyone().new_id())
    }

    /// Return a namespace's options.
    #[pyo3(signature = (namespace, /))]
    fn namespace_options<'py>(&self, py: Python<'py>, namespace: Plain<&str>) -> PyResult<Bound<'py, PyAny>> {
        batch::options(py, guarded_short(py, || self.handle.reading(namespace.0)?.namespace_options(namespace.0))?)
    }

    /// Return every configured namespace with its options.
    fn configured<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let configured = PyDict::new(py);
        for (namespace, options) in guarded_short(py, || self.handle.owner("lists namespaces")?.configured())? {
            configured.set_item(namespace, batch::options(py, options)?)?;
        }
        Ok(configured)
    }

    /// Return counters and sizes by name.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = guarded(py, || self.handle.owner("counts all there is")?.stats())?;
        let dict = PyDict::new(py);
        dict.set_item("l1_entries", stats.l1_entries)?;
        dict.set_item("l1_bytes", stats.l1_bytes)?;
        dict.set_item("l1_hit_rate", stats.l1_hit_rate)?;
        dict.set_item("l1_evictions", stats.l1_evictions)?;
        dict.set_item("l2_vectors", stats.l2_vectors)?;
        dict.set_item("l2_bytes", stats.l2_bytes)?;
        dict.set_item("l2_engine", stats.l2_engine)?;
        dict.set_item("l2_code", stats.l2_code)?;
        dict.set_item("l2_waiting", stats.l2_waiting)?;
        dict.set_item("l3_entries", stats.l3_entries)?;
        dict.set_item("l3_cache_bytes", stats.l3_cache_bytes)?;
        dict.set_item("l3_size_bytes", stats.l3_size_bytes)?;
        dict.set_item("records", stats.records)?;
        dict.set_item("recalls", stats.recalls)?;
        dict.set_item("commits", stats.commits)?;
        dict.set_item("commit_groups", stats.groups)?;
        let latency = PyDict::new(py);
        for (name, [p50, p95, p99]) in stats.latency_ns {
            let percentiles = PyDict::new(py);
            percentiles.set_item("p50", p50)?;
            percentiles.set_item("p95", p95)?;
            percentiles.set_item("p99", p99)?;
            latency.set_item(name, percentiles)?;
        }
        dict.set_item("latency_ns", latency)?;
        Ok(dict)
    }

    /// Wait until everything queued is on the disk.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        let pending = guarded(py, || self.handle.anyone().flush())?;
        wait(py, &pending).map(|_| ())
    }

    /// Check every checksum, count and index entry; one line a problem.
    fn verify(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let store = self.owned(py, "verifies the store")?;
        interruptible(py, move || store.verify())
    }

    /// Refuse to be copied or pickled: one process owns a directory.
    #[allow(clippy::unused_self, reason = "Python calls it as a method")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "an open store cannot be copied or pickled, as one process owns its directory: pass the path, and open it there",
        ))
    }

    /// Flush and let go of the directory; a second close does nothing.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        // An agent lets go of its handle, and the memory stays open.
        let Ok(store) = self.handle.owner("closes").cloned() else { return Ok(()) };
        interruptible(py, move || store.close())
    }
}

impl PyStore {
    fn owned(&self, py: Python<'_>, what: &str) -> PyResult<Arc<Store>> {
        guarded_short(py, || self.handle.owner(what).cloned())
    }
}

/// Microseconds, or a datetime that `nt_memory.clock` converts.
fn micros(time: &Bound<'_, PyAny>) -> PyResult<i64> {
    match time.extract() {
        Ok(micros) => Ok(micros),
        Err(_) if time.is_instance_of::<pyo3::types::PyInt>() => time.extract().map(|Plain(micros)| micros),
        Err(_) => time.py().import("nt_memory.clock")?.getattr("to_micros")?.call1((time,))?.extract(),
    }
}
