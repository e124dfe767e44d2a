//! How far other replicas are, asked of each outside the protocol: whoever went on to a later epoch sends no more
//! messages of the one that is in force here.
//!
//! Asked are those that send messages of a later epoch and, while the epoch in force is to end and nothing goes on, all
//! replicas of it: one that the change takes out may alone hold the certificate of the last block, and it says nothing by
//! itself. The messages are not verified, so each replica is asked in its own time: none that is named often, or never
//! answers, takes the turn of another.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::{Duration, Instant};

use bus::Bus;
use bus::ordering_wire::StatusRequest;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use ledger::{Height, ReplicaId};
use pbft::{Input, Sequence};
use tokio::sync::mpsc::{Receiver, Sender, UnboundedSender};

use crate::core::Heard;

/// How long after one question to a replica it is asked the next.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// How long nothing is certified here, the epoch being about to end, before all of its replicas are asked.
const STANDS_STILL_AFTER: Duration = Duration::from_secs(1);

/// How many replicas wait to be asked at most, and how many are being asked. Each has one place, and there are fewer
/// replicas than that.
pub const QUESTIONS_MAX: usize = 256;

/// Whom to ask, and when: the part of the core's thread.
#[derive(Debug)]
pub struct HowFar {
    questions: Sender<ReplicaId>,
    /// When each was named last to be asked; replicas are told apart by 16 bits.
    asked: BTreeMap<ReplicaId, Instant>,
    /// The newest certified height here.
    certified: Sequence,
    /// Since when it is that, or all were asked.
    stands_since: Instant,
}

impl HowFar {
    /// Nobody was asked so far. Who is to be asked is named in `questions`, to [`ask_those_named`].
    pub fn new(questions: Sender<ReplicaId>, now: Instant) -> HowFar {
        HowFar {
            questions,
            asked: BTreeMap::new(),
            certified: Sequence(0),
            stands_since: now,
        }
    }

    /// This replica may have what we lack.
    pub fn ask(&mut self, replica: ReplicaId, now: Instant) {
        let last = self.asked.get(&replica);
        if last.is_some_and(|last| now < *last + ASK_AGAIN_AFTER) {
            return;
        }
        // One that finds no place is named again.
        if self.questions.try_send(replica).is_ok() {
            self.asked.insert(replica, now);
        }
    }

    /// The epoch in force is to end, and `certified` is the newest certified height here: when that stands still, its other
    /// replicas are asked, about once a second.
    pub fn look_at_end(
        &mut self,
        others: impl IntoIterator<Item = ReplicaId>,
        certified: Sequence,
        now: Instant,
    ) {
        if certified > self.certified {
            self.certified = certified;
            self.stands_since = now;
        }
        if now < self.stands_since + STANDS_STILL_AFTER {
            return;
        }
        self.stands_since = now;
        for replica in others {
            self.ask(replica, now);
        }
    }
}

/// Asks those who are named up to where they have certificates, and tells the core, until that is gone.
pub async fn ask_those_named(bus: Bus, named: Receiver<ReplicaId>, core: UnboundedSender<Heard>) {
    let ask = |peer| {
        let bus = bus.clone();
        async move { Some(bus.ask(peer, &StatusRequest {}).await.ok()?.height) }
    };
    ask_each(named, core, ask).await;
}

/// All at once, with one open question to each.
async fn ask_each<F: Future<Output = Option<Height>>>(
    mut named: Receiver<ReplicaId>,
    core: UnboundedSender<Heard>,
    ask: impl Fn(ReplicaId) -> F,
) {
    let mut open = BTreeSet::new();
    let mut answers = FuturesUnordered::new();
    loop {
        tokio::select! {
            peer = named.recv() => {
                let Some(peer) = peer else { return };
                if open.len() < QUESTIONS_MAX && open.insert(peer) {
                    let answer = ask(peer);
                    answers.push(async move { (peer, answer.await) });
                }
            }
            Some((peer, height)) = answers.next() => {
                open.remove(&peer);
                let Some(height) = height else { continue };
                let certified = Sequence::from(height);
                let claimed = Input::Claimed { peer, certified };
                if core.send(Heard::Input(claimed)).is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{channel, unbounded_channel};

    use super::*;

    /// Who was named since the last look.
    fn named(questions: &mut Receiver<ReplicaId>) -> Vec<u16> {
        std::iter::from_fn(|| questions.try_recv().ok())
            .map(|replica| replica.0)
            .collect()
    }

    #[test]
    fn who_floods_with_messages_of_a_later_epoch_is_named_now_and_then_and_takes_nobodys_turn() {
        let start = Instant::now();
        let (sender, mut questions) = channel(4);
        let mut how_far = HowFar::new(sender, start);
        for message in 0..10_000 {
            how_far.ask(ReplicaId(3), start + Duration::from_micros(message));
        }
        how_far.ask(ReplicaId(1), start + Duration::from_millis(11));
        assert_eq!(named(&mut questions), [3, 1]);
        how_far.ask(ReplicaId(3), start + ASK_AGAIN_AFTER);
        assert_eq!(named(&mut questions), [3]);
    }

    #[test]
    fn who_found_no_place_is_named_when_there_is_one() {
        let start = Instant::now();
        let (sender, mut questions) = channel(1);
        let mut how_far = HowFar::new(sender, start);
        how_far.ask(ReplicaId(3), start);
        how_far.ask(ReplicaId(1), start);
        assert_eq!(named(&mut questions), [3]);
        how_far.ask(ReplicaId(1), start);
        assert_eq!(named(&mut questions), [1]);
    }

    #[test]
    fn at_the_end_of_an_epoch_all_are_asked_each_second_in_which_nothing_goes_on() {
        let start = Instant::now();
        let (sender, mut questions) = channel(QUESTIONS_MAX);
        let mut how_far = HowFar::new(sender, start);
        let mut looked = |milliseconds, certified| {
            let others = [ReplicaId(1), ReplicaId(2), ReplicaId(3)];
            let now = start + Duration::from_millis(milliseconds);
            how_far.look_at_end(others, Sequence(certified), now);
            named(&mut questions)
        };
        assert_eq!(looked(500, 128), [] as [u16; 0]);
        assert_eq!(looked(1_400, 140), [] as [u16; 0], "blocks go on");
        assert_eq!(looked(2_300, 140), [] as [u16; 0]);
        assert_eq!(looked(2_400, 140), [1, 2, 3]);
        assert_eq!(looked(2_900, 140), [] as [u16; 0], "they were asked");
        assert_eq!(looked(3_400, 140), [1, 2, 3]);
        assert_eq!(looked(4_400, 256), [] as [u16; 0], "blocks came");
        assert_eq!(looked(5_400, 256), [1, 2, 3]);
    }

    #[tokio::test]
    async fn who_never_answers_keeps_nobody_from_being_asked() {
        let (sender, questions) = channel(QUESTIONS_MAX);
        let (core, mut heard) = unbounded_channel();
        let ask = |peer| async move {
            match peer {
                ReplicaId(1) => Some(Height(256)),
                _ => std::future::pending().await,
            }
        };
        tokio::spawn(ask_each(questions, core, ask));
        for peer in [3, 3, 3, 2, 3, 1, 3, 1] {
            sender.send(ReplicaId(peer)).await.unwrap();
        }
        let answer = tokio::time::timeout(Duration::from_secs(60), heard.recv());
        let Ok(Some(Heard::Input(Input::Claimed { peer, certified }))) = answer.await else {
            panic!("replica 1 was not asked");
        };
        assert_eq!((peer, certified), (ReplicaId(1), Sequence(256)));
    }
}
