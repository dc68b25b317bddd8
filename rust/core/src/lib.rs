//! nt-memory: a memory for trading agents that can be asked as of any time.
//!
//! A [`Store`] keeps values and records in three tiers: a hot cache, exact
//! vector search over compact codes, and a durable engine that is the only
//! truth.  Every record has versions with their own known-at, and a search as
//! of a time sees exactly what could be known then.
//!
//! ```
//! use nt_memory::{Operation, Store, StoreConfig};
//!
//! let store = Store::open(StoreConfig::default())?;
//! store.commit(vec![Operation::Put {
//!     namespace: "risk".into(),
//!     key: "var".into(),
//!     value: b"0.02".to_vec(),
//!     ttl: None,
//! }])?;
//! assert_eq!(store.get("risk", "var")?.unwrap().bytes(), b"0.02");
//! # Ok::<(), nt_memory::Error>(())
//! ```

mod catalog;
mod clock;
mod column;
pub mod coordination;
mod disk;
mod embedding;
mod error;
mod filter;
mod fork;
mod frame;
mod ids;
mod keys;
mod namespace;
mod progress;
mod record;
mod stats;
pub mod store;
mod sync;
mod table;
pub mod tier;
mod workers;

pub use clock::Clock;
pub use coordination::access::{Handle, Rights, SHARED};
pub use coordination::locks::{DistributedLock, LockLease, LockRequest, LockWait, Locking, Waker};
pub use coordination::pubsub::{
    CAPACITY, Counts, Message, PubSubBroker, Publication, Subscribe, Subscription, TopicOptions, Wake,
};
pub use embedding::Embedding;
pub use error::{Error, Result};
pub use filter::{Filter, Op, Operand};
pub use namespace::{MAX_KEY, Namespace};
pub use progress::Progress;
pub use record::{Attribute, Outcome, Record};
pub use stats::Stats;
pub use store::{
    Answer, Commit, Match, NamespaceOptions, Operation, Pending, Published, Query, RecordedBy, SearchResult, Store,
    StoreConfig, Value, Weights,
};
pub use table::{Lists, Matrix, NO_TIME, Table, Texts, Values};
pub use tier::cold::{ColdEngine, ColdStore};
pub use tier::hot::{CacheConfig, CacheEntry, HotCache};
pub use tier::vector::kernel::distance_kernel;
pub use tier::vector::{GraphConfig, Quantization, SearchCode, VectorConfig, VectorEngine, VectorSpace, VectorStore};
