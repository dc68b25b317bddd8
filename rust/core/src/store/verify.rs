//! Checking everything that can be checked: checksums, counts, L2 against L3.

use std::collections::HashMap;

use super::Store;
use super::state::Counts;
use crate::error::{Error, Result};
use crate::record::{self, Meta};
use crate::{frame, keys};

/// Problems told at most, so that a broken disk does not fill the memory.
const MAX_PROBLEMS: usize = 1000;

struct Audit {
    problems: Vec<String>,
    counts: Counts,
    metas: HashMap<String, Vec<Meta>>,
}

impl Store {
    /// Read every row; one line a problem, none where all is well.
    ///
    /// # Errors
    /// For a store that cannot be used, or an engine that cannot read at all.
    pub fn verify(&self) -> Result<Vec<String>> {
        self.flush()?.wait()?;
        let mut audit = Audit { problems: Vec::new(), counts: Counts::default(), metas: HashMap::new() };
        // Held over the whole pass, so that memory and disk are compared at one commit.
        let shared = self.inner.shared.read();
        self.inner.cold(|cold| {
            cold.scan(&[0], &[u8::MAX; 2], &mut |row, sealed| {
                audit.row(row, sealed);
                Ok(audit.problems.len() < MAX_PROBLEMS)
            })
        })?;
        if audit.counts != shared.head.counts && audit.problems.len() < MAX_PROBLEMS {
            audit.problems.push(format!("rows are {:?}, the head says {:?}", audit.counts, shared.head.counts));
        }
        for entry in &shared.catalog.entries {
            audit.entry(&entry.id, entry.versions.len());
        }
        for id in audit.metas.keys() {
            audit.problems.push(format!("record {id} is on the disk and not in memory"));
        }
        drop(shared);
        audit.problems.extend(self.missing_content()?);
        audit.problems.truncate(MAX_PROBLEMS);
        Ok(audit.problems)
    }

    /// Versions whose text, payload or embedding is gone although they were not forgotten.
    fn missing_content(&self) -> Result<Vec<String>> {
        let kept: Vec<(String, u32)> = {
            let shared = self.inner.shared.read();
            let entries = shared.catalog.entries.iter().filter(|entry| !entry.forgotten);
            entries.flat_map(|entry| entry.versions.iter().map(|v| (entry.id.to_string(), v.number))).collect()
        };
        let mut problems = Vec::new();
        for (id, number) in kept {
            match self.is_whole(&id, number) {
                Ok(true) => {}
                Ok(false) => problems.push(format!("content of version {number} of record {id} is missing")),
                Err(Error::Corruption(text)) => problems.push(text),
                Err(error) => return Err(error),
            }
        }
        Ok(problems)
    }

    /// Whether a version's content is there, or was forgotten or erased meanwhile.
    fn is_whole(&self, id: &str, number: u32) -> Result<bool> {
        if self.inner.record(id, number)?.is_some() {
            return Ok(true);
        }
        // A forget may have reached the disk and not the memory yet; after a flush it has.
        self.flush()?.wait()?;
        let shared = self.inner.shared.read();
        Ok(shared
            .catalog
            .entry(id)
            .is_none_or(|entry| entry.forgotten || entry.versions.iter().all(|v| v.number != number)))
    }
}

impl Audit {
    fn row(&mut self, row: &[u8], sealed: &[u8]) {
        match row.first() {
            Some(&keys::VALUE) => self.counts.values += 1,
            Some(&keys::META) => self.counts.versions += 1,
            Some(&keys::TOMBSTONE) => self.counts.tombstones += 1,
            Some(&keys::RECALL) => self.counts.recalls += 1,
            _ => {}
        }
        match frame::open(row, sealed) {
            Err(error) => self.problems.push(error.to_string()),
            Ok(value) if row.first() == Some(&keys::META) => self.meta(row, &value),
            Ok(_) => {}
        }
    }

    fn meta(&mut self, row: &[u8], value: &[u8]) {
        match (keys::parse_version(row), record::decode::<Meta>(value, "version")) {
            (Some((id, _)), Ok(meta)) => self.metas.entry(id.to_owned()).or_default().push(meta),
            _ => self.problems.push(format!("version row {:?} cannot be read", String::from_utf8_lossy(row))),
        }
    }

    fn entry(&mut self, id: &str, versions: usize) {
        let found = self.metas.remove(id).map_or(0, |metas| metas.len());
        if found != versions && self.problems.len() < MAX_PROBLEMS {
            self.problems.push(format!("record {id} has {versions} versions in memory and {found} on the disk"));
        }
    }
}
