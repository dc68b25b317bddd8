//! A file of blocks, each checked before it is looked at.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

/// First bytes of a file; the last two are its format.
const MAGIC: [u8; 8] = *b"ntvecs01";
/// Longest block: that many rows of the longest codes and of the most links.
const MAX_BLOCK: usize = 64 << 20;

pub(crate) fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn checksum(number: u64, content: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&number.to_le_bytes()), content)
}

/// Writes blocks one after the other.
pub(crate) struct Blocks {
    file: File,
    number: u64,
}

impl Blocks {
    pub(crate) fn begin(mut file: File) -> io::Result<Self> {
        file.write_all(&MAGIC)?;
        Ok(Self { file, number: 0 })
    }

    pub(crate) fn write(&mut self, content: &[u8]) -> io::Result<()> {
        let length = u32::try_from(content.len()).map_err(io::Error::other)?;
        self.file.write_all(&length.to_le_bytes())?;
        self.file.write_all(&checksum(self.number, content).to_le_bytes())?;
        self.number += 1;
        self.file.write_all(content)
    }

    pub(crate) fn end(self) -> io::Result<()> {
        self.file.sync_all()
    }
}

/// Reads what [`Blocks`] wrote.
pub(crate) struct Source {
    file: BufReader<File>,
    number: u64,
    /// Bytes of the file.
    pub(crate) length: u64,
}

impl Source {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut source = Self { file: BufReader::with_capacity(1 << 20, file), number: 0, length };
        let mut magic = [0; MAGIC.len()];
        source.file.read_exact(&mut magic)?;
        if magic == MAGIC { Ok(source) } else { Err(invalid("no graph of this version")) }
    }

    pub(crate) fn block(&mut self) -> io::Result<Vec<u8>> {
        let mut word = [0; 4];
        self.file.read_exact(&mut word)?;
        let length = u32::from_le_bytes(word) as usize;
        if length > MAX_BLOCK || length as u64 > self.length {
            return Err(invalid("a block has an impossible length"));
        }
        self.file.read_exact(&mut word)?;
        let mut content = vec![0; length];
        self.file.read_exact(&mut content)?;
        if u32::from_le_bytes(word) != checksum(self.number, &content) {
            return Err(invalid("a block has a wrong checksum"));
        }
        self.number += 1;
        Ok(content)
    }

    pub(crate) fn is_at_end(&mut self) -> io::Result<bool> {
        Ok(self.file.read(&mut [0])? == 0)
    }
}
