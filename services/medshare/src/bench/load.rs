//! Open-loop load: transactions signed shortly before they are sent, sent at a fixed rate whatever comes back, and the
//! arrival of every first receipt.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bus::subjects;
use contracts::RecordNumber;
use contracts::records::command::{Code, Command, RegisterRecord};
use futures::StreamExt;
use ledger::{
    Commitment, Digest, DigestAlgorithm, SignedTransaction, SigningKey, Timestamp, TransactionBody,
};
use tokio::sync::mpsc;

use super::cluster::{GENERATOR, PATIENT, member_id};

/// Receipts that are late by so much are waited for no longer.
const WAIT_FOR_LAST: Duration = Duration::from_secs(20);
/// As clients do: the same bytes again when no receipt came.
const RESEND_AFTER: Duration = Duration::from_millis(1_500);
const VALID_US: u64 = 59_000_000;
/// How many seconds of load are signed at once.
const SIGNED_AHEAD_SECONDS: u64 = 8;

/// A transaction ready to be sent: the last token of its reply's subject, and the bytes.
type Ready = (String, bytes::Bytes);

/// A first receipt.
pub struct Reply {
    /// When it came.
    pub at: Instant,
    /// The bytes of the reply.
    pub payload: bytes::Bytes,
}

/// What came of the load.
pub struct Outcome {
    /// When the load began.
    pub started: Instant,
    /// When each transaction was due, by its token.
    pub due: Vec<(String, Instant)>,
    /// The first receipts, by token.
    pub replies: HashMap<String, Reply>,
    /// Answers "busy".
    pub busy: u64,
    /// Other refusals.
    pub refused: u64,
    /// How often something was sent again.
    pub repeats: u64,
    /// How long sending took.
    pub sending: Duration,
    /// The size of one transaction.
    pub transaction_bytes: usize,
}

/// How much load.
#[derive(Clone, Copy)]
pub struct Amount {
    /// Transactions a second.
    pub rate: u64,
    /// All transactions.
    pub count: u64,
}

/// A record's registration by one of the members.
fn register(chain: Digest, number: u64, keys: &[SigningKey], now: u64) -> SignedTransaction {
    let mut record = [0; 16];
    record[..8].copy_from_slice(&number.to_be_bytes());
    record[8..].copy_from_slice(&now.to_be_bytes());
    let commitment = Commitment::new(
        DigestAlgorithm::Sha256,
        &[number as u8; 32],
        &[&number.to_be_bytes()],
    );
    let member = number % keys.len() as u64;
    let key = &keys[member as usize];
    let code = Code {
        key: key.public_key(),
        uses: 3,
        until: Timestamp(now + 24 * 3_600 * 1_000_000),
    };
    let command = contracts::Command::from(Command::RegisterRecord(RegisterRecord {
        record: RecordNumber(record),
        patient: PATIENT,
        content: commitment,
        index: commitment,
        patient_code: code,
        hospital_code: code,
    }));
    let body = TransactionBody {
        chain,
        submitter: member_id(member),
        public_key: key.public_key(),
        nonce: now + number,
        valid_until: Timestamp(now + VALID_US),
        contract: command.contract().id(),
        command: command.to_bytes(),
    };
    SignedTransaction::sign(body, key)
}

/// Signs in parts, ahead of sending.
fn sign_ahead(chain: Digest, keys: Vec<SigningKey>, amount: Amount) -> mpsc::Receiver<Vec<Ready>> {
    let (sender, receiver) = mpsc::channel(1);
    let part = (amount.rate * SIGNED_AHEAD_SECONDS).max(1);
    std::thread::spawn(move || {
        let mut from = 0;
        while from < amount.count {
            let now = chassis::clock::now();
            let until = (from + part).min(amount.count);
            let ready = (from..until).map(|number| {
                let signed = register(chain, number, &keys, now);
                (
                    subjects::transaction_token(&signed.id()),
                    bytes::Bytes::from(signed.to_bytes()),
                )
            });
            if sender.blocking_send(ready.collect()).is_err() {
                return;
            }
            from = until;
        }
    });
    receiver
}

#[derive(Default)]
struct Heard {
    replies: Mutex<HashMap<String, Reply>>,
    answered: AtomicU64,
    busy: AtomicU64,
    refused: AtomicU64,
}

