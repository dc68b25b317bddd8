//! The three tiers: hot cache, vector scan, durable store.

pub mod cold;
pub mod hot;
pub mod vector;
