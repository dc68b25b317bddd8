//! Python binding: convert, release the GIL, call the core, map the error.

#![allow(clippy::needless_pass_by_value, reason = "PyO3 hands arguments over by value")]

mod batch;
mod clock;
mod config;
mod errors;
mod locks;
mod lz4;
mod messages;
mod namespace;
mod pack;
mod query;
mod record;
mod store;
mod table;
mod unpack;
mod vectors;
mod waiting;

use pyo3::prelude::*;

/// Name of the kernel that search candidates are chosen with.
#[pyfunction]
fn distance_kernel() -> &'static str {
    nt_memory::distance_kernel()
}

/// Panic inside a guarded call; lets a test see that it becomes an `InternalError`.
#[pyfunction]
fn _panic(py: Python<'_>) -> PyResult<()> {
    #[allow(clippy::panic, reason = "the point of the function")]
    errors::guarded(py, || panic!("a deliberate panic"))
}

#[pymodule(gil_used = true)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<clock::PyClock>()?;
    module.add_class::<locks::PyLocks>()?;
    module.add_class::<locks::PyLockWait>()?;
    module.add_class::<namespace::PyNamespace>()?;
    module.add_class::<messages::PySubscription>()?;
    module.add_class::<messages::PyWake>()?;
    module.add_class::<store::PyStore>()?;
    module.add_class::<vectors::PyVectorStore>()?;
    module.add_function(wrap_pyfunction!(pack::pack, module)?)?;
    module.add_function(wrap_pyfunction!(unpack::unpack, module)?)?;
    module.add_function(wrap_pyfunction!(lz4::compress, module)?)?;
    module.add_function(wrap_pyfunction!(lz4::decompress, module)?)?;
    module.add_function(wrap_pyfunction!(distance_kernel, module)?)?;
    module.add_function(wrap_pyfunction!(_panic, module)?)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("debug_build", cfg!(debug_assertions))
}
