//! Publish and subscribe.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nt_memory::{Message, Publication, Published, Store, Subscribe, Subscription, Wake};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::errors::{Plain, guarded, guarded_short};
use crate::waiting::{SLICE, room, wait};

/// Publish, and wait for the disk where the topic is durable.
pub(crate) fn publish(py: Python<'_>, store: &Store, publication: Publication) -> PyResult<u64> {
    if guarded_short(py, || Ok(store.is_durable(&publication.topic)))? {
        room(py, store)?;
    }
    match guarded(py, || store.start_publish(publication))? {
        Published::Sent(sequence) => Ok(sequence),
        Published::Waits(pending) => Ok(Store::sequence_of(&wait(py, &pending)?.results)),
    }
}

/// A message as `nt_memory.coordination.Message` takes it.
fn parts<'py>(py: Python<'py>, message: &Message) -> PyResult<Bound<'py, PyTuple>> {
    let recipients = message.recipients.as_ref().map(|list| PyTuple::new(py, list)).transpose()?;
    let payload = PyBytes::new(py, &message.payload);
    (message.topic.as_str(), message.sequence, payload, message.sender.as_deref(), recipients).into_pyobject(py)
}

/// Messages of some topics, for one reader.
#[pyclass(frozen, name = "Subscription", module = "nt_memory._native")]
pub(crate) struct PySubscription {
    inner: Subscription,
    /// A store is not closed for want of references while somebody listens.
    _store: Arc<Store>,
}

impl PySubscription {
    pub(crate) fn open(py: Python<'_>, store: &Arc<Store>, options: &Subscribe) -> PyResult<Self> {
        let inner = guarded(py, || store.subscribe(options))?;
        Ok(Self { inner, _store: Arc::clone(store) })
    }

    fn told(py: Python<'_>, message: Option<Arc<Message>>) -> PyResult<Option<Bound<'_, PyTuple>>> {
        message.map(|message| parts(py, &message)).transpose()
    }
}

#[pymethods]
impl PySubscription {
    /// Wait for the next message; None where the microseconds are over, for ever without them.
    #[pyo3(signature = (timeout_us = None, /))]
    fn recv<'py>(&self, py: Python<'py>, timeout_us: Option<Plain<u64>>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let timeout = timeout_us.map(|timeout| Duration::from_micros(timeout.0));
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let left = deadline.map_or(SLICE, |end| end.saturating_duration_since(Instant::now()));
            let message = guarded(py, || self.inner.recv(Some(left.min(SLICE))))?;
            if message.is_some() || (left <= SLICE && deadline.is_some()) {
                return Self::told(py, message);
            }
            py.check_signals()?;
        }
    }

    /// Return the next message, or None where there is none.
    fn try_recv<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let message = guarded(py, || self.inner.try_recv())?;
        Self::told(py, message)
    }

    /// Return the next message that is in memory; asks the disk nothing.
    fn pop<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let message = guarded(py, || self.inner.pop())?;
        Self::told(py, message)
    }

    /// Read the next durable messages from the disk; return whether there was something to read.
    fn fill(&self, py: Python<'_>) -> PyResult<bool> {
        guarded(py, || self.inner.fill())
    }

    /// Whether `fill` has something to read before `pop` can go on.
    fn needs_fill(&self, py: Python<'_>) -> PyResult<bool> {
        guarded(py, || self.inner.needs_fill())
    }

    /// Whether there is a message, or something else to be told.
    fn is_ready(&self, py: Python<'_>) -> PyResult<bool> {
        guarded(py, || Ok(self.inner.is_ready()))
    }

    /// Have the next message wake a loop, once.
    #[pyo3(signature = (wake, /))]
    fn arm(&self, py: Python<'_>, wake: &PyWake) -> PyResult<()> {
        guarded_short(py, || {
            self.inner.arm(&wake.inner);
            Ok(())
        })
    }

    /// Count what was delivered as handled.
    fn acknowledge(&self, py: Python<'_>) -> PyResult<()> {
        guarded(py, || self.inner.acknowledge())
    }

    /// Return how many were matched, delivered, missed and are waiting.
    fn counts(&self, py: Python<'_>) -> PyResult<(u64, u64, u64, u64)> {
        let counts = guarded(py, || self.inner.counts())?;
        Ok((counts.matched, counts.delivered, counts.missed, counts.waiting))
    }

    /// The topics that it listens to.
    #[getter]
    fn pattern(&self) -> &str {
        self.inner.pattern()
    }

    /// Whether it was closed, or its store.
    #[getter]
    fn closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// End it; the last message counts as handled, or not.
    #[pyo3(signature = (handled = true, /))]
    fn close(&self, py: Python<'_>, handled: bool) -> PyResult<()> {
        guarded(py, || self.inner.close(handled))
    }
}

/// What makes an event loop look for messages.
#[pyclass(frozen, name = "Wake", module = "nt_memory._native")]
pub(crate) struct PyWake {
    inner: Arc<Wake>,
}

#[pymethods]
impl PyWake {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        let wake = guarded_short(py, Wake::new)?;
        Ok(Self { inner: Arc::new(wake) })
    }

    /// The file that can be read when there is something.
    fn fileno(&self) -> i32 {
        self.inner.fd()
    }

    /// Read what woke it.
    fn drain(&self) {
        self.inner.drain();
    }
}
