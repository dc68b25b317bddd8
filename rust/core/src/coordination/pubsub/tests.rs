//! Accounting and order against a model.

mod kept;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};

use super::*;
use crate::Error;

fn publication(topic: &str, payload: &[u8]) -> Publication {
    Publication { topic: topic.into(), payload: payload.to_vec(), ..Publication::default() }
}

fn balanced(counts: Counts) -> bool {
    counts.delivered + counts.missed + counts.waiting == counts.matched
}

/// What a test does to a broker.
#[derive(Debug, Clone)]
enum Step {
    Subscribe { pattern: &'static str, capacity: usize, agent: Option<&'static str> },
    Publish { topic: &'static str, recipients: Option<Vec<&'static str>> },
    Receive(usize),
    Close(usize),
}

fn agents() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("hedge"), Just("wyckoff")]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pattern = prop_oneof![Just("a"), Just("*"), Just("a/**"), Just("**")];
    let topic = prop_oneof![Just("a"), Just("a/b"), Just("b")];
    let step = prop_oneof![
        2 => (pattern, 1_usize..5, proptest::option::of(agents()))
            .prop_map(|(pattern, capacity, agent)| Step::Subscribe { pattern, capacity, agent }),
        8 => (topic, proptest::option::of(proptest::collection::vec(agents(), 1..3)))
            .prop_map(|(topic, recipients)| Step::Publish { topic, recipients }),
        6 => (0_usize..6).prop_map(Step::Receive),
        1 => (0_usize..6).prop_map(Step::Close),
    ];
    proptest::collection::vec(step, 0..80)
}

/// A subscription as it should be.
struct Model {
    pattern: Pattern,
    agent: Option<&'static str>,
    room: usize,
    ring: VecDeque<u64>,
    held: Option<u64>,
    lost: u64,
    last: u64,
    counts: Counts,
}

impl Model {
    fn publish(&mut self, topic: &str, recipients: Option<&[&str]>, sequence: u64) {
        let is_for = recipients.is_none_or(|list| self.agent.is_some_and(|agent| list.contains(&agent)));
        if !is_for || !self.pattern.matches(topic) {
            return;
        }
        self.counts.matched += 1;
        self.ring.push_back(sequence);
        if self.ring.len() > self.room {
            self.ring.pop_front();
            self.lost += 1;
        }
    }

    /// The next sequence, or how many were missed and between which.
    fn receive(&mut self) -> std::result::Result<Option<u64>, (u64, u64, u64)> {
        if self.lost > 0 && self.held.is_none() {
            self.held = self.ring.pop_front();
            let missed = std::mem::take(&mut self.lost);
            self.counts.missed += missed;
            return Err((missed, self.last + 1, self.held.unwrap_or(0) - 1));
        }
        let next = self.held.take().or_else(|| self.ring.pop_front());
        self.counts.delivered += u64::from(next.is_some());
        self.last = next.unwrap_or(self.last);
        Ok(next)
    }

    fn waiting(&self) -> u64 {
        self.ring.len() as u64 + self.lost + u64::from(self.held.is_some())
    }
}

