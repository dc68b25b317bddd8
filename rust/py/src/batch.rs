//! Operations of a batch in, its commit out.

use nt_memory::{Answer, Commit, NamespaceOptions, Operation, Rights};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyType};

use crate::record::{RawOutcome, class, from_python};
use crate::table;

#[derive(FromPyObject)]
struct Put<'py> {
    namespace: String,
    key: String,
    value: Bound<'py, PyBytes>,
    ttl: Option<i64>,
}

#[derive(FromPyObject)]
struct Delete {
    namespace: String,
    key: String,
}

#[derive(FromPyObject)]
struct Increment {
    namespace: String,
    key: String,
    by: i64,
    ttl: Option<i64>,
}

#[derive(FromPyObject)]
struct Expect<'py> {
    namespace: String,
    key: String,
    value: Option<Bound<'py, PyBytes>>,
}

#[derive(FromPyObject)]
struct Settle {
    id: String,
    outcome: RawOutcome,
    revise: bool,
}

#[derive(FromPyObject)]
struct Options {
    history: bool,
    ttl: Option<i64>,
    retention: Option<i64>,
    fenced: Option<String>,
}

#[derive(FromPyObject)]
struct SetRights {
    agent: String,
    read: Vec<String>,
    write: Vec<String>,
}

#[derive(FromPyObject)]
struct Fence {
    resource: String,
    number: u64,
}

#[derive(FromPyObject)]
struct Configure {
    namespace: String,
    options: Options,
}

/// An element of the sequence that `Store.commit` takes.
pub(crate) fn operation(operation: &Bound<'_, PyAny>) -> PyResult<Operation> {
    let name = operation.get_type().name()?;
    Ok(match name.to_str()? {
        "Put" => {
            let put: Put<'_> = operation.extract()?;
            let value = put.value.as_bytes().to_vec();
            Operation::Put { namespace: put.namespace, key: put.key, value, ttl: put.ttl }
        }
        "Write" => Operation::Write(Box::new(from_python(&operation.getattr("record")?)?)),
        "WriteMany" => Operation::WriteMany(Box::new(table::from_python(&operation.getattr("table")?)?)),
        "Settle" => {
            let settle: Settle = operation.extract()?;
            Operation::Settle { id: settle.id, outcome: settle.outcome.into(), revise: settle.revise }
        }
        "Delete" => {
            let delete: Delete = operation.extract()?;
            Operation::Delete { namespace: delete.namespace, key: delete.key }
        }
        "Increment" => {
            let add: Increment = operation.extract()?;
            Operation::Increment { namespace: add.namespace, key: add.key, by: add.by, ttl: add.ttl }
        }
        "Expect" => {
            let expect: Expect<'_> = operation.extract()?;
            let value = expect.value.map(|value| value.as_bytes().to_vec());
            Operation::Expect { namespace: expect.namespace, key: expect.key, value }
        }
        "ExpectNew" => Operation::ExpectNew { id: operation.getattr("id")?.extract()? },
        "ExpectUnchanged" => Operation::ExpectUnchanged {
            ids: operation.getattr("ids")?.extract()?,
            commit: operation.getattr("commit")?.extract()?,
        },
        "Forget" => Operation::Forget { ids: operation.getattr("ids")?.extract()? },
        "Configure" => {
            let Configure { namespace, options } = operation.extract()?;
            let Options { history, ttl, retention, fenced } = options;
            Operation::Configure { namespace, options: NamespaceOptions { history, ttl, retention, fenced } }
        }
        "SetRights" => {
            let SetRights { agent, read, write } = operation.extract()?;
            Operation::SetRights { agent, rights: Rights { read, write } }
        }
        "Fence" => {
            let Fence { resource, number } = operation.extract()?;
            Operation::Fence { resource, number }
        }
        other => {
            return Err(PyTypeError::new_err(format!(
                "a batch holds a {other}; see nt_memory.store for its operations"
            )));
        }
    })
}

pub(crate) fn commit<'py>(py: Python<'py>, commit: &Commit) -> PyResult<Bound<'py, PyAny>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let results = commit
        .results
        .iter()
        .map(|answer| match answer {
            Answer::None => Ok(py.None().into_bound(py)),
            Answer::Existed(existed) => existed.into_bound_py_any(py),
            Answer::Number(number) => number.into_bound_py_any(py),
            Answer::Id(id) => id.into_bound_py_any(py),
            Answer::Ids(ids) => ids.into_bound_py_any(py),
            Answer::Sequence(sequence) => sequence.into_bound_py_any(py),
        })
        .collect::<PyResult<Vec<_>>>()?;
    class(py, &CLASS, "Commit")?.call1((commit.number, commit.recorded_at, results))
}

pub(crate) fn options(py: Python<'_>, options: NamespaceOptions) -> PyResult<Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    class(py, &CLASS, "NamespaceOptions")?.call1((options.history, options.ttl, options.retention, options.fenced))
}
