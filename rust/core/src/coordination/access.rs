//! What an agent may do.  Every way to a store leads through a [`Handle`]; one of an agent gives the
//! store away only to a call that it has looked at.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::locks::LockRequest;
use super::pubsub::{Publication, Subscribe};
use crate::error::{Error, Result, value_error};
use crate::namespace::Namespace;
use crate::store::{Operation, Query, Store};

/// Where what all agents may read lies.
pub const SHARED: &str = "shared";
/// Most paths that one agent is granted.
const MAX_PATHS: usize = 1000;

/// What all agents read: the pool, proposals and votes, who is registered.
const OPEN: [&str; 3] = [SHARED, "consensus", "registry"];
/// Where signals lie; their queues, below it, are their agents' own.
const SIGNALS: &str = "signals";

/// Check an id: those of the roots of the tree would own all below them.
pub(crate) fn check_agent(agent: &str) -> Result<()> {
    Namespace::agent_prefix(agent)?;
    if agent == "swarm" || agent == SIGNALS || OPEN.contains(&agent) {
        return Err(Error::Namespace(format!("agent id {agent:?} is the name of what all agents share; take another")));
    }
    Ok(())
}

/// What belongs to an agent.
fn own(agent: &str) -> [String; 2] {
    [format!("swarm/{agent}"), format!("{SIGNALS}/{agent}")]
}

/// Topics that an agent hears.
pub(crate) fn topics(agent: &str, rights: &Rights) -> Vec<String> {
    std::iter::once(agent.to_owned()).chain(readable(agent, rights)).collect()
}

/// Namespaces that an agent reads.
fn readable(agent: &str, rights: &Rights) -> Vec<String> {
    let open = OPEN.map(str::to_owned).into_iter();
    let granted = rights.read.iter().chain(&rights.write).cloned();
    own(agent).into_iter().chain(open).chain(granted).collect()
}

/// Whether a topic is the agent's own.
fn has_topic(agent: &str, topic: &str) -> bool {
    is_own(agent, topic) || Namespace::has_prefix(topic, agent)
}

fn is_own(agent: &str, path: &str) -> bool {
    own(agent).iter().any(|own| Namespace::has_prefix(path, own))
}

fn is_open(path: &str) -> bool {
    path == SIGNALS || OPEN.iter().any(|open| Namespace::has_prefix(path, open))
}

/// What an agent may do beside its own: paths, each with all below it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights {
    /// Namespaces and topics that it reads.
    pub read: Vec<String>,
    /// Namespaces and topics that it writes, and names that it locks; it reads those, too.
    pub write: Vec<String>,
}

impl Rights {
    pub(crate) fn check(&self) -> Result<()> {
        for (field, paths) in [("read", &self.read), ("write", &self.write)] {
            if paths.len() > MAX_PATHS {
                return value_error(format!("{field} has {} paths; grant at most {MAX_PATHS}", paths.len()));
            }
            paths.iter().try_for_each(|path| Namespace::validate(path))?;
        }
        Ok(())
    }
}

pub(crate) fn covers(paths: &[String], path: &str) -> bool {
    paths.iter().any(|granted| Namespace::has_prefix(path, granted))
}

/// A store in the hands of its owner, or of an agent.
#[derive(Clone)]
pub struct Handle {
    store: Arc<Store>,
    agent: Option<Arc<str>>,
}

impl Handle {
    /// The owner's.
    #[must_use]
    pub fn root(store: Store) -> Self {
        Self { store: Arc::new(store), agent: None }
    }

    /// An agent's.
    ///
    /// # Errors
    /// [`Error::Namespace`] for an id that cannot be, [`Error::Denied`] from an agent.
    pub fn of_agent(&self, agent: &str) -> Result<Self> {
        check_agent(agent)?;
        Ok(Self { store: Arc::clone(self.owner("hands out handles")?), agent: Some(agent.into()) })
    }

