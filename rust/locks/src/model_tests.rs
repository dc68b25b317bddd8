//! Any history, next to the plainest book-keeping that could be.

use proptest::prelude::*;

use crate::{Acquired, Ask, Locks, Pending, Refusal, Taken};

const OWNERS: usize = 3;
const RESOURCES: usize = 2;
const TTL: u64 = 10;

#[derive(Debug, Clone)]
enum Step {
    Acquire { resource: usize, owner: usize },
    Look { waiter: usize },
    Cancel { waiter: usize },
    Release { lease: usize },
    Extend { lease: usize },
    Write { lease: usize },
    Written,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..RESOURCES, 0..OWNERS).prop_map(|(resource, owner)| Step::Acquire { resource, owner }),
        3 => (0..8usize).prop_map(|waiter| Step::Look { waiter }),
        1 => (0..8usize).prop_map(|waiter| Step::Cancel { waiter }),
        3 => (0..8usize).prop_map(|lease| Step::Release { lease }),
        1 => (0..8usize).prop_map(|lease| Step::Extend { lease }),
        1 => (0..8usize).prop_map(|lease| Step::Write { lease }),
        1 => Just(Step::Written),
        3 => (1..2 * TTL).prop_map(Step::Pass),
    ]
}

/// One lease as the book has it: (owner, number, until, writes, given up).
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    owner: usize,
    number: u64,
    until: u64,
    writes: u32,
    given_up: bool,
}

/// Who holds each resource, and the line before it: (place, owner, number granted).
#[derive(Default)]
struct Book {
    held: [Option<Entry>; RESOURCES],
    lines: [Vec<(u64, usize)>; RESOURCES],
    granted: Vec<(u64, usize, u64)>,
    last_number: u64,
    /// A deliberate fault, which the comparison has to find.
    forgets_the_line: bool,
}

impl Book {
    fn settle(&mut self, resource: usize, now: u64) {
        let over = |entry: &Entry| entry.writes == 0 && (entry.given_up || entry.until <= now);
        if self.held[resource].as_ref().is_some_and(over) {
            self.held[resource] = None;
        }
        if self.held[resource].is_none() && !self.lines[resource].is_empty() {
            let at = if self.forgets_the_line { self.lines[resource].len() - 1 } else { 0 };
            let (place, owner) = self.lines[resource].remove(at);
            let number = self.grant(resource, owner, now);
            self.granted.push((place, resource, number));
        }
    }

    fn grant(&mut self, resource: usize, owner: usize, now: u64) -> u64 {
        self.last_number += 1;
        let number = self.last_number;
        self.held[resource] = Some(Entry { owner, number, until: now + TTL, writes: 0, given_up: false });
        number
    }

    fn in_force(&mut self, resource: usize, number: u64, now: u64) -> Option<&mut Entry> {
        let entry = self.held[resource].as_mut()?;
        (entry.number == number && !entry.given_up && now < entry.until).then_some(entry)
    }

    fn would_circle(&self, resource: usize, owner: usize) -> bool {
        let mut owners = vec![];
        let mut resources = vec![resource];
        while let Some(resource) = resources.pop() {
            let Some(entry) = self.held[resource].as_ref().filter(|entry| !entry.given_up) else { continue };
            if entry.owner == owner {
                return true;
            }
            if !owners.contains(&entry.owner) {
                owners.push(entry.owner);
                resources.extend((0..RESOURCES).filter(|r| self.lines[*r].iter().any(|(_, who)| *who == entry.owner)));
            }
        }
        false
    }
}

struct Run {
    locks: Locks,
    book: Book,
    now: u64,
    place: u64,
    waiting: Vec<(Pending, u64, usize, usize)>,
    leases: Vec<(usize, u64)>,
    writing: Vec<(usize, u64)>,
}

fn name(resource: usize) -> std::sync::Arc<str> {
    format!("resource {resource}").into()
}

