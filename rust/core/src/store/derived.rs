//! What was made of records: by the parents that later ones name.

use std::collections::{HashMap, HashSet};

use super::Store;
use crate::error::{Error, Result};
use crate::record::{self, Body};
use crate::{frame, keys};

impl Store {
    /// Ids of records that name one of these as a parent, or name one that does; every body is read.
    ///
    /// # Errors
    /// [`Error::Corruption`], the engine's failure.
    pub fn derived(&self, ids: &[String]) -> Result<Vec<String>> {
        self.inner.ensure_usable()?;
        self.flush()?.wait()?;
        let children = self.children()?;
        let mut found: HashSet<&str> = ids.iter().map(String::as_str).collect();
        let mut waiting: Vec<&str> = found.iter().copied().collect();
        while let Some(id) = waiting.pop() {
            let more = children.get(id).into_iter().flatten().map(String::as_str);
            waiting.extend(more.filter(|child| found.insert(child)));
        }
        let shared = self.inner.shared.read();
        let is_there = |id: &&str| shared.catalog.entry(id).is_some_and(|entry| !entry.forgotten());
        for id in ids {
            found.remove(id.as_str());
        }
        let mut derived: Vec<String> = found.into_iter().filter(is_there).map(str::to_owned).collect();
        derived.sort_unstable();
        Ok(derived)
    }

    /// Records by the parents that any of their versions names.
    fn children(&self) -> Result<HashMap<String, Vec<String>>> {
        let mut children: HashMap<String, Vec<String>> = HashMap::new();
        self.inner.cold(|cold| {
            cold.scan(&[keys::BODY], &[keys::BODY + 1], &mut |row, sealed| {
                let body: Body = record::decode(&frame::open(row, sealed)?, "record")?;
                if !body.parents.is_empty() {
                    let (id, _) = keys::parse_version(row).ok_or_else(|| {
                        Error::Corruption("a record has a row without its id; restore a backup".into())
                    })?;
                    for parent in body.parents {
                        children.entry(parent).or_default().push(id.to_owned());
                    }
                }
                Ok(true)
            })
        })?;
        Ok(children)
    }
}
