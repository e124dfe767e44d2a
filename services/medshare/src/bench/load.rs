//! Open-loop load: transactions signed before the clock starts, sent at a fixed rate whatever comes back, and the arrival
//! of every first receipt.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bus::ordering_wire::{
    BlockReceipts, SUBMITTED_TOGETHER_MAX, SubmitAnswer, SubmitReply, Submitted,
};
use bus::{Addressing, Patience, Route, subjects, submit};
use bytes::Bytes;
use futures::StreamExt;
use ledger::{Digest, EpochDescription, ReceiptBasis, Timestamp, canonical};

use super::cluster::GENERATOR;
use super::mix::{Mix, Step};
use super::receipts::Receipts;

/// Receipts that are late by so much are waited for no longer.
const WAIT_FOR_LAST: Duration = Duration::from_secs(20);
/// How often is looked whether something is to be sent again.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A transaction is valid for so long after it is due; the cluster refuses more than 60 s ahead.
const VALID_US: u64 = 50_000_000;
/// How long before it is due a transaction is signed at most.
const AHEAD_US: u64 = 5_000_000;
/// The sending thread looks at the clock as often, and sends what is due then.
const TICK: Duration = Duration::from_micros(120);
/// The same at high rates, where waking more often would take the processors from what is measured.
const TICK_AT_HIGH_RATES: Duration = Duration::from_millis(1);
/// From which rate on.
const HIGH_RATE: u64 = 4_000;

/// A signed transaction: what its receipt is known by, and its bytes.
pub struct Ready {
    id: Digest,
    bytes: Vec<u8>,
}

/// Publishes transactions, in order, in as few messages as hold them.
async fn publish(
    nats: &async_nats::Client,
    route: &Route,
    transactions: impl IntoIterator<Item = &Ready>,
) -> anyhow::Result<()> {
    let submitted = transactions.into_iter().map(|ready| Submitted {
        bytes: ready.bytes.clone(),
        traceparent: None,
    });
    submit::publish(nats, GENERATOR, route, submitted).await?;
    Ok(())
}

/// How much load.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    /// Transactions a second.
    pub rate: u64,
    /// All transactions.
    pub count: u64,
}

impl Amount {
    fn due(&self, number: usize) -> Duration {
        Duration::from_nanos(number as u64 * 1_000_000_000 / self.rate)
    }
}

/// What came of the load.
pub struct Outcome {
    /// When the load began.
    pub started: Instant,
    /// How much there was.
    pub amount: Amount,
    /// When each first receipt came, after the beginning; `None` when none did.
    pub arrived: Vec<Option<Duration>>,
    /// The receipts as they came.
    pub receipts: Receipts,
    /// Answers "busy".
    pub busy: u64,
    /// Other refusals.
    pub refused: u64,
    /// How often something was sent again.
    pub repeats: u64,
    /// How long sending took.
    pub sending: Duration,
    /// The mean size of a transaction.
    pub transaction_bytes: f64,
}

impl Outcome {
    /// How long each receipt was under way: from when its transaction was due, so that a late generator hides nothing.
    pub fn latencies(&self) -> Vec<Duration> {
        let arrived = self.arrived.iter().enumerate();
        arrived
            .filter_map(|(number, at)| Some((*at)?.saturating_sub(self.amount.due(number))))
            .collect()
    }

    /// The latency that so many of a hundred do not exceed.
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut latencies = self.latencies();
        latencies.sort_unstable();
        let place = (latencies.len() * percent / 100).min(latencies.len().saturating_sub(1));
        latencies.get(place).copied().unwrap_or_default()
    }

    /// Receipts a second.
    pub fn tps(&self) -> f64 {
        let last = self.arrived.iter().flatten().max().copied();
        self.receipts.heard().len() as f64
            / last
                .unwrap_or_default()
                .as_secs_f64()
                .max(f64::MIN_POSITIVE)
    }
}

