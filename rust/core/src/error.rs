//! One error type for the whole core; bindings map each variant to a named exception.

use thiserror::Error;

/// Everything that can go wrong in the core.
#[derive(Debug, Clone, Error)]
pub enum Error {
    /// A namespace or key is not well formed.
    #[error("{0}")]
    Namespace(String),
    /// An argument is out of its range.
    #[error("{0}")]
    Value(String),
    /// A vector space is missing or does not fit.
    #[error("{0}")]
    Vector(String),
    /// An embedding has another length than its space.
    #[error("{0}")]
    Dimension(String),
    /// An embedding holds NaN or infinity, or is all zero.
    #[error("{0}")]
    Embedding(String),
    /// The durable tier failed.
    #[error("{0}")]
    Storage(String),
    /// Another process owns the directory.
    #[error("{message}")]
    Locked {
        /// What happened and the way out.
        message: String,
        /// The owner, where its lock file says so.
        pid: Option<u32>,
    },
    /// Too little free space for a write.
    #[error("{0}")]
    Full(String),
    /// Stored bytes do not match their checksum or count.
    #[error("{0}")]
    Corruption(String),
    /// The time asked for lies before what retention has kept.
    #[error("{message}")]
    Horizon {
        /// What happened and the way out.
        message: String,
        /// First time that can still be asked for (microseconds).
        horizon: i64,
    },
    /// A precondition does not hold.
    #[error("{0}")]
    Conflict(String),
    /// A lock was not to be had in time.
    #[error("{0}")]
    LockTimeout(String),
    /// Owners would wait for each other.
    #[error("{0}")]
    Deadlock(String),
    /// A lock is not held with this number any more, or a write lacks one.
    #[error("{0}")]
    Stale(String),
    /// There is no such agent.
    #[error("{0}")]
    NoAgent(String),
    /// An agent may not do this.
    #[error("{0}")]
    Denied(String),
    /// No record has this id.
    #[error("{0}")]
    NotFound(String),
    /// The record's content was forgotten.
    #[error("{0}")]
    Forgotten(String),
    /// The record has an outcome already.
    #[error("{0}")]
    Settled(String),
    /// Bytes cannot be decoded.
    #[error("{0}")]
    Serialization(String),
    /// Agents could not be coordinated.
    #[error("{0}")]
    Coordination(String),
    /// A reader was too slow: its oldest messages were dropped; the next ones follow.
    #[error(
        "{missed} messages were missed, with sequences from {first_seq} to {last_seq}; the next ones follow: \
         read faster, or give more capacity"
    )]
    Lagged {
        /// How many.
        missed: u64,
        /// None of them has a lower sequence.
        first_seq: u64,
        /// None of them has a higher sequence.
        last_seq: u64,
    },
    /// The store was closed.
    #[error("the store is closed; open it again to go on")]
    Closed,
    /// A store was used in a forked child, or cannot be opened there.
    #[error("{0}")]
    Fork(&'static str),
    /// A defect in the core.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// The same of one row of a table.
    pub(crate) fn in_row(self, row: usize) -> Self {
        let told = |text| format!("row {row}: {text}");
        match self {
            Self::Namespace(text) => Self::Namespace(told(text)),
            Self::Value(text) => Self::Value(told(text)),
            Self::Vector(text) => Self::Vector(told(text)),
            Self::Dimension(text) => Self::Dimension(told(text)),
            Self::Embedding(text) => Self::Embedding(told(text)),
            Self::Forgotten(text) => Self::Forgotten(told(text)),
            other => other,
        }
    }

    /// What the system says of a file or folder.
    pub(crate) fn io(path: &std::path::Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        let text = format!("{}: {error}", path.display());
        if matches!(error.kind(), StorageFull | QuotaExceeded) { Self::Full(text) } else { Self::Storage(text) }
    }
}

/// Result of the core.
pub type Result<T> = std::result::Result<T, Error>;

/// Shorthand for an argument error.
pub(crate) fn value_error<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::Value(message.into()))
}
