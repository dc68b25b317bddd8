//! Blocks of lz4, for what Python packs closely.

use lz4_flex::block;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::guarded;
use crate::pack::error;

/// Most bytes of a block; what claims to hold more is damaged.
const MAX_BYTES: usize = 64 << 20;

/// Compress bytes; their length is in front.
#[pyfunction]
#[pyo3(signature = (data, /))]
pub(crate) fn compress<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    if data.len() > MAX_BYTES {
        return Err(error(py, format!("{} bytes are too many for a block; give at most {MAX_BYTES}", data.len())));
    }
    let block = guarded(py, || Ok(block::compress_prepend_size(data)))?;
    Ok(PyBytes::new(py, &block))
}

/// Return what `compress` was given.
#[pyfunction]
#[pyo3(signature = (block, /))]
pub(crate) fn decompress<'py>(py: Python<'py>, block: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let damaged = || error(py, "the block is damaged: restore a backup".to_owned());
    let (size, content) = block::uncompressed_size(block).map_err(|_| damaged())?;
    if size > MAX_BYTES {
        return Err(error(py, format!("the block claims {size} bytes, more than {MAX_BYTES}: it is damaged")));
    }
    let data = guarded(py, || Ok(block::decompress(content, size)))?;
    let data = data.ok().filter(|data| data.len() == size).ok_or_else(damaged)?;
    Ok(PyBytes::new(py, &data))
}
