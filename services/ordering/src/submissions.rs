//! What users publish, on its way to be checked.
//!
//! What another replica is to order is looked at a moment later (see [`bus::Addressing`] for why it comes here at all): by then it
//! came with that replica's proposal, was checked with it, and costs nothing any more.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bus::subjects;
use futures::{Stream, StreamExt};
use ledger::{KeyPoints, ReplicaId};

use crate::intake::{Arrival, Intake, Reason, arrivals_of};

/// How many messages are taken from the broker at once.
const MESSAGES_AT_ONCE: usize = 256;

/// How much later what another replica is to order is looked at.
const WITNESSED_AFTER: Duration = Duration::from_millis(30);

/// How many of those wait at most.
const WITNESSED_MAX: usize = 4_096;

/// Has what users publish checked, in groups of what is at hand.
pub async fn take(
    me: ReplicaId,
    messages: impl Stream<Item = async_nats::Message>,
    intake: Intake,
) {
    let mut points = KeyPoints::new();
    let mut witnessed = Witnessed::default();
    let mut groups = std::pin::pin!(messages.ready_chunks(MESSAGES_AT_ONCE));
    loop {
        let due = witnessed.next_due();
        let (until_due, waits) = (due.unwrap_or_else(Instant::now), due.is_some());
        tokio::select! {
            group = groups.next() => {
                let Some(group) = group else { return };
                let mut by_reason: BTreeMap<Reason, Vec<Arrival>> = BTreeMap::new();
                for message in group {
                    if let Some((reason, arrivals)) = arrivals_in(me, &message, &intake) {
                        by_reason.entry(reason).or_default().extend(arrivals);
                    }
                }
                for (reason, arrivals) in by_reason {
                    let now = match reason {
                        Reason::Witnessed => witnessed.put(arrivals, Instant::now()),
                        _ => arrivals,
                    };
                    intake.take_here(reason, now, &mut points);
                }
            }
            () = tokio::time::sleep_until(until_due.into()), if waits => {
                let due = witnessed.take_due(Instant::now());
                intake.take_here(Reason::Witnessed, due, &mut points);
            }
        }
    }
}

/// The transactions in a message.
fn arrivals_in(
    me: ReplicaId,
    message: &async_nats::Message,
    intake: &Intake,
) -> Option<(Reason, Vec<Arrival>)> {
    let requester = subjects::user_of(&message.subject)?.into();
    let arrivals = arrivals_of(me, &requester, &message.payload);
    if arrivals.is_none() {
        intake.refuse_unread(&requester, &message.payload);
    }
    arrivals
}

/// What other replicas are to order, in the order in which it came, each with when it is looked at.
#[derive(Debug, Default)]
struct Witnessed(VecDeque<(Instant, Arrival)>);

impl Witnessed {
    /// Keeps transactions; gives those back for which there is no room, to be looked at now.
    fn put(&mut self, mut arrivals: Vec<Arrival>, now: Instant) -> Vec<Arrival> {
        let room = WITNESSED_MAX - self.0.len();
        let rest = arrivals.split_off(room.min(arrivals.len()));
        let due = now + WITNESSED_AFTER;
        self.0
            .extend(arrivals.into_iter().map(|arrival| (due, arrival)));
        rest
    }

    fn next_due(&self) -> Option<Instant> {
        let (due, _) = self.0.front()?;
        Some(*due)
    }

    fn take_due(&mut self, now: Instant) -> Vec<Arrival> {
        let count = self.0.partition_point(|(due, _)| *due <= now);
        self.0.drain(..count).map(|(_, arrival)| arrival).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(numbers: std::ops::Range<usize>) -> Vec<Arrival> {
        let arrival = |number: usize| Arrival {
            bytes: number.to_be_bytes().to_vec().into(),
            origin: None,
        };
        numbers.map(arrival).collect()
    }

    #[test]
    fn what_another_replica_is_to_order_is_looked_at_later_and_in_order() {
        let (mut witnessed, start) = (Witnessed::default(), Instant::now());
        assert_eq!(witnessed.next_due(), None);
        assert!(witnessed.put(arrivals(0..2), start).is_empty());
        let later = start + Duration::from_millis(1);
        assert!(witnessed.put(arrivals(2..3), later).is_empty());
        assert!(witnessed.take_due(start).is_empty());
        let due = witnessed.next_due().expect("two wait");
        assert_eq!(due, start + WITNESSED_AFTER);
        let first = witnessed.take_due(due);
        assert_eq!(first.len(), 2);
        assert_eq!(first[1].bytes[..], 1_usize.to_be_bytes());
        assert_eq!(witnessed.take_due(later + WITNESSED_AFTER).len(), 1);
    }

    #[test]
    fn what_finds_no_room_is_looked_at_now() {
        let (mut witnessed, start) = (Witnessed::default(), Instant::now());
        let rest = witnessed.put(arrivals(0..WITNESSED_MAX + 3), start);
        assert_eq!(rest.len(), 3);
        assert_eq!(rest[0].bytes[..], WITNESSED_MAX.to_be_bytes());
        assert_eq!(witnessed.put(arrivals(0..1), start).len(), 1);
    }
}
