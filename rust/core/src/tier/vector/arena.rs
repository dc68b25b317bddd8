//! Rows of equal length in chunks that never move.
//!
//! A chunk is two megabytes, at a multiple of two megabytes, so that the
//! system can keep it in one large page: a walk through a graph touches rows
//! all over the memory, and each small page would cost a look-up of its own.

use std::ptr::NonNull;

use crate::error::{Error, Result};

const CHUNK_BYTES: usize = 2 << 20;
/// Rows begin at a cache line where that wastes less than this part of a row.
const MOST_WASTED: usize = 8;
const LINE: usize = 64;
/// Most rows a chunk has, whatever is left of it.
const MAX_ROWS: usize = 1 << 20;

/// What may be made of zeroed memory, needs no drop, and lies without gaps.
///
/// # Safety
/// A value of all zero bits must be valid.
pub(super) unsafe trait Plain {}
// SAFETY: zero bits are the number zero.
unsafe impl Plain for half::f16 {}
// SAFETY: zero bits are the number zero.
unsafe impl Plain for f32 {}
// SAFETY: zero bits are the number zero.
unsafe impl Plain for i8 {}
// SAFETY: zero bits are the number zero.
unsafe impl Plain for std::sync::atomic::AtomicU32 {}

/// Rows of `width` values; a fresh row is zero.
pub(super) struct Arena<T> {
    chunks: Vec<NonNull<T>>,
    width: usize,
    /// Values from one row to the next.
    stride: usize,
    /// Rows a chunk.
    per_chunk: u32,
    /// Divides a row by them: 2^64 / `per_chunk`, rounded up (Lemire, Kaser and Kurz, 2019).
    inverse: u64,
    rows: u32,
    /// Chunks that were given back.
    drained: usize,
}

// SAFETY: an arena owns its chunks, and hands out references as a vector would.
unsafe impl<T: Send> Send for Arena<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Arena<T> {}

impl<T: Plain> Arena<T> {
    pub(super) fn new(width: usize) -> Self {
        let row = width * size_of::<T>();
        let aligned = row.next_multiple_of(LINE);
        let row = if (aligned - row) * MOST_WASTED < row { aligned } else { row };
        // A chunk of one row would need an inverse of 65 bits.
        let per_chunk = u32::try_from((CHUNK_BYTES / row).min(MAX_ROWS)).unwrap_or(2).max(2);
        let inverse = u64::MAX / u64::from(per_chunk) + 1;
        Self { chunks: Vec::new(), width, stride: row / size_of::<T>(), per_chunk, inverse, rows: 0, drained: 0 }
    }

    /// Make room for so many rows in all.
    ///
    /// # Errors
    /// Where the system gives no memory; then nothing changed but room.
    pub(super) fn reserve(&mut self, rows: u32) -> Result<()> {
        while self.chunks.len() as u64 * u64::from(self.per_chunk) < u64::from(rows) {
            // A small space does not take a large page.
            let chunk = map_chunk(!self.chunks.is_empty())?;
            self.chunks.push(chunk.cast());
        }
        self.rows = self.rows.max(rows);
        Ok(())
    }

    fn at(&self, row: u32) -> *mut T {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        let chunk = self.chunk_of(row);
        let within = (row as usize - chunk * self.per_chunk as usize) * self.stride;
        // SAFETY: `reserve` mapped the chunk of each row below `rows`, and a chunk has room for
        // `per_chunk` rows of `stride` values.
        unsafe { self.chunks.get_unchecked(chunk).as_ptr().add(within) }
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "less than the row")]
    fn chunk_of(&self, row: u32) -> usize {
        ((u128::from(row) * u128::from(self.inverse)) >> 64) as usize
    }

    #[inline]
    pub(super) fn row(&self, row: u32) -> &[T] {
        // SAFETY: the row lies in its chunk, which lives as long as the arena, and zeroed memory is valid.
        unsafe { std::slice::from_raw_parts(self.at(row), self.width) }
    }

    pub(super) fn row_mut(&mut self, row: u32) -> &mut [T] {
        // SAFETY: as in `row`; `&mut self` makes it the only reference.
        unsafe { std::slice::from_raw_parts_mut(self.at(row), self.width) }
    }

    /// Ask for a row before it is read.
    #[inline]
    pub(super) fn prefetch(&self, row: u32) {
        super::kernel::prefetch(self.row(row));
    }

    pub(super) fn rows(&self) -> u32 {
        self.rows
    }

    /// Visit all rows in their order, and give each chunk back behind its last row.
    pub(super) fn drain(mut self, mut visit: impl FnMut(u32, &[T])) {
        for row in 0..self.rows {
            visit(row, self.row(row));
            let chunk = self.chunk_of(row);
            if self.chunk_of(row + 1) > chunk {
                unmap(std::mem::replace(&mut self.chunks[chunk], NonNull::dangling()));
                self.drained = chunk + 1;
            }
        }
    }

    /// Bytes of the rows.
    pub(super) fn bytes(&self) -> usize {
        self.rows as usize * self.row_bytes()
    }

    pub(super) fn row_bytes(&self) -> usize {
        self.stride * size_of::<T>()
    }
}

