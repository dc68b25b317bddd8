//! Dot products of a query with a stored code, and of two codes.
//!
//! The fast kernels choose candidates; the score of what is returned comes
//! from the scalar sum, whose order is fixed.  This is the only module with
//! `std::arch`.

use half::f16;

/// The fast kernels of a machine; the slices of a call are equally long.
#[derive(Clone, Copy)]
pub(crate) struct Kernels {
    /// A query with an f16 code.
    pub f16: fn(&[f32], &[f16]) -> f32,
    /// Two f16 codes.
    pub f16_pair: fn(&[f16], &[f16]) -> f32,
    /// A query with an f32 code, or two of them.
    pub f32: fn(&[f32], &[f32]) -> f32,
    /// A query with a code of bytes.
    pub i8: fn(&[f32], &[i8]) -> f32,
    /// Two codes of bytes.
    pub i8_pair: fn(&[i8], &[i8]) -> f32,
    pub name: &'static str,
}

/// The kernels of a module.
macro_rules! all {
    ($module:ident, $name:literal) => {
        Kernels {
            f16: $module::dot_f16,
            f16_pair: $module::dot_f16_pair,
            f32: $module::dot_f32,
            i8: $module::dot_i8,
            i8_pair: $module::dot_i8_pair,
            name: $name,
        }
    };
}

const PORTABLE: Kernels = all!(portable, "portable");

/// All kernels that this machine can run, the fastest first.
fn available() -> impl Iterator<Item = Kernels> {
    #[cfg(target_arch = "x86_64")]
    let special = x86::available();
    #[cfg(not(target_arch = "x86_64"))]
    let special = [].into_iter();
    special.chain(std::iter::once(PORTABLE))
}

/// The fastest kernels of this machine.
#[must_use]
pub(crate) fn kernels() -> Kernels {
    available().next().unwrap_or(PORTABLE)
}

/// Name of the kernel that candidates are chosen with.
#[must_use]
pub fn distance_kernel() -> &'static str {
    kernels().name
}

/// The sum of fixed order that every score comes from.
pub(crate) fn dot_exact(pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    let mut sum = 0.0;
    for (a, b) in pairs {
        sum += a * b;
    }
    sum
}

