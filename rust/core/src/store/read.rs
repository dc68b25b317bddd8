//! Reads: values, keys, records, statistics.

use std::time::{Duration, Instant};

use super::horizon::{bound, check_history, check_horizon, check_recorded_by, check_scope};
use super::ops::{NamespaceOptions, RecordedBy};
use super::plan::split_value;
use super::plan_records::{forgotten, not_found};
use super::sweep::content_rows;
use super::{Inner, Shared, Store};
use crate::catalog::Version;
use crate::coordination::access::Rights;
use crate::error::{Error, Result, value_error};
use crate::namespace::{self, Namespace};
use crate::record::{self, Body, Meta, Outcome, Record};
use crate::stats::Stats;
use crate::tier::hot::CacheEntry;
use crate::{frame, keys};

/// One hit in so many is timed.
const SAMPLE: u32 = 64;
/// How long a reader waits for a forget that is between disk and memory.
const SETTLE: Duration = Duration::from_millis(1);
const ATTEMPTS: usize = 1000;

/// A value, from the hot tier or fresh from the disk.
pub enum Value {
    /// Shared with the hot tier.
    Hot(CacheEntry),
    /// Read from L3.
    Cold(Vec<u8>),
}

impl Value {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Hot(entry) => entry.value(),
            Self::Cold(bytes) => bytes,
        }
    }
}

impl Store {
    /// The value of a key if the hot tier holds it; never touches the disk.
    ///
    /// # Errors
    /// For a store that cannot be used.
    #[inline]
    pub fn peek(&self, namespace: &str, key: &str) -> Result<Option<CacheEntry>> {
        self.inner.ensure_usable()?;
        if !sampled() {
            return Ok(self.inner.hot.get(namespace, key));
        }
        let started = Instant::now();
        let entry = self.inner.hot.get(namespace, key);
        if entry.is_some() {
            self.inner.metrics.hits.record_since(started);
        }
        Ok(entry)
    }

    /// The value of a key: the hot tier, else the disk and then the hot tier.
    ///
    /// # Errors
    /// [`Error::Namespace`] for a name that is not well formed; the engine's failure.
    pub fn get(&self, namespace: &str, key: &str) -> Result<Option<Value>> {
        if let Some(entry) = self.peek(namespace, key)? {
            return Ok(Some(Value::Hot(entry)));
        }
        Ok(self.get_cold(namespace, key)?.map(Value::Cold))
    }

