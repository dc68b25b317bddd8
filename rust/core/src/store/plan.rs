//! Planning a batch: every operation is checked against the state with its
//! predecessors applied, and becomes rows and effects; nothing is touched yet.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::ops::{Answer, NamespaceOptions, Operation};
use super::state::{Counts, NamespaceState, RightsOf};
use super::{Inner, Shared};
use crate::coordination::locks::{Writing, check_name};
use crate::coordination::pubsub::{Message, RuleChange};
use crate::embedding::Embedding;
use crate::error::{Error, Result, value_error};
use crate::namespace::{self, Namespace};
use crate::record::{self, Meta};
use crate::{frame, keys};

/// Largest value of a key.
const MAX_VALUE: usize = 64 << 20;
pub(crate) const NEVER: i64 = i64::MAX;

/// A change of the catalogue, applied after the rows are on the disk.
pub(crate) enum Effect {
    Version { id: String, meta: Box<Meta>, embeddings: Vec<(String, Embedding)> },
    Forget(String),
    Erase(String, Vec<u32>),
    Namespace(String, NamespaceState),
    Rights(RightsOf),
}

impl Effect {
    pub(crate) fn apply(self, shared: &mut Shared) -> Result<()> {
        match self {
            Self::Version { id, meta, embeddings } => {
                let units = shared.catalog.units(&embeddings)?;
                shared.catalog.add(&id, &meta, &units)?;
            }
            Self::Forget(id) => shared.catalog.forget(&id),
            Self::Erase(id, numbers) => shared.catalog.erase(&id, &numbers),
            Self::Namespace(name, state) => {
                shared.namespaces.insert(name, state);
            }
            Self::Rights(rights) => shared.rights = rights,
        }
        Ok(())
    }
}

/// A change of the hot tier.
pub(crate) struct ValueChange {
    pub namespace: String,
    pub key: String,
    pub value: Option<(Vec<u8>, Option<i64>)>,
}

/// A version that is not in the catalogue yet.
#[derive(Clone, Copy)]
pub(crate) struct Planned {
    pub order: (i64, i64, u32),
    pub commit: u64,
}

/// What a row of L3 will hold.
pub(crate) enum Row {
    Bytes(Vec<u8>),
    /// Shared with the batch until it is sealed.
    Numbers(Embedding),
}

impl Row {
    pub(crate) fn bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Bytes(bytes) => Cow::Borrowed(bytes),
            Self::Numbers(numbers) => Cow::Owned(numbers.iter().flat_map(|x| x.to_le_bytes()).collect()),
        }
    }
}

impl From<Vec<u8>> for Row {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

/// Rows and effects of a batch, or of all batches of a group so far.
#[derive(Default)]
pub(crate) struct Staged {
    pub rows: BTreeMap<Vec<u8>, Option<Row>>,
    pub values: Vec<ValueChange>,
    pub effects: Vec<Effect>,
    pub counts: Counts,
    /// Embeddings that come with it, by space.
    pub embeddings: BTreeMap<String, usize>,
    pub versions: HashMap<String, Vec<Planned>>,
    pub forgotten: HashSet<String>,
    /// Records whose versions in the catalogue no longer count.
    pub purged: HashSet<String>,
    pub namespaces: HashMap<String, NamespaceState>,
    pub rights: Option<RightsOf>,
    /// Locks that nobody else gets before all of it is done.
    pub writing: Vec<Writing>,
    /// Durable messages, in the order of their sequences.
    pub messages: Vec<Message>,
    pub topics: Vec<RuleChange>,
}

impl Staged {
    /// Whether the group does something to a record.
    pub(crate) fn concerns(&self, id: &str) -> bool {
        self.versions.contains_key(id) || self.forgotten.contains(id) || self.purged.contains(id)
    }