impl Run {
    fn new(forgets_the_line: bool) -> Self {
        let locks = Locks::after(0);
        locks.allow_numbers(u64::MAX);
        let book = Book { forgets_the_line, ..Book::default() };
        Self { locks, book, now: 0, place: 0, waiting: vec![], leases: vec![], writing: vec![] }
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Acquire { resource, owner } => self.acquire(resource, owner)?,
            Step::Look { waiter } if waiter < self.waiting.len() => self.look(waiter)?,
            Step::Cancel { waiter } if waiter < self.waiting.len() => self.cancel(waiter),
            Step::Release { lease } if lease < self.leases.len() => {
                let (resource, number) = self.leases.remove(lease);
                let in_force = self.book.in_force(resource, number, self.now);
                let expected = in_force.map(|entry| entry.given_up = true).is_some();
                if expected {
                    self.book.settle(resource, self.now);
                }
                prop_assert_eq!(self.locks.release(&name(resource), number, self.now).is_ok(), expected);
            }
            Step::Extend { lease } if lease < self.leases.len() => {
                let (resource, number) = self.leases[lease];
                let now = self.now;
                let until = self.book.in_force(resource, number, now).map(|entry| {
                    entry.until = entry.until.max(now + TTL);
                    entry.until
                });
                let found = self.locks.extend(&name(resource), number, TTL, now).ok().map(|lease| lease.until);
                prop_assert_eq!(found, until);
            }
            Step::Write { lease } if lease < self.leases.len() => {
                let (resource, number) = self.leases[lease];
                let expected = self.book.in_force(resource, number, self.now).map(|entry| entry.writes += 1).is_some();
                prop_assert_eq!(self.locks.begin_write(&name(resource), number, self.now).is_ok(), expected);
                self.writing.extend(expected.then_some((resource, number)));
            }
            Step::Written => {
                if let Some((resource, number)) = self.writing.pop() {
                    if let Some(entry) = self.book.held[resource].as_mut().filter(|entry| entry.number == number) {
                        entry.writes -= 1;
                    }
                    self.book.settle(resource, self.now);
                    self.locks.end_write(&name(resource), number, self.now);
                }
            }
            Step::Pass(time) => self.now += time,
            _ => {}
        }
        Ok(())
    }

    fn acquire(&mut self, resource: usize, owner: usize) -> Result<(), TestCaseError> {
        self.book.settle(resource, self.now);
        let ask = Ask { resource: name(resource), owner: format!("{owner}").into(), ttl: TTL, reentrant: false };
        match self.locks.acquire(ask, self.now, None) {
            Ok(Acquired::Now(lease)) => {
                prop_assert!(self.book.held[resource].is_none());
                prop_assert_eq!(lease.number, self.book.grant(resource, owner, self.now));
                self.leases.push((resource, lease.number));
            }
            Ok(Acquired::Waits(pending)) => {
                prop_assert!(self.book.held[resource].is_some() && !self.book.would_circle(resource, owner));
                self.place += 1;
                self.book.lines[resource].push((self.place, owner));
                self.waiting.push((pending, self.place, resource, owner));
            }
            Err(Refusal::Cycle(path)) => {
                prop_assert!(self.book.would_circle(resource, owner));
                prop_assert_eq!(path.first(), path.last());
            }
            Err(Refusal::OutOfNumbers) => prop_assert!(false, "there are numbers"),
        }
        Ok(())
    }

    fn look(&mut self, waiter: usize) -> Result<(), TestCaseError> {
        let (pending, mut place, resource, owner) = self.waiting.remove(waiter);
        let granted = loop {
            self.book.settle(resource, self.now);
            let Some(at) = self.book.granted.iter().position(|(granted, ..)| *granted == place) else { break None };
            let (_, _, number) = self.book.granted.remove(at);
            if self.book.in_force(resource, number, self.now).is_some() {
                break Some(number);
            }
            self.place += 1;
            place = self.place;
            self.book.lines[resource].push((place, owner));
        };
        match self.locks.take(pending, self.now) {
            Ok(lease) => {
                prop_assert_eq!(Some(lease.number), granted);
                self.leases.push((resource, lease.number));
            }
            Err((pending, Taken::Held(lease))) => {
                prop_assert_eq!(granted, None);
                prop_assert_eq!(Some(lease.number), self.book.held[resource].as_ref().map(|entry| entry.number));
                self.waiting.push((pending, place, resource, owner));
            }
            Err(_) => prop_assert!(false, "there are numbers"),
        }
        Ok(())
    }

    fn cancel(&mut self, waiter: usize) {
        let (pending, place, resource, _) = self.waiting.remove(waiter);
        if let Some(at) = self.book.granted.iter().position(|(granted, ..)| *granted == place) {
            let (_, _, number) = self.book.granted.remove(at);
            if let Some(entry) = self.book.in_force(resource, number, self.now) {
                entry.given_up = true;
                self.book.settle(resource, self.now);
            }
        } else {
            self.book.lines[resource].retain(|(other, _)| *other != place);
            self.book.settle(resource, self.now);
        }
        self.locks.cancel(&pending, self.now);
    }

    /// When all gave up and time has passed nothing is left.
    fn end(mut self) -> Result<(), TestCaseError> {
        while !self.waiting.is_empty() {
            self.cancel(0);
        }
        for (resource, number) in std::mem::take(&mut self.writing) {
            self.locks.end_write(&name(resource), number, self.now);
        }
        self.now += 3 * TTL;
        for resource in 0..RESOURCES {
            prop_assert!(self.locks.held(&name(resource), self.now).is_none());
            let ask = Ask { resource: name(resource), owner: "last".into(), ttl: TTL, reentrant: false };
            let Ok(Acquired::Now(lease)) = self.locks.acquire(ask, self.now, None) else {
                return Err(TestCaseError::fail("a ghost holds it"));
            };
            prop_assert!(self.locks.release(&lease.resource, lease.number, self.now).is_ok());
        }
        prop_assert_eq!(self.locks.sizes(), (0, 0, 0, 0));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_history_is_as_in_the_book(steps in prop::collection::vec(step(), 1..60)) {
        let mut run = Run::new(false);
        for step in &steps {
            run.step(step)?;
        }
        run.end()?;
    }
}

#[test]
fn a_book_that_serves_the_last_first_is_found_out() {
    let found =
        proptest::test_runner::TestRunner::deterministic().run(&prop::collection::vec(step(), 1..60), |steps| {
            let mut run = Run::new(true);
            steps.iter().try_for_each(|step| run.step(step))
        });
    assert!(found.is_err());
}
