//! Messages between agents: live through the broker, durable through the committer.

use std::sync::Arc;

use super::ops::{Answer, Operation};
use super::queue::{self, Pending};
use super::{Inner, Store};
use crate::coordination::pubsub::{Pattern, Publication, Rules, Subscribe, Subscription, TOPICS, TopicOptions};
use crate::error::{Error, Result};
use crate::store::plan::split_value;
use crate::tier::cold::ColdStore;
use crate::{frame, keys, record};

/// Where agents are registered.
const AGENTS: &str = "registry/agents";

/// What became of a message.
pub enum Published {
    /// It was sent with this sequence.
    Sent(u64),
    /// It is durable, and on its way to the disk; [`Store::sequence_of`] its answer.
    Waits(Pending),
}

impl Store {
    /// Give a message to all who listen; return its sequence.
    ///
    /// On a durable topic it is on the disk on return.
    ///
    /// # Errors
    /// [`Error::Value`] for a topic, payload or name that is not well formed, [`Error::NoAgent`] for a
    /// recipient that is not registered and does not listen; what the disk says.
    pub fn publish(&self, publication: Publication) -> Result<u64> {
        if self.is_durable(&publication.topic) {
            self.wait_for_room(queue::MAX_BACKPRESSURE)?;
        }
        match self.start_publish(publication)? {
            Published::Sent(sequence) => Ok(sequence),
            Published::Waits(pending) => Ok(Self::sequence_of(&pending.wait()?.results)),
        }
    }

    /// Whether messages on a topic are kept on the disk.
    #[must_use]
    pub fn is_durable(&self, topic: &str) -> bool {
        self.inner.broker.rules().is_durable(topic)
    }

    /// The same as [`Store::publish`], without waiting for the disk.
    ///
    /// # Errors
    /// As [`Store::publish`], less what the disk says.
    pub fn start_publish(&self, publication: Publication) -> Result<Published> {
        publication.check()?;
        self.inner.ensure_usable()?;
        self.ensure_recipients(&publication)?;
        if self.is_durable(&publication.topic) {
            return Ok(Published::Waits(self.submit(vec![Operation::Publish(Box::new(publication))], false)?));
        }
        let mut left = publication;
        loop {
            match self.inner.broker.send(left)? {
                Ok(sequence) => return Ok(Published::Sent(sequence)),
                Err(publication) => {
                    // A commit has room for two billion messages; the next one begins with an empty batch.
                    self.commit(vec![Operation::ExpectNew { id: self.new_id()? }])?;
                    left = publication;
                }
            }
        }
    }

    /// Whether each recipient is registered, or listens: a name that was mistaken would hear nothing.
    fn ensure_recipients(&self, publication: &Publication) -> Result<()> {
        for recipient in publication.recipients.iter().flatten() {
            if self.get(AGENTS, recipient)?.is_none() && !self.inner.broker.hears(recipient) {
                return Err(Error::NoAgent(format!(
                    "recipient {recipient:?} is not registered and does not listen; register it first, check its name, \
                     or send to all"
                )));
            }
        }
        Ok(())
    }

    /// The sequence in the answer to a durable message.
    #[must_use]
    pub fn sequence_of(results: &[Answer]) -> u64 {
        match results {
            [Answer::Sequence(sequence)] => *sequence,
            _ => 0,
        }
    }

    #[cfg(test)]
    pub(crate) fn broker(&self) -> &crate::coordination::pubsub::PubSubBroker {
        &self.inner.broker
    }

    /// Listen to topics.
    ///
    /// # Errors
    /// [`Error::Value`] for an option that is not well formed, [`Error::Coordination`] for a name that is
    /// taken; what the disk says.
    pub fn subscribe(&self, options: &Subscribe) -> Result<Subscription> {
        self.inner.ensure_usable()?;
        let opened = Subscription::open(Arc::clone(&self.inner.broker), Some(Arc::clone(&self.inner)), options)?;
        if options.within.is_some() {
            // What was granted or taken back since the caller looked.
            let shared = self.inner.shared.read();
            self.inner.broker.regrant(&shared.rights);
        }
        Ok(opened)
    }

    /// Keep the messages of topics on the disk from then on; without options the rule of this pattern goes.
    ///
    /// # Errors
    /// [`Error::Value`] for a pattern or retention that is not well formed; what the disk says.
    pub fn configure_topic(&self, pattern: &str, options: Option<TopicOptions>) -> Result<()> {
        self.commit(vec![Operation::ConfigureTopic { pattern: pattern.to_owned(), options }]).map(|_| ())
    }
}

impl Inner {
    /// Write the cursors of all named subscribers, and end all subscriptions.
    pub(super) fn close_broker(&self) {
        for cursor in self.broker.close() {
            let (name, sequence) = cursor;
            // What cannot be written any more is read again: each message comes at least once.
            let _ = self.queue.submit(vec![Operation::MoveCursor { name, sequence }], false);
        }
    }
}

/// The rules of a store.
pub(super) fn load_rules(cold: &dyn ColdStore) -> Result<Rules> {
    let mut rules = Rules::default();
    let base = keys::in_namespace(keys::VALUE, TOPICS);
    cold.scan(&base, &keys::after_prefix(&base), &mut |row, sealed| {
        let broken = || Error::Corruption("a rule of topics cannot be read; restore a backup".into());
        let value = frame::open(row, sealed)?;
        let pattern = std::str::from_utf8(&row[base.len()..]).map_err(|_| broken())?;
        let (_, options) = split_value(&value).ok_or_else(broken)?;
        rules.change((Pattern::parse(pattern)?, Some(record::decode(options, "rule of topics")?)));
        Ok(true)
    })?;
    Ok(rules)
}
