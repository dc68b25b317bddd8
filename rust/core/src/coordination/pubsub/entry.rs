//! What the broker knows of a subscription.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::broadcast;

use super::message::Message;
use super::signal::Signal;
use super::topic::Pattern;
use crate::coordination::access::covers;
use crate::sync::RwLock;

/// Where a named subscriber goes on.
pub(crate) struct Reader {
    pub name: String,
    /// First sequence that is not handled yet.
    pub handled: AtomicU64,
    /// The same as it lies in L3.
    pub written: AtomicU64,
}

impl Reader {
    /// What was queued did not reach the disk.
    pub(super) fn forget_written(&self) {
        self.written.store(0, Ordering::SeqCst);
    }

    /// The cursor, where L3 has an older one.
    pub(super) fn unwritten(&self) -> Option<(String, u64)> {
        let handled = self.handled.load(Ordering::SeqCst);
        (self.written.swap(handled, Ordering::SeqCst) < handled).then(|| (self.name.clone(), handled))
    }
}

pub(super) struct Entry {
    pub pattern: Pattern,
    pub agent: Option<String>,
    /// Topics that the agent may hear; they change with what it is granted.
    pub within: Option<RwLock<Vec<String>>>,
    /// Sequences before this one are not asked for.
    pub from: u64,
    /// Where messages go; a named subscriber reads them from L3.
    pub channel: Option<broadcast::Sender<Arc<Message>>>,
    pub reader: Option<Reader>,
    pub signal: Signal,
    /// Messages that were sent; changed under the broker's lock.
    pub matched: AtomicU64,
    /// The last durable message that is to be read from L3.
    pub latest: AtomicU64,
    pub closed: AtomicBool,
}

impl Entry {
    pub(super) fn takes(&self, message: &Message) -> bool {
        message.sequence >= self.from
            && self.pattern.matches(&message.topic)
            && message.is_for(self.agent.as_deref())
            && self.may_hear(message)
    }

    /// Whether the agent may hear it, by what it is granted now.
    pub(super) fn may_hear(&self, message: &Message) -> bool {
        self.within.as_ref().is_none_or(|within| covers(&within.read(), &message.topic))
    }

    /// Send what matches; the broker's lock is held.
    pub(super) fn offer(&self, message: &Arc<Message>, durable: bool) {
        let is_sent = match &self.channel {
            Some(channel) => self.takes(message) && channel.send(Arc::clone(message)).is_ok(),
            None => false,
        };
        if is_sent {
            self.matched.fetch_add(1, Ordering::Relaxed);
        } else if durable && self.reader.is_some() && self.takes(message) {
            self.latest.store(message.sequence, Ordering::SeqCst);
        } else {
            return;
        }
        self.signal.ring();
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.signal.ring();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}
