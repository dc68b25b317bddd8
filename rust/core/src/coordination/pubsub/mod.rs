//! Publish and subscribe.
//!
//! Each subscription owns one channel with one reader, a ring that drops the oldest.  The publisher
//! matches topic and recipients and sends to each, so what a slow reader missed is exact, and says
//! nothing of other people's messages.

mod backlog;
mod broker;
mod counts;
mod entry;
mod message;
mod options;
mod rules;
mod signal;
mod subscription;
#[cfg(test)]
mod tests;
mod topic;

pub use broker::PubSubBroker;
pub use counts::Counts;
pub use message::{MAX_PAYLOAD, Message, Publication};
pub use options::{CAPACITY, MAX_CAPACITY, Subscribe};
pub use rules::TopicOptions;
pub use signal::Wake;
pub use subscription::Subscription;

pub(crate) use message::{CURSORS, MESSAGES, TOPICS, encode_cursor, row_name};
pub(crate) use rules::{RuleChange, Rules};
pub(crate) use topic::Pattern;

/// The first sequence of a commit.
pub(crate) fn of_commit(commit: u64) -> u64 {
    commit << 32
}

/// The last sequence that a commit may give to its own messages; those between it and the next
/// commit are higher.
pub(crate) fn end_of_commit(commit: u64) -> u64 {
    of_commit(commit) | (u64::from(u32::MAX) >> 1)
}
