//! L2: embeddings as compact codes, scanned exactly.

pub mod kernel;
mod space;

pub(crate) use space::Space;
pub use space::{Quantization, VectorSpace};
