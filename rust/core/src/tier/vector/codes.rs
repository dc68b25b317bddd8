//! The codes of a space, one a slot.
//!
//! A code of full precision gives the score.  A code of bytes, a quarter to a half as large, is only
//! searched with: it says how far it may be off, and the score comes from the durable embedding.

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::arena::Arena;
use super::kernel::{self, Kernels};
use super::{Quantization, SearchCode};
use crate::error::Result;

enum Table {
    F16(Arena<f16>),
    F32(Arena<f32>),
    /// Rows of a [`Scale`] and one byte a dimension.
    I8(Arena<i8>),
}

/// Unit vectors as codes, and the products between them.
pub(crate) struct Codes {
    table: Table,
    quantization: Quantization,
    dim: usize,
    kernels: Kernels,
}

impl Codes {
    pub(super) fn new(quantization: Quantization, code: SearchCode, dim: usize) -> Self {
        let table = match (code, quantization) {
            (SearchCode::I8, _) => Table::I8(Arena::new(Scale::BYTES + dim)),
            (SearchCode::Stored, Quantization::F16) => Table::F16(Arena::new(dim)),
            (SearchCode::Stored, Quantization::F32) => Table::F32(Arena::new(dim)),
        };
        Self { table, quantization, dim, kernels: kernel::kernels() }
    }

    pub(super) fn reserve(&mut self, slots: u32) -> Result<()> {
        match &mut self.table {
            Table::F16(codes) => codes.reserve(slots),
            Table::F32(codes) => codes.reserve(slots),
            Table::I8(codes) => codes.reserve(slots),
        }
    }

    pub(super) fn write(&mut self, slot: u32, unit: &[f32]) {
        match &mut self.table {
            Table::F16(codes) => codes.row_mut(slot).convert_from_f32_slice(unit),
            Table::F32(codes) => codes.row_mut(slot).copy_from_slice(unit),
            Table::I8(codes) => write_bytes(codes.row_mut(slot), &self.quantization.round(unit)),
        }
    }

    /// Search with bytes from now on; what codes of full precision took is given back on the way.
    ///
    /// # Errors
    /// Where the system gives no memory; then nothing changed.
    pub(super) fn shrink(&mut self) -> Result<()> {
        let bytes = Self::new(self.quantization, SearchCode::I8, self.dim).table;
        let Table::I8(mut bytes) = bytes else { return Ok(()) };
        match &self.table {
            Table::F16(codes) => bytes.reserve(codes.rows())?,
            Table::F32(codes) => bytes.reserve(codes.rows())?,
            Table::I8(_) => return Ok(()),
        }
        match std::mem::replace(&mut self.table, Table::F32(Arena::new(self.dim))) {
            Table::F16(codes) => {
                let mut floats = vec![0.0; self.dim];
                codes.drain(|slot, code| {
                    code.convert_to_f32_slice(&mut floats);
                    write_bytes(bytes.row_mut(slot), &floats);
                });
            }
            Table::F32(codes) => codes.drain(|slot, code| write_bytes(bytes.row_mut(slot), code)),
            Table::I8(_) => {}
        }
        self.table = Table::I8(bytes);
        Ok(())
    }

    /// What the codes are.
    pub(super) fn code(&self) -> SearchCode {
        if matches!(self.table, Table::I8(_)) { SearchCode::I8 } else { SearchCode::Stored }
    }

    /// The code as floats, for a row that is compared with many others.
    pub(super) fn read(&self, slot: u32, into: &mut Vec<f32>) {
        into.clear();
        match &self.table {
            Table::F16(codes) => into.extend(codes.row(slot).iter().map(|c| c.to_f32())),
            Table::F32(codes) => into.extend_from_slice(codes.row(slot)),
            Table::I8(codes) => {
                let (scale, code) = Scale::split(codes.row(slot));
                into.extend(code.iter().map(|c| f32::from(*c) * scale.step));
            }
        }
    }

    /// Product with a query, by the fast kernel.
    #[inline]
    pub(super) fn dot(&self, unit: &[f32], slot: u32) -> f32 {
        match &self.table {
            Table::F16(codes) => (self.kernels.f16)(unit, codes.row(slot)),
            Table::F32(codes) => (self.kernels.f32)(unit, codes.row(slot)),
            Table::I8(codes) => {
                let (scale, code) = Scale::split(codes.row(slot));
                (self.kernels.i8)(unit, code) * scale.step
            }
        }
    }

