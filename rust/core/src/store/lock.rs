//! The lock around what threads share.
//!
//! Who reads twice at once waits for ever where a writer came in between.  Debug builds, and so the
//! tests, refuse it at once, whether or not there was a writer.

use std::ops::{Deref, DerefMut};

use crate::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

#[derive(Default)]
pub(crate) struct Lock<T>(RwLock<T>);

/// A guard that knows whose it is.
pub(crate) struct Held<G> {
    guard: G,
    #[cfg(debug_assertions)]
    lock: usize,
}

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(RwLock::new(value))
    }

    #[inline]
    pub(crate) fn read(&self) -> Held<RwLockReadGuard<'_, T>> {
        self.held(RwLock::read)
    }

    pub(crate) fn write(&self) -> Held<RwLockWriteGuard<'_, T>> {
        self.held(RwLock::write)
    }

    #[inline]
    fn held<'a, G>(&'a self, take: impl FnOnce(&'a RwLock<T>) -> G) -> Held<G> {
        #[cfg(debug_assertions)]
        {
            let lock = std::ptr::from_ref(self).addr();
            nesting::enter(lock);
            Held { guard: take(&self.0), lock }
        }
        #[cfg(not(debug_assertions))]
        Held { guard: take(&self.0) }
    }
}

impl<G: Deref> Deref for Held<G> {
    type Target = G::Target;

    #[inline]
    fn deref(&self) -> &G::Target {
        &self.guard
    }
}

impl<G: DerefMut> DerefMut for Held<G> {
    fn deref_mut(&mut self) -> &mut G::Target {
        &mut self.guard
    }
}

#[cfg(debug_assertions)]
impl<G> Drop for Held<G> {
    fn drop(&mut self) {
        nesting::leave(self.lock);
    }
}

#[cfg(debug_assertions)]
mod nesting {
    use std::cell::RefCell;

    thread_local! {
        static HELD: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn enter(lock: usize) {
        HELD.with_borrow_mut(|held| {
            assert!(!held.contains(&lock), "a thread takes a lock that it holds");
            held.push(lock);
        });
    }

    pub(super) fn leave(lock: usize) {
        HELD.with_borrow_mut(|held| held.retain(|other| *other != lock));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_can_be_taken_again_after_it_was_let_go_of() {
        let (lock, other) = (Lock::new(1), Lock::new(2));
        *lock.write() += 1;
        assert_eq!(*lock.read() + *other.read(), 4);
        assert_eq!(*lock.read(), 2);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "takes a lock that it holds")]
    fn taking_it_twice_at_once_is_refused() {
        let lock = Lock::new(1);
        let first = lock.read();
        assert_eq!(*first + *lock.read(), 2);
    }
}
