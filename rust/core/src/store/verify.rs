//! Checking everything that can be checked: checksums, counts, content, L2 against L3.

use std::collections::{HashMap, HashSet};

use super::plan::split_value;
use super::read::floats;
use super::state::{Counts, HEAD, Head, NamespaceState, Namespaces};
use super::sweep::content_rows;
use super::{Inner, Shared, Store, recalls};
use crate::catalog::Entry;
use crate::error::Result;
use crate::record::{self, Meta};
use crate::tier::vector::VectorStore;
use crate::{frame, keys};

/// Problems told at most, so that a broken disk does not fill the memory.
const MAX_PROBLEMS: usize = 1000;
/// Passes beside the committer before one that it has to wait for.
const FREE_PASSES: usize = 2;

/// What one pass over the rows found.
#[derive(Default)]
struct Audit {
    problems: Vec<String>,
    counts: Counts,
    head: Option<Head>,
    metas: HashMap<String, Vec<Meta>>,
    tombstones: HashSet<String>,
    /// Rows of text, payloads and vectors; of a vector with the checksum of its code.
    content: HashMap<Vec<u8>, Option<u32>>,
    /// Where codes are made to compare with, by the name of the space.
    coders: HashMap<String, VectorStore>,
    namespaces: Namespaces,
    /// Rows that find values and logged recalls by their time.
    times: HashSet<Vec<u8>>,
    needed_times: HashSet<Vec<u8>>,
}

impl Store {
    /// Read every row; one line a problem, none where all is well.
    ///
    /// # Errors
    /// For a store that cannot be used, or an engine that cannot read at all.
    pub fn verify(&self) -> Result<Vec<String>> {
        self.flush()?.wait()?;
        for _ in 0..FREE_PASSES {
            let before = self.inner.shared.read().head;
            let audit = self.inner.audit()?;
            let shared = self.inner.shared.read();
            if shared.head == before && audit.head == Some(before) {
                let problems = audit.compare(&shared);
                self.inner.indexing.wake();
                return Ok(problems);
            }
        }
        // Somebody keeps writing: hold the committer, so that disk and memory stand at one commit.
        let _writing = self.inner.writing.lock();
        let audit = self.inner.audit()?;
        Ok(audit.compare(&self.inner.shared.read()))
    }
}

impl Inner {
    fn audit(&self) -> Result<Audit> {
        let coders: Vec<VectorStore> = self.shared.read().catalog.spaces.iter().map(VectorStore::emptied).collect();
        let coders = coders.into_iter().map(|coder| (coder.definition.name.clone(), coder)).collect();
        let mut audit = Audit { coders, ..Audit::default() };
        self.cold(|cold| {
            cold.scan(&[0], &[u8::MAX; 2], &mut |row, sealed| {
                audit.row(row, sealed);
                Ok(audit.problems.len() < MAX_PROBLEMS)
            })
        })?;
        Ok(audit)
    }
}

impl Audit {
    fn row(&mut self, row: &[u8], sealed: &[u8]) {
        let value = match frame::open(row, sealed) {
            Ok(value) => value,
            Err(error) => return self.problems.push(error.to_string()),
        };
        let name = || String::from_utf8_lossy(&row[1..]).into_owned();
        match row[0] {
            keys::VALUE => {
                self.counts.values += 1;
                self.value(row, &value);
            }
            keys::EXPIRY | keys::RECALLED => {
                self.times.insert(row.to_vec());
            }
            keys::NAMESPACE => match record::decode::<NamespaceState>(&value, "namespace") {
                Ok(state) => _ = self.namespaces.insert(name(), state),
                Err(error) => self.problems.push(error.to_string()),
            },
            keys::RECALL => {
                self.counts.recalls += 1;
                let (found_by, _) = recalls::split(&value);
                self.needed_times.extend((!found_by.is_empty()).then(|| found_by.to_vec()));
            }
            keys::TOMBSTONE => {
                self.counts.tombstones += 1;
                self.tombstones.insert(name());
            }
            keys::META => {
                self.counts.versions += 1;
                self.meta(row, &value);
            }
            keys::BODY | keys::OUTCOME => {
                self.content.insert(row.to_vec(), None);
            }
            keys::EMBEDDING => {
                let coder = keys::space_of_embedding(row).and_then(|space| self.coders.get_mut(space));
                let sum = coder.and_then(|coder| coder.checksum_of(&floats(&value)));
                self.content.insert(row.to_vec(), sum);
            }
            keys::STATE if name() == HEAD => self.head = record::decode(&value, "state").ok(),
            _ => {}
        }
    }

    /// A value that ends is found by the row of its expiry.
    fn value(&mut self, row: &[u8], value: &[u8]) {
        match (keys::parse_value(row), split_value(value)) {
            (Some((namespace, key)), Some((expires_at, _))) => {
                if expires_at != i64::MAX {
                    self.needed_times.insert(keys::expiry(expires_at, namespace, key));
                }
            }
            _ => self.problems.push(format!("value row {:?} cannot be read", String::from_utf8_lossy(row))),
        }
    }

    fn meta(&mut self, row: &[u8], value: &[u8]) {
        match (keys::parse_version(row), record::decode::<Meta>(value, "version")) {
            (Some((id, _)), Ok(meta)) => self.metas.entry(id.to_owned()).or_default().push(meta),
            _ => self.problems.push(format!("version row {:?} cannot be read", String::from_utf8_lossy(row))),
        }
    }