    /// Product of two codes, by the fast kernel.
    #[inline]
    pub(super) fn dot_pair(&self, a: u32, b: u32) -> f32 {
        match &self.table {
            Table::F16(codes) => (self.kernels.f16_pair)(codes.row(a), codes.row(b)),
            Table::F32(codes) => (self.kernels.f32)(codes.row(a), codes.row(b)),
            Table::I8(codes) => {
                let ((a, left), (b, right)) = (Scale::split(codes.row(a)), Scale::split(codes.row(b)));
                (self.kernels.i8_pair)(left, right) * a.step * b.step
            }
        }
    }

    /// By how much the product of a unit vector with a stored embedding may differ from that with
    /// its code, beyond the rounding of a kernel; zero where the code is the stored one.
    pub(super) fn slack(&self, slot: u32, dot: f32) -> f32 {
        let Table::I8(codes) = &self.table else { return 0.0 };
        let (scale, _) = Scale::split(codes.row(slot));
        // What the code leaves out is at right angles to it (its step is the best one), so a query
        // meets it only with its own part at right angles.  The stored code is a unit vector but
        // for its rounding, hence the thousandths.
        scale.left_out * (1.002 - dot * dot).max(0.002).sqrt()
    }

    #[inline]
    pub(super) fn prefetch(&self, slot: u32) {
        match &self.table {
            Table::F16(codes) => codes.prefetch(slot),
            Table::F32(codes) => codes.prefetch(slot),
            Table::I8(codes) => codes.prefetch(slot),
        }
    }

    /// The stored code's numbers, for the sum of fixed order; `None` where only bytes are here.
    pub(super) fn numbers(&self, slot: u32) -> Option<Box<dyn Iterator<Item = f64> + '_>> {
        match &self.table {
            Table::F16(codes) => Some(Box::new(codes.row(slot).iter().map(|c| c.to_f64()))),
            Table::F32(codes) => Some(Box::new(codes.row(slot).iter().map(|c| f64::from(*c)))),
            Table::I8(_) => None,
        }
    }

    /// Write a slot's code as bytes.
    pub(super) fn write_row(&self, slot: u32, out: &mut Vec<u8>) {
        match &self.table {
            Table::F16(codes) => out.extend(codes.row(slot).iter().flat_map(|c| c.to_le_bytes())),
            Table::F32(codes) => out.extend(codes.row(slot).iter().flat_map(|c| c.to_le_bytes())),
            Table::I8(codes) => out.extend(codes.row(slot).iter().map(|c| c.cast_unsigned())),
        }
    }

    /// Read what was written by codes of a kind; from a code of bytes no other can be made, and the
    /// row is left.  `None` where there is too little.
    pub(super) fn read_row(&mut self, slot: u32, code: SearchCode, bytes: &mut &[u8]) -> Option<()> {
        let width = match (code, self.quantization) {
            (SearchCode::I8, _) => Scale::BYTES + self.dim,
            (SearchCode::Stored, Quantization::F16) => 2 * self.dim,
            (SearchCode::Stored, Quantization::F32) => 4 * self.dim,
        };
        let (row, rest) = bytes.split_at_checked(width)?;
        *bytes = rest;
        let halves = || row.as_chunks::<2>().0.iter().map(|c| f16::from_le_bytes(*c));
        match (&mut self.table, code) {
            (Table::I8(codes), SearchCode::I8) => {
                for (to, from) in codes.row_mut(slot).iter_mut().zip(row) {
                    *to = from.cast_signed();
                }
            }
            (_, SearchCode::I8) => {}
            (Table::F16(codes), _) => {
                for (to, from) in codes.row_mut(slot).iter_mut().zip(halves()) {
                    *to = from;
                }
            }
            (Table::F32(codes), _) => {
                for (to, from) in codes.row_mut(slot).iter_mut().zip(floats(row)) {
                    *to = from;
                }
            }
            (Table::I8(codes), SearchCode::Stored) => {
                let stored: Vec<f32> = match self.quantization {
                    Quantization::F16 => halves().map(f16::to_f32).collect(),
                    Quantization::F32 => floats(row).collect(),
                };
                write_bytes(codes.row_mut(slot), &stored);
            }
        }
        Some(())
    }

    pub(super) fn bytes(&self) -> usize {
        match &self.table {
            Table::F16(codes) => codes.bytes(),
            Table::F32(codes) => codes.bytes(),
            Table::I8(codes) => codes.bytes(),
        }
    }

    /// Bytes a slot.
    pub(super) fn slot_bytes(&self) -> usize {
        match &self.table {
            Table::F16(codes) => codes.row_bytes(),
            Table::F32(codes) => codes.row_bytes(),
            Table::I8(codes) => codes.row_bytes(),
        }
    }
}

fn floats(row: &[u8]) -> impl Iterator<Item = f32> {
    row.as_chunks::<4>().0.iter().map(|c| f32::from_le_bytes(*c))
}

