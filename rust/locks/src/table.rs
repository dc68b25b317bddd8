//! Who holds what and who waits for it: a state machine without threads.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;

type Map<K, V> = HashMap<K, V, RandomState>;

/// Numbers that are left when more should be asked for.
const FEW_NUMBERS: u64 = 100;
/// Names below which nobody looks for those that are over.
const MIN_SWEPT: usize = 64;

/// What somebody asks for; the time to live in microseconds.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Name of what is locked.
    pub resource: Arc<str>,
    /// Who asks.
    pub owner: Arc<str>,
    /// How long the lease lives from when it is granted.
    pub ttl: u64,
    /// Whether an owner that holds it gets it once more.
    pub reentrant: bool,
}

/// A resource that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Name of what is locked.
    pub resource: Arc<str>,
    /// Who holds it.
    pub owner: Arc<str>,
    /// Greater than that of every earlier lease.
    pub number: u64,
    /// When it ends.
    pub until: u64,
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Owners that wait for each other, beginning and ending with the one that asks.
    Cycle(Vec<Arc<str>>),
    /// Who asks could be granted, and there is no number.
    OutOfNumbers,
}

/// A lease that is not in force any more, and who holds the resource now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    /// The lease in force.
    pub held: Option<Lease>,
}

/// What came of waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is yours.
    Granted(Lease),
    /// Somebody else has it, until then at the latest.
    Held(Lease),
    /// It is free, and there is no number to grant it with.
    OutOfNumbers,
}

pub(crate) type Ticket = u64;

#[derive(Debug)]
struct Held {
    owner: Arc<str>,
    number: u64,
    until: u64,
    /// How often the owner took it.
    depth: u32,
    /// Writes under way with its number: nobody else gets it before they are done.
    writes: u32,
    given_up: bool,
}

#[derive(Debug, Default)]
struct Resource {
    held: Option<Held>,
    waiting: VecDeque<Ticket>,
}

#[derive(Debug)]
struct Waiter {
    ask: Ask,
    granted: Option<u64>,
}

/// All resources that are held or waited for.
#[derive(Debug, Default)]
pub(crate) struct Table {
    resources: Map<Arc<str>, Resource>,
    waiters: Map<Ticket, Waiter>,
    /// What each owner waits for.
    wanted: Map<Arc<str>, Vec<Arc<str>>>,
    /// Names from which those that are over are looked for.
    sweep_at: usize,
    last_ticket: Ticket,
    last_number: u64,
    last_allowed: u64,
}

impl Held {
    fn is_over(&self, now: u64) -> bool {
        self.writes == 0 && (self.given_up || self.until <= now)
    }

    fn is_in_force(&self, number: u64, now: u64) -> bool {
        self.number == number && !self.given_up && now < self.until
    }

    fn lease(&self, resource: &Arc<str>) -> Lease {
        Lease { resource: Arc::clone(resource), owner: Arc::clone(&self.owner), number: self.number, until: self.until }
    }
}

impl Table {
    /// A table whose next number is the one after this.
    pub(crate) fn after(last_number: u64) -> Self {
        Self { last_number, last_allowed: last_number, ..Self::default() }
    }

    /// Numbers up to this one may be granted.
    pub(crate) fn allow_numbers(&mut self, last: u64) {
        self.last_allowed = self.last_allowed.max(last);
    }

    /// The last number that may be granted, where few or none are left under it.
    pub(crate) fn runs_out_at(&self) -> Option<u64> {
        (self.last_allowed - self.last_number <= FEW_NUMBERS).then_some(self.last_allowed)
    }

    pub(crate) fn has_numbers(&self) -> bool {
        self.last_number < self.last_allowed
    }

    /// A lease, or a place in the line; the resource is settled.
    pub(crate) fn acquire(&mut self, ask: Ask, now: u64) -> Result<Result<Lease, Ticket>, Refusal> {
        self.sweep(now);
        let has_numbers = self.has_numbers();
        let resource = self.resources.entry(Arc::clone(&ask.resource)).or_default();
        if let Some(held) = &mut resource.held {
            if ask.reentrant && held.owner == ask.owner && !held.given_up && now < held.until {
                held.depth += 1;
                held.until = held.until.max(now.saturating_add(ask.ttl));
                return Ok(Ok(held.lease(&ask.resource)));
            }
        } else if resource.waiting.is_empty() {
            if !has_numbers {
                self.drop_if_unused(&ask.resource);
                return Err(Refusal::OutOfNumbers);
            }
            let lease = self.grant(&ask, now);
            return Ok(Ok(lease));
        }
        if let Some(cycle) = self.cycle(&ask) {
            return Err(Refusal::Cycle(cycle));
        }
        Ok(Err(self.line_up(ask)))
    }