    pub(crate) fn merge(&mut self, batch: Self) {
        if self.rows.is_empty() && self.versions.is_empty() {
            // The first of a group, where a large one is mostly alone, is taken as it is.
            self.rows = batch.rows;
            self.versions = batch.versions;
        } else {
            self.rows.extend(batch.rows);
            for (id, versions) in batch.versions {
                self.versions.entry(id).or_default().extend(versions);
            }
        }
        self.values.extend(batch.values);
        self.effects.extend(batch.effects);
        self.counts += batch.counts;
        for (space, count) in batch.embeddings {
            *self.embeddings.entry(space).or_default() += count;
        }
        self.forgotten.extend(batch.forgotten);
        self.purged.extend(batch.purged);
        self.namespaces.extend(batch.namespaces);
        self.writing.extend(batch.writing);
        self.rights = batch.rights.or(self.rights.take());
        self.messages.extend(batch.messages);
        self.topics.extend(batch.topics);
    }
}

/// Plans one batch on top of a group.
pub(crate) struct Planner<'a> {
    pub inner: &'a Inner,
    group: &'a Staged,
    pub own: Staged,
    pub number: u64,
    pub now: i64,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(inner: &'a Inner, group: &'a Staged, number: u64, now: i64) -> Self {
        Self { inner, group, own: Staged::default(), number, now }
    }

    pub(crate) fn plan(mut self, operations: &[Operation]) -> Result<(Staged, Vec<Answer>)> {
        if operations.is_empty() {
            return value_error("a batch has no operations; commit at least one");
        }
        self.begin_writes(operations)?;
        let mut answers = Vec::with_capacity(operations.len());
        for (index, operation) in operations.iter().enumerate() {
            answers.push(self.operation(u32::try_from(index).unwrap_or(u32::MAX), operation)?);
        }
        Ok((self.own, answers))
    }

    fn operation(&mut self, index: u32, operation: &Operation) -> Result<Answer> {
        match operation {
            Operation::Put { namespace, key, value, ttl } => {
                check(namespace, key)?;
                self.ensure_fence(namespace)?;
                let expires_at = self.expiry(namespace, *ttl)?;
                self.put(index, namespace, key, value, expires_at)
            }
            Operation::Delete { namespace, key } => self.delete(index, namespace, key),
            Operation::Increment { namespace, key, by, ttl } => self.increment(index, namespace, key, *by, *ttl),
            Operation::Expect { namespace, key, value } => self.expect(namespace, key, value.as_deref()),
            Operation::ExpectNew { id } => self.expect_new(id),
            Operation::ExpectUnchanged { ids, commit } => self.expect_unchanged(ids, *commit),
            Operation::Write(record) => self.write(record),
            Operation::WriteMany(table) => self.write_many(table),
            Operation::Settle { id, outcome, revise } => self.settle(id, outcome, *revise),
            Operation::Forget { ids } => self.forget(ids),
            Operation::Fence { .. } => Ok(Answer::None),
            Operation::AllowNumbers { last } => self.allow_numbers(*last),
            Operation::SetRights { agent, rights } => self.set_rights(agent, rights),
            Operation::Configure { namespace, options } => self.configure(index, namespace, options.clone()),
            Operation::Publish(publication) => self.publish(index, publication),
            Operation::ConfigureTopic { pattern, options } => self.configure_topic(pattern, *options),
            Operation::MoveCursor { name, sequence } => self.move_cursor(name, *sequence),
        }
    }

    fn put(&mut self, index: u32, namespace: &str, key: &str, value: &[u8], expires_at: i64) -> Result<Answer> {
        if value.len() > MAX_VALUE {
            return value_error(format!("value has {} bytes; keep it under 64 MiB", value.len()));
        }
        let row_key = keys::value(namespace, key);
        self.own.counts.values += i64::from(self.get(&row_key)?.is_none());
        let row = [expires_at.to_be_bytes().as_slice(), value].concat();
        self.keep_history(index, namespace, key, Some(&row));
        if expires_at != NEVER {
            self.own.rows.insert(keys::expiry(expires_at, namespace, key), Some(Vec::new().into()));
        }
        self.own.rows.insert(row_key, Some(row.into()));
        self.own.values.push(ValueChange {
            namespace: namespace.to_owned(),
            key: key.to_owned(),
            value: Some((value.to_vec(), (expires_at != NEVER).then_some(expires_at))),
        });
        Ok(Answer::None)
    }