impl<T> Drop for Arena<T> {
    fn drop(&mut self) {
        for chunk in &self.chunks[self.drained..] {
            unmap(*chunk);
        }
    }
}

/// Give a chunk back, to which nobody refers any more.
fn unmap<T>(chunk: NonNull<T>) {
    // SAFETY: each chunk was mapped with this length, is given back once, and no row outlives it.
    unsafe { libc::munmap(chunk.as_ptr().cast(), CHUNK_BYTES) };
}

/// Two megabytes of zeros at a multiple of two megabytes.
fn map_chunk(large_page: bool) -> Result<NonNull<u8>> {
    let refused = || {
        let reason = std::io::Error::last_os_error();
        Error::Vector(format!(
            "the system gives no memory for more embeddings ({reason}); forget records, or add memory"
        ))
    };
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a fresh anonymous mapping of twice the length holds an aligned half; what lies before
    // and behind that is given back at once, and nobody else knows the addresses.
    unsafe {
        let start = libc::mmap(std::ptr::null_mut(), 2 * CHUNK_BYTES, access, kind, -1, 0);
        if start == libc::MAP_FAILED {
            return Err(refused());
        }
        let before = start.cast::<u8>().align_offset(CHUNK_BYTES);
        let chunk = start.cast::<u8>().add(before);
        if before > 0 {
            libc::munmap(start, before);
        }
        libc::munmap(chunk.add(CHUNK_BYTES).cast(), CHUNK_BYTES - before);
        #[cfg(target_os = "linux")]
        if large_page {
            // A wish; where it is not heard small pages do.
            libc::madvise(chunk.cast(), CHUNK_BYTES, libc::MADV_HUGEPAGE);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = large_page;
        NonNull::new(chunk).ok_or_else(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_chunk_lies_at_a_multiple_of_its_length() {
        let mut arena: Arena<f32> = Arena::new(256);
        arena.reserve(5000).unwrap();
        assert!(arena.chunks.iter().all(|chunk| chunk.as_ptr().align_offset(CHUNK_BYTES) == 0));
    }

    /// Run in a child of this process, which a limit on memory does not outlive.
    fn in_child(check: impl FnOnce() -> bool) -> bool {
        // SAFETY: the child calls nothing but the check, and ends at once.
        unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::_exit(i32::from(!check()));
            }
            let mut status = 0;
            libc::waitpid(child, &raw mut status, 0) == child
                && libc::WIFEXITED(status)
                && libc::WEXITSTATUS(status) == 0
        }
    }

    #[test]
    fn where_there_is_no_memory_it_is_told_and_nothing_changed() {
        const ENOUGH: libc::rlim_t = 1 << 34;
        assert!(in_child(|| {
            let mut arena: Arena<f32> = Arena::new(4096);
            arena.reserve(10).unwrap();
            arena.row_mut(9)[0] = 5.0;
            let limit = libc::rlimit { rlim_cur: ENOUGH, rlim_max: ENOUGH };
            // SAFETY: the limit is this child's own.
            let is_limited = unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) } == 0;
            let refused = arena.reserve(u32::MAX >> 1);
            is_limited && refused.is_err() && arena.rows == 10 && arena.row(9)[0].to_bits() == 5.0_f32.to_bits()
        }));
    }

    proptest! {
        #[test]
        fn a_row_is_found_in_its_chunk(width in 1_usize..9000, row in 0_u32..u32::MAX) {
            let arena: Arena<f32> = Arena::new(width);
            for row in [row, row - row % arena.per_chunk, (row - row % arena.per_chunk).saturating_sub(1), u32::MAX] {
                prop_assert_eq!(arena.chunk_of(row), (row / arena.per_chunk) as usize);
            }
        }

        #[test]
        fn rows_keep_what_was_written_while_the_arena_grows(width in 1_usize..9000, sizes in proptest::collection::vec(1_u32..300, 1..6)) {
            let mut arena: Arena<f32> = Arena::new(width);
            let mut written = 0_u32;
            for size in sizes {
                arena.reserve(size).unwrap();
                for row in written..arena.rows {
                    prop_assert!(arena.row(row).iter().all(|value| value.to_bits() == 0));
                    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
                    arena.row_mut(row).fill(row as f32 + 1.0);
                }
                written = arena.rows;
                for row in 0..written {
                    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
                    let value = row as f32 + 1.0;
                    prop_assert!(arena.row(row).iter().all(|found| found.to_bits() == value.to_bits()));
                }
            }
        }
    }
}