    fn line_up(&mut self, ask: Ask) -> Ticket {
        self.last_ticket += 1;
        let ticket = self.last_ticket;
        self.resources.entry(Arc::clone(&ask.resource)).or_default().waiting.push_back(ticket);
        self.wanted.entry(Arc::clone(&ask.owner)).or_default().push(Arc::clone(&ask.resource));
        self.waiters.insert(ticket, Waiter { ask, granted: None });
        ticket
    }

    /// Give a free resource; there is a number.
    fn grant(&mut self, ask: &Ask, now: u64) -> Lease {
        self.last_number += 1;
        let held = Held {
            owner: Arc::clone(&ask.owner),
            number: self.last_number,
            until: now.saturating_add(ask.ttl),
            depth: 1,
            writes: 0,
            given_up: false,
        };
        let lease = held.lease(&ask.resource);
        self.resources.entry(Arc::clone(&ask.resource)).or_default().held = Some(held);
        lease
    }

    /// Let go of a lease that is over, and give the resource to the first in the line, who is
    /// returned.
    pub(crate) fn settle(&mut self, name: &Arc<str>, now: u64) -> Option<Ticket> {
        let resource = self.resources.get_mut(name)?;
        if resource.held.as_ref().is_some_and(|held| held.is_over(now)) {
            resource.held = None;
        }
        if resource.held.is_some() {
            return None;
        }
        if resource.waiting.is_empty() {
            self.resources.remove(name);
            return None;
        }
        if self.last_number >= self.last_allowed {
            return None;
        }
        let ticket = resource.waiting.pop_front()?;
        let ask = self.waiters.get(&ticket)?.ask.clone();
        let lease = self.grant(&ask, now);
        self.no_longer_wants(&ask);
        if let Some(waiter) = self.waiters.get_mut(&ticket) {
            waiter.granted = Some(lease.number);
        }
        Some(ticket)
    }

    fn no_longer_wants(&mut self, ask: &Ask) {
        let Some(wanted) = self.wanted.get_mut(&ask.owner) else { return };
        if let Some(at) = wanted.iter().position(|resource| *resource == ask.resource) {
            wanted.swap_remove(at);
        }
        if wanted.is_empty() {
            self.wanted.remove(&ask.owner);
        }
    }

    fn drop_if_unused(&mut self, name: &Arc<str>) {
        if self.resources.get(name).is_some_and(|resource| resource.held.is_none() && resource.waiting.is_empty()) {
            self.resources.remove(name);
        }
    }

    /// What a place is for.
    pub(crate) fn resource_of(&self, ticket: Ticket) -> Option<Arc<str>> {
        self.waiters.get(&ticket).map(|waiter| Arc::clone(&waiter.ask.resource))
    }

    /// What became of a place in the line; the resource is settled.  Where a lease came and ended
    /// before it was looked at, there is a new place, behind the others.
    pub(crate) fn take(&mut self, ticket: Ticket, now: u64) -> Result<Taken, Ticket> {
        let Some(Waiter { ask, granted }) = self.waiters.get(&ticket) else { return Ok(Taken::OutOfNumbers) };
        let held = self.resources.get(&ask.resource).and_then(|resource| resource.held.as_ref());
        let Some(number) = *granted else {
            return Ok(held.map_or(Taken::OutOfNumbers, |held| Taken::Held(held.lease(&ask.resource))));
        };
        let lease = held.filter(|held| held.is_in_force(number, now)).map(|held| held.lease(&ask.resource));
        let ask = ask.clone();
        self.waiters.remove(&ticket);
        lease.map(Taken::Granted).ok_or_else(|| self.line_up(ask))
    }

