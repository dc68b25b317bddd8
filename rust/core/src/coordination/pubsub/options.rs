//! How to listen.

use super::message::validate_agent;
use crate::error::{Result, value_error};

/// Messages that may wait for a reader who does not say.
pub const CAPACITY: usize = 1024;
/// Most messages that may wait for a reader.
pub const MAX_CAPACITY: usize = 1 << 20;

/// How to listen.
#[derive(Debug, Clone)]
pub struct Subscribe {
    /// Topics; `*` is one level, `**` any number.
    pub pattern: String,
    /// Messages that may wait, rounded up to a power of two.
    pub capacity: usize,
    /// Begin with the durable messages from this sequence on.
    pub from_seq: Option<u64>,
    /// The name of a subscriber that goes on where it was, and gets durable messages only.
    pub durable: Option<String>,
    /// The agent that listens; messages with recipients go to these alone.
    pub agent: Option<String>,
    /// Topics, each with all below it, beyond which nothing is heard; `None` for no bound.
    pub within: Option<Vec<String>>,
}

impl Subscribe {
    /// Listen live, with room for [`CAPACITY`] messages.
    #[must_use]
    pub fn to(pattern: &str) -> Self {
        Self {
            pattern: pattern.to_owned(),
            capacity: CAPACITY,
            from_seq: None,
            durable: None,
            agent: None,
            within: None,
        }
    }

    pub(super) fn check(&self, has_store: bool) -> Result<()> {
        if !(1..=MAX_CAPACITY).contains(&self.capacity) {
            return value_error(format!("capacity is {}; use 1 to {MAX_CAPACITY}", self.capacity));
        }
        if self.from_seq.is_some() && self.durable.is_some() {
            return value_error("from_seq and durable are both given; a durable subscriber goes on at its own cursor");
        }
        if !has_store && (self.from_seq.is_some() || self.durable.is_some()) {
            return value_error("a broker without a store keeps no messages; leave from_seq and durable out");
        }
        self.durable.as_deref().map_or(Ok(()), |name| validate_agent("durable", name))?;
        self.agent.as_deref().map_or(Ok(()), |agent| validate_agent("agent_id", agent))
    }
}
