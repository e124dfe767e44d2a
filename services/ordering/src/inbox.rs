//! Transactions that wait to be checked: what other replicas sent comes before what clients submit, and of that few wait, so
//! that all replicas have about the same in about the same order. (Where one is a second behind the others, they take it
//! for one that withholds what it has not seen.)

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::intake::{Arrival, Reason};

/// How many that clients submitted wait at most: a tenth of a second of work.
const SUBMITTED_MAX: usize = 4_096;

/// How many of other replicas wait at most. They ask and relay again.
const OF_REPLICAS_MAX: usize = 16_384;

/// The inbox of the checking threads.
#[derive(Debug, Default)]
pub struct Inbox {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    submitted: VecDeque<Arrival>,
    of_replicas: VecDeque<(Reason, Arrival)>,
    is_closed: bool,
}

impl Waiting {
    fn next(&mut self, count_max: usize) -> Option<(Reason, Vec<Arrival>)> {
        let Some((reason, _)) = self.of_replicas.front() else {
            let count = self.submitted.len().min(count_max);
            let arrivals: Vec<Arrival> = self.submitted.drain(..count).collect();
            return (count > 0).then_some((Reason::Submitted, arrivals));
        };
        let reason = *reason;
        let of_reason = self.of_replicas.iter().take(count_max);
        let count = of_reason.take_while(|(other, _)| *other == reason).count();
        let arrivals = self.of_replicas.drain(..count);
        Some((reason, arrivals.map(|(_, arrival)| arrival).collect()))
    }
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts transactions in; gives back those for which there is no room.
    pub fn put(&self, reason: Reason, mut arrivals: Vec<Arrival>) -> Vec<Arrival> {
        let mut waiting = self.lock();
        let (count, max) = match reason {
            Reason::Submitted => (waiting.submitted.len(), SUBMITTED_MAX),
            Reason::Relayed | Reason::AskedFor => (waiting.of_replicas.len(), OF_REPLICAS_MAX),
        };
        let refused = arrivals.split_off(max.saturating_sub(count).min(arrivals.len()));
        match reason {
            Reason::Submitted => waiting.submitted.extend(arrivals),
            Reason::Relayed | Reason::AskedFor => {
                let arrivals = arrivals.into_iter().map(|arrival| (reason, arrival));
                waiting.of_replicas.extend(arrivals);
            }
        }
        drop(waiting);
        self.changed.notify_one();
        refused
    }

    /// The next transactions, so many at most, all for one reason: a batch of signatures costs less than half of what single
    /// ones do. Waits for them; `None` once the inbox is closed.
    pub fn next(&self, count_max: usize) -> Option<(Reason, Vec<Arrival>)> {
        let mut waiting = self.lock();
        loop {
            if waiting.is_closed {
                return None;
            }
            if let Some(group) = waiting.next(count_max) {
                return Some(group);
            }
            waiting = self
                .changed
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends the waiting of all threads.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(count: usize) -> Vec<Arrival> {
        let arrival = |number: usize| Arrival {
            bytes: number.to_be_bytes().to_vec().into(),
            origin: None,
        };
        (0..count).map(arrival).collect()
    }

    #[test]
    fn what_replicas_sent_comes_first_each_reason_by_itself_and_in_order() {
        let inbox = Inbox::default();
        for (reason, count) in [
            (Reason::Submitted, 5),
            (Reason::AskedFor, 2),
            (Reason::AskedFor, 1),
            (Reason::Relayed, 1),
        ] {
            assert!(inbox.put(reason, arrivals(count)).is_empty());
        }
        let next = || inbox.next(4).map(|(reason, group)| (reason, group.len()));
        assert_eq!(next(), Some((Reason::AskedFor, 3)));
        assert_eq!(next(), Some((Reason::Relayed, 1)));
        assert_eq!(next(), Some((Reason::Submitted, 4)));
        assert_eq!(next(), Some((Reason::Submitted, 1)));
        inbox.close();
        assert_eq!(next(), None);
    }

    #[test]
    fn there_is_room_for_so_many_of_clients_and_others_for_replicas() {
        let inbox = Inbox::default();
        let refused = inbox.put(Reason::Submitted, arrivals(SUBMITTED_MAX + 3));
        let last = SUBMITTED_MAX + 2;
        assert_eq!(refused.len(), 3);
        assert_eq!(refused[2].bytes[..], last.to_be_bytes());
        assert_eq!(inbox.put(Reason::Submitted, arrivals(2)).len(), 2);
        assert!(inbox.put(Reason::Relayed, arrivals(2)).is_empty());
    }

    #[test]
    fn who_waits_hears_of_what_comes_and_of_the_end() {
        let inbox = std::sync::Arc::new(Inbox::default());
        let (tell, heard) = std::sync::mpsc::channel();
        let waiting = std::thread::spawn({
            let inbox = inbox.clone();
            move || {
                while let Some((_, group)) = inbox.next(10) {
                    tell.send(group.len()).unwrap();
                }
            }
        });
        let refused = inbox.put(Reason::Submitted, arrivals(1));
        assert!(refused.is_empty());
        assert_eq!(heard.recv(), Ok(1));
        inbox.close();
        waiting.join().unwrap();
    }
}