    /// Leave the line; what was granted meanwhile goes to the next.
    pub(crate) fn cancel(&mut self, ticket: Ticket, now: u64) -> Option<Ticket> {
        let waiter = self.waiters.remove(&ticket)?;
        let name = Arc::clone(&waiter.ask.resource);
        if let Some(number) = waiter.granted {
            return self.release(&name, number, now).ok().flatten();
        }
        self.no_longer_wants(&waiter.ask);
        if let Some(resource) = self.resources.get_mut(&name) {
            resource.waiting.retain(|other| *other != ticket);
        }
        self.settle(&name, now)
    }

    /// Give a lease back, or one of the times that its owner took it; the next in the line.
    pub(crate) fn release(&mut self, name: &Arc<str>, number: u64, now: u64) -> Result<Option<Ticket>, Stale> {
        let held = self.in_force(name, number, now)?;
        held.depth -= 1;
        held.given_up = held.depth == 0;
        Ok(self.settle(name, now))
    }

    /// Have a lease in force live so long from now, if that is longer.
    pub(crate) fn extend(&mut self, name: &Arc<str>, number: u64, ttl: u64, now: u64) -> Result<Lease, Stale> {
        let held = self.in_force(name, number, now)?;
        held.until = held.until.max(now.saturating_add(ttl));
        Ok(held.lease(name))
    }

    /// Begin to write with a lease in force: the resource stays its owner's until the write is done.
    pub(crate) fn begin_write(&mut self, name: &Arc<str>, number: u64, now: u64) -> Result<(), Stale> {
        self.in_force(name, number, now)?.writes += 1;
        Ok(())
    }

    pub(crate) fn end_write(&mut self, name: &Arc<str>, number: u64, now: u64) -> Option<Ticket> {
        let held = self.resources.get_mut(name)?.held.as_mut()?;
        if held.number == number {
            held.writes = held.writes.saturating_sub(1);
        }
        self.settle(name, now)
    }

    /// The lease in force.
    pub(crate) fn held(&self, name: &Arc<str>, now: u64) -> Option<Lease> {
        let held = self.resources.get(name)?.held.as_ref()?;
        (!held.given_up && (now < held.until || held.writes > 0)).then(|| held.lease(name))
    }

    fn in_force(&mut self, name: &Arc<str>, number: u64, now: u64) -> Result<&mut Held, Stale> {
        let stale = Stale { held: self.held(name, now) };
        let held = self.resources.get_mut(name).and_then(|resource| resource.held.as_mut());
        held.filter(|held| held.is_in_force(number, now)).ok_or(stale)
    }

    /// Who would wait for whom in a circle, from the one that asks and back to them.
    fn cycle(&self, ask: &Ask) -> Option<Vec<Arc<str>>> {
        // Owners on the way, each with the place of who waits for them.
        let mut met: Vec<(&Arc<str>, usize)> = vec![(&ask.owner, 0)];
        let mut wanted = vec![(&ask.resource, 0)];
        while let Some((resource, from)) = wanted.pop() {
            let held = self.resources.get(resource).and_then(|resource| resource.held.as_ref());
            let Some(held) = held.filter(|held| !held.given_up) else { continue };
            if held.owner == ask.owner {
                return Some(path(&met, from, &held.owner));
            }
            if met.iter().all(|(owner, _)| *owner != &held.owner) {
                met.push((&held.owner, from));
                let next = self.wanted.get(&held.owner).into_iter().flatten();
                wanted.extend(next.map(|resource| (resource, met.len() - 1)));
            }
        }
        None
    }

    /// Forget names whose leases ran out and that nobody asked for again.
    fn sweep(&mut self, now: u64) {
        if self.resources.len() < self.sweep_at {
            return;
        }
        self.resources.retain(|_, resource| {
            !resource.waiting.is_empty() || resource.held.as_ref().is_some_and(|held| !held.is_over(now))
        });
        self.sweep_at = self.resources.len() * 2 + MIN_SWEPT;
    }

    /// Resources that are held or waited for, and places in lines: for tests of what is left behind.
    #[cfg(test)]
    pub(crate) fn sizes(&self) -> (usize, usize, usize) {
        (self.resources.len(), self.waiters.len(), self.wanted.len())
    }
}

fn path(met: &[(&Arc<str>, usize)], mut at: usize, end: &Arc<str>) -> Vec<Arc<str>> {
    let mut path = vec![Arc::clone(end)];
    while at > 0 {
        path.push(Arc::clone(met[at].0));
        at = met[at].1;
    }
    path.push(Arc::clone(met[0].0));
    path.reverse();
    path
}