/// Run steps on a broker and on the model; `forgetful` models count one missed message less.
fn compare(steps: &[Step], forgetful: bool) -> std::result::Result<(), TestCaseError> {
    let broker = Arc::new(PubSubBroker::new());
    let mut open: Vec<(Subscription, Model)> = Vec::new();
    let mut last = end_of_commit(0);
    for step in steps {
        match step {
            Step::Subscribe { pattern, capacity, agent } => {
                let agent_name = agent.map(str::to_owned);
                let options = Subscribe { capacity: *capacity, agent: agent_name, ..Subscribe::to(pattern) };
                let model = Model {
                    pattern: Pattern::parse(pattern).unwrap(),
                    agent: *agent,
                    room: capacity.next_power_of_two(),
                    ring: VecDeque::new(),
                    held: None,
                    lost: 0,
                    last,
                    counts: Counts::default(),
                };
                open.push((broker.subscribe(&options).unwrap(), model));
            }
            Step::Publish { topic, recipients } => {
                let named = recipients.as_ref().map(|list| list.iter().map(|agent| (*agent).to_owned()).collect());
                let sequence = broker.publish(Publication { recipients: named, ..publication(topic, b"") }).unwrap();
                prop_assert!(sequence > last);
                last = sequence;
                for (_, model) in &mut open {
                    model.publish(topic, recipients.as_deref(), sequence);
                }
            }
            Step::Receive(number) => {
                let Some((subscription, model)) = open.get_mut(*number) else { continue };
                let found = match subscription.try_recv() {
                    Ok(message) => Ok(message.map(|message| message.sequence)),
                    Err(Error::Lagged { missed, first_seq, last_seq }) => {
                        Err((missed - u64::from(forgetful), first_seq, last_seq))
                    }
                    Err(other) => return Err(TestCaseError::fail(other.to_string())),
                };
                prop_assert_eq!(found, model.receive());
            }
            Step::Close(number) if *number < open.len() => {
                let (subscription, model) = open.remove(*number);
                subscription.close(true).unwrap();
                let counts = subscription.counts().unwrap();
                prop_assert_eq!(counts, Counts { waiting: model.waiting(), ..model.counts });
                prop_assert!(matches!(subscription.try_recv(), Err(Error::Closed)));
            }
            Step::Close(_) => {}
        }
        for (subscription, model) in &open {
            let counts = subscription.counts().unwrap();
            prop_assert_eq!(counts, Counts { waiting: model.waiting(), ..model.counts });
            prop_assert!(balanced(counts));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_message_is_delivered_told_as_missed_or_waiting(steps in steps()) {
        compare(&steps, false)?;
    }
}

#[test]
fn a_miss_that_is_not_counted_is_caught() {
    let found = TestRunner::deterministic().run(&steps(), |steps| compare(&steps, true));
    assert!(matches!(found, Err(TestError::Fail(..))));
}

/// Read until the end is told, and stall now and then; return how many came and how many were missed.
fn read_all(subscription: &Subscription, done: &AtomicBool, stall: Duration) -> (u64, u64) {
    let (mut last, mut read, mut missed) = (None, 0, 0);
    loop {
        let ended = done.load(Ordering::SeqCst);
        if read % 16 == 15 {
            thread::sleep(stall);
        }
        match subscription.recv(Some(Duration::from_millis(1))) {
            Ok(Some(message)) => {
                assert!(last.is_none_or(|last| last < message.sequence));
                last = Some(message.sequence);
                read += 1;
            }
            Ok(None) if ended => return (read, missed),
            Ok(None) => {}
            Err(Error::Lagged { missed: more, first_seq, last_seq }) => {
                assert!(last.is_none_or(|last| last < first_seq));
                assert!(last_seq - first_seq + 1 >= more);
                missed += more;
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn stalling_subscribers_account_for_every_message_of_many_publishers() {
    const PUBLISHERS: u64 = 4;
    // NT_MEMORY_MESSAGES asks for a longer run.
    let each: u64 = std::env::var("NT_MEMORY_MESSAGES").map_or(2_000, |number| number.parse().unwrap());
    let broker = Arc::new(PubSubBroker::new());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let subscribe = |number: usize| {
            let options = Subscribe { capacity: 1 << (number % 6), ..Subscribe::to("**") };
            let subscription = broker.subscribe(&options).unwrap();
            let done = &done;
            scope.spawn(move || {
                let stall = Duration::from_millis(1 + number as u64 % 8);
                let (read, missed) = read_all(&subscription, done, stall);
                assert_eq!(read + missed, PUBLISHERS * each);
                let counts = subscription.counts().unwrap();
                assert!(balanced(counts));
                assert_eq!((counts.matched, counts.waiting), (PUBLISHERS * each, 0));
            })
        };
        let readers: Vec<_> = (0..64).map(subscribe).collect();
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|_| scope.spawn(|| (0..each).for_each(|_| _ = broker.publish(publication("a/b", b"x")).unwrap())))
            .collect();
        for publisher in publishers {
            publisher.join().unwrap();
        }
        done.store(true, Ordering::SeqCst);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

#[test]
fn a_waiting_reader_is_woken_by_a_message_and_by_a_close() {
    let broker = Arc::new(PubSubBroker::new());
    let subscription = broker.subscribe(&Subscribe::to("a")).unwrap();
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let message = subscription.recv(None).unwrap().unwrap();
            (message.payload.clone(), subscription.recv(None))
        });
        broker.publish(publication("a", b"first")).unwrap();
        while subscription.counts().unwrap().delivered == 0 {
            thread::yield_now();
        }
        subscription.close(true).unwrap();
        let (payload, end) = reader.join().unwrap();
        assert_eq!(payload, b"first");
        assert!(matches!(end, Err(Error::Closed)));
    });
}

#[test]
fn an_armed_wake_is_written_to_once() {
    use std::io::ErrorKind;
    use std::os::fd::FromRawFd;
    let broker = Arc::new(PubSubBroker::new());
    let subscription = broker.subscribe(&Subscribe::to("a")).unwrap();
    let wake = Arc::new(Wake::new().unwrap());
    subscription.arm(&wake);
    broker.publish(publication("a", b"")).unwrap();
    broker.publish(publication("a", b"")).unwrap();
    // SAFETY: the file stays open as long as `wake`, and is not closed here.
    let file = std::mem::ManuallyDrop::new(unsafe { std::os::unix::net::UnixStream::from_raw_fd(wake.fd()) });
    let mut bytes = [0; 8];
    assert_eq!(std::io::Read::read(&mut &*file, &mut bytes).unwrap(), 1);
    assert_eq!(std::io::Read::read(&mut &*file, &mut bytes).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn options_out_of_range_are_refused() {
    let broker = Arc::new(PubSubBroker::new());
    let told = |options| broker.subscribe(&options).err().unwrap().to_string();
    let plain = || Subscribe::to("a");
    assert!(told(Subscribe { capacity: 0, ..plain() }).contains("capacity is 0"));
    assert!(told(Subscribe { capacity: MAX_CAPACITY + 1, ..plain() }).contains("capacity is"));
    assert!(told(Subscribe { from_seq: Some(1), ..plain() }).contains("without a store"));
    assert!(told(Subscribe { agent: Some(String::new()), ..plain() }).contains("agent_id"));
    let refused = |publication| broker.publish(publication).err().unwrap().to_string();
    assert!(refused(publication("a/*", b"")).contains("wildcard"));
    assert!(refused(publication("a", &vec![0; MAX_PAYLOAD + 1])).contains("1 MiB"));
    assert!(refused(Publication { recipients: Some(Vec::new()), ..publication("a", b"") }).contains("0 agents"));
    let (sender, agent) = (Some("a".to_owned()), Some("b".to_owned()));
    assert!(refused(Publication { sender, agent, ..publication("a", b"") }).contains("speaks for itself"));
    assert!(broker.publish(publication("a", &vec![0; MAX_PAYLOAD])).is_ok());
}

#[test]
fn a_broker_has_sequences_after_the_last_of_a_commit() {
    let broker = Arc::new(PubSubBroker::new());
    broker.use_up();
    let first = broker.publish(publication("a", b"")).unwrap();
    assert_eq!(first, end_of_commit(1) + 1);
}
