//! `RawRecord` in and out.

use nt_memory::{Attribute, Outcome, Record};
use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyMapping, PyString, PyTuple, PyType};

#[derive(FromPyObject)]
pub(crate) struct RawOutcome {
    reward: f64,
    known_at: Option<i64>,
    payload: Option<Vec<u8>>,
}

impl From<RawOutcome> for Outcome {
    fn from(raw: RawOutcome) -> Self {
        Self { reward: raw.reward, known_at: raw.known_at, payload: raw.payload }
    }
}

#[derive(FromPyObject)]
struct RawRecord<'py> {
    id: String,
    namespace: String,
    kind: String,
    event_time: i64,
    known_at: i64,
    agent_id: Option<String>,
    symbol: Option<String>,
    regime: Option<String>,
    expires_at: Option<i64>,
    importance: f64,
    confidence: Option<f64>,
    text: Option<String>,
    embeddings: Bound<'py, PyMapping>,
    attributes: Bound<'py, PyMapping>,
    payload: Option<Bound<'py, PyBytes>>,
    outcome: Option<RawOutcome>,
    tags: Vec<String>,
    writer: String,
    source: Option<String>,
    trust: f64,
    parents: Vec<String>,
}

pub(crate) fn from_python(record: &Bound<'_, PyAny>) -> PyResult<Record> {
    let raw: RawRecord<'_> = record.extract()?;
    Ok(Record {
        id: raw.id,
        namespace: raw.namespace,
        kind: raw.kind,
        event_time: raw.event_time,
        known_at: raw.known_at,
        agent_id: raw.agent_id,
        symbol: raw.symbol,
        regime: raw.regime,
        expires_at: raw.expires_at,
        importance: raw.importance,
        confidence: raw.confidence,
        text: raw.text,
        embeddings: pairs(&raw.embeddings, |_, value| embedding(value).map(Into::into))?,
        attributes: pairs(&raw.attributes, attribute)?,
        payload: raw.payload.map(|payload| payload.as_bytes().to_vec()),
        outcome: raw.outcome.map(Into::into),
        tags: raw.tags,
        writer: raw.writer,
        source: raw.source,
        trust: raw.trust,
        parents: raw.parents,
        recorded_at: 0,
        commit: 0,
        version: 0,
    })
}

/// Names and values of a mapping; most are empty.
fn pairs<T>(
    mapping: &Bound<'_, PyMapping>,
    convert: impl Fn(&str, &Bound<'_, PyAny>) -> PyResult<T>,
) -> PyResult<Vec<(String, T)>> {
    if mapping.is_empty()? {
        return Ok(Vec::new());
    }
    mapping
        .items()?
        .iter()
        .map(|item| {
            let (name, value): (String, Bound<'_, PyAny>) = item.extract()?;
            let value = convert(&name, &value)?;
            Ok((name, value))
        })
        .collect()
}

/// A float32 vector; other dtypes are the caller's to convert.
pub(crate) fn embedding(value: &Bound<'_, PyAny>) -> PyResult<Vec<f32>> {
    let array: PyReadonlyArray1<'_, f32> =
        value.extract().map_err(|_| PyTypeError::new_err("an embedding is a one-dimensional float32 NumPy array"))?;
    Ok(array.as_array().to_vec())
}

fn attribute(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Attribute> {
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(Attribute::Text(text.to_str()?.to_owned()));
    }
    if let Ok(number) = value.extract::<f64>() {
        return Ok(Attribute::Number(number));
    }
    value.extract().map(Attribute::List).map_err(|_| {
        PyTypeError::new_err(format!("attribute {name:?} is a {}; use str, float or a list of str", value.get_type()))
    })
}

/// A class of `nt_memory.store`, imported once.
pub(crate) fn class<'py>(
    py: Python<'py>,
    cell: &'static PyOnceLock<Py<PyType>>,
    name: &str,
) -> PyResult<&'py Bound<'py, PyType>> {
    cell.import(py, "nt_memory.store", name)
}

pub(crate) fn to_python(py: Python<'_>, record: Record) -> PyResult<Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let embeddings = PyDict::new(py);
    for (space, vector) in record.embeddings {
        embeddings.set_item(space, PyArray1::from_vec(py, vector.into_vec()))?;
    }
    let attributes = PyDict::new(py);
    for (name, attribute) in record.attributes {
        match attribute {
            Attribute::Text(text) => attributes.set_item(name, text)?,
            Attribute::Number(number) => attributes.set_item(name, number)?,
            Attribute::List(words) => attributes.set_item(name, words)?,
        }
    }
    let outcome = record.outcome.map(|outcome| outcome_to_python(py, &outcome)).transpose()?;
    // In the order of the dataclass.
    let fields = [
        any(py, record.id)?,
        any(py, record.namespace)?,
        any(py, record.kind)?,
        any(py, record.event_time)?,
        any(py, record.known_at)?,
        any(py, record.agent_id)?,
        any(py, record.symbol)?,
        any(py, record.regime)?,
        any(py, record.expires_at)?,
        any(py, record.importance)?,
        any(py, record.confidence)?,
        any(py, record.text)?,
        embeddings.into_any(),
        attributes.into_any(),
        any(py, record.payload.map(|payload| PyBytes::new(py, &payload)))?,
        any(py, outcome)?,
        PyTuple::new(py, record.tags)?.into_any(),
        any(py, record.writer)?,
        any(py, record.source)?,
        any(py, record.trust)?,
        PyTuple::new(py, record.parents)?.into_any(),
        any(py, record.recorded_at)?,
        any(py, record.commit)?,
        any(py, record.version)?,
    ];
    class(py, &CLASS, "RawRecord")?.call1(PyTuple::new(py, fields)?)
}

fn outcome_to_python<'py>(py: Python<'py>, outcome: &Outcome) -> PyResult<Bound<'py, PyAny>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let payload = outcome.payload.as_ref().map(|payload| PyBytes::new(py, payload));
    class(py, &CLASS, "RawOutcome")?.call1((outcome.reward, outcome.known_at, payload))
}

fn any<'py, T: IntoPyObject<'py>>(py: Python<'py>, value: T) -> PyResult<Bound<'py, PyAny>> {
    value.into_bound_py_any(py)
}
