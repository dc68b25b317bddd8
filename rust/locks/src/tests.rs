use std::sync::Arc;
use std::time::Duration;

use crate::{Acquired, Ask, Lease, Locks, Pending, Refusal, Taken};

fn locks() -> Locks {
    let locks = Locks::after(0);
    locks.allow_numbers(1_000_000);
    locks
}

fn ask(resource: &str, owner: &str) -> Ask {
    Ask { resource: resource.into(), owner: owner.into(), ttl: 100, reentrant: false }
}

fn granted(locks: &Locks, ask: Ask, now: u64) -> Lease {
    match locks.acquire(ask, now, None).unwrap() {
        Acquired::Now(lease) => lease,
        Acquired::Waits(_) => panic!("it waits"),
    }
}

fn waits(locks: &Locks, ask: Ask, now: u64) -> Pending {
    match locks.acquire(ask, now, None).unwrap() {
        Acquired::Waits(pending) => pending,
        Acquired::Now(_) => panic!("it is granted"),
    }
}

#[test]
fn a_free_resource_is_granted_at_once() {
    let lease = granted(&locks(), ask("market_sync", "hedge"), 5);
    assert_eq!(lease, Lease { resource: "market_sync".into(), owner: "hedge".into(), number: 1, until: 105 });
}

#[test]
fn who_waits_longest_is_next() {
    let locks = locks();
    let first = granted(&locks, ask("a", "one"), 0);
    let second = waits(&locks, ask("a", "two"), 0);
    let third = waits(&locks, ask("a", "three"), 0);
    locks.release(&first.resource, first.number, 1).unwrap();
    let (third, taken) = locks.take(third, 1).err().unwrap();
    assert!(matches!(taken, Taken::Held(lease) if &*lease.owner == "two"));
    let second = locks.take(second, 1).ok().unwrap();
    assert_eq!((second.number, second.until), (2, 101));
    locks.release(&second.resource, second.number, 2).unwrap();
    assert_eq!(locks.take(third, 2).ok().unwrap().number, 3);
}

#[test]
fn a_lease_that_ran_out_is_the_next_ones_and_not_given_back() {
    let locks = locks();
    let first = granted(&locks, ask("a", "one"), 0);
    let second = waits(&locks, ask("a", "two"), 0);
    assert_eq!(locks.take(second, 100).ok().unwrap().number, 2);
    let stale = locks.release(&first.resource, first.number, 100).unwrap_err();
    assert_eq!(&*stale.held.unwrap().owner, "two");
    assert!(locks.extend(&first.resource, first.number, 100, 100).is_err());
    assert!(locks.begin_write(&first.resource, first.number, 100).is_err());
}

#[test]
fn a_lease_lives_longer_where_it_is_extended() {
    let locks = locks();
    let lease = granted(&locks, ask("a", "one"), 0);
    assert_eq!(locks.extend(&lease.resource, lease.number, 100, 50).unwrap().until, 150);
    assert_eq!(locks.extend(&lease.resource, lease.number, 10, 60).unwrap().until, 150);
    assert!(locks.held(&lease.resource, 149).is_some());
    assert!(locks.held(&lease.resource, 150).is_none());
}

#[test]
fn an_owner_may_take_it_again_where_it_says_so() {
    let locks = locks();
    let again = Ask { reentrant: true, ..ask("a", "one") };
    let first = granted(&locks, again.clone(), 0);
    let second = granted(&locks, again, 50);
    assert_eq!((second.number, second.until), (first.number, 150));
    locks.release(&first.resource, first.number, 60).unwrap();
    assert!(locks.held(&first.resource, 60).is_some());
    locks.release(&first.resource, first.number, 61).unwrap();
    assert!(locks.held(&first.resource, 61).is_none());
    assert!(locks.release(&first.resource, first.number, 62).is_err());
}

#[test]
fn who_leaves_the_line_leaves_nothing() {
    let locks = locks();
    let first = granted(&locks, ask("a", "one"), 0);
    let second = waits(&locks, ask("a", "two"), 0);
    let third = waits(&locks, ask("a", "three"), 0);
    locks.cancel(&second, 1);
    locks.release(&first.resource, first.number, 2).unwrap();
    // It was granted before it was given up: the line goes on.
    locks.cancel(&third, 3);
    assert!(locks.held(&first.resource, 3).is_none());
    assert_eq!(locks.sizes(), (0, 0, 0, 0));
}

#[test]
fn a_lease_that_nobody_fetched_in_time_is_waited_for_again() {
    let locks = locks();
    let first = granted(&locks, ask("a", "one"), 0);
    let second = waits(&locks, ask("a", "two"), 0);
    locks.release(&first.resource, first.number, 1).unwrap();
    assert_eq!(locks.take(second, 500).ok().unwrap(), Lease { until: 600, number: 3, ..lease("a", "two") });
}

fn lease(resource: &str, owner: &str) -> Lease {
    Lease { resource: resource.into(), owner: owner.into(), number: 0, until: 0 }
}

