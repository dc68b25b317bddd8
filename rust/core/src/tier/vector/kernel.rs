//! Dot products of a query with a stored code.
//!
//! The fast kernels choose candidates; the score of what is returned comes
//! from the scalar sum, whose order is fixed.  This is the only module with
//! `std::arch`.

use half::f16;

/// A fast dot product with an f16 code.
pub(crate) type DotF16 = fn(&[f32], &[f16]) -> f32;

/// The fastest kernel of this machine and its name.
#[must_use]
pub(crate) fn dot_f16() -> (DotF16, &'static str) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("f16c") && is_x86_feature_detected!("fma") {
        return (x86::dot_f16_checked, "avx2+f16c+fma");
    }
    (dot_f16_portable, "portable")
}

/// Name of the kernel that candidates are chosen with.
#[must_use]
pub fn distance_kernel() -> &'static str {
    dot_f16().1
}

fn dot_f16_portable(query: &[f32], code: &[f16]) -> f32 {
    query.iter().zip(code).map(|(q, c)| q * c.to_f32()).sum()
}

/// A fast dot product with an f32 code; eight sums let the compiler use vector registers.
#[must_use]
pub(crate) fn dot_f32(query: &[f32], code: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (query_head, query_tail) = query.as_chunks::<8>();
    let (code_head, code_tail) = code.as_chunks::<8>();
    for (q, c) in query_head.iter().zip(code_head) {
        for lane in 0..8 {
            sums[lane] += q[lane] * c[lane];
        }
    }
    let tail: f32 = query_tail.iter().zip(code_tail).map(|(q, c)| q * c).sum();
    sums.iter().sum::<f32>() + tail
}

/// The sum of fixed order that every score comes from.
pub(crate) fn dot_exact(pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    let mut sum = 0.0;
    for (a, b) in pairs {
        sum += a * b;
    }
    sum
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use core::arch::x86_64::{
        __m128i, _mm_add_ps, _mm_add_ss, _mm_cvtss_f32, _mm_loadu_si128, _mm_movehl_ps, _mm_shuffle_ps, _mm256_add_ps,
        _mm256_castps256_ps128, _mm256_cvtph_ps, _mm256_extractf128_ps, _mm256_fmadd_ps, _mm256_loadu_ps,
        _mm256_setzero_ps,
    };

    use half::f16;

    pub(super) fn dot_f16_checked(query: &[f32], code: &[f16]) -> f32 {
        // SAFETY: only handed out by `dot_f16` after the features were detected.
        unsafe { dot_f16(query, code) }
    }

    #[allow(clippy::cast_ptr_alignment, reason = "the load accepts any alignment")]
    #[target_feature(enable = "avx2,f16c,fma")]
    fn dot_f16(query: &[f32], code: &[f16]) -> f32 {
        let length = query.len().min(code.len());
        let blocks = length / 16;
        let mut even = _mm256_setzero_ps();
        let mut odd = _mm256_setzero_ps();
        for block in 0..blocks {
            let at = block * 16;
            // SAFETY: `at + 16 <= length`, and both loads accept any alignment; f16 is a
            // transparent u16, so eight of them fill the 128 bits read.
            unsafe {
                let q = query.as_ptr().add(at);
                let c = code.as_ptr().add(at).cast::<__m128i>();
                even = _mm256_fmadd_ps(_mm256_loadu_ps(q), _mm256_cvtph_ps(_mm_loadu_si128(c)), even);
                odd = _mm256_fmadd_ps(_mm256_loadu_ps(q.add(8)), _mm256_cvtph_ps(_mm_loadu_si128(c.add(1))), odd);
            }
        }
        let sum = _mm256_add_ps(even, odd);
        let sum = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps::<1>(sum));
        let sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
        let sum = _mm_add_ss(sum, _mm_shuffle_ps::<1>(sum, sum));
        let tail = query[blocks * 16..length].iter().zip(&code[blocks * 16..length]);
        _mm_cvtss_f32(sum) + tail.map(|(q, c)| q * c.to_f32()).sum::<f32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_kernel_agrees_with_the_scalar_sum(pairs in proptest::collection::vec((-1.0_f32..1.0, -1.0_f32..1.0), 0..600)) {
            let query: Vec<f32> = pairs.iter().map(|(q, _)| *q).collect();
            let halves: Vec<f16> = pairs.iter().map(|(_, c)| f16::from_f32(*c)).collect();
            let floats: Vec<f32> = halves.iter().map(|c| c.to_f32()).collect();
            let exact = dot_exact(query.iter().zip(&floats).map(|(q, c)| (f64::from(*q), f64::from(*c))));
            let bound = 1e-6 * (1.0 + f64::from(u32::try_from(pairs.len()).unwrap()));
            for dot in [dot_f16().0, dot_f16_portable] {
                prop_assert!((f64::from(dot(&query, &halves)) - exact).abs() <= bound);
            }
            prop_assert!((f64::from(dot_f32(&query, &floats)) - exact).abs() <= bound);
        }
    }
}
