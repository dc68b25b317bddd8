//! How a reader that waits is woken: a thread by a condition, an event loop by a byte.

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::sync::{Condvar, Mutex};

/// A pair of sockets: what is written here makes an event loop look there.
#[derive(Debug)]
pub struct Wake {
    // One owner of both ends: neither is ever written to without the other.
    reader: UnixStream,
    writer: UnixStream,
}

impl Wake {
    /// A pair that waits for nothing.
    ///
    /// # Errors
    /// Where the system has no more files.
    pub fn new() -> Result<Self> {
        let fail = |error: std::io::Error| Error::Storage(format!("no pair of sockets to wake a loop with: {error}"));
        let (reader, writer) = UnixStream::pair().map_err(fail)?;
        reader.set_nonblocking(true).map_err(fail)?;
        writer.set_nonblocking(true).map_err(fail)?;
        Ok(Self { reader, writer })
    }

    /// What a loop waits on until it can be read.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.reader.as_raw_fd()
    }

    /// Read what was written.
    pub fn drain(&self) {
        let mut bytes = [0; 256];
        while matches!((&self.reader).read(&mut bytes), Ok(read) if read == bytes.len()) {}
    }

    fn ring(&self) {
        // A full pair wakes its reader anyway.
        let _ = (&self.writer).write(&[0]);
    }
}

/// What a publisher rings after it sent.
#[derive(Default)]
pub(super) struct Signal {
    /// Counts what happened; who saw the same count twice has missed nothing between.
    events: AtomicU64,
    waiting: AtomicUsize,
    lock: Mutex<()>,
    rung: Condvar,
    armed: AtomicBool,
    wake: Mutex<Option<Arc<Wake>>>,
}

impl Signal {
    pub(super) fn events(&self) -> u64 {
        self.events.load(Ordering::SeqCst)
    }

    pub(super) fn ring(&self) {
        self.events.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            // Who is between its look at the count and its sleep holds the lock.
            drop(self.lock.lock());
            self.rung.notify_all();
        }
        if self.armed.load(Ordering::SeqCst)
            && self.armed.swap(false, Ordering::SeqCst)
            && let Some(wake) = self.wake.lock().as_ref()
        {
            wake.ring();
        }
    }

    /// Wait until something happened after `seen`, or the time is over.
    pub(super) fn wait(&self, seen: u64, timeout: Duration) {
        let guard = self.lock.lock();
        self.waiting.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let _ = self.rung.wait_while(guard, timeout, |()| self.events() == seen);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    /// Have the next event write to an event loop.
    pub(super) fn arm(&self, wake: &Arc<Wake>) {
        *self.wake.lock() = Some(Arc::clone(wake));
        self.armed.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }
}
