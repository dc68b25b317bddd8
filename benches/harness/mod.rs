//! Percentiles by hdrhistogram, the empty timer beside each, and the data sets
//! that every group shares.  `benches/README.md` says what is measured and how.

#![allow(dead_code, missing_docs, reason = "each binary uses its part")]
#![allow(clippy::pedantic, clippy::unwrap_used, reason = "a benchmark may end at the first surprise")]

use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use hdrhistogram::Histogram;

/// Groups to run: all, or those whose name holds an argument of the command line.
pub struct Bench {
    filters: Vec<String>,
    rows: Vec<String>,
}

impl Bench {
    pub fn from_arguments() -> Self {
        let filters = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
        println!("{:<44} {:>10} {:>10} {:>10} {:>10}", "nanoseconds", "p50", "p95", "p99", "timer p50");
        Self { filters, rows: Vec::new() }
    }

    pub fn group(&mut self, name: &str, run: impl FnOnce(&mut Self)) {
        if self.filters.is_empty() || self.filters.iter().any(|filter| name.contains(filter.as_str())) {
            run(self);
        }
    }

    /// Time `count` calls, `batch` of them between two looks at the clock.
    pub fn latency(&mut self, name: &str, count: usize, batch: usize, mut call: impl FnMut(usize)) {
        let mut times = histogram();
        for at in 0..count / batch {
            let started = Instant::now();
            for offset in 0..batch {
                call(at * batch + offset);
            }
            record(&mut times, started, batch);
        }
        let mut timer = histogram();
        for _ in 0..count / batch {
            let started = Instant::now();
            black_box(());
            record(&mut timer, started, batch);
        }
        let [p50, p95, p99] = [50.0, 95.0, 99.0].map(|percent| times.value_at_percentile(percent));
        let empty = timer.value_at_percentile(50.0);
        println!("{name:<44} {p50:>10} {p95:>10} {p99:>10} {empty:>10}");
        self.rows.push(format!(
            r#"{{"name":"{name}","unit":"ns","count":{count},"batch":{batch},"p50":{p50},"p95":{p95},"p99":{p99},"timer_p50":{empty}}}"#
        ));
    }

    /// Note a rate or a size.
    pub fn number(&mut self, name: &str, value: f64, unit: &str) {
        println!("{name:<44} {value:>14.1} {unit}");
        self.rows.push(format!(r#"{{"name":"{name}","value":{value},"unit":"{unit}"}}"#));
    }

    /// Write what was measured where `NT_BENCH_RESULTS` says, one JSON object a line.
    pub fn finish(self, file: &str) {
        let Ok(folder) = std::env::var("NT_BENCH_RESULTS") else { return };
        let path = std::path::Path::new(&folder).join(file);
        std::fs::create_dir_all(&folder).unwrap();
        let mut out = std::fs::File::create(path).unwrap();
        for row in self.rows {
            writeln!(out, "{row}").unwrap();
        }
    }
}

/// p50, p95 and p99 of times that were taken elsewhere.
pub fn percentiles(times: &[u64]) -> [u64; 3] {
    let mut all = histogram();
    for time in times {
        all.record((*time).max(1)).unwrap();
    }
    [50.0, 95.0, 99.0].map(|percent| all.value_at_percentile(percent))
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap()
}

fn record(histogram: &mut Histogram<u64>, started: Instant, batch: usize) {
    let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap() / batch as u64;
    histogram.saturating_record(nanos.max(1));
}

/// A generator whose numbers are the same on every machine (`SplitMix64`).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Uniform in -1..1.
    pub fn signed(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }
}

/// Keys as agents use them.
pub fn keys(count: usize) -> Vec<(String, String)> {
    (0..count).map(|i| (format!("swarm/agent-{}", i % 100), format!("position/{i:06}"))).collect()
}

/// `count` calls for random ones of the keys, laid out in the order of the calls: what is timed
/// is the look-up, not the way to the benchmark's own strings.
pub fn calls(keys: &[(String, String)], count: usize) -> Vec<(String, String)> {
    let mut random = Random(1);
    (0..count).map(|_| keys[random.below(keys.len())].clone()).collect()
}

/// `count` embeddings around 200 centres, 256 numbers each.
pub fn embeddings(count: usize) -> Vec<Vec<f32>> {
    let mut random = Random(7);
    let centres: Vec<Vec<f32>> = (0..200).map(|_| (0..256).map(|_| random.signed()).collect()).collect();
    (0..count)
        .map(|_| {
            let centre = &centres[random.below(200)];
            centre.iter().map(|x| x + 0.5 * random.signed()).collect()
        })
        .collect()
}
