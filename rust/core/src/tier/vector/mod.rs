//! L2: embeddings as compact codes, scanned exactly or searched by a graph.

mod arena;
pub(crate) mod blocks;
mod codes;
mod config;
mod engine;
mod graph;
mod hnsw;
mod image;
pub mod kernel;
mod space;
mod store;

pub use config::{VectorConfig, VectorEngine};
pub use graph::GraphConfig;
pub(crate) use image::Image;
pub use space::{Quantization, SearchCode, VectorSpace};
pub use store::VectorStore;