    fn delete(&mut self, index: u32, namespace: &str, key: &str) -> Result<Answer> {
        check(namespace, key)?;
        self.ensure_fence(namespace)?;
        let live = self.live(namespace, key)?.is_some();
        let row_key = keys::value(namespace, key);
        if self.get(&row_key)?.is_some() {
            self.own.counts.values -= 1;
            self.own.rows.insert(row_key, None);
            self.keep_history(index, namespace, key, None);
            let (namespace, key) = (namespace.to_owned(), key.to_owned());
            self.own.values.push(ValueChange { namespace, key, value: None });
        }
        Ok(Answer::Existed(live))
    }

    fn keep_history(&mut self, index: u32, namespace: &str, key: &str, row: Option<&[u8]>) {
        if self.namespace(namespace).is_some_and(|state| state.options.history) {
            let row_key = keys::history(namespace, key, self.now, self.number, index);
            self.own.rows.insert(row_key, Some(row.map(<[u8]>::to_vec).unwrap_or_default().into()));
        }
    }

    fn increment(&mut self, index: u32, namespace: &str, key: &str, by: i64, ttl: Option<i64>) -> Result<Answer> {
        check(namespace, key)?;
        self.ensure_fence(namespace)?;
        let (current, expires_at) = match self.live(namespace, key)? {
            None => (0, self.expiry(namespace, ttl)?),
            Some((expires_at, value)) => (parse_counter(namespace, key, &value)?, expires_at),
        };
        let next = current.checked_add(by).ok_or_else(|| {
            Error::Value(format!("counter {namespace}/{key} is {current}; adding {by} leaves 64 bits"))
        })?;
        self.put(index, namespace, key, next.to_string().as_bytes(), expires_at)?;
        Ok(Answer::Number(next))
    }

    fn expect(&self, namespace: &str, key: &str, expected: Option<&[u8]>) -> Result<Answer> {
        check(namespace, key)?;
        let live = self.live(namespace, key)?;
        if live.as_ref().map(|(_, value)| value.as_slice()) == expected {
            return Ok(Answer::None);
        }
        let found = live.map_or_else(|| "nothing".to_owned(), |(_, value)| format!("{} other bytes", value.len()));
        Err(Error::Conflict(format!(
            "{namespace}/{key} was expected to hold {}, and holds {found}; read it again and retry",
            expected.map_or_else(|| "nothing".to_owned(), |value| format!("{} given bytes", value.len()))
        )))
    }

    fn configure(&mut self, index: u32, namespace: &str, options: NamespaceOptions) -> Result<Answer> {
        Namespace::validate(namespace)?;
        for (field, duration) in [("ttl", options.ttl), ("retention", options.retention)] {
            if duration.is_some_and(|duration| duration <= 0) {
                return value_error(format!("{field} of {namespace:?} is not positive; leave it out for none"));
            }
        }
        if let Some(resource) = &options.fenced {
            check_name("fenced", resource)?;
        }
        let before = self.namespace(namespace).unwrap_or_default();
        let horizon = before.horizon_at(self.now);
        let kept = options.history;
        let mut state = NamespaceState { options, horizon, ..before };
        if kept != before.options.history {
            state.history_since = kept.then_some(self.now);
            self.begin_history(index, namespace, kept)?;
        }
        self.set_namespace(namespace.to_owned(), state)?;
        Ok(Answer::None)
    }

    /// A history begins with what the namespace holds; what an earlier one held is let go of, as it
    /// knows nothing of the time between.
    fn begin_history(&mut self, index: u32, namespace: &str, kept: bool) -> Result<()> {
        for (row, _) in self.rows(&keys::in_namespace(keys::HISTORY, namespace))? {
            self.own.rows.insert(row, None);
        }
        if !kept {
            return Ok(());
        }
        let base = keys::in_namespace(keys::VALUE, namespace);
        for (row_key, row) in self.rows(&base)? {
            let key = std::str::from_utf8(&row_key[base.len()..]);
            let key = key.map_err(|_| Error::Corruption(format!("{namespace} has a key that is no text")))?;
            let begun = keys::history(namespace, key, self.now, self.number, index);
            self.own.rows.insert(begun, Some(row.into()));
        }
        Ok(())
    }

    pub(super) fn set_namespace(&mut self, name: String, state: NamespaceState) -> Result<()> {
        self.own.rows.insert(keys::named(keys::NAMESPACE, &name), Some(record::encode(&state)?.into()));
        self.own.namespaces.insert(name.clone(), state.clone());
        self.own.effects.push(Effect::Namespace(name, state));
        Ok(())
    }

