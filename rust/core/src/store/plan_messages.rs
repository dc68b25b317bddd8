//! Planning of durable messages, rules of topics, and cursors: rows that the hot tier does not hold.

use super::ops::Answer;
use super::plan::{NEVER, Planner};
use crate::coordination::pubsub::{
    CURSORS, MESSAGES, Pattern, Publication, TOPICS, TopicOptions, encode_cursor, of_commit, row_name,
};
use crate::error::{Error, Result};
use crate::{keys, record};

impl Planner<'_> {
    pub(super) fn publish(&mut self, index: u32, publication: &Publication) -> Result<Answer> {
        publication.check()?;
        if self.number >> 32 > 0 {
            return Err(Error::Storage(
                "the store has made 2^32 commits, which is all that messages can follow".into(),
            ));
        }
        let retention = self.retention(&publication.topic);
        let expires_at = retention.map_or(NEVER, |retention| self.now.saturating_add(retention));
        let sequence = of_commit(self.number) | u64::from(index);
        let message = publication.clone().with_sequence(sequence);
        self.put_own(MESSAGES, &row_name(sequence), &message.encode()?, expires_at)?;
        self.own.messages.push(message);
        Ok(Answer::Sequence(sequence))
    }

    pub(super) fn configure_topic(&mut self, pattern: &str, options: Option<TopicOptions>) -> Result<Answer> {
        let parsed = Pattern::parse(pattern)?;
        if let Some(options) = options {
            options.check(pattern)?;
            self.put_own(TOPICS, pattern, &record::encode(&options)?, NEVER)?;
        } else {
            let row_key = keys::value(TOPICS, pattern);
            if self.get(&row_key)?.is_some() {
                self.own.counts.values -= 1;
                self.own.rows.insert(row_key, None);
            }
        }
        self.own.topics.push((parsed, options));
        Ok(Answer::None)
    }

    pub(super) fn move_cursor(&mut self, name: &str, sequence: u64) -> Result<Answer> {
        self.put_own(CURSORS, name, &encode_cursor(sequence), NEVER)?;
        Ok(Answer::None)
    }

    /// How long a message is kept, by the rules as this batch finds them.
    fn retention(&self, topic: &str) -> Option<i64> {
        let rules = self.inner.broker.rules();
        let staged = self.staged_topics();
        if staged.clone().next().is_none() {
            return rules.retention(topic);
        }
        let mut rules = rules.clone();
        staged.cloned().for_each(|change| rules.change(change));
        rules.retention(topic)
    }

    /// Set a row of a namespace that is the store's own.
    fn put_own(&mut self, namespace: &str, key: &str, value: &[u8], expires_at: i64) -> Result<()> {
        let row_key = keys::value(namespace, key);
        self.own.counts.values += i64::from(self.get(&row_key)?.is_none());
        if expires_at != NEVER {
            self.own.rows.insert(keys::expiry(expires_at, namespace, key), Some(Vec::new().into()));
        }
        self.own.rows.insert(row_key, Some([expires_at.to_be_bytes().as_slice(), value].concat().into()));
        Ok(())
    }
}
