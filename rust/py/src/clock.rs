use std::sync::Arc;

use nt_memory::Clock;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::Plain;

/// Source of all times of a store: the system's, or moved by hand.
#[pyclass(frozen, name = "Clock", module = "nt_memory._native")]
pub(crate) struct PyClock {
    pub inner: Arc<Clock>,
}

#[pymethods]
impl PyClock {
    #[new]
    #[pyo3(signature = (manual = false, start_us = Plain(0)), text_signature = "(manual=False, start_us=0)")]
    fn new(manual: bool, start_us: Plain<i64>) -> Self {
        let clock = if manual { Clock::manual(start_us.0) } else { Clock::system() };
        Self { inner: Arc::new(clock) }
    }

    /// Whether time moves only by hand.
    #[getter]
    fn manual(&self) -> bool {
        self.inner.is_manual()
    }

    /// Microseconds since the epoch, UTC; never less than an earlier answer.
    fn now_us(&self) -> i64 {
        self.inner.now_us()
    }

    /// Microseconds since the clock was made.
    fn monotonic_us(&self) -> u64 {
        self.inner.monotonic_us()
    }

    /// Move a manual clock forward.
    fn advance_us(&self, micros: Plain<u64>) -> PyResult<()> {
        let micros = micros.0;
        if self.inner.advance(micros) {
            return Ok(());
        }
        Err(PyValueError::new_err(format!(
            "the clock cannot be moved by {micros} us: only a manual clock moves, and not past the last microsecond of 64 bits"
        )))
    }

    /// Set a manual clock to a time that is not earlier.
    fn set_us(&self, now_us: Plain<i64>) -> PyResult<()> {
        let now_us = now_us.0;
        if self.inner.set(now_us) {
            return Ok(());
        }
        let now = self.inner.now_us();
        Err(PyValueError::new_err(format!(
            "the clock stands at {now} us and cannot be set to {now_us}; only a manual clock moves, and only forward"
        )))
    }
}