/// Signs steps on two threads; `valid_until` says how long each is valid.
pub fn sign(
    mix: &Mix,
    steps: &[Step],
    first_nonce: u64,
    valid_until: impl Fn(usize) -> Timestamp + Sync,
) -> Vec<Ready> {
    let half = steps.len().div_ceil(2).max(1);
    let sign_part = |(part, steps): (usize, &[Step])| {
        let signed = steps.iter().enumerate().map(|(place, step)| {
            let number = part * half + place;
            let signed = mix.transaction(*step, first_nonce + number as u64, valid_until(number));
            Ready {
                id: signed.id(),
                bytes: signed.to_bytes(),
            }
        });
        signed.collect::<Vec<Ready>>()
    };
    std::thread::scope(|scope| {
        let parts: Vec<_> = steps
            .chunks(half)
            .enumerate()
            .map(|part| scope.spawn(move || sign_part(part)))
            .collect();
        parts
            .into_iter()
            .flat_map(|part| part.join().expect("signing does not panic"))
            .collect()
    })
}

/// What is heard, shared between who sends, who hears and who sends again.
struct Shared {
    started: Instant,
    /// Nanoseconds after the beginning, plus 1; 0 while there is no receipt.
    arrived: Vec<AtomicU64>,
    answered: AtomicU64,
    busy: AtomicU64,
    refused: AtomicU64,
    sent: AtomicU64,
    repeats: AtomicU64,
    patience: Patience,
    /// Known from receipts before they are verified: what it costs is the generator's.
    addressing: Addressing,
    stop: AtomicBool,
}

impl Shared {
    fn new(started: Instant, transactions: usize) -> Shared {
        Shared {
            started,
            arrived: (0..transactions).map(|_| AtomicU64::new(0)).collect(),
            answered: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            repeats: AtomicU64::new(0),
            patience: Patience::default(),
            addressing: Addressing::default(),
            stop: AtomicBool::new(false),
        }
    }

    /// Says how far the load is.
    fn tell(&self, second: u64) {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        eprintln!(
            "bench: {second} s: {} sent, {} answered, {} sent again, {} times \"busy\"",
            of(&self.sent),
            of(&self.answered),
            of(&self.repeats),
            of(&self.busy),
        );
    }
}

/// A load that is signed and not sent yet.
pub struct Signed {
    ready: Vec<Ready>,
    amount: Amount,
}

/// Signs the load that `step` names, to be sent at once.
pub fn sign_load(
    mix: &Mix,
    first_nonce: u64,
    step: impl Fn(u64) -> Step,
    amount: Amount,
) -> anyhow::Result<Signed> {
    let steps: Vec<Step> = (0..amount.count).map(step).collect();
    // What is due late would be refused if it were valid from the beginning.
    let now = chassis::clock::now();
    let valid_until = |number| {
        let due_us = amount.due(number).as_micros() as u64;
        Timestamp(now + due_us + VALID_US)
    };
    let ready = sign(mix, &steps, first_nonce, valid_until);
    let signed_us = chassis::clock::now() - now;
    anyhow::ensure!(
        signed_us < VALID_US - AHEAD_US,
        "signing took {} s, as long as transactions are valid: offer less at a time",
        signed_us / 1_000_000
    );
    Ok(Signed { ready, amount })
}

/// Where load goes.
pub struct Target<'a> {
    /// The generator's connection.
    pub nats: &'a async_nats::Client,
    /// The replicas.
    pub epoch: &'a EpochDescription,
}

/// Signs and sends a load.
pub async fn offer(
    target: &Target<'_>,
    mix: &Mix,
    first_nonce: u64,
    step: impl Fn(u64) -> Step,
    amount: Amount,
) -> anyhow::Result<Outcome> {
    let signed = sign_load(mix, first_nonce, step, amount)?;
    send(target, signed, async |_| Ok(())).await
}