    /// When a value or record written at `now` ends; [`NEVER`] where nothing says so.
    fn expiry(&self, namespace: &str, ttl: Option<i64>) -> Result<i64> {
        if let Some(ttl) = ttl.filter(|ttl| *ttl <= 0) {
            return value_error(format!("ttl is {ttl} us; use a positive duration, or none"));
        }
        let ttl = ttl.or_else(|| self.namespace(namespace)?.options.ttl);
        Ok(ttl.map_or(NEVER, |ttl| self.now.saturating_add(ttl)))
    }

    pub(super) fn rights(&self) -> RightsOf {
        let staged = self.own.rights.as_ref().or(self.group.rights.as_ref());
        staged.cloned().unwrap_or_else(|| self.inner.shared.read().rights.clone())
    }

    pub(crate) fn namespace(&self, name: &str) -> Option<NamespaceState> {
        let shared = self.inner.shared.read();
        self.namespace_in(&shared, name)
    }

    /// The same for who holds the lock.
    pub(crate) fn namespace_in(&self, shared: &Shared, name: &str) -> Option<NamespaceState> {
        let staged = self.own.namespaces.get(name).or_else(|| self.group.namespaces.get(name));
        staged.or_else(|| shared.namespace(name)).cloned()
    }

    /// The value that a reader would get, with its expiry.
    fn live(&self, namespace: &str, key: &str) -> Result<Option<(i64, Vec<u8>)>> {
        let row = self.get(&keys::value(namespace, key))?;
        let live = row.as_deref().and_then(split_value).filter(|(expires_at, _)| *expires_at > self.now);
        Ok(live.map(|(expires_at, value)| (expires_at, value.to_vec())))
    }

    /// A row as this batch would find it.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        if let Some(staged) = self.own.rows.get(key).or_else(|| self.group.rows.get(key)) {
            return Ok(staged.as_ref().map(|row| row.bytes().into_owned()));
        }
        self.inner.row(key)
    }

    /// All rows with a prefix as this batch would find them.
    fn rows(&self, prefix: &[u8]) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
        let mut rows = BTreeMap::new();
        let end = keys::after_prefix(prefix);
        self.inner.cold(|cold| {
            cold.scan(prefix, &end, &mut |row, sealed| {
                rows.insert(row.to_vec(), Some(frame::open(row, sealed)?.into_owned()));
                Ok(true)
            })
        })?;
        for staged in [&self.group.rows, &self.own.rows] {
            let changed = staged.range(prefix.to_vec()..end.clone());
            rows.extend(changed.map(|(key, row)| (key.clone(), row.as_ref().map(|row| row.bytes().into_owned()))));
        }
        Ok(rows.into_iter().filter_map(|(row, value)| Some((row, value?))).collect())
    }

    /// Changes of rules that this group plans, in their order.
    pub(crate) fn staged_topics(&self) -> impl Iterator<Item = &RuleChange> + Clone {
        self.group.topics.iter().chain(&self.own.topics)
    }

    pub(crate) fn is_staged_forgotten(&self, id: &str) -> bool {
        self.own.forgotten.contains(id) || self.group.forgotten.contains(id)
    }

    pub(crate) fn is_purged(&self, id: &str) -> bool {
        self.own.purged.contains(id) || self.group.purged.contains(id)
    }

    /// Versions of a record that this group plans.
    pub(crate) fn planned(&self, id: &str) -> impl Iterator<Item = Planned> + use<'_, 'a> {
        let lists = [self.group.versions.get(id), self.own.versions.get(id)];
        lists.into_iter().flatten().flatten().copied()
    }
}

/// A value row: its expiry, its bytes.
pub(crate) fn split_value(row: &[u8]) -> Option<(i64, &[u8])> {
    let (expires_at, value) = row.split_first_chunk::<8>()?;
    Some((i64::from_be_bytes(*expires_at), value))
}

fn check(namespace: &str, key: &str) -> Result<()> {
    Namespace::validate(namespace)?;
    namespace::validate_key(key)
}

fn parse_counter(namespace: &str, key: &str, value: &[u8]) -> Result<i64> {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or_else(|| {
        Error::Value(format!("{namespace}/{key} holds no decimal counter; increment only keys that increment made"))
    })
}
