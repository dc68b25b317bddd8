//! `RawTable` in: its columns are copied whole, each once.

use std::sync::Arc;

use nt_memory::{Lists, Matrix, Table, Texts, Values};
use numpy::{Element, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::to_python;

type Column<'py, T> = PyReadonlyArray1<'py, T>;

#[derive(FromPyObject)]
struct RawTexts<'py> {
    data: Column<'py, u8>,
    offsets: Column<'py, i64>,
    rows: Column<'py, i64>,
}

#[derive(FromPyObject)]
struct RawLists<'py> {
    offsets: Column<'py, i64>,
    items: RawTexts<'py>,
}

#[derive(FromPyObject)]
struct RawMatrix<'py> {
    numbers: PyReadonlyArray2<'py, f32>,
    present: Option<Column<'py, bool>>,
}

#[derive(FromPyObject)]
struct RawTable<'py> {
    rows: usize,
    namespace: RawTexts<'py>,
    kind: RawTexts<'py>,
    event_time: Column<'py, i64>,
    known_at: Option<Column<'py, i64>>,
    id: Option<RawTexts<'py>>,
    agent_id: Option<RawTexts<'py>>,
    symbol: Option<RawTexts<'py>>,
    regime: Option<RawTexts<'py>>,
    expires_at: Option<Column<'py, i64>>,
    importance: Option<Column<'py, f64>>,
    confidence: Option<Column<'py, f64>>,
    text: Option<RawTexts<'py>>,
    embeddings: Bound<'py, PyDict>,
    attributes: Bound<'py, PyDict>,
    reward: Option<Column<'py, f64>>,
    outcome_known_at: Option<Column<'py, i64>>,
    tags: Option<RawLists<'py>>,
    writer: Option<RawTexts<'py>>,
    source: Option<RawTexts<'py>>,
    trust: Option<Column<'py, f64>>,
}

pub(crate) fn from_python(table: &Bound<'_, PyAny>) -> PyResult<Table> {
    let py = table.py();
    let raw: RawTable<'_> = table.extract()?;
    let texts = |column: Option<RawTexts<'_>>| column.map(|column| texts(py, &column)).transpose();
    Ok(Table {
        rows: raw.rows,
        namespace: self::texts(py, &raw.namespace)?,
        kind: self::texts(py, &raw.kind)?,
        event_time: copied(&raw.event_time),
        known_at: raw.known_at.as_ref().map(copied),
        id: texts(raw.id)?,
        agent_id: texts(raw.agent_id)?,
        symbol: texts(raw.symbol)?,
        regime: texts(raw.regime)?,
        expires_at: raw.expires_at.as_ref().map(copied),
        importance: raw.importance.as_ref().map(copied),
        confidence: raw.confidence.as_ref().map(copied),
        text: texts(raw.text)?,
        embeddings: named(&raw.embeddings, |matrix| Ok(self::matrix(&matrix.extract()?)))?,
        attributes: named(&raw.attributes, values)?,
        reward: raw.reward.as_ref().map(copied),
        outcome_known_at: raw.outcome_known_at.as_ref().map(copied),
        tags: raw.tags.map(|tags| lists(py, &tags)).transpose()?,
        writer: texts(raw.writer)?,
        source: texts(raw.source)?,
        trust: raw.trust.as_ref().map(copied),
    })
}

fn copied<T: Element + Copy>(column: &Column<'_, T>) -> Vec<T> {
    column.as_slice().map_or_else(|_| column.as_array().to_vec(), <[T]>::to_vec)
}

fn texts(py: Python<'_>, raw: &RawTexts<'_>) -> PyResult<Texts> {
    let texts = Texts::new(copied(&raw.data), &copied(&raw.offsets), copied(&raw.rows));
    texts.map_err(|error| to_python(py, &error))
}

fn lists(py: Python<'_>, raw: &RawLists<'_>) -> PyResult<Lists> {
    Ok(Lists { offsets: copied(&raw.offsets), items: texts(py, &raw.items)? })
}

/// Numbers of a caller may change while Rust reads them, so they are copied: at once, not row by row.
fn matrix(raw: &RawMatrix<'_>) -> Matrix {
    let numbers =
        raw.numbers.as_slice().map_or_else(|_| raw.numbers.as_array().iter().copied().collect(), <[f32]>::to_vec);
    let dim = raw.numbers.shape().last().copied().unwrap_or(0);
    Matrix { numbers: Arc::new(numbers), dim, present: raw.present.as_ref().map(copied) }
}

fn values(column: &Bound<'_, PyAny>) -> PyResult<Values> {
    if let Ok(numbers) = column.extract::<Column<'_, f64>>() {
        return Ok(Values::Number(copied(&numbers)));
    }
    Ok(Values::Text(texts(column.py(), &column.extract()?)?))
}

fn named<T>(
    columns: &Bound<'_, PyDict>,
    convert: impl Fn(&Bound<'_, PyAny>) -> PyResult<T>,
) -> PyResult<Vec<(String, T)>> {
    columns.iter().map(|(name, column)| Ok((name.extract()?, convert(&column)?))).collect()
}
