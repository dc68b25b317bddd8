//! A vector index by itself, for comparisons with others.

use std::path::PathBuf;

use nt_memory::{GraphConfig, Quantization, SearchCode, VectorConfig, VectorEngine, VectorSpace, VectorStore};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2, ndarray};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rayon::prelude::*;
use std::sync::{PoisonError, RwLock};

use crate::errors::guarded;

/// The embeddings of one space in slots, and the graph over them.
#[pyclass(name = "VectorStore", module = "nt_memory._native", frozen)]
pub(crate) struct PyVectorStore {
    inner: RwLock<VectorStore>,
    space: VectorSpace,
    config: VectorConfig,
    dim: usize,
}

#[pymethods]
impl PyVectorStore {
    #[new]
    #[pyo3(signature = (dim, *, m = 16, ef_construction = 200, quantization = "f16"))]
    fn new(dim: usize, m: usize, ef_construction: usize, quantization: &str) -> PyResult<Self> {
        let (quantization, code) = match quantization {
            "f16" => (Quantization::F16, SearchCode::Stored),
            "f32" => (Quantization::F32, SearchCode::Stored),
            "i8" => (Quantization::F16, SearchCode::I8),
            _ => {
                return Err(PyValueError::new_err(format!(
                    "quantization {quantization:?}; use \"f16\", \"f32\" or \"i8\""
                )));
            }
        };
        if !(1..=8192).contains(&dim) || !(4..=64).contains(&m) || ef_construction < m {
            return Err(PyValueError::new_err(format!(
                "dim={dim}, m={m}, ef_construction={ef_construction}; use 1 to 8192, 4 to 64, at least m"
            )));
        }
        let space = VectorSpace { name: "vectors".into(), dim, quantization, encoder: None };
        let graph = GraphConfig { m, ef_construction };
        let config = VectorConfig { engine: VectorEngine::Compact, graph, code, ..VectorConfig::default() };
        Ok(Self { inner: RwLock::new(VectorStore::new(space.clone(), config)), space, config, dim })
    }

    /// Write what is linked to a file.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        guarded(py, || self.inner.read().unwrap_or_else(PoisonError::into_inner).save(&path))
    }

    /// Go on with what was saved by a store that was made in the same way.
    fn load(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        guarded(py, || {
            let loaded = VectorStore::load(&self.space, self.config, &path)?;
            *self.inner.write().unwrap_or_else(PoisonError::into_inner) = loaded;
            Ok(())
        })
    }

    /// Add the rows of a float32 array and link them on so many threads; return their slots.
    #[pyo3(signature = (vectors, threads = 1, /))]
    fn add<'py>(
        &self,
        py: Python<'py>,
        vectors: PyReadonlyArray2<'py, f32>,
        threads: usize,
    ) -> PyResult<Bound<'py, PyArray1<u32>>> {
        let rows = self.rows(&vectors)?;
        let pool = pool(threads)?;
        let slots: Vec<u32> = guarded(py, || {
            let mut store = self.inner.write().unwrap_or_else(PoisonError::into_inner);
            store.reserve(rows.len() / self.dim)?;
            let slots = rows.chunks_exact(self.dim).map(|row| store.insert(row)).collect::<Result<_, _>>()?;
            pool.install(|| store.index());
            Ok(slots)
        })?;
        Ok(slots.into_pyarray(py))
    }

    /// Remove slots; they are used again when enough were removed.
    fn remove(&self, py: Python<'_>, slots: PyReadonlyArray1<'_, u32>) -> PyResult<usize> {
        let slots = slots.as_array().to_vec();
        guarded(py, || {
            let mut store = self.inner.write().unwrap_or_else(PoisonError::into_inner);
            let removed = slots.iter().filter(|slot| store.remove(**slot)).count();
            store.repair();
            Ok(removed)
        })
    }

    /// For each row of a float32 array the slots of the nearest, best first, and -1 where there are
    /// fewer.
    #[pyo3(signature = (queries, k, ef, threads = 1, /))]
    fn search<'py>(
        &self,
        py: Python<'py>,
        queries: PyReadonlyArray2<'py, f32>,
        k: usize,
        ef: usize,
        threads: usize,
    ) -> PyResult<Bound<'py, PyArray2<i64>>> {
        let rows = self.rows(&queries)?;
        if k == 0 {
            return Err(PyValueError::new_err("k=0; use 1 or more"));
        }
        let count = rows.len() / self.dim;
        let mut slots = vec![-1_i64; count * k];
        let pool = (threads > 1).then(|| pool(threads)).transpose()?;
        guarded(py, || {
            let store = self.inner.read().unwrap_or_else(PoisonError::into_inner);
            let search = |(query, slots): (&[f32], &mut [i64])| {
                let found = store.search(query, k, ef)?;
                slots.iter_mut().zip(found).for_each(|(slot, (found, _))| *slot = i64::from(found));
                Ok(())
            };
            match pool {
                Some(pool) => pool.install(|| {
                    rows.par_chunks_exact(self.dim).zip(slots.par_chunks_exact_mut(k)).try_for_each(search)
                }),
                None => rows.chunks_exact(self.dim).zip(slots.chunks_exact_mut(k)).try_for_each(search),
            }
        })?;
        let shaped = ndarray::Array2::from_shape_vec((count, k), slots);
        Ok(shaped.map_err(|error| PyValueError::new_err(error.to_string()))?.into_pyarray(py))
    }

    fn __len__(&self) -> usize {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl PyVectorStore {
    fn rows(&self, vectors: &PyReadonlyArray2<'_, f32>) -> PyResult<Vec<f32>> {
        let (_, dim) = vectors.as_array().dim();
        if dim != self.dim {
            return Err(PyValueError::new_err(format!("rows have {dim} numbers; the space has {}", self.dim)));
        }
        Ok(vectors.as_array().iter().copied().collect())
    }
}

fn pool(threads: usize) -> PyResult<rayon::ThreadPool> {
    if !(1..=1024).contains(&threads) {
        return Err(PyValueError::new_err(format!("threads={threads}; use 1 to 1024")));
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| PyValueError::new_err(error.to_string()))
}
