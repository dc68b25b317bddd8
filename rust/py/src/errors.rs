//! Core errors become the exceptions of `nt_memory.errors`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use nt_memory::Error;
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
        Error::NotFound(_) => "RecordNotFoundError",
        Error::Forgotten(_) => "ForgottenError",
        Error::Settled(_) => "SettledError",
        Error::Serialization(_) => "SerializationError",
        Error::Closed => "ClosedError",
        Error::Fork => "ForkError",
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
    let message = error.to_string();
    if name == "ValueError" {
        return Ok(pyo3::exceptions::PyValueError::new_err(message));
    }
    let class = py.import("nt_memory.errors")?.getattr(name)?;
    let arguments = match error {
        Error::Locked { pid, .. } => PyTuple::new(py, [message.into_pyobject(py)?.into_any(), pid.into_pyobject(py)?])?,
        Error::Horizon { horizon, .. } => {
            let horizon = py.import("nt_memory.clock")?.getattr("from_micros")?.call1((horizon,))?;
            PyTuple::new(py, [message.into_pyobject(py)?.into_any(), horizon])?
        }
        _ => PyTuple::new(py, [message])?,
    };
    Ok(PyErr::from_value(class.call1(arguments)?))
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