    /// Compare what was found with the counts, and with what is in memory.
    fn compare(mut self, shared: &Shared) -> Vec<String> {
        if self.counts != shared.head.counts {
            self.problems.push(format!("rows are {:?}, the head says {:?}", self.counts, shared.head.counts));
        }
        if self.namespaces != shared.namespaces {
            self.problems
                .push(format!("namespaces on the disk are {:?}, in memory {:?}", self.namespaces, shared.namespaces));
        }
        for row in self.needed_times.difference(&self.times) {
            let what = if row[0] == keys::EXPIRY { "expiry" } else { "time of a recall" };
            self.problems.push(format!("{what} {:?} is missing", String::from_utf8_lossy(row)));
        }
        self.check_content();
        self.check_codes(shared);
        for entry in shared.catalog.entries() {
            let id = entry.id();
            let found = self.metas.remove(&*id).map_or(0, |metas| metas.len());
            let held = entry.versions().count();
            if found != held {
                self.problems.push(format!("record {} has {held} versions in memory and {found} on the disk", &*id));
            }
        }
        let only_on_disk = self.metas.keys().map(|id| format!("record {id} is on the disk and not in memory"));
        self.problems.extend(only_on_disk);
        for space in &shared.catalog.spaces {
            let lost = space.unreachable();
            if lost > 0 {
                let name = &space.definition.name;
                self.problems.push(format!(
                    "the graph of space {name:?} does not lead to {lost} of its vectors; it is being repaired"
                ));
            }
        }
        self.problems.truncate(MAX_PROBLEMS);
        self.problems
    }

    /// What is searched is what is stored.
    fn check_codes(&mut self, shared: &Shared) {
        let catalog = &shared.catalog;
        for (number, vectors) in (0_u16..).zip(&catalog.spaces) {
            let name = &vectors.definition.name;
            // Codes may have become smaller since the rows were read.
            if self.coders.get(name).is_none_or(|coder| coder.code() != vectors.code()) {
                continue;
            }
            for version in catalog.entries().filter(|entry| !entry.forgotten()).flat_map(Entry::versions) {
                let Some(slot) = version.slot(number) else { continue };
                let Some(entry) = catalog.owner(number, slot).and_then(|record| catalog.record(record)) else {
                    continue;
                };
                let id = entry.id();
                let row = keys::embedding(&id, version.source(number), name);
                if self.content.get(&row).is_some_and(|sum| *sum != Some(vectors.checksum(slot))) {
                    self.problems.push(format!(
                        "record {} is searched in space {name:?} by a code that is not its embedding's; close the \
                         store, remove its files that end in .vectors, and open it again",
                        &*id
                    ));
                }
            }
        }
    }

    /// Every version has its content, and there is no content without a version.
    fn check_content(&mut self) {
        let mut needed = HashSet::new();
        for (id, metas) in self.metas.iter().filter(|(id, _)| !self.tombstones.contains(*id)) {
            for meta in metas {
                let rows = content_rows(id, meta);
                if rows.iter().any(|row| !self.content.contains_key(row)) {
                    self.problems.push(format!("content of version {} of record {id} is missing", meta.version));
                }
                needed.extend(rows);
            }
        }
        for row in self.content.keys().filter(|row| !needed.contains(*row)) {
            self.problems.push(format!("row {:?} belongs to no version", String::from_utf8_lossy(row)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NamespaceOptions, Operation, StoreConfig};

    /// A store with a value that ends, in a namespace with options, and a logged recall.
    fn store() -> Store {
        let store = Store::open(StoreConfig::default()).unwrap();
        let options = NamespaceOptions { ttl: Some(3_600_000_000), ..NamespaceOptions::default() };
        let (namespace, key) = ("a".to_owned(), "k".to_owned());
        store.commit(vec![Operation::Configure { namespace: namespace.clone(), options }]).unwrap();
        store.commit(vec![Operation::Put { namespace, key, value: b"v".to_vec(), ttl: None }]).unwrap();
        store.log_recall("one", b"entry", Some(0), None, None).unwrap();
        store.flush().unwrap().wait().unwrap();
        store
    }

    /// What is told after the first row of a table was replaced.
    fn told(table: u8, value: Option<&[u8]>) -> Vec<String> {
        let store = store();
        store
            .inner
            .cold(|cold| {
                let mut found = Vec::new();
                cold.scan(&[table], &[table + 1], &mut |row, _| {
                    found = row.to_vec();
                    Ok(false)
                })?;
                let sealed = value.map(|value| frame::seal(&found, value, false));
                cold.write(vec![(found, sealed)], true)
            })
            .unwrap();
        store.verify().unwrap()
    }

    #[test]
    fn finds_nothing_in_a_sound_store() {
        assert_eq!(store().verify().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn finds_missing_rows() {
        assert!(told(keys::VALUE, None)[0].starts_with("rows are"));
        assert!(told(keys::EXPIRY, None)[0].starts_with("expiry"));
        assert!(told(keys::RECALLED, None)[0].starts_with("time of a recall"));
        assert!(told(keys::NAMESPACE, None)[0].starts_with("namespaces on the disk are {}"));
    }

    #[test]
    fn finds_rows_that_cannot_be_read() {
        assert!(told(keys::VALUE, Some(b"short"))[0].contains("cannot be read"));
        assert!(told(keys::NAMESPACE, Some(b"?"))[0].contains("cannot be decoded"));
    }
}
