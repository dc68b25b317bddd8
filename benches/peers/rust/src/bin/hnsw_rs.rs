//! `hnsw_rs` over vectors from .npy files, asked as the engines in `peers/vectors` are.
//!
//! `hnsw_rs PREFIX FOLDER M EF_CONSTRUCTION EF...` builds, measures and prints rows.

#![allow(missing_docs)]

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use hnsw_rs::prelude::{Distance, Hnsw};
use serde_json::json;

const K: usize = 10;
const WARM_UP: usize = 100;

/// The crate's `DistDot` asserts that no product exceeds 1, which rounding does.
#[derive(Clone, Copy, Default)]
struct Clamped;

impl Distance<f32> for Clamped {
    fn eval(&self, left: &[f32], right: &[f32]) -> f32 {
        (1.0 - dot(left, right)).max(0.0)
    }
}

/// The crate's own SIMD needs nightly or asserts; the other engines have theirs, so this has it too.
fn dot(left: &[f32], right: &[f32]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the processor has both features, asked on the line above.
        return unsafe { dot_avx2(left, right) };
    }
    dot_in_lanes(left, right)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn dot_avx2(left: &[f32], right: &[f32]) -> f32 {
    dot_in_lanes(left, right)
}

/// Independent sums, which the compiler keeps in registers as wide as it may use.
#[inline(always)]
fn dot_in_lanes(left: &[f32], right: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 32];
    let (left, left_rest) = left.as_chunks::<32>();
    let (right, right_rest) = right.as_chunks::<32>();
    for (left, right) in left.iter().zip(right) {
        for lane in 0..32 {
            sums[lane] += left[lane] * right[lane];
        }
    }
    let rest: f32 = left_rest.iter().zip(right_rest).map(|(left, right)| left * right).sum();
    sums.iter().sum::<f32>() + rest
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, folder, m, construction, efs @ ..] = arguments.as_slice() else {
        panic!("hnsw_rs PREFIX FOLDER M EF_CONSTRUCTION EF...")
    };
    let folder = Path::new(folder);
    let vectors = floats(&folder.join("vectors.npy"));
    let queries = floats(&folder.join("queries.npy"));
    let truth = rows(&folder.join("truth.npy"), |bytes| i64::from_le_bytes(bytes.try_into().unwrap()), 8);

    let before = resident();
    let started = Instant::now();
    let graph =
        Hnsw::<f32, Clamped>::new(m.parse().unwrap(), vectors.len(), 16, construction.parse().unwrap(), Clamped);
    let with_ids: Vec<(&Vec<f32>, usize)> = vectors.iter().zip(0..).collect();
    graph.parallel_insert(&with_ids);
    let seconds = started.elapsed().as_secs_f64();
    drop(with_ids);
    number(&format!("{name}/build_2/seconds"), seconds, "s");
    let bytes = (resident() - before) / vectors.len() as f64;
    number(&format!("{name}/build_2/resident"), bytes, "bytes a vector");
    for ef in efs {
        curve(&format!("{name}/curve/{ef}"), &graph, &queries, &truth, ef.parse().unwrap());
    }
}

fn curve(name: &str, graph: &Hnsw<'_, f32, Clamped>, queries: &[Vec<f32>], truth: &[Vec<i64>], ef: usize) {
    for query in &queries[..WARM_UP.min(queries.len())] {
        black_box(graph.search(query, K, ef));
    }
    let mut nanos = Vec::with_capacity(queries.len());
    let (mut found, mut wanted) = (0, 0);
    let all = Instant::now();
    for (query, truth) in queries.iter().zip(truth) {
        let started = Instant::now();
        let answer = graph.search(query, K, ef);
        nanos.push(started.elapsed().as_nanos() as f64);
        let ids: Vec<i64> = answer.iter().map(|neighbour| neighbour.d_id as i64).collect();
        found += truth.iter().filter(|id| ids.contains(id)).count();
        wanted += truth.iter().filter(|id| **id >= 0).count();
    }
    let alone = all.elapsed().as_secs_f64();
    let together = Instant::now();
    black_box(graph.parallel_search(queries, K, ef));
    let together = together.elapsed().as_secs_f64();
    nanos.sort_by(f64::total_cmp);
    let at = |percent: usize| nanos[(nanos.len() - 1) * percent / 100];
    let row = json!({
        "name": name, "unit": "ns", "count": nanos.len(), "batch": 1,
        "p50": at(50), "p95": at(95), "p99": at(99), "ef": ef,
        "recall": found as f64 / wanted as f64,
        "qps_1": queries.len() as f64 / alone, "qps_2": queries.len() as f64 / together,
    });
    println!("{row}");
}

fn number(name: &str, value: f64, unit: &str) {
    println!("{}", json!({"name": name, "value": value, "unit": unit}));
}

fn floats(path: &Path) -> Vec<Vec<f32>> {
    rows(path, |bytes| f32::from_le_bytes(bytes.try_into().unwrap()), 4)
}

/// Read a two-dimensional array in C order, little endian: what `numpy.save` writes here.
fn rows<T>(path: &Path, number: impl Fn(&[u8]) -> T, width: usize) -> Vec<Vec<T>> {
    let bytes = fs::read(path).unwrap();
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00", "{}: not .npy, version 1", path.display());
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = String::from_utf8_lossy(&bytes[10..start]);
    assert!(header.contains("'fortran_order': False"), "{header}");
    let shape = header.split_once("'shape': (").unwrap().1;
    let columns: usize = shape.split([',', ')']).nth(1).unwrap().trim().parse().unwrap();
    bytes[start..].chunks_exact(columns * width).map(|row| row.chunks_exact(width).map(&number).collect()).collect()
}

/// PSS of this process, as the other engines are weighed.
fn resident() -> f64 {
    let text = fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = text.lines().find(|line| line.starts_with("Pss:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}
