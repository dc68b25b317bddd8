use half::f16;
use half::slice::HalfFloatSliceExt;
use serde::{Deserialize, Serialize};

use super::kernel::{self, DotF16};
use crate::column::grow;
use crate::error::{Error, Result, value_error};

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

enum Codes {
    F16(Vec<f16>),
    F32(Vec<f32>),
}

/// A space with its codes in slots; freed slots are used again.
pub(crate) struct Space {
    pub definition: VectorSpace,
    codes: Codes,
    free: Vec<u32>,
    slots: u32,
    dot_f16: DotF16,
}

impl Space {
    pub(crate) fn new(definition: VectorSpace) -> Self {
        let codes = match definition.quantization {
            Quantization::F16 => Codes::F16(Vec::new()),
            Quantization::F32 => Codes::F32(Vec::new()),
        };
        Self { definition, codes, free: Vec::new(), slots: 0, dot_f16: kernel::dot_f16().0 }
    }

    /// Check an embedding and bring it to unit length.
    pub(crate) fn normalise(&self, embedding: &[f32]) -> Result<Vec<f32>> {
        let VectorSpace { name, dim, .. } = &self.definition;
        if embedding.len() != *dim {
            return Err(Error::Dimension(format!(
                "embedding for space {name:?} has {} dimensions; the space has {dim}",
                embedding.len()
            )));
        }
        if let Some(at) = embedding.iter().position(|x| !x.is_finite()) {
            return Err(Error::Embedding(format!(
                "embedding for space {name:?} holds {} at position {at}; every value must be finite",
                embedding[at]
            )));
        }
        let squares = kernel::dot_exact(embedding.iter().map(|x| (f64::from(*x), f64::from(*x))));
        if squares <= 0.0 {
            return Err(Error::Embedding(format!(
                "embedding for space {name:?} is all zero; leave it out where there is none"
            )));
        }
        let norm = squares.sqrt();
        #[allow(clippy::cast_possible_truncation, reason = "codes are single precision or less")]
        Ok(embedding.iter().map(|x| (f64::from(*x) / norm) as f32).collect())
    }

    /// Store a unit vector; returns its slot.
    pub(crate) fn insert(&mut self, unit: &[f32]) -> u32 {
        let dim = self.definition.dim;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots += 1;
            self.slots - 1
        });
        let at = slot as usize * dim;
        match &mut self.codes {
            Codes::F16(codes) => {
                grow(codes, at + dim, f16::ZERO);
                codes[at..at + dim].convert_from_f32_slice(unit);
            }
            Codes::F32(codes) => {
                grow(codes, at + dim, 0.0);
                codes[at..at + dim].copy_from_slice(unit);
            }
        }
        slot
    }

    pub(crate) fn remove(&mut self, slot: u32) {
        self.free.push(slot);
    }

    /// Cosine by the fast kernel.
    pub(crate) fn cosine_fast(&self, unit: &[f32], slot: u32) -> f32 {
        let at = slot as usize * self.definition.dim;
        let end = at + self.definition.dim;
        match &self.codes {
            Codes::F16(codes) => (self.dot_f16)(unit, &codes[at..end]),
            Codes::F32(codes) => kernel::dot_f32(unit, &codes[at..end]),
        }
        .clamp(-1.0, 1.0)
    }

    /// Cosine by the sum of fixed order.
    pub(crate) fn cosine(&self, unit: &[f32], slot: u32) -> f64 {
        let code = self.decode(slot);
        kernel::dot_exact(unit.iter().zip(code).map(|(q, c)| (f64::from(*q), c))).clamp(-1.0, 1.0)
    }

    /// Cosine between two stored codes, by the sum of fixed order.
    pub(crate) fn cosine_between(&self, a: u32, b: u32) -> f64 {
        kernel::dot_exact(self.decode(a).zip(self.decode(b))).clamp(-1.0, 1.0)
    }

    fn decode(&self, slot: u32) -> Box<dyn Iterator<Item = f64> + '_> {
        let at = slot as usize * self.definition.dim;
        let end = at + self.definition.dim;
        match &self.codes {
            Codes::F16(codes) => Box::new(codes[at..end].iter().map(|c| c.to_f64())),
            Codes::F32(codes) => Box::new(codes[at..end].iter().map(|c| f64::from(*c))),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots as usize - self.free.len()
    }

    /// Bytes of slots that are free.
    pub(crate) fn free_bytes(&self) -> usize {
        let each = match &self.codes {
            Codes::F16(_) => 2,
            Codes::F32(_) => 4,
        };
        self.free.len() * self.definition.dim * each
    }

    pub(crate) fn bytes(&self) -> usize {
        match &self.codes {
            Codes::F16(codes) => codes.capacity() * 2,
            Codes::F32(codes) => codes.capacity() * 4,
        }
    }
}