/// Sends a load; `each_second` is called about once a second while it runs, with the seconds since the beginning.
pub async fn send(
    target: &Target<'_>,
    load: Signed,
    mut each_second: impl AsyncFnMut(u64) -> anyhow::Result<()>,
) -> anyhow::Result<Outcome> {
    let Signed { ready, amount } = load;
    let Target { nats, epoch } = *target;
    let replies = nats.subscribe(subjects::all_replies(GENERATOR)).await?;
    nats.flush().await?;
    let transaction_bytes = ready.iter().map(|ready| ready.bytes.len()).sum::<usize>() as f64
        / ready.len().max(1) as f64;
    let numbers: HashMap<Digest, usize> = ready
        .iter()
        .enumerate()
        .map(|(number, ready)| (ready.id, number))
        .collect();
    let receipts = Receipts::with_room(ready.len());
    let shared = Arc::new(Shared::new(Instant::now(), ready.len()));
    let ready = Arc::new(ready);
    let hearing = tokio::spawn(hear(
        replies,
        numbers,
        amount,
        shared.clone(),
        receipts,
        epoch.clone(),
    ));
    let pacing = std::thread::Builder::new()
        .name("pacing".to_owned())
        .spawn({
            let (nats, ready, shared) = (nats.clone(), ready.clone(), shared.clone());
            move || pace(&nats, &ready, amount, &shared)
        })?;
    let mut second = 0;
    let mut looked = Instant::now();
    let mut unanswered = Unanswered::default();
    let mut sending = None;
    let mut quiet_since = Instant::now();
    let mut answered = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if sending.is_none() && pacing.is_finished() {
            sending = Some(shared.started.elapsed());
        }
        let now_answered = shared.answered.load(Ordering::Relaxed);
        if now_answered > answered {
            (answered, quiet_since) = (now_answered, Instant::now());
        }
        let is_done = answered >= amount.count || quiet_since.elapsed() > WAIT_FOR_LAST;
        if sending.is_some() && is_done {
            break;
        }
        if shared.started.elapsed().as_secs() > second {
            second = shared.started.elapsed().as_secs();
            shared.tell(second);
            each_second(second).await?;
        }
        if looked.elapsed() > LOOK_EVERY {
            looked = Instant::now();
            let again = unanswered.due(amount, &shared);
            shared
                .repeats
                .fetch_add(again.len() as u64, Ordering::Relaxed);
            if !again.is_empty() {
                shared.addressing.doubt();
            }
            let again = again.iter().map(|number| &ready[*number]);
            publish(nats, &Route::All, again).await?;
        }
    }
    shared.stop.store(true, Ordering::Relaxed);
    pacing
        .join()
        .map_err(|_| anyhow::anyhow!("the sending thread panicked"))??;
    // Wakes the hearing task, which sees that it shall stop.
    nats.publish(subjects::reply(GENERATOR, GENERATOR, "stop"), Bytes::new())
        .await?;
    nats.flush().await?;
    let receipts = hearing.await.context("the hearing task")?;
    Ok(Outcome {
        started: shared.started,
        amount,
        arrived: shared
            .arrived
            .iter()
            .map(|at| {
                let at = at.load(Ordering::Relaxed).checked_sub(1)?;
                Some(Duration::from_nanos(at))
            })
            .collect(),
        receipts,
        busy: shared.busy.load(Ordering::Relaxed),
        refused: shared.refused.load(Ordering::Relaxed),
        repeats: shared.repeats.load(Ordering::Relaxed),
        sending: sending.unwrap_or_default(),
        transaction_bytes,
    })
}

/// Sends each transaction when it is due, on a thread of its own: an asynchronous timer counts milliseconds. Those that are due
/// when it looks go together, as those of a service do.
fn pace(
    nats: &async_nats::Client,
    ready: &[Ready],
    amount: Amount,
    shared: &Shared,
) -> anyhow::Result<()> {
    let tick = if amount.rate < HIGH_RATE {
        TICK
    } else {
        TICK_AT_HIGH_RATES
    };
    let mut sent = 0;
    while sent < ready.len() && !shared.stop.load(Ordering::Relaxed) {
        let now = shared.started.elapsed();
        let left = amount.due(sent).saturating_sub(now);
        if !left.is_zero() {
            std::thread::sleep(left.max(tick));
            continue;
        }
        let due = (sent..ready.len()).take_while(|number| amount.due(*number) <= now);
        let end = sent + due.take(SUBMITTED_TOGETHER_MAX).count();
        let route = shared.addressing.next();
        futures::executor::block_on(publish(nats, &route, &ready[sent..end]))?;
        sent = end;
        shared.sent.store(sent as u64, Ordering::Relaxed);
    }
    Ok(())
}

