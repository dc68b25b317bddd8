//! Locks of a store.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nt_memory::{Handle, LockLease, LockRequest, LockWait, Locking, Store, Waker};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;

use crate::errors::{Plain, guarded, guarded_short, to_python};
use crate::waiting::SLICE;

/// Number, and how long it still lives in microseconds.
type Lease = (u64, u64);

fn shown(lease: &LockLease) -> Lease {
    (lease.number, lease.left)
}

/// The locks of an embedded store.
#[pyclass(frozen, name = "Locks", module = "nt_memory._native")]
pub(crate) struct PyLocks {
    handle: Handle,
}

impl PyLocks {
    pub(crate) fn of(handle: &Handle) -> Self {
        Self { handle: handle.clone() }
    }
}

fn request(resource: Plain<String>, owner: Plain<String>, ttl: Plain<u64>, reentrant: bool) -> LockRequest {
    LockRequest { resource: resource.0, owner: owner.0, ttl: ttl.0, reentrant }
}

#[pymethods]
impl PyLocks {
    /// What tells this store's tokens from another's.
    #[getter]
    fn identity(&self) -> u128 {
        self.handle.anyone().identity()
    }

    /// Wait for a lock at most so long (microseconds of the machine's time).
    #[pyo3(signature = (resource, owner, ttl, timeout, /, *, reentrant))]
    fn acquire(
        &self,
        py: Python<'_>,
        resource: Plain<String>,
        owner: Plain<String>,
        ttl: Plain<u64>,
        timeout: Plain<u64>,
        reentrant: bool,
    ) -> PyResult<Lease> {
        let mut request = request(resource, owner, ttl, reentrant);
        let store = guarded_short(py, || self.handle.locking(&mut request))?;
        let mut wait = match guarded(py, || store.acquire_lock(&request, None))? {
            Locking::Granted(lease) => return Ok(shown(&lease)),
            Locking::Waiting(wait) => wait,
        };
        let end = Instant::now() + Duration::from_micros(timeout.0);
        let mut taken = guarded(py, || store.take_lock(&mut wait))?;
        loop {
            if let Err(interrupt) = py.check_signals() {
                // Nobody would give back what an interrupted caller does not get.
                if let Some(lease) = taken {
                    guarded(py, || store.release_lock(&lease.resource, lease.number))?;
                }
                return Err(interrupt);
            }
            if let Some(lease) = taken {
                return Ok(shown(&lease));
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(to_python(py, &wait.timed_out()));
            }
            taken = guarded(py, || store.await_lock(&mut wait, left.min(SLICE)))?;
        }
    }

    /// The same without waiting: a lease, or a place in the line and `waker` is called when there is
    /// something to take.
    #[pyo3(signature = (resource, owner, ttl, waker, /, *, reentrant))]
    fn request<'py>(
        &self,
        py: Python<'py>,
        resource: Plain<String>,
        owner: Plain<String>,
        ttl: Plain<u64>,
        waker: Py<PyAny>,
        reentrant: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut request = request(resource, owner, ttl, reentrant);
        let store = guarded_short(py, || self.handle.locking(&mut request))?;
        let waker: Waker = Box::new(move || {
            // Who waited may be gone, with its event loop: then there is nobody to tell.
            let _ = Python::try_attach(|py| waker.call0(py).map(drop));
        });
        match guarded(py, || store.acquire_lock(&request, Some(waker)))? {
            Locking::Granted(lease) => shown(&lease).into_bound_py_any(py),
            Locking::Waiting(wait) => {
                PyLockWait { inner: Arc::clone(store), wait: Mutex::new(Some(wait)) }.into_bound_py_any(py)
            }
        }
    }

    /// Give a lock back.
    #[pyo3(signature = (resource, number, /))]
    fn release(&self, py: Python<'_>, resource: Plain<&str>, number: Plain<u64>) -> PyResult<()> {
        guarded(py, || self.handle.holding(resource.0)?.release_lock(resource.0, number.0))
    }

    /// Have a lock live so long from now, if that is longer; how long it lives.
    #[pyo3(signature = (resource, number, ttl, /))]
    fn extend(&self, py: Python<'_>, resource: Plain<&str>, number: Plain<u64>, ttl: Plain<u64>) -> PyResult<u64> {
        guarded(py, || self.handle.holding(resource.0)?.extend_lock(resource.0, number.0, ttl.0))
            .map(|lease| lease.left)
    }

    /// Owner and lease of a resource that is held.
    #[pyo3(signature = (resource, /))]
    fn holder(&self, py: Python<'_>, resource: Plain<&str>) -> PyResult<Option<(String, u64, u64)>> {
        let lease = guarded(py, || self.handle.reading(resource.0)?.lock_holder(resource.0))?;
        Ok(lease.map(|lease| (lease.owner, lease.number, lease.left)))
    }
}

/// A place in the line for a lock.
#[pyclass(frozen, name = "LockWait", module = "nt_memory._native")]
pub(crate) struct PyLockWait {
    inner: Arc<Store>,
    wait: Mutex<Option<LockWait>>,
}

#[pymethods]
impl PyLockWait {
    /// The lease, where it is granted.
    fn take(&self, py: Python<'_>) -> PyResult<Option<Lease>> {
        let taken = guarded(py, || {
            let mut wait = self.wait.lock().unwrap_or_else(PoisonError::into_inner);
            wait.as_mut().map_or(Ok(None), |wait| self.inner.take_lock(wait))
        })?;
        Ok(taken.as_ref().map(shown))
    }

    /// Have numbers to grant locks with, where there were none; it may wait for the disk.
    fn reserve(&self, py: Python<'_>) -> PyResult<()> {
        guarded(py, || self.inner.ensure_lock_numbers())
    }

    /// Whether the lock is free, and there was no number to grant it with.
    fn is_starved(&self, py: Python<'_>) -> bool {
        let is_starved = |wait: &Option<LockWait>| wait.as_ref().is_some_and(LockWait::is_starved);
        py.detach(|| is_starved(&self.wait.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Leave the line.
    fn leave(&self, py: Python<'_>) {
        py.detach(|| drop(self.wait.lock().unwrap_or_else(PoisonError::into_inner).take()));
    }

    /// Raise what is to be said of who is in the way.
    fn time_out(&self, py: Python<'_>) -> PyResult<()> {
        let wait = py.detach(|| self.wait.lock().unwrap_or_else(PoisonError::into_inner).take());
        wait.map_or(Ok(()), |wait| Err(to_python(py, &wait.timed_out())))
    }
}