    /// Whose it is; `None` for the owner.
    #[must_use]
    pub fn agent(&self) -> Option<&str> {
        self.agent.as_deref()
    }

    /// The store, for what nobody but the owner does.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn owner(&self, what: &str) -> Result<&Arc<Store>> {
        match &self.agent {
            None => Ok(&self.store),
            Some(agent) => Err(Error::Denied(format!(
                "agent {agent:?} asks for what only the memory's owner does: it {what}; use the memory that made this handle"
            ))),
        }
    }

    /// The store, for what tells of no one's data.
    #[must_use]
    pub fn anyone(&self) -> &Arc<Store> {
        &self.store
    }

    /// The store, to read a namespace or topic.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn reading(&self, path: &str) -> Result<&Arc<Store>> {
        if self.may_read(path) { Ok(&self.store) } else { Err(self.denied("read", path)) }
    }

    /// Whether it may read a namespace or topic.
    #[must_use]
    pub fn may_read(&self, path: &str) -> bool {
        let Some(agent) = &self.agent else { return true };
        is_own(agent, path)
            || is_open(path)
            || self.store.rights(agent).is_some_and(|own| covers(&own.read, path) || covers(&own.write, path))
    }

    /// Whether it may write a namespace or topic, or lock a name.
    #[must_use]
    pub fn may_write(&self, path: &str) -> bool {
        let Some(agent) = &self.agent else { return true };
        is_own(agent, path) || self.store.rights(agent).is_some_and(|own| covers(&own.write, path))
    }

    /// A logged recall; an agent has its own.
    ///
    /// # Errors
    /// The engine's failure.
    pub fn recall_log(&self, id: &str) -> Result<Option<Vec<u8>>> {
        let found = self.store.recall_log(id)?;
        Ok(found.filter(|(by, _)| self.agent.is_none() || by.as_deref() == self.agent()).map(|(_, entry)| entry))
    }

    /// The store, to search it; the search sees what the agent may read.
    ///
    /// # Errors
    /// [`Error::Denied`] where it may read nothing of what it asks for.
    pub fn searching(&self, query: &mut Query) -> Result<&Arc<Store>> {
        if let Some(paths) = self.readable() {
            if let Some(namespace) = &query.namespace {
                let reaches =
                    |path: &String| Namespace::has_prefix(namespace, path) || Namespace::has_prefix(path, namespace);
                if !paths.iter().any(reaches) {
                    return Err(self.denied("read", namespace));
                }
            }
            // A recall that is computed again names what it was bound to then.
            match &query.within {
                Some(within) if !within.iter().all(|path| covers(&paths, path)) => {
                    return Err(self.denied("read all of", &within.join(", ")));
                }
                Some(_) => {}
                None => query.within = Some(paths),
            }
        }
        Ok(&self.store)
    }

    /// Paths that an agent reads; `None` where all are.
    #[must_use]
    pub fn readable(&self) -> Option<Vec<String>> {
        let agent = self.agent.as_ref()?;
        let rights = self.store.rights(agent).unwrap_or_default();
        Some(readable(agent, &rights))
    }

    /// Paths that an agent writes; `None` where all are.
    #[must_use]
    pub fn writable(&self) -> Option<Vec<String>> {
        let agent = self.agent.as_ref()?;
        let rights = self.store.rights(agent).unwrap_or_default();
        Some(own(agent).into_iter().chain(rights.write).collect())
    }

    /// The store, to commit a batch; what the batch writes is the agent's.
    ///
    /// # Errors
    /// [`Error::Denied`] where one of the operations may not be.
    pub fn committing(&self, operations: &mut [Operation]) -> Result<&Arc<Store>> {
        if let Some(agent) = &self.agent {
            for at in 0..operations.len() {
                self.ensure_allowed(agent, operations, at)?;
                match &mut operations[at] {
                    Operation::Write(record) => record.writer = agent.to_string(),
                    Operation::WriteMany(table) => table.set_writer(agent),
                    _ => {}
                }
            }
        }
        Ok(&self.store)
    }

    fn ensure_allowed(&self, agent: &str, operations: &[Operation], at: usize) -> Result<()> {
        match &operations[at] {
            // What ends by itself could be said again.
            Operation::Put { namespace, key, ttl: None, .. } if may_coordinate(agent, namespace, key, operations) => {
                Ok(())
            }
            Operation::Put { namespace, .. }
            | Operation::Delete { namespace, .. }
            | Operation::Increment { namespace, .. } => self.writing(namespace),
            Operation::Expect { namespace, .. } => self.reading(namespace).map(drop),
            Operation::Write(record) => self.writing(&record.namespace).and_then(|()| self.naming(&record.id)),
            Operation::WriteMany(table) => {
                table.namespaces().try_for_each(|namespace| self.writing(namespace))?;
                table.ids().try_for_each(|id| self.naming(id))
            }
            Operation::Settle { id, .. } => self.changing(id, operations),
            Operation::Forget { ids } => ids.iter().try_for_each(|id| self.changing(id, operations)),
            Operation::ExpectNew { .. } => Ok(()),
            Operation::ExpectUnchanged { ids, .. } => ids.iter().try_for_each(|id| self.seeing(id)),
            Operation::Fence { resource, .. } => self.holding(resource).map(drop),
            Operation::Configure { namespace, .. } => Err(self.denied("configure", namespace)),
            Operation::Publish(publication) => self.ensure_speaks(publication),
            Operation::SetRights { .. }
            | Operation::AllowNumbers { .. }
            | Operation::ConfigureTopic { .. }
            | Operation::MoveCursor { .. } => self.owner("sets what holds for all").map(drop),
        }
    }

    /// The store, to publish; an agent speaks for itself.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn publishing(&self, publication: &mut Publication) -> Result<&Arc<Store>> {
        if let Some(agent) = &self.agent {
            publication.agent = Some(agent.to_string());
            self.ensure_speaks(publication)?;
        }
        Ok(&self.store)
    }

    fn ensure_speaks(&self, publication: &Publication) -> Result<()> {
        let Some(agent) = &self.agent else { return Ok(()) };
        let topic = &publication.topic;
        let speaks = publication.agent.as_deref() == Some(&**agent);
        let rights = || self.store.rights(agent).is_some_and(|own| covers(&own.write, topic));
        if speaks && (has_topic(agent, topic) || Namespace::has_prefix(topic, "consensus") || rights()) {
            return Ok(());
        }
        Err(self.denied("publish on", topic))
    }

    /// The store, to listen; an agent hears what it may read.
    ///
    /// # Errors
    /// [`Error::Denied`] where it may read nothing of what it asks for.
    pub fn listening(&self, options: &mut Subscribe) -> Result<&Arc<Store>> {
        let Some(agent) = &self.agent else { return Ok(&self.store) };
        let paths = topics(agent, &self.store.rights(agent).unwrap_or_default());
        let asked: Vec<&str> = options.pattern.split('/').take_while(|level| !level.contains('*')).collect();
        let asked = asked.join("/");
        let reaches = |path: &String| {
            asked.is_empty() || Namespace::has_prefix(&asked, path) || Namespace::has_prefix(path, &asked)
        };
        if !paths.iter().any(reaches) {
            return Err(self.denied("listen to", &options.pattern));
        }
        if options.agent.as_deref().is_some_and(|other| other != &**agent) {
            return Err(self.denied("listen as", options.agent.as_deref().unwrap_or_default()));
        }
        options.agent = Some(agent.to_string());
        options.within = Some(paths);
        // Names of subscribers are the agent's own.
        options.durable = options.durable.take().map(|name| format!("swarm/{agent}/{name}"));
        Ok(&self.store)
    }

    fn writing(&self, path: &str) -> Result<()> {
        if self.may_write(path) { Ok(()) } else { Err(self.denied("write", path)) }
    }

    /// Whether it may change a record that is there, or that the batch writes.
    fn changing(&self, id: &str, operations: &[Operation]) -> Result<()> {
        let is_own = |operation: &Operation| matches!(operation, Operation::Write(record) if record.id == id);
        match self.store.namespace_of(id)? {
            Some(namespace) if self.may_write(&namespace) => Ok(()),
            Some(_) => Err(self.not_its(id)),
            None if operations.iter().any(is_own) => Ok(()),
            None => Err(Error::NotFound(format!("there is no record {id}; check the id"))),
        }
    }

    /// Whether it may read a record; one that it may not is not there for it.
    fn seeing(&self, id: &str) -> Result<()> {
        match self.store.namespace_of(id)? {
            Some(namespace) if !self.may_read(&namespace) => {
                Err(Error::NotFound(format!("there is no record {id}; check the id")))
            }
            _ => Ok(()),
        }
    }

    /// Whether an id is free, or that of a record that it may change.
    fn naming(&self, id: &str) -> Result<()> {
        match self.store.namespace_of(id)? {
            Some(namespace) if !self.may_write(&namespace) => Err(self.not_its(id)),
            _ => Ok(()),
        }
    }

    /// What lies under the id is not told.
    fn not_its(&self, id: &str) -> Error {
        let agent = self.agent().unwrap_or_default();
        Error::Denied(format!(
            "agent {agent:?} may not change record {id}; it has what it wrote, and what it was granted"
        ))
    }

    /// The store, to ask for a lock; an agent asks for itself.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn locking(&self, request: &mut LockRequest) -> Result<&Arc<Store>> {
        if let Some(agent) = &self.agent {
            if !self.may_write(&request.resource) {
                return Err(self.denied("lock", &request.resource));
            }
            request.owner = agent.to_string();
        }
        Ok(&self.store)
    }

    /// The store, to give a lock back or keep it.
    ///
    /// # Errors
    /// [`Error::Denied`] for another agent's.
    pub fn holding(&self, resource: &str) -> Result<&Arc<Store>> {
        if let Some(agent) = &self.agent {
            if !self.may_write(resource) {
                return Err(self.denied("use the lock", resource));
            }
            let held = self.store.lock_holder(resource)?;
            if let Some(other) = held.filter(|lease| lease.owner != **agent) {
                return Err(Error::Denied(format!(
                    "agent {agent:?} may not use the lock {resource:?}, which {:?} holds; acquire it first",
                    other.owner
                )));
            }
        }
        Ok(&self.store)
    }

    fn denied(&self, what: &str, path: &str) -> Error {
        let agent = self.agent().unwrap_or_default();
        Error::Denied(format!(
            "agent {agent:?} may not {what} {path:?}: it has its own, swarm/{agent}, what is shared, and what \
             memory.grant({agent:?}, ...) gives it"
        ))
    }
}

/// Whether an agent may set a key of what all of them keep together: its vote, once, with the tally;
/// what it proposes; and that it is alive.
fn may_coordinate(agent: &str, namespace: &str, key: &str, operations: &[Operation]) -> bool {
    let expects = |space: &str, name: &str, nothing: bool| {
        operations.iter().any(|operation| {
            matches!(operation, Operation::Expect { namespace, key, value }
                if namespace == space && key == name && (!nothing || value.is_none()))
        })
    };
    let votes = |id: &str| {
        let ballots = format!("consensus/{id}/votes");
        operations.iter().any(|operation| {
            matches!(operation, Operation::Put { namespace, key, .. } if *namespace == ballots && key == agent)
        })
    };
    match (namespace.split('/').collect::<Vec<_>>()[..].as_ref(), key) {
        (["consensus"], _) => expects(namespace, key, true),
        (["consensus", id], "proposal") => expects("consensus", id, true),
        (["consensus", id], "tally") => expects("consensus", id, true) || expects(namespace, key, false) && votes(id),
        (["consensus", _, "votes"], _) => key == agent && expects(namespace, key, true),
        (["registry", "heartbeats"], _) => key == agent,
        _ => false,
    }
}