async fn hear(
    mut replies: async_nats::Subscriber,
    numbers: HashMap<Digest, usize>,
    amount: Amount,
    shared: Arc<Shared>,
    mut receipts: Receipts,
    epoch: EpochDescription,
) -> Receipts {
    while let Some(message) = replies.next().await {
        let at = shared.started.elapsed();
        if shared.stop.load(Ordering::Relaxed) {
            break;
        }
        let Ok(reply) = canonical::decode::<SubmitReply>(&message.payload) else {
            shared.refused.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        let count = reply.transactions.len() as u64;
        match reply.answer {
            // They are read when the clock has stopped, all but whose view it was.
            SubmitAnswer::Receipts(BlockReceipts { basis, .. }) => {
                if let Ok(basis) = canonical::decode::<ReceiptBasis>(&basis) {
                    shared.addressing.learn(&epoch, basis.certificate.view);
                }
            }
            SubmitAnswer::Busy => {
                shared.busy.fetch_add(count, Ordering::Relaxed);
                continue;
            }
            SubmitAnswer::Refused { .. } => {
                shared.refused.fetch_add(count, Ordering::Relaxed);
                continue;
            }
        }
        let kept = receipts.keep(&message.payload);
        for (place, transaction) in reply.transactions.iter().enumerate() {
            let Some(number) = numbers.get(transaction).copied() else {
                continue;
            };
            if shared.arrived[number].load(Ordering::Relaxed) == 0 {
                shared.arrived[number].store(at.as_nanos() as u64 + 1, Ordering::Relaxed);
                shared.answered.fetch_add(1, Ordering::Relaxed);
                shared.patience.learn(at.saturating_sub(amount.due(number)));
                receipts.note(number, kept.clone(), place);
            }
        }
    }
    receipts
}

/// What was sent and may have to be sent again, as clients do it.
#[derive(Default)]
struct Unanswered {
    /// How many transactions were looked at.
    known: usize,
    /// When each is sent again unless its receipt comes, its number, and the pause before that.
    pauses: BinaryHeap<Reverse<(Duration, usize, Duration)>>,
}

impl Unanswered {
    /// What is to be sent again now.
    fn due(&mut self, amount: Amount, shared: &Shared) -> Vec<usize> {
        let sent = shared.sent.load(Ordering::Relaxed) as usize;
        let pause = shared.patience.first();
        for number in self.known..sent {
            let end = amount.due(number) + pause;
            self.pauses.push(Reverse((end, number, pause)));
        }
        self.known = sent;
        let now = shared.started.elapsed();
        let mut again = Vec::new();
        while let Some(Reverse((end, number, pause))) = self.pauses.peek().copied()
            && end <= now
        {
            self.pauses.pop();
            if shared.arrived[number].load(Ordering::Relaxed) == 0 {
                let pause = Patience::longer(pause);
                self.pauses.push(Reverse((now + pause, number, pause)));
                again.push(number);
            }
        }
        again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_receipt_is_sent_again_after_a_pause_and_then_after_twice_as_long() {
        let amount = Amount {
            rate: 1_000,
            count: 3,
        };
        let long_ago = Instant::now().checked_sub(Duration::from_secs(5));
        let shared = Shared::new(long_ago.expect("the machine runs for longer"), 3);
        shared.sent.store(2, Ordering::Relaxed);
        shared.arrived[1].store(7, Ordering::Relaxed);
        let mut unanswered = Unanswered::default();
        assert_eq!(unanswered.due(amount, &shared), [0]);
        assert_eq!(unanswered.due(amount, &shared), [0; 0]);
        let pauses: Vec<_> = unanswered.pauses.into_iter().collect();
        let Reverse((end, number, pause)) = pauses[0];
        assert_eq!(
            (pauses.len(), number, pause),
            (1, 0, Duration::from_secs(2))
        );
        assert!(end >= Duration::from_secs(7));
    }
}