impl Heard {
    fn replies(&self) -> std::sync::MutexGuard<'_, HashMap<String, Reply>> {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn hear(mut replies: async_nats::Subscriber, heard: Arc<Heard>) {
    while let Some(message) = replies.next().await {
        let at = Instant::now();
        // The variant of `SubmitReply` is the first byte; decoding waits until the clock has stopped.
        match message.payload.first() {
            Some(0) => {}
            Some(1) => {
                heard.busy.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            _ => {
                heard.refused.fetch_add(1, Ordering::Relaxed);
                continue;
            }
        }
        let token = message
            .subject
            .rsplit('.')
            .next()
            .unwrap_or_default()
            .to_owned();
        if let Entry::Vacant(room) = heard.replies().entry(token) {
            room.insert(Reply {
                at,
                payload: message.payload,
            });
            heard.answered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Offers the load; `each_second` is called about once a second with the seconds since the beginning.
pub async fn offer(
    nats: &async_nats::Client,
    chain: Digest,
    keys: Vec<SigningKey>,
    amount: Amount,
    mut each_second: impl AsyncFnMut(u64) -> anyhow::Result<()>,
) -> anyhow::Result<Outcome> {
    let heard: Arc<Heard> = Arc::default();
    let replies = nats.subscribe(subjects::all_replies(GENERATOR)).await?;
    nats.flush().await?;
    let hearing = tokio::spawn(hear(replies, heard.clone()));
    let mut parts = sign_ahead(chain, keys, amount);
    let subject = subjects::transactions(GENERATOR);
    let mut sent: Vec<(String, Instant, bytes::Bytes)> =
        Vec::with_capacity(usize::try_from(amount.count)?);
    let mut next = parts.recv().await;
    let started = Instant::now();
    let (mut number, mut second) = (0_u64, 0);
    while let Some(part) = next {
        for (token, bytes) in part {
            let due = started + Duration::from_nanos(number * 1_000_000_000 / amount.rate);
            while Instant::now() < due {
                nats.flush().await?;
                // Sleeping is coarse: what is due by then goes out together.
                let left = due.saturating_duration_since(Instant::now());
                tokio::time::sleep(left.max(Duration::from_micros(500))).await;
            }
            if started.elapsed().as_secs() > second {
                second = started.elapsed().as_secs();
                each_second(second).await?;
            }
            // Latency counts from when it was due, so that a late generator hides nothing.
            sent.push((token, due, bytes.clone()));
            nats.publish(subject.clone(), bytes).await?;
            number += 1;
        }
        next = parts.recv().await;
    }
    nats.flush().await?;
    let sending = started.elapsed();
    let repeats = wait_for_last(nats, &subject, &sent, &heard).await?;
    hearing.abort();
    let replies = std::mem::take(&mut *heard.replies());
    Ok(Outcome {
        started,
        transaction_bytes: sent.first().map_or(0, |(.., bytes)| bytes.len()),
        due: sent
            .into_iter()
            .map(|(token, due, _)| (token, due))
            .collect(),
        replies,
        busy: heard.busy.load(Ordering::Relaxed),
        refused: heard.refused.load(Ordering::Relaxed),
        repeats,
        sending,
    })
}

/// Waits for the missing receipts, sending again what has none; gives how many were sent again.
async fn wait_for_last(
    nats: &async_nats::Client,
    subject: &str,
    sent: &[(String, Instant, bytes::Bytes)],
    heard: &Heard,
) -> anyhow::Result<u64> {
    let deadline = Instant::now() + WAIT_FOR_LAST;
    let mut resent = Instant::now();
    let mut repeats = 0;
    while heard.answered.load(Ordering::Relaxed) < sent.len() as u64 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if resent.elapsed() < RESEND_AFTER {
            continue;
        }
        resent = Instant::now();
        let missing: Vec<bytes::Bytes> = {
            let replies = heard.replies();
            sent.iter()
                .filter(|(token, ..)| !replies.contains_key(token))
                .map(|(.., bytes)| bytes.clone())
                .collect()
        };
        repeats += missing.len() as u64;
        for bytes in missing {
            nats.publish(subject.to_owned(), bytes).await?;
        }
        nats.flush().await?;
    }
    Ok(repeats)
}
