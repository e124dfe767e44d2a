//! Transactions that wait to be checked: what other replicas sent comes before what clients submit, and of that few wait, so
//! that all replicas have about the same in about the same order. (Where one is a second behind the others, they take it
//! for one that withholds what it has not seen.)

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::intake::{Arrival, Reason};

/// How many that clients submitted wait at most: a tenth of a second of work.
const OF_CLIENTS_MAX: usize = 4_096;

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
    of_clients: VecDeque<(Reason, Arrival)>,
    of_replicas: VecDeque<(Reason, Arrival)>,
    is_closed: bool,
}

impl Waiting {
    fn next(&mut self, count_max: usize) -> Option<(Reason, Vec<Arrival>)> {
        let queue = if self.of_replicas.is_empty() {
            &mut self.of_clients
        } else {
            &mut self.of_replicas
        };
        let (reason, _) = queue.front()?;
        let reason = *reason;
        let of_reason = queue.iter().take(count_max);
        let count = of_reason.take_while(|(other, _)| *other == reason).count();
        let arrivals = queue.drain(..count);
        Some((reason, arrivals.map(|(_, arrival)| arrival).collect()))
    }
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        let waiting = self.lock();
        waiting.of_clients.is_empty() && waiting.of_replicas.is_empty()
    }

    /// Puts transactions in; gives back those for which there is no room.
    pub fn put(&self, reason: Reason, mut arrivals: Vec<Arrival>) -> Vec<Arrival> {
        let mut waiting = self.lock();
        let (queue, max) = if reason.is_of_client() {
            (&mut waiting.of_clients, OF_CLIENTS_MAX)
        } else {
            (&mut waiting.of_replicas, OF_REPLICAS_MAX)
        };
        let refused = arrivals.split_off(max.saturating_sub(queue.len()).min(arrivals.len()));
        queue.extend(arrivals.into_iter().map(|arrival| (reason, arrival)));
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
            (Reason::Proposed, 2),
            (Reason::Proposed, 1),
            (Reason::Relayed, 1),
        ] {
            assert!(inbox.put(reason, arrivals(count)).is_empty());
        }
        let next = || inbox.next(4).map(|(reason, group)| (reason, group.len()));
        assert_eq!(next(), Some((Reason::Proposed, 3)));
        assert_eq!(next(), Some((Reason::Relayed, 1)));
        assert_eq!(next(), Some((Reason::Submitted, 4)));
        assert_eq!(next(), Some((Reason::Submitted, 1)));
        inbox.close();
        assert_eq!(next(), None);
    }

    #[test]
    fn there_is_room_for_so_many_of_clients_and_others_for_replicas() {
        let inbox = Inbox::default();
        let refused = inbox.put(Reason::Submitted, arrivals(OF_CLIENTS_MAX + 3));
        let last = OF_CLIENTS_MAX + 2;
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
