//! The one place where messages get their order.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use tokio::sync::broadcast;

use super::entry::{Entry, Reader};
use super::message::{Message, Publication};
use super::options::Subscribe;
use super::rules::{RuleChange, Rules};
use super::signal::Signal;
use super::subscription::Subscription;
use super::topic::Pattern;
use super::{end_of_commit, of_commit};
use crate::coordination::access::{Rights, topics};
use crate::error::{Error, Result};
use crate::fork;
use crate::sync::{Mutex, RwLock, RwLockReadGuard};

/// Publishes to subscriptions; in a store it also hands on what is durable.
pub struct PubSubBroker {
    live: Mutex<Live>,
    rules: RwLock<Rules>,
    generation: u32,
}

/// What publishing changes.
#[derive(Default)]
struct Live {
    entries: Vec<Arc<Entry>>,
    /// The last sequence that was given.
    last: u64,
    /// The last commit that was handed on.
    applied: u64,
    closed: bool,
}

impl Default for PubSubBroker {
    fn default() -> Self {
        Self::at(0, Rules::default())
    }
}

impl PubSubBroker {
    /// A broker by itself: nothing is durable.
    #[must_use]
    pub fn new() -> Self {
        fork::watch();
        Self::default()
    }

    /// The broker of a store whose last commit is known.
    pub(crate) fn at(commit: u64, rules: Rules) -> Self {
        let live = Live { last: end_of_commit(commit), applied: commit, ..Live::default() };
        Self { live: Mutex::new(live), rules: RwLock::new(rules), generation: fork::generation() }
    }

    /// Give a message to every subscription that it matches; return its sequence.
    ///
    /// # Errors
    /// [`Error::Value`] for a topic, payload or name that is not well formed.
    pub fn publish(&self, publication: Publication) -> Result<u64> {
        publication.check()?;
        let mut left = publication;
        loop {
            match self.send(left)? {
                Ok(sequence) => return Ok(sequence),
                Err(publication) => {
                    self.go_on();
                    left = publication;
                }
            }
        }
    }

    /// Begin with new sequences, as a commit would.
    fn go_on(&self) {
        let mut live = self.live.lock();
        live.applied += 1;
        live.last = end_of_commit(live.applied);
    }

    /// Listen to topics.
    ///
    /// # Errors
    /// [`Error::Value`] for a pattern, capacity or name that is not well formed, and for what only a
    /// store can do.
    pub fn subscribe(self: &Arc<Self>, options: &Subscribe) -> Result<Subscription> {
        Subscription::open(Arc::clone(self), None, options)
    }

    /// Send a checked message; it is given back where this commit has no sequences left.
    pub(crate) fn send(&self, publication: Publication) -> Result<std::result::Result<u64, Publication>> {
        self.ensure_usable()?;
        let mut live = self.live.lock();
        if live.closed {
            return Err(Error::Closed);
        }
        let sequence = live.last + 1;
        if sequence == of_commit(live.applied + 1) {
            return Ok(Err(publication));
        }
        live.last = sequence;
        let message = Arc::new(publication.with_sequence(sequence));
        for entry in &live.entries {
            entry.offer(&message, false);
        }
        Ok(Ok(sequence))
    }

    /// Hand on what commits up to this one hold; the committer calls it after they are on the disk.
    pub(crate) fn apply(&self, commit: u64, rules: Vec<RuleChange>, messages: Vec<Message>) {
        if !rules.is_empty() {
            let mut kept = self.rules.write();
            for change in rules {
                kept.change(change);
            }
        }
        let mut live = self.live.lock();
        for message in messages.into_iter().map(Arc::new) {
            live.last = message.sequence;
            for entry in &live.entries {
                entry.offer(&message, true);
            }
        }
        live.applied = commit;
        live.last = live.last.max(end_of_commit(commit));
    }

    /// Leave this commit no sequences.
    #[cfg(test)]
    pub(super) fn use_up(&self) {
        let mut live = self.live.lock();
        live.last = of_commit(live.applied + 1) - 1;
    }

    pub(crate) fn rules(&self) -> RwLockReadGuard<'_, Rules> {
        self.rules.read()
    }

    /// Take up a subscription; return it with the last sequence before it.
    pub(super) fn register(
        &self,
        pattern: Pattern,
        options: &Subscribe,
        channel: Option<broadcast::Sender<Arc<Message>>>,
    ) -> Result<(Arc<Entry>, u64)> {
        self.ensure_usable()?;
        let mut live = self.live.lock();
        if live.closed {
            return Err(Error::Closed);
        }
        let name = options.durable.as_deref();
        let is_taken = |entry: &Arc<Entry>| entry.reader.as_ref().is_some_and(|reader| Some(&*reader.name) == name);
        if name.is_some() && live.entries.iter().any(is_taken) {
            let name = name.unwrap_or_default();
            return Err(Error::Coordination(format!(
                "durable={name:?} has a subscription already; close it first, or take another name"
            )));
        }
        let reader =
            name.map(|name| Reader { name: name.to_owned(), handled: AtomicU64::new(0), written: AtomicU64::new(0) });
        let entry = Arc::new(Entry {
            pattern,
            agent: options.agent.clone(),
            within: options.within.clone().map(RwLock::new),
            from: options.from_seq.unwrap_or(0),
            channel,
            reader,
            signal: Signal::default(),
            matched: AtomicU64::new(0),
            // What was handed on before this moment is in L3; what comes after it comes live.
            latest: AtomicU64::new(end_of_commit(live.applied)),
            closed: AtomicBool::new(false),
        });
        live.entries.push(Arc::clone(&entry));
        Ok((entry, live.last))
    }

    /// Have subscriptions of agents hear what these may read now.
    pub(crate) fn regrant(&self, rights: &HashMap<String, Rights>) {
        let none = Rights::default();
        for entry in &self.live.lock().entries {
            if let (Some(agent), Some(within)) = (&entry.agent, &entry.within) {
                *within.write() = topics(agent, rights.get(agent).unwrap_or(&none));
            }
        }
    }

    /// Whether somebody listens as this agent.
    pub(crate) fn hears(&self, agent: &str) -> bool {
        self.live.lock().entries.iter().any(|entry| entry.agent.as_deref() == Some(agent))
    }

    pub(super) fn unregister(&self, entry: &Arc<Entry>) {
        self.live.lock().entries.retain(|other| !Arc::ptr_eq(other, entry));
    }

    /// Look at a subscription while nothing is sent.
    pub(super) fn between_sends<T>(&self, look: impl FnOnce() -> T) -> T {
        let _live = self.live.lock();
        look()
    }

    /// End all subscriptions; return the cursors that are still to be written.
    pub(crate) fn close(&self) -> Vec<(String, u64)> {
        let entries = {
            let mut live = self.live.lock();
            live.closed = true;
            std::mem::take(&mut live.entries)
        };
        for entry in &entries {
            entry.close();
        }
        entries.iter().filter_map(|entry| entry.reader.as_ref()?.unwritten()).collect()
    }

    pub(super) fn ensure_usable(&self) -> Result<()> {
        if self.generation == fork::generation() { Ok(()) } else { Err(fork::OF_THE_PARENT) }
    }

    pub(super) fn is_of_the_parent(&self) -> bool {
        self.generation != fork::generation()
    }
}
