use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::redb::{Database, Durability, ReadableDatabase, TableDefinition};

use super::sealed::Opening;
use super::{Change, ColdStore, FileEngine, Visitor};
use crate::disk;
use crate::error::{Error, Result};

const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");

/// redb: one B-tree in one file.
pub struct RedbCold {
    database: Database,
    path: PathBuf,
}

impl RedbCold {
    fn open_database(path: &Path, opening: Opening) -> std::result::Result<Database, ::redb::Error> {
        let is_checked = Arc::new(AtomicBool::new(!opening.check));
        let repair = Arc::clone(&is_checked);
        let mut builder = Database::builder();
        // A repair reads every page against its checksum; nothing else does, unless asked to.
        builder.set_cache_size(opening.cache).set_repair_callback(move |_| repair.store(true, Ordering::Relaxed));
        let mut database = builder.open(path)?;
        if !is_checked.load(Ordering::Relaxed) {
            database.check_integrity()?;
        }
        Ok(database)
    }

    /// To begin costs as much as to read a row that is in memory.
    fn read(&self, keys: &[&[u8]]) -> std::result::Result<Vec<Option<Vec<u8>>>, ::redb::Error> {
        let table = self.database.begin_read()?.open_table(ROWS)?;
        keys.iter().map(|key| Ok(table.get(*key)?.map(|guard| guard.value().to_vec()))).collect()
    }

    fn apply(&self, changes: &[Change], durable: bool) -> std::result::Result<(), ::redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(if durable { Durability::Immediate } else { Durability::None })?;
        {
            let mut table = transaction.open_table(ROWS)?;
            for (key, value) in changes {
                match value {
                    Some(value) => table.insert(key.as_slice(), value.as_slice())?,
                    None => table.remove(key.as_slice())?,
                };
            }
        }
        Ok(transaction.commit()?)
    }
}

impl FileEngine for RedbCold {
    /// Checksums lead from the root to every row.
    const SUMMED: bool = false;
    const COMPACTS: bool = true;

    fn open(path: &Path, opening: Opening) -> Result<Self> {
        match std::fs::metadata(path).map(|metadata| metadata.len()) {
            Ok(0) => {
                return Err(Error::Corruption(format!("{} is empty; restore a backup of this file", path.display())));
            }
            Ok(_) => {}
            Err(_) => create(path).map_err(|error| at(path, &error))?,
        }
        let database = Self::open_database(path, opening).map_err(|error| at(path, &error))?;
        Ok(Self { database, path: path.to_path_buf() })
    }

    fn shrink(&mut self) -> Result<()> {
        self.database.compact().map(|_| ()).map_err(|error| at(&self.path, &error.into()))
    }

    fn is_done(_path: &Path) -> bool {
        true
    }
}

/// redb refuses a file whose making was broken off, so the file gets its name when it is whole.
fn create(path: &Path) -> std::result::Result<(), ::redb::Error> {
    let unfinished = path.with_extension("redb-new");
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    disk::own_file().open(&unfinished)?;
    let database = Database::create(&unfinished)?;
    let transaction = database.begin_write()?;
    transaction.open_table(ROWS)?;
    transaction.commit()?;
    drop(database);
    Ok(std::fs::rename(&unfinished, path)?)
}

impl ColdStore for RedbCold {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let values = self.read(&[key]).map_err(|error| at(&self.path, &error))?;
        Ok(values.into_iter().next().flatten())
    }

    fn get_all(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        self.read(&keys).map_err(|error| at(&self.path, &error))
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visitor<'_>) -> Result<()> {
        let fail = |error: ::redb::Error| at(&self.path, &error);
        if start >= end {
            return Ok(());
        }
        let transaction = self.database.begin_read().map_err(|error| fail(error.into()))?;
        let table = transaction.open_table(ROWS).map_err(|error| fail(error.into()))?;
        let rows = table.range(start..end).map_err(|error| fail(error.into()))?;
        for row in rows {
            let (key, value) = row.map_err(|error| fail(error.into()))?;
            if !visit(key.value(), value.value())? {
                break;
            }
        }
        Ok(())
    }

    fn has_snapshots(&self) -> bool {
        true
    }

    fn write(&self, changes: Vec<Change>, durable: bool) -> Result<()> {
        self.apply(&changes, durable).map_err(|error| at(&self.path, &error))
    }

    fn size_bytes(&self) -> Result<u64> {
        std::fs::metadata(&self.path).map(|metadata| metadata.len()).map_err(|error| Error::io(&self.path, &error))
    }
}

fn at(path: &Path, error: &::redb::Error) -> Error {
    let text = format!("{}: {error}", path.display());
    match error {
        ::redb::Error::Corrupted(_) | ::redb::Error::UpgradeRequired(_) => {
            Error::Corruption(format!("{text}; restore a backup of this file"))
        }
        ::redb::Error::Io(error) => Error::io(path, error),
        _ => Error::Storage(text),
    }
}