/// What turns bytes into numbers, and what they leave out.
#[derive(Clone, Copy)]
struct Scale {
    step: f32,
    /// Length of the difference between the stored code and this one.
    left_out: f32,
}

impl Scale {
    const BYTES: usize = 8;

    #[inline]
    fn split(row: &[i8]) -> (Self, &[i8]) {
        let (step, rest) = row.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
        let (left_out, code) = rest.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
        let number = |bytes: &[i8; 4]| f32::from_le_bytes(bytes.map(i8::cast_unsigned));
        (Self { step: number(step), left_out: number(left_out) }, code)
    }

    fn bytes(self) -> impl Iterator<Item = i8> {
        self.step.to_le_bytes().into_iter().chain(self.left_out.to_le_bytes()).map(u8::cast_signed)
    }
}

/// One byte a dimension, by the largest of them; the step is the one that leaves out least.
#[allow(clippy::cast_possible_truncation, reason = "at most 127, and lengths that need no more")]
fn write_bytes(row: &mut [i8], stored: &[f32]) {
    let largest = stored.iter().fold(f32::MIN_POSITIVE, |largest, x| largest.max(x.abs()));
    let (head, code) = row.split_at_mut(Scale::BYTES);
    let (mut product, mut square) = (0.0_f64, 0.0_f64);
    for (byte, x) in code.iter_mut().zip(stored) {
        *byte = (x / largest * 127.0).round() as i8;
        product += f64::from(*x) * f64::from(*byte);
        square += f64::from(*byte) * f64::from(*byte);
    }
    let step = product / square;
    let left_out: f64 = code.iter().zip(stored).map(|(c, x)| (f64::from(*x) - f64::from(*c) * step).powi(2)).sum();
    // A little more, for the step's own rounding.
    let scale = Scale { step: step as f32, left_out: (left_out.sqrt() * 1.0001 + 1e-6) as f32 };
    for (byte, part) in head.iter_mut().zip(scale.bytes()) {
        *byte = part;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unit(vector: &[f32]) -> Vec<f32> {
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter().map(|x| x / norm).collect()
    }

    fn vector(dim: usize) -> impl Strategy<Value = Vec<f32>> {
        let value = prop_oneof![4 => -1.0_f32..1.0, 1 => Just(0.0), 1 => -0.01_f32..0.01];
        proptest::collection::vec(value, dim)
            .prop_filter("a zero vector has no direction", |vector| vector.iter().any(|x| x.abs() > 1e-3))
    }

    fn pair() -> impl Strategy<Value = (Vec<f32>, Vec<f32>, f32)> {
        (1_usize..300).prop_flat_map(|dim| (vector(dim), vector(dim), 0.0_f32..1.0))
    }

    proptest! {
        #[test]
        fn bytes_are_off_by_no_more_than_they_say((a, b, near) in pair(), halves in any::<bool>()) {
            let quantization = if halves { Quantization::F16 } else { Quantization::F32 };
            let dim = a.len();
            let (mut full, mut bytes) = (Codes::new(quantization, SearchCode::Stored, dim), Codes::new(quantization, SearchCode::I8, dim));
            // From far apart to one beside the other.
            let query = unit(&a.iter().zip(&b).map(|(a, b)| b + near * (a - b) + 1e-4).collect::<Vec<f32>>());
            for codes in [&mut full, &mut bytes] {
                codes.reserve(1).unwrap();
                codes.write(0, &unit(&b));
            }
            let exact = kernel::dot_exact(query.iter().map(|q| f64::from(*q)).zip(full.numbers(0).unwrap()));
            let estimate = bytes.dot(&query, 0);
            let off = (f64::from(estimate) - exact).abs();
            prop_assert!(off <= f64::from(bytes.slack(0, estimate)) + 2e-6, "{off} {}", bytes.slack(0, estimate));
            prop_assert!(bytes.slack(0, estimate) < 0.1);
            full.shrink().unwrap();
            prop_assert_eq!(full.dot(&query, 0).to_bits(), estimate.to_bits());
            prop_assert_eq!(full.bytes(), bytes.bytes());
        }
    }

    #[test]
    fn what_was_given_back_is_not_given_back_again() {
        let mut codes = Codes::new(Quantization::F16, SearchCode::Stored, 256);
        // The last of three chunks is not full.
        codes.reserve(10_000).unwrap();
        codes.write(9_999, &[0.0625; 256]);
        codes.shrink().unwrap();
        codes.shrink().unwrap();
        assert!((codes.dot(&[0.0625; 256], 9_999) - 1.0).abs() < 1e-4);
        assert!(codes.numbers(0).is_none());
    }
}