/// Ask for what will be read next: all of it, unless it is long.
#[inline]
pub(crate) fn prefetch<T>(values: &[T]) {
    #[cfg(target_arch = "x86_64")]
    x86::prefetch(values);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

mod portable {
    use half::f16;

    /// Eight sums let the compiler use vector registers.
    #[inline]
    fn dot<A: Copy, B: Copy>(a: &[A], b: &[B], product: impl Fn(A, B) -> f32) -> f32 {
        let mut sums = [0.0_f32; 8];
        let (a_blocks, a_tail) = a.as_chunks::<8>();
        let (b_blocks, b_tail) = b.as_chunks::<8>();
        for (x, y) in a_blocks.iter().zip(b_blocks) {
            for lane in 0..8 {
                sums[lane] += product(x[lane], y[lane]);
            }
        }
        let tail: f32 = a_tail.iter().zip(b_tail).map(|(x, y)| product(*x, *y)).sum();
        sums.iter().sum::<f32>() + tail
    }

    pub(super) fn dot_f16(query: &[f32], code: &[f16]) -> f32 {
        dot(query, code, |q, c| q * c.to_f32())
    }

    pub(super) fn dot_f16_pair(a: &[f16], b: &[f16]) -> f32 {
        dot(a, b, |a, b| a.to_f32() * b.to_f32())
    }

    pub(super) fn dot_f32(query: &[f32], code: &[f32]) -> f32 {
        dot(query, code, |q, c| q * c)
    }

    pub(super) fn dot_i8(query: &[f32], code: &[i8]) -> f32 {
        dot(query, code, |q, c| q * f32::from(c))
    }

    pub(super) fn dot_i8_pair(a: &[i8], b: &[i8]) -> f32 {
        dot(a, b, |a, b| f32::from(a) * f32::from(b))
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use core::arch::x86_64::{
        __m256, _MM_HINT_T0, _mm_add_ps, _mm_add_ss, _mm_cvtss_f32, _mm_loadl_epi64, _mm_loadu_si128, _mm_movehl_ps,
        _mm_prefetch, _mm_shuffle_ps, _mm256_add_ps, _mm256_castps256_ps128, _mm256_cvtepi8_epi32, _mm256_cvtepi32_ps,
        _mm256_cvtph_ps, _mm256_extractf128_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256,
        _mm256_setzero_ps, _mm512_add_ps, _mm512_cvtepi8_epi32, _mm512_cvtepi32_ps, _mm512_cvtph_ps, _mm512_fmadd_ps,
        _mm512_loadu_ps, _mm512_reduce_add_ps, _mm512_setzero_ps,
    };

    use half::f16;

    use super::Kernels;

    const LINE: usize = 64;
    /// Lines asked for: a code of 512 dimensions in f16.
    const LINES: usize = 16;

    pub(super) fn available() -> impl Iterator<Item = Kernels> {
        let avx512 = is_x86_feature_detected!("avx512f");
        let avx2 =
            is_x86_feature_detected!("avx2") && is_x86_feature_detected!("f16c") && is_x86_feature_detected!("fma");
        let wide = all!(wide, "avx512f");
        let usual = all!(usual, "avx2+f16c+fma");
        [avx512.then_some(wide), avx2.then_some(usual)].into_iter().flatten()
    }

    pub(super) fn prefetch<T>(values: &[T]) {
        let start = values.as_ptr().cast::<i8>();
        for line in 0..size_of_val(values).div_ceil(LINE).min(LINES) {
            // SAFETY: the address lies in the slice; a prefetch reads nothing that could be seen.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(start.add(line * LINE)) };
        }
    }

    /// Kernels of one register width: values a register, how each type is loaded, and the sum.
    macro_rules! kernels {
        ($name:ident, $features:literal, $lanes:literal, $zero:ident, $fma:ident, $add:ident, $sum:ident,
         $load_f32:expr, $load_f16:expr, $load_i8:expr) => {
            mod $name {
                use super::*;

                kernels!(@dot dot_f16, f32, f16, $features, $lanes, $zero, $fma, $add, $sum, $load_f32, $load_f16,
                    |q: &f32, c: &f16| q * c.to_f32());
                kernels!(@dot dot_f16_pair, f16, f16, $features, $lanes, $zero, $fma, $add, $sum, $load_f16, $load_f16,
                    |a: &f16, b: &f16| a.to_f32() * b.to_f32());
                kernels!(@dot dot_f32, f32, f32, $features, $lanes, $zero, $fma, $add, $sum, $load_f32, $load_f32,
                    |q: &f32, c: &f32| q * c);
                kernels!(@dot dot_i8, f32, i8, $features, $lanes, $zero, $fma, $add, $sum, $load_f32, $load_i8,
                    |q: &f32, c: &i8| q * f32::from(*c));
                kernels!(@dot dot_i8_pair, i8, i8, $features, $lanes, $zero, $fma, $add, $sum, $load_i8, $load_i8,
                    |a: &i8, b: &i8| f32::from(*a) * f32::from(*b));
            }
        };
        (@dot $dot:ident, $a:ty, $b:ty, $features:literal, $lanes:literal, $zero:ident, $fma:ident, $add:ident,
         $sum:ident, $load_a:expr, $load_b:expr, $product:expr) => {
            pub(in super::super) fn $dot(a: &[$a], b: &[$b]) -> f32 {
                #[target_feature(enable = $features)]
                fn inner(a: &[$a], b: &[$b]) -> f32 {
                    const STEP: usize = 2 * $lanes;
                    let length = a.len().min(b.len());
                    let blocks = length / STEP;
                    let (mut even, mut odd) = ($zero(), $zero());
                    for block in 0..blocks {
                        let at = block * STEP;
                        // SAFETY: `at + STEP <= length`, and the loads accept any alignment.
                        unsafe {
                            let (a, b) = (a.as_ptr().add(at), b.as_ptr().add(at));
                            even = $fma($load_a(a), $load_b(b), even);
                            odd = $fma($load_a(a.add($lanes)), $load_b(b.add($lanes)), odd);
                        }
                    }
                    let tail = a[blocks * STEP..length].iter().zip(&b[blocks * STEP..length]);
                    $sum($add(even, odd)) + tail.map(|(a, b)| $product(a, b)).sum::<f32>()
                }
                // SAFETY: only handed out by `available`, after the features were detected.
                unsafe { inner(a, b) }
            }
        };
    }

    kernels!(
        usual,
        "avx2,f16c,fma",
        8,
        _mm256_setzero_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        sum_256,
        |at: *const f32| _mm256_loadu_ps(at),
        |at: *const f16| _mm256_cvtph_ps(_mm_loadu_si128(at.cast())),
        |at: *const i8| _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(at.cast())))
    );
    kernels!(
        wide,
        "avx512f",
        16,
        _mm512_setzero_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps,
        _mm512_reduce_add_ps,
        |at: *const f32| _mm512_loadu_ps(at),
        |at: *const f16| _mm512_cvtph_ps(_mm256_loadu_si256(at.cast())),
        |at: *const i8| _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(at.cast())))
    );

    #[target_feature(enable = "avx2")]
    fn sum_256(sum: __m256) -> f32 {
        let sum = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps::<1>(sum));
        let sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
        let sum = _mm_add_ss(sum, _mm_shuffle_ps::<1>(sum, sum));
        _mm_cvtss_f32(sum)
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
            let others: Vec<f16> = query.iter().map(|q| f16::from_f32(*q)).collect();
            let exact = |a: &[f32]| dot_exact(a.iter().zip(&floats).map(|(a, b)| (f64::from(*a), f64::from(*b))));
            let pair = exact(&others.iter().map(|other| other.to_f32()).collect::<Vec<_>>());
            #[allow(clippy::cast_possible_truncation, reason = "at most 127")]
            let bytes: Vec<i8> = pairs.iter().map(|(_, c)| (c * 127.0) as i8).collect();
            let wholes = |a: &[f32]| dot_exact(a.iter().zip(&bytes).map(|(a, b)| (f64::from(*a), f64::from(*b))));
            let squares = wholes(&bytes.iter().map(|byte| f32::from(*byte)).collect::<Vec<_>>());
            let bound = 1e-6 * (1.0 + f64::from(u32::try_from(pairs.len()).unwrap()));
            for kernels in available() {
                prop_assert!((f64::from((kernels.f16)(&query, &halves)) - exact(&query)).abs() <= bound);
                prop_assert!((f64::from((kernels.f32)(&query, &floats)) - exact(&query)).abs() <= bound);
                prop_assert!((f64::from((kernels.f16_pair)(&others, &halves)) - pair).abs() <= bound);
                prop_assert!((f64::from((kernels.i8)(&query, &bytes)) - wholes(&query)).abs() <= 127.0 * bound);
                prop_assert!((f64::from((kernels.i8_pair)(&bytes, &bytes)) - squares).abs() <= 1e-6 * squares);
            }
        }
    }
}