#[test]
fn owners_that_would_wait_for_each_other_are_told() {
    let locks = locks();
    granted(&locks, ask("a", "one"), 0);
    granted(&locks, ask("b", "two"), 0);
    granted(&locks, ask("c", "three"), 0);
    let _one = waits(&locks, ask("b", "one"), 0);
    let two = waits(&locks, ask("c", "two"), 0);
    let cycle = |ask| match locks.acquire(ask, 0, None) {
        Err(Refusal::Cycle(path)) => path.iter().map(ToString::to_string).collect::<Vec<_>>(),
        _ => panic!("it is not refused"),
    };
    assert_eq!(cycle(ask("a", "three")), ["three", "one", "two", "three"]);
    assert_eq!(cycle(ask("c", "three")), ["three", "three"]);
    locks.cancel(&two, 0);
    let _three = waits(&locks, ask("a", "three"), 0);
}

#[test]
fn nobody_else_gets_it_while_its_owner_writes() {
    let locks = locks();
    let first = granted(&locks, ask("a", "one"), 0);
    let second = waits(&locks, ask("a", "two"), 0);
    locks.begin_write(&first.resource, first.number, 99).unwrap();
    let (second, _) = locks.take(second, 200).err().unwrap();
    assert!(locks.release(&first.resource, first.number, 200).is_err());
    locks.end_write(&first.resource, first.number, 201);
    assert_eq!(locks.take(second, 201).ok().unwrap().number, 2);
}

#[test]
fn it_is_given_back_when_the_last_write_is_done() {
    let locks = locks();
    let first = granted(&locks, ask("a", "one"), 0);
    let second = waits(&locks, ask("a", "two"), 0);
    locks.begin_write(&first.resource, first.number, 1).unwrap();
    locks.release(&first.resource, first.number, 2).unwrap();
    assert!(locks.begin_write(&first.resource, first.number, 2).is_err());
    let (second, _) = locks.take(second, 2).err().unwrap();
    locks.end_write(&first.resource, first.number, 3);
    assert_eq!(locks.take(second, 3).ok().unwrap().number, 2);
}

#[test]
fn without_numbers_nothing_is_granted() {
    let locks = Locks::after(7);
    assert!(matches!(locks.acquire(ask("a", "one"), 0, None), Err(Refusal::OutOfNumbers)));
    assert_eq!(locks.sizes(), (0, 0, 0, 0));
    assert_eq!(locks.runs_out_at(), Some(7));
    locks.allow_numbers(8);
    let first = granted(&locks, ask("a", "one"), 0);
    assert_eq!(first.number, 8);
    let second = waits(&locks, ask("a", "two"), 0);
    locks.release(&first.resource, first.number, 1).unwrap();
    let (second, taken) = locks.take(second, 1).err().unwrap();
    assert_eq!(taken, Taken::OutOfNumbers);
    locks.allow_numbers(1000);
    assert_eq!(locks.take(second, 1).ok().unwrap().number, 9);
}

#[test]
fn names_that_nobody_asks_for_again_are_forgotten() {
    let locks = locks();
    for number in 0..10_000 {
        granted(&locks, ask(&format!("order {number}"), "one"), number * 100);
    }
    assert!(locks.sizes().0 < 200);
}

#[test]
fn threads_take_turns() {
    let locks = Arc::new(locks());
    let last = Arc::new(std::sync::atomic::AtomicU64::new(0));
    std::thread::scope(|scope| {
        for owner in 0..4 {
            let (locks, last) = (&locks, &last);
            scope.spawn(move || {
                for _ in 0..1000 {
                    let ask = Ask { ttl: u64::MAX, ..ask("a", &format!("{owner}")) };
                    let lease = match locks.acquire(ask, 0, None).unwrap() {
                        Acquired::Now(lease) => lease,
                        Acquired::Waits(mut pending) => loop {
                            pending.wait(Duration::from_secs(10));
                            match locks.take(pending, 0) {
                                Ok(lease) => break lease,
                                Err((again, _)) => pending = again,
                            }
                        },
                    };
                    let before = last.swap(lease.number, std::sync::atomic::Ordering::Relaxed);
                    assert!(before < lease.number);
                    locks.release(&lease.resource, lease.number, 0).unwrap();
                }
            });
        }
    });
    assert_eq!(locks.sizes(), (0, 0, 0, 0));
}

#[test]
fn who_waits_in_no_thread_is_called() {
    let (sender, called) = std::sync::mpsc::channel();
    let locks = locks();
    let first = granted(&locks, ask("a", "one"), 0);
    let waker = Box::new(move || sender.send(()).unwrap());
    let Acquired::Waits(second) = locks.acquire(ask("a", "two"), 0, Some(waker)).unwrap() else { panic!() };
    assert!(called.try_recv().is_err());
    locks.release(&first.resource, first.number, 1).unwrap();
    called.try_recv().unwrap();
    assert!(locks.take(second, 1).is_ok());
}