    /// The value of a key from the disk, promoted to the hot tier.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn get_cold(&self, namespace: &str, key: &str) -> Result<Option<Vec<u8>>> {
        Namespace::validate(namespace)?;
        namespace::validate_key(key)?;
        let started = Instant::now();
        let ticket = self.inner.hot.ticket(namespace, key);
        let row_key = keys::value(namespace, key);
        let Some(row) = self.inner.row(&row_key)? else { return Ok(None) };
        self.inner.metrics.misses.record_since(started);
        let split = split_value(&row).ok_or_else(|| broken(namespace, key));
        let (expires_at, value) = self.inner.placed(split)?;
        if expires_at <= self.inner.now() {
            return Ok(None);
        }
        let expiry = (expires_at != i64::MAX).then_some(expires_at);
        self.inner.hot.promote(namespace, key, value, expiry, ticket);
        Ok(Some(value.to_vec()))
    }

    /// The value that a key had at a time; the namespace must keep history.
    ///
    /// # Errors
    /// [`Error::Value`] without history, [`Error::Horizon`] before what retention kept.
    pub fn get_as_of(&self, namespace: &str, key: &str, as_of: i64) -> Result<Option<Vec<u8>>> {
        self.inner.ensure_usable()?;
        Namespace::validate(namespace)?;
        namespace::validate_key(key)?;
        let state = self.inner.shared.read().namespace(namespace).cloned().unwrap_or_default();
        if !state.options.history {
            return value_error(format!(
                "{namespace:?} keeps no history, so as_of cannot be answered; configure_namespace({namespace:?}, history=True) keeps it from then on"
            ));
        }
        check_history(namespace, &state, self.inner.now(), as_of)?;
        let start = keys::history_until(namespace, key, as_of);
        let end = keys::after_prefix(&keys::history_of(namespace, key));
        let mut newest = None;
        self.inner.cold(|cold| {
            cold.scan(&start, &end, &mut |row, sealed| {
                newest = Some(frame::open(row, sealed)?.into_owned());
                Ok(false)
            })
        })?;
        let live = newest
            .as_deref()
            .and_then(split_value)
            .filter(|(expires_at, _)| *expires_at == i64::MAX || *expires_at > as_of);
        Ok(live.map(|(_, value)| value.to_vec()))
    }

    /// Live keys of a namespace after `cursor`, in byte order, and where to go on.
    ///
    /// # Errors
    /// [`Error::Namespace`], [`Error::Value`] for a limit of zero.
    pub fn scan(
        &self,
        namespace: &str,
        prefix: &str,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<(Vec<String>, Option<String>)> {
        self.inner.ensure_usable()?;
        Namespace::validate(namespace)?;
        if limit == 0 {
            return value_error("limit is 0; use at least 1");
        }
        let base = keys::in_namespace(keys::VALUE, namespace);
        let from = [base.as_slice(), prefix.as_bytes()].concat();
        let end = keys::after_prefix(&from);
        // The smallest key behind the cursor is the cursor with a zero byte.
        let start = cursor.map_or_else(|| from.clone(), |cursor| [base.as_slice(), cursor.as_bytes(), &[0]].concat());
        let now = self.inner.now();
        let mut found: Vec<String> = Vec::new();
        self.inner.cold(|cold| {
            cold.scan(&start.max(from), &end, &mut |row, sealed| {
                let value = frame::open(row, sealed)?;
                if split_value(&value).is_some_and(|(expires_at, _)| expires_at > now) {
                    let key = std::str::from_utf8(&row[base.len()..]).map_err(|_| broken(namespace, "?"))?;
                    found.push(key.to_owned());
                }
                Ok(found.len() <= limit)
            })
        })?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next = more.then(|| found.last().cloned()).flatten();
        Ok((found, next))
    }

    /// The version of a record that is visible at a time.
    ///
    /// # Errors
    /// [`Error::Forgotten`] where it would be visible but was forgotten, [`Error::Horizon`].
    pub fn fetch(&self, id: &str, as_of: Option<i64>, recorded_by: RecordedBy) -> Result<Option<Record>> {
        self.inner.ensure_usable()?;
        record::validate_id(id)?;
        for _ in 0..ATTEMPTS {
            let now = self.inner.now();
            let number = {
                let shared = self.inner.shared.read();
                let Some(number) = visible(&shared, id, now, as_of, recorded_by)? else { return Ok(None) };
                number
            };
            if let Some(record) = self.inner.record(id, number)? {
                return Ok(Some(record));
            }
            std::thread::sleep(SETTLE);
        }
        self.inner.placed(Err(missing(id)))
    }

    /// All versions of a record that are kept, in the order in which they were written.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forgotten`].
    pub fn versions(&self, id: &str) -> Result<Vec<Record>> {
        self.inner.ensure_usable()?;
        record::validate_id(id)?;
        for _ in 0..ATTEMPTS {
            let numbers = self.kept_versions(id)?;
            let found = numbers.into_iter().map(|number| self.inner.record(id, number));
            if let Some(records) = found.collect::<Result<Option<Vec<_>>>>()? {
                return Ok(records);
            }
            std::thread::sleep(SETTLE);
        }
        Err(missing(id))
    }

    fn kept_versions(&self, id: &str) -> Result<Vec<u32>> {
        let now = self.inner.now();
        let shared = self.inner.shared.read();
        let entry = shared.catalog.entry(id).filter(|entry| !shared.has_erased(*entry, now));
        let entry = entry.ok_or_else(|| not_found(id))?;
        if entry.forgotten() {
            return Err(forgotten(id));
        }
        let mut numbers: Vec<u32> = entry.versions().map(Version::number).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// What an agent may do beside its own.
    #[must_use]
    pub fn rights(&self, agent: &str) -> Option<Rights> {
        self.inner.shared.read().rights.get(agent).cloned()
    }

    /// The namespace of a record that is known, forgotten or not.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Fork`].
    pub fn namespace_of(&self, id: &str) -> Result<Option<String>> {
        self.inner.ensure_usable()?;
        Ok(self.inner.shared.read().catalog.entry(id).map(|entry| entry.namespace().to_owned()))
    }

    /// Options of a namespace.
    ///
    /// # Errors
    /// For a store that cannot be used.
    pub fn namespace_options(&self, namespace: &str) -> Result<NamespaceOptions> {
        self.inner.ensure_usable()?;
        Ok(self.inner.shared.read().namespace(namespace).map(|state| state.options.clone()).unwrap_or_default())
    }

    /// Every configured namespace with its options.
    ///
    /// # Errors
    /// For a store that cannot be used.
    pub fn configured(&self) -> Result<Vec<(String, NamespaceOptions)>> {
        self.inner.ensure_usable()?;
        let shared = self.inner.shared.read();
        Ok(shared.namespaces.iter().map(|(name, state)| (name.clone(), state.options.clone())).collect())
    }

    /// Records, tombstones included.
    #[must_use]
    pub fn record_count(&self) -> usize {
        self.inner.shared.read().catalog.len()
    }

    /// Counters and sizes; after a failure of the disk, what memory knows.
    ///
    /// # Errors
    /// For a store that cannot be used.
    pub fn stats(&self) -> Result<Stats> {
        self.inner.ensure_usable()?;
        let size = self.inner.size()?;
        let shared = self.inner.shared.read();
        Ok(Stats::collect(&self.inner.hot, &shared, &self.inner.metrics, size, self.inner.cold_cache_bytes))
    }
}

impl Inner {
    /// A row of L3, checked and unwrapped.
    pub(crate) fn row(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.cold(|cold| cold.get(key)?.map(|sealed| Ok(frame::open(key, &sealed)?.into_owned())).transpose())
    }

    /// Rows of L3, in the order of their keys.
    pub(crate) fn rows(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        let open = |(key, sealed): (&Vec<u8>, Option<Vec<u8>>)| {
            sealed.map(|sealed| Ok(frame::open(key, &sealed)?.into_owned())).transpose()
        };
        self.cold(|cold| keys.iter().zip(cold.get_all(keys)?).map(open).collect())
    }

    /// A version with its content; `None` while a forget or an erasing is under way.
    pub(crate) fn record(&self, id: &str, number: u32) -> Result<Option<Record>> {
        Ok(self.records(&[(id, number)])?.and_then(|mut records| records.pop()))
    }

    /// Versions with their content; `None` while one of them is being forgotten or erased.
    pub(crate) fn records(&self, wanted: &[(&str, u32)]) -> Result<Option<Vec<Record>>> {
        let keys: Vec<Vec<u8>> = wanted.iter().map(|(id, number)| keys::version(keys::META, id, *number)).collect();
        let Some(rows) = self.rows(&keys)?.into_iter().collect::<Option<Vec<_>>>() else { return Ok(None) };
        let decode = |row: &Vec<u8>| self.placed(record::decode(row, "version"));
        let metas: Vec<Meta> = rows.iter().map(decode).collect::<Result<_>>()?;
        let contents = wanted.iter().zip(&metas).flat_map(|((id, _), meta)| content_rows(id, meta));
        let keys: Vec<Vec<u8>> = contents.collect();
        let Some(rows) = self.rows(&keys)?.into_iter().collect::<Option<Vec<_>>>() else { return Ok(None) };
        let mut rows = rows.into_iter();
        let records = wanted.iter().zip(metas).map(|((id, _), meta)| self.placed(assemble(id, meta, &mut rows)));
        records.collect::<Result<Vec<Record>>>().map(Some)
    }
}

/// A version from its content, in the order of [`content_rows`].
fn assemble(id: &str, meta: Meta, rows: &mut impl Iterator<Item = Vec<u8>>) -> Result<Record> {
    let mut next = || rows.next().unwrap_or_default();
    let body: Body = meta.body.map_or_else(|| Ok(Body::default()), |_| record::decode(&next(), "body"))?;
    let outcome = meta.outcome.map(|outcome| Outcome {
        reward: outcome.reward,
        known_at: Some(outcome.known_at),
        payload: outcome.has_payload.then(&mut next),
    });
    let embeddings = meta.embeddings.into_iter().map(|(space, _)| (space, floats(&next()).into())).collect();
    Ok(Record {
        id: id.to_owned(),
        namespace: meta.namespace,
        kind: meta.kind,
        event_time: meta.event_time,
        known_at: meta.known_at,
        agent_id: meta.agent_id,
        symbol: meta.symbol,
        regime: meta.regime,
        expires_at: meta.expires_at,
        importance: meta.importance,
        confidence: meta.confidence,
        text: body.text,
        embeddings,
        attributes: meta.attributes,
        payload: body.payload,
        outcome,
        tags: meta.tags,
        writer: meta.writer,
        source: body.source,
        trust: meta.trust,
        parents: body.parents,
        recorded_at: meta.recorded_at,
        commit: meta.commit,
        version: meta.version,
    })
}

fn visible(shared: &Shared, id: &str, now: i64, as_of: Option<i64>, recorded_by: RecordedBy) -> Result<Option<u32>> {
    let at = as_of.unwrap_or(now);
    let Some(entry) = shared.catalog.entry(id).filter(|entry| !shared.has_erased(*entry, now)) else {
        // Nobody knows any more in which namespace it may have been.
        check_scope(shared, None, None, now, at, recorded_by)?;
        return Ok(None);
    };
    let namespace = entry.namespace();
    if let Some(state) = shared.namespace(namespace) {
        check_horizon(namespace, state, now, at)?;
        check_recorded_by(shared, namespace, state, now, recorded_by)?;
    }
    let Some(version) = entry.select(bound(at, recorded_by)).filter(|version| !version.is_expired(at)) else {
        return Ok(None);
    };
    if entry.forgotten() { Err(forgotten(id)) } else { Ok(Some(version.number())) }
}

pub(crate) fn missing(id: &str) -> Error {
    Error::Corruption(format!("content of record {id} is missing; run verify() and restore a backup"))
}

fn broken(namespace: &str, key: &str) -> Error {
    Error::Corruption(format!("the value of {namespace}/{key} has no header; restore a backup"))
}

pub(crate) fn floats(row: &[u8]) -> Vec<f32> {
    row.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// Whether this call of this thread is one to be timed.
#[inline]
fn sampled() -> bool {
    thread_local! {
        static CALLS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
    }
    CALLS.with(|calls| {
        let count = calls.get().wrapping_add(1);
        calls.set(count);
        count % SAMPLE == 0
    })
}
