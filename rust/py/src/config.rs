//! Settings of a store in.

use nt_memory::{ColdEngine, GraphConfig, Quantization, SearchCode, VectorConfig, VectorEngine, VectorSpace};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Name, dim, metric, quantization, encoder.
pub(crate) type SpaceTuple = (String, usize, String, String, Option<String>);
/// Engine, m, `ef_construction`, `ef_search`.
pub(crate) type VectorTuple = (String, usize, usize, usize, bool);

pub(crate) fn cold_engine(name: &str, has_path: bool) -> PyResult<ColdEngine> {
    match (name, has_path) {
        ("redb", true) => Ok(ColdEngine::Redb),
        ("sled", true) => Ok(ColdEngine::Sled),
        ("memory", false) => Ok(ColdEngine::Memory),
        ("redb" | "sled", false) => Err(PyValueError::new_err(format!("engine {name:?} needs a path"))),
        ("memory", true) => Err(PyValueError::new_err("engine \"memory\" keeps nothing and takes no path")),
        _ => Err(PyValueError::new_err(format!("engine is {name:?}; use \"redb\", \"sled\" or \"memory\""))),
    }
}

pub(crate) fn space((name, dim, metric, quantization, encoder): SpaceTuple) -> PyResult<VectorSpace> {
    if metric != "cosine" {
        return Err(PyValueError::new_err(format!(
            "space {name:?} has metric {metric:?}; \"cosine\" is the one there is"
        )));
    }
    let quantization = match quantization.as_str() {
        "f16" => Quantization::F16,
        "f32" => Quantization::F32,
        _ => {
            return Err(PyValueError::new_err(format!(
                "space {name:?} has quantization {quantization:?}; use \"f16\" or \"f32\""
            )));
        }
    };
    Ok(VectorSpace { name, dim, quantization, encoder })
}

pub(crate) fn vector_config((engine, m, ef_construction, ef_search, in_bytes): VectorTuple) -> PyResult<VectorConfig> {
    let engine = match engine.as_str() {
        "auto" => VectorEngine::Auto,
        "exact" => VectorEngine::Exact,
        "compact" => VectorEngine::Compact,
        "hnsw_rs" => VectorEngine::HnswRs,
        _ => {
            return Err(PyValueError::new_err(format!(
                "vector engine {engine:?}; use \"auto\", \"exact\", \"compact\" or \"hnsw_rs\""
            )));
        }
    };
    let code = if in_bytes { SearchCode::I8 } else { SearchCode::Stored };
    Ok(VectorConfig { engine, graph: GraphConfig { m, ef_construction }, ef_search, code })
}
