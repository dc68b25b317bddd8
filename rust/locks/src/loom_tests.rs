//! Every interleaving of two or three threads.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

use crate::{Acquired, Ask, Lease, Locks};

const LONG: u64 = 1000;

fn locks() -> Arc<Locks> {
    let locks = Locks::after(0);
    locks.allow_numbers(LONG);
    Arc::new(locks)
}

fn ask(owner: &str) -> Ask {
    Ask { resource: "a".into(), owner: owner.into(), ttl: LONG, reentrant: false }
}

/// Wait for as long as it takes: a wake-up that is lost is a deadlock, which loom reports.
fn acquired(locks: &Locks, owner: &str) -> Lease {
    match locks.acquire(ask(owner), 0, None).unwrap() {
        Acquired::Now(lease) => lease,
        Acquired::Waits(mut pending) => loop {
            pending.wait();
            match locks.take(pending, 0) {
                Ok(lease) => break lease,
                Err((again, _)) => pending = again,
            }
        },
    }
}

/// Hold it, and fail where somebody else does, too.
fn hold(locks: &Locks, inside: &AtomicU64, owner: &str) -> u64 {
    let lease = acquired(locks, owner);
    assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0, "two hold it");
    inside.fetch_sub(1, Ordering::Relaxed);
    locks.release(&lease.resource, lease.number, 0).unwrap();
    lease.number
}

#[test]
fn three_threads_take_turns_and_none_waits_for_ever() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let (locks, inside) = (locks(), Arc::new(AtomicU64::new(0)));
        let threads: Vec<_> = ["one", "two"]
            .map(|owner| {
                let (locks, inside) = (locks.clone(), inside.clone());
                thread::spawn(move || hold(&locks, &inside, owner))
            })
            .into();
        let mut numbers = vec![hold(&locks, &inside, "three")];
        numbers.extend(threads.into_iter().map(|thread| thread.join().unwrap()));
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 3]);
        assert_eq!(locks.sizes(), (0, 0, 0, 0));
    });
}

#[test]
fn who_gives_up_while_it_is_granted_leaves_no_ghost() {
    loom::model(|| {
        let locks = locks();
        let first = acquired(&locks, "one");
        let Acquired::Waits(pending) = locks.acquire(ask("two"), 0, None).unwrap() else { panic!() };
        let canceller = {
            let locks = locks.clone();
            thread::spawn(move || locks.cancel(&pending, 0))
        };
        let waiter = {
            let locks = locks.clone();
            thread::spawn(move || {
                let lease = acquired(&locks, "three");
                locks.release(&lease.resource, lease.number, 0).unwrap();
            })
        };
        locks.release(&first.resource, first.number, 0).unwrap();
        canceller.join().unwrap();
        waiter.join().unwrap();
        assert_eq!(locks.sizes(), (0, 0, 0, 0));
    });
}

/// Write with a lease while it runs out and goes to the next, who must see the last of the writes.
fn write_while_it_runs_out(begins: fn(&Locks, &Lease) -> bool) {
    loom::model(move || {
        let locks = locks();
        let written = Arc::new(AtomicU64::new(0));
        let first = acquired(&locks, "one");
        let writer = {
            let (locks, written, first) = (locks.clone(), written.clone(), first.clone());
            thread::spawn(move || {
                if begins(&locks, &first) {
                    written.store(first.number, Ordering::Relaxed);
                    locks.end_write(&first.resource, first.number, LONG);
                }
            })
        };
        let next = match locks.acquire(ask("two"), LONG, None).unwrap() {
            Acquired::Now(lease) => lease,
            Acquired::Waits(mut pending) => loop {
                pending.wait();
                match locks.take(pending, LONG) {
                    Ok(lease) => break lease,
                    Err((again, _)) => pending = again,
                }
            },
        };
        let seen = written.load(Ordering::Relaxed);
        writer.join().unwrap();
        assert_eq!(written.load(Ordering::Relaxed), seen, "it was written after {} was granted", next.number);
    });
}

#[test]
fn a_write_that_began_in_time_ends_before_the_next_holds_it() {
    write_while_it_runs_out(|locks, lease| locks.begin_write(&lease.resource, lease.number, LONG - 1).is_ok());
}

#[test]
#[should_panic(expected = "it was written after 2 was granted")]
fn a_write_that_only_looks_whether_it_holds_it_is_found_out() {
    write_while_it_runs_out(|locks, lease| {
        locks.held(&lease.resource, LONG - 1).is_some_and(|held| held.number == lease.number)
    });
}
