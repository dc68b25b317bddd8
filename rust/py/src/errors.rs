//! Core errors become the exceptions of `nt_memory.errors`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use nt_memory::Error;
use pyo3::exceptions::{PyAttributeError, PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

fn class_name(error: &Error) -> &'static str {
    match error {
        Error::Namespace(_) => "NamespaceError",
        Error::Value(_) => "ValueError",
        Error::Vector(_) => "VectorError",
        Error::Dimension(_) => "DimensionMismatchError",
        Error::Embedding(_) => "InvalidEmbeddingError",
        Error::Storage(_) => "StorageError",
        Error::Locked { .. } => "StoreLockedError",
        Error::Full(_) => "StorageFullError",
        Error::Corruption(_) => "CorruptionError",
        Error::Horizon { .. } => "HorizonError",
        Error::Conflict(_) => "ConflictError",
        Error::LockTimeout(_) => "LockTimeoutError",
        Error::Deadlock(_) => "DeadlockError",
        Error::Stale(_) => "StaleTokenError",
        Error::NoAgent(_) => "AgentNotFoundError",
        Error::Denied(_) => "AccessDeniedError",
        Error::NotFound(_) => "RecordNotFoundError",
        Error::Forgotten(_) => "ForgottenError",
        Error::Settled(_) => "SettledError",
        Error::Serialization(_) => "SerializationError",
        Error::Coordination(_) => "CoordinationError",
        Error::Lagged { .. } => "LaggedError",
        Error::Closed => "ClosedError",
        Error::Fork(_) => "ForkError",
        Error::Internal(_) => "InternalError",
    }
}

pub(crate) fn to_python(py: Python<'_>, error: &Error) -> PyErr {
    match build(py, error) {
        Ok(error) | Err(error) => error,
    }
}

fn build(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let name = class_name(error);
    let message = clipped(error.to_string());
    if name == "ValueError" {
        return Ok(PyValueError::new_err(message));
    }
    let class = py.import("nt_memory.errors")?.getattr(name)?;
    let arguments = match error {
        Error::Locked { pid, .. } => PyTuple::new(py, [message.into_pyobject(py)?.into_any(), pid.into_pyobject(py)?])?,
        Error::Horizon { horizon, .. } => {
            let horizon = py.import("nt_memory.clock")?.getattr("from_micros")?.call1((horizon,))?;
            PyTuple::new(py, [message.into_pyobject(py)?.into_any(), horizon])?
        }
        Error::Lagged { missed, first_seq, last_seq } => {
            let message = message.into_pyobject(py)?.into_any();
            let [missed, first, last] = [missed, first_seq, last_seq].map(|number| number.into_pyobject(py));
            PyTuple::new(py, [message, missed?.into_any(), first?.into_any(), last?.into_any()])?
        }
        _ => PyTuple::new(py, [message])?,
    };
    Ok(PyErr::from_value(class.call1(arguments)?))
}

/// Longest message; what is in it may have been given by anyone.
const LONGEST: usize = 2000;

/// A message without its middle where it is too long to be read.
pub(crate) fn clipped(message: String) -> String {
    if message.len() <= LONGEST {
        return message;
    }
    let begin: String = message.chars().take(LONGEST / 4).collect();
    let end: Vec<char> = message.chars().rev().take(LONGEST / 4).collect();
    format!("{begin} [...] {}", end.into_iter().rev().collect::<String>())
}

/// An argument whose refusal is a `TypeError` or a `ValueError`, and nothing else.
pub(crate) struct Plain<T>(pub T);

impl<'a, 'py, T: FromPyObject<'a, 'py>> FromPyObject<'a, 'py> for Plain<T> {
    type Error = PyErr;

    fn extract(given: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        given.extract().map(Self).map_err(|error: T::Error| plain(given.py(), error.into()))
    }
}

/// What Python says of a value that cannot be taken, in one line that names the field.
pub(crate) fn plain(py: Python<'_>, mut error: PyErr) -> PyErr {
    let mut path = String::new();
    while let Some(cause) = error.cause(py) {
        // The words are those of the derived `FromPyObject`.
        path = format!("{}{}: ", path, error.value(py).to_string().trim_start_matches("failed to extract field "));
        error = cause;
    }
    let value = error.value(py).to_string();
    if error.is_instance_of::<PyAttributeError>(py) {
        return PyTypeError::new_err(clipped(format!("{path}{value}; use the classes of nt_memory.store")));
    }
    if error.is_instance_of::<PyOverflowError>(py) {
        return PyValueError::new_err(clipped(format!("{path}{value}; use a number of 64 bits")));
    }
    if error.is_instance_of::<pyo3::exceptions::PyUnicodeError>(py) {
        return PyValueError::new_err(clipped(format!("{path}{value}; clean the text first")));
    }
    if error.is_instance_of::<PyTypeError>(py) {
        return PyTypeError::new_err(clipped(format!("{path}{value}")));
    }
    error
}

/// Run something of the core without the GIL; a panic is an `InternalError`.
pub(crate) fn guarded<T: Send>(py: Python<'_>, run: impl FnOnce() -> nt_memory::Result<T> + Send) -> PyResult<T> {
    let result = py.detach(|| catch(run));
    result.map_err(|error| to_python(py, &error))
}

/// The same with the GIL, for calls that are over before it could be released.
pub(crate) fn guarded_short<T>(py: Python<'_>, run: impl FnOnce() -> nt_memory::Result<T>) -> PyResult<T> {
    catch(run).map_err(|error| to_python(py, &error))
}

pub(crate) fn catch<T>(run: impl FnOnce() -> nt_memory::Result<T>) -> nt_memory::Result<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|cause| {
        let text = cause.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| cause.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(Error::Internal(format!("a defect in nt-memory ({text}); the operation did not happen, please report it")))
    })
}
