use std::collections::BTreeMap;

use crate::sync::RwLock;

use super::{Change, ColdStore, Visitor};
use crate::error::Result;

/// A map in memory, for tests and for `":memory:"`.
#[derive(Debug, Default)]
pub struct MemoryCold {
    rows: RwLock<BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl ColdStore for MemoryCold {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.rows.read().get(key).cloned())
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visitor<'_>) -> Result<()> {
        if start >= end {
            return Ok(());
        }
        for (key, value) in self.rows.read().range(start.to_vec()..end.to_vec()) {
            if !visit(key, value)? {
                break;
            }
        }
        Ok(())
    }

    fn has_snapshots(&self) -> bool {
        true
    }

    fn write(&self, changes: Vec<Change>, _durable: bool) -> Result<()> {
        let mut rows = self.rows.write();
        for (key, value) in changes {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        Ok(())
    }

    fn size_bytes(&self) -> Result<u64> {
        Ok(self.rows.read().iter().map(|(key, value)| (key.len() + value.len()) as u64).sum())
    }
}
