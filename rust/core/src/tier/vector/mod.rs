//! L2: embeddings as compact codes, scanned exactly or searched by a graph.

mod arena;
mod codes;
mod engine;
mod graph;
mod hnsw;
pub mod kernel;
mod space;
mod store;

pub use graph::GraphConfig;
pub use space::{Quantization, VectorSpace};
pub use store::{VectorConfig, VectorEngine, VectorStore};
