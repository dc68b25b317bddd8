//! A checksum over all bytes of a file or folder, quick enough for every opening.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes that a thread reads at once.
const BLOCK: usize = 1 << 20;
const MAX_THREADS: usize = 4;

/// What a closed store's files were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Digest {
    pub length: u64,
    pub checksum: u32,
}

impl Digest {
    /// Read everything; names count as well.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let mut digest = Self::default();
        for file in files(path)? {
            let name = file.strip_prefix(path).unwrap_or(&file);
            let (length, checksum) = file_checksum(&file)?;
            digest.length += length;
            for part in [name.as_os_str().as_encoded_bytes(), &length.to_le_bytes(), &checksum.to_le_bytes()] {
                digest.checksum = crc32c::crc32c_append(digest.checksum, part);
            }
        }
        Ok(digest)
    }
}

/// Bring all bytes to the disk.
pub(super) fn sync(path: &Path) -> io::Result<()> {
    files(path)?.iter().try_for_each(|file| File::open(file)?.sync_all())
}

/// Bring a new file's or folder's name to the disk.
pub(super) fn sync_name(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path)? {
        found.extend(files(&entry?.path())?);
    }
    found.sort();
    Ok(found)
}

/// The length of a file, and the checksum of its blocks' checksums.
fn file_checksum(path: &Path) -> io::Result<(u64, u32)> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let blocks = length.div_ceil(BLOCK as u64);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS) as u64;
    let share = blocks.div_ceil(threads).max(1);
    // Threads of their own: a pool that was made before a fork would not answer after it.
    let parts = std::thread::scope(|scope| {
        let starts = (0..blocks).step_by(usize::try_from(share).unwrap_or(usize::MAX));
        let running: Vec<_> = starts
            .map(|start| {
                let part = start..blocks.min(start + share);
                let file = &file;
                scope.spawn(move || {
                    part.map(|block| block_checksum(file, length, block)).collect::<io::Result<Vec<_>>>()
                })
            })
            .collect();
        let joined =
            running.into_iter().map(|thread| thread.join().map_err(|_| io::Error::other("a reader panicked"))?);
        joined.collect::<io::Result<Vec<_>>>()
    })?;
    let sums: Vec<u8> = parts.concat().into_iter().flat_map(u32::to_le_bytes).collect();
    Ok((length, crc32c::crc32c(&sums)))
}

fn block_checksum(file: &File, length: u64, block: u64) -> io::Result<u32> {
    let start = block * BLOCK as u64;
    let size = usize::try_from(length - start).map_or(BLOCK, |left| left.min(BLOCK));
    let mut bytes = vec![0; size];
    file.read_exact_at(&mut bytes, start)?;
    Ok(crc32c::crc32c(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("folder");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("file"), content).unwrap();
        (directory, path)
    }

    #[test]
    fn another_byte_in_any_block_is_another_digest() {
        let content = vec![7; 5 * BLOCK + 3];
        let (_directory, path) = written(&content);
        let before = Digest::of(&path).unwrap();
        for at in [0, BLOCK, 3 * BLOCK - 1, content.len() - 1] {
            let mut other = content.clone();
            other[at] ^= 1;
            std::fs::write(path.join("file"), other).unwrap();
            assert_ne!(Digest::of(&path).unwrap(), before, "{at}");
        }
        std::fs::write(path.join("file"), content).unwrap();
        assert_eq!(Digest::of(&path).unwrap(), before);
    }

    #[test]
    fn another_length_or_name_or_file_more_is_another_digest() {
        let (_directory, path) = written(b"content");
        let before = Digest::of(&path).unwrap();
        std::fs::write(path.join("more"), b"").unwrap();
        assert_ne!(Digest::of(&path).unwrap(), before);
        std::fs::remove_file(path.join("more")).unwrap();
        std::fs::rename(path.join("file"), path.join("life")).unwrap();
        assert_ne!(Digest::of(&path).unwrap(), before);
        std::fs::rename(path.join("life"), path.join("file")).unwrap();
        std::fs::write(path.join("file"), b"content\0").unwrap();
        assert_ne!(Digest::of(&path).unwrap(), before);
    }
}
