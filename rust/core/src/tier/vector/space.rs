use half::f16;
use serde::{Deserialize, Serialize};

use crate::error::{Result, value_error};

/// Largest dimension of a space.
const MAX_DIM: usize = 8192;

/// How a space stores its codes; scores come from the stored code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Quantization {
    /// Half precision: 2 bytes a dimension.
    F16,
    /// Single precision.
    F32,
}

impl Quantization {
    /// The numbers that are left of a unit vector when it is stored.
    pub(crate) fn round(self, unit: &[f32]) -> Vec<f32> {
        match self {
            Self::F16 => unit.iter().map(|x| f16::from_f32(*x).to_f32()).collect(),
            Self::F32 => unit.to_vec(),
        }
    }
}

/// What a space is searched with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum SearchCode {
    /// Its stored code.
    #[default]
    Stored,
    /// One byte a dimension; who may be among the best is scored by the durable embedding.
    I8,
}

/// A family of embeddings that may be compared; cosine is the metric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VectorSpace {
    /// Name by which records and queries speak of it.
    pub name: String,
    /// Length of its embeddings.
    pub dim: usize,
    /// Stored code.
    pub quantization: Quantization,
    /// Id of the encoder that makes its embeddings, where one was named.
    pub encoder: Option<String>,
}

impl VectorSpace {
    pub(crate) fn validate(&self) -> Result<()> {
        if self.name.is_empty() || self.name.len() > 64 {
            return value_error(format!("space name {:?} is not usable; use 1 to 64 bytes", self.name));
        }
        if !(1..=MAX_DIM).contains(&self.dim) {
            return value_error(format!("space {:?} has dim {}; use 1 to {MAX_DIM}", self.name, self.dim));
        }
        Ok(())
    }
}
