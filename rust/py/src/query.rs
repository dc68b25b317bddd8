//! Queries in, search results out.

use nt_memory::{Filter, Match, Query, RecordedBy, SearchResult, Weights};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PyType};

use crate::errors::{self, plain};
use crate::record::{self, class, embedding};

#[derive(FromPyObject)]
struct RawQuery<'py> {
    space: String,
    vector: Option<Bound<'py, PyAny>>,
    namespace: Option<String>,
    filter: Option<Bound<'py, PyAny>>,
    as_of: Option<i64>,
    recorded_by_time: Option<i64>,
    recorded_by_commit: Option<u64>,
    top_k: i64,
    half_life: Option<f64>,
    weights: (f64, f64, f64, f64),
    order_by: Option<String>,
    after: Option<(Option<f64>, String)>,
    diversity: f64,
    min_trust: Option<f64>,
    exact: Option<bool>,
    bodies: bool,
    within: Option<Vec<String>>,
}

pub(crate) fn from_python(query: &Bound<'_, PyAny>) -> PyResult<Query> {
    let raw: RawQuery<'_> = query.extract().map_err(|error| plain(query.py(), error))?;
    let top_k = usize::try_from(raw.top_k)
        .map_err(|_| PyValueError::new_err(format!("top_k is {}; use 1 to 10,000", raw.top_k)))?;
    let (similarity, recency, importance, outcome) = raw.weights;
    Ok(Query {
        space: raw.space,
        vector: raw.vector.as_ref().map(embedding).transpose()?,
        namespace: raw.namespace,
        filter: raw.filter.as_ref().map(filter).transpose()?,
        as_of: raw.as_of,
        recorded_by: recorded_by(raw.recorded_by_time, raw.recorded_by_commit)?,
        top_k,
        half_life: raw.half_life,
        weights: Weights { similarity, recency, importance, outcome },
        order_by: raw.order_by,
        after: raw.after,
        diversity: raw.diversity,
        min_trust: raw.min_trust,
        exact: raw.exact,
        bodies: raw.bodies,
        within: raw.within,
    })
}

pub(crate) fn recorded_by(time: Option<i64>, commit: Option<u64>) -> PyResult<RecordedBy> {
    match (time, commit) {
        (None, None) => Ok(RecordedBy::Now),
        (Some(time), None) => Ok(RecordedBy::Time(time)),
        (None, Some(commit)) => Ok(RecordedBy::Commit(commit)),
        (Some(_), Some(_)) => Err(PyValueError::new_err("recorded_by is a time or a commit number, not both")),
    }
}

pub(crate) fn filter(tree: &Bound<'_, PyAny>) -> PyResult<Filter> {
    let packed = crate::pack::pack(tree.py(), tree)?;
    Filter::decode(packed.as_bytes()).map_err(|error| errors::to_python(tree.py(), &error))
}

pub(crate) fn result(py: Python<'_>, result: SearchResult) -> PyResult<Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let matches = PyList::empty(py);
    for found in result.matches {
        matches.append(found_to_python(py, found)?)?;
    }
    let SearchResult { matched, forgotten, exact, commit, as_of, .. } = result;
    class(py, &CLASS, "SearchResult")?.call1((matches, matched, forgotten, exact, commit, as_of))
}

fn found_to_python(py: Python<'_>, found: Match) -> PyResult<Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let record = found.record.map(|record| record::to_python(py, record)).transpose()?;
    class(py, &CLASS, "Match")?.call1((
        found.id,
        found.version,
        found.score,
        found.similarity,
        found.recency,
        found.importance,
        found.outcome,
        record,
    ))
}
