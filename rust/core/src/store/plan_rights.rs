//! Who may write: batches with the number of a lock, and what agents are granted.

use super::ops::{Answer, Operation};
use super::plan::{Effect, Planner};
use super::state::{NUMBERS, RIGHTS};
use crate::coordination::access::{Rights, check_agent};
use crate::error::{Error, Result};
use crate::{keys, record};

impl Planner<'_> {
    /// Hold the locks that the batch names until all of it is done.
    pub(super) fn begin_writes(&mut self, operations: &[Operation]) -> Result<()> {
        for operation in operations {
            if let Operation::Fence { resource, number } = operation {
                self.own.writing.push(self.inner.locks.begin_write(resource, *number)?);
            }
        }
        Ok(())
    }

    /// Whether the batch has the lock that a namespace asks for.
    pub(super) fn ensure_fence(&self, namespace: &str) -> Result<()> {
        let Some(resource) = self.namespace(namespace).and_then(|state| state.options.fenced) else { return Ok(()) };
        if self.own.writing.iter().any(|writing| writing.is_of(&resource)) {
            return Ok(());
        }
        Err(Error::Stale(format!(
            "{namespace:?} is written with the lock {resource:?} only; acquire it, and pass fence=token"
        )))
    }

    pub(super) fn allow_numbers(&mut self, last: u64) -> Result<Answer> {
        self.own.rows.insert(keys::named(keys::STATE, NUMBERS), Some(record::encode(&last)?.into()));
        Ok(Answer::None)
    }

    pub(super) fn set_rights(&mut self, agent: &str, rights: &Rights) -> Result<Answer> {
        check_agent(agent)?;
        rights.check()?;
        let mut all = self.rights();
        if *rights == Rights::default() {
            all.remove(agent);
        } else {
            all.insert(agent.to_owned(), rights.clone());
        }
        self.own.rows.insert(keys::named(keys::STATE, RIGHTS), Some(record::encode(&all)?.into()));
        self.own.rights = Some(all.clone());
        self.own.effects.push(Effect::Rights(all));
        Ok(Answer::None)
    }
}
