//! What callers ask of a store and what they get back.

use serde::{Deserialize, Serialize};

use crate::coordination::access::Rights;
use crate::coordination::pubsub::{Publication, TopicOptions};
use crate::filter::Filter;
use crate::record::{Outcome, Record};
use crate::table::Table;

/// Options of one namespace; durations in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceOptions {
    /// Keep earlier values of keys.
    pub history: bool,
    /// How long values and records are shown where they do not say.
    pub ttl: Option<i64>,
    /// How far back in time the namespace can be asked.
    pub retention: Option<i64>,
    /// Lock without which nothing is written.
    #[serde(default)]
    pub fenced: Option<String>,
}

/// One operation of a batch.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields carry the names of the specification")]
pub enum Operation {
    /// Set a key.
    Put { namespace: String, key: String, value: Vec<u8>, ttl: Option<i64> },
    /// Remove a key.
    Delete { namespace: String, key: String },
    /// Add to a decimal counter.
    Increment { namespace: String, key: String, by: i64, ttl: Option<i64> },
    /// Precondition on a key's live value.
    Expect { namespace: String, key: String, value: Option<Vec<u8>> },
    /// Precondition: no record has this id.
    ExpectNew { id: String },
    /// Precondition: nothing was written to these records after a commit, and they are there.
    ExpectUnchanged { ids: Vec<String>, commit: u64 },
    /// A new record or version.
    Write(Box<Record>),
    /// New records or versions, one a row.
    WriteMany(Box<Table>),
    /// A version with an outcome.
    Settle { id: String, outcome: Outcome, revise: bool },
    /// Erase content, leave tombstones.
    Forget { ids: Vec<String> },
    /// Precondition: a lock is held with this number; nobody else gets it before the batch is done.
    Fence { resource: String, number: u64 },
    /// Set what an agent may do beside its own; nothing for none.
    SetRights { agent: String, rights: Rights },
    /// Allow the numbers of locks up to this one.
    AllowNumbers { last: u64 },
    /// Set a namespace's options.
    Configure { namespace: String, options: NamespaceOptions },
    /// A durable message.
    Publish(Box<Publication>),
    /// Make topics durable; without options the rule of this pattern goes.
    ConfigureTopic { pattern: String, options: Option<TopicOptions> },
    /// Where a named subscriber goes on.
    MoveCursor { name: String, sequence: u64 },
}

/// Result of one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing to say.
    None,
    /// Whether a live value was deleted.
    Existed(bool),
    /// A counter's value, a version number, how many were forgotten.
    Number(i64),
    /// Id of a written record.
    Id(String),
    /// Ids of the rows of a table.
    Ids(Vec<String>),
    /// Sequence of a durable message.
    Sequence(u64),
}

/// An accepted batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// 1, 2, ...
    pub number: u64,
    /// Microseconds; never less than the commit before.
    pub recorded_at: i64,
    /// One answer an operation.
    pub results: Vec<Answer>,
}

/// What the system held, as a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordedBy {
    /// Everything.
    Now,
    /// What was recorded at or before a time.
    Time(i64),
    /// What was recorded by a commit.
    Commit(u64),
}

/// Weights of the parts of a score.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Weights {
    pub similarity: f64,
    pub recency: f64,
    pub importance: f64,
    pub outcome: f64,
}

/// A search; see the Python protocol for the meaning of each field.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields carry the names of the specification")]
pub struct Query {
    pub space: String,
    pub vector: Option<Vec<f32>>,
    pub namespace: Option<String>,
    pub filter: Option<Filter>,
    pub as_of: Option<i64>,
    pub recorded_by: RecordedBy,
    pub top_k: usize,
    pub half_life: Option<f64>,
    pub weights: Weights,
    pub order_by: Option<String>,
    /// The last match of the page before, by its value and id; with `order_by` only.
    pub after: Option<(Option<f64>, String)>,
    pub diversity: f64,
    pub min_trust: Option<f64>,
    /// Whether every match has to be looked at; `None` leaves it to the store.
    pub exact: Option<bool>,
    pub bodies: bool,
    /// Namespaces, each with all below it, beyond which nothing is seen; `None` for no bound.
    pub within: Option<Vec<String>>,
}

/// One ranked record.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields carry the names of the specification")]
pub struct Match {
    pub id: String,
    pub version: u32,
    pub score: f64,
    pub similarity: Option<f64>,
    pub recency: Option<f64>,
    pub importance: f64,
    pub outcome: Option<f64>,
    pub record: Option<Record>,
}

/// What a search found.
#[derive(Debug, Clone)]
pub struct SearchResult {
    /// Best first.
    pub matches: Vec<Match>,
    /// Visible records that passed the filter; where the index answered, those that it found.
    pub matched: usize,
    /// Forgotten records that would have.
    pub forgotten: usize,
    /// Whether every match was looked at.
    pub exact: bool,
    /// Last batch that the search saw.
    pub commit: u64,
    /// Time it was asked for.
    pub as_of: i64,
}
