//! Clients at work while things break, on one account: deposits and withdrawals, some of them under a reference that two
//! clients use, each signed once and sent again, byte for byte, until its receipt comes, some by two senders at once; and
//! readings of the balance. The history of what was asked, answered and read, and when, is judged by
//! [`crate::linearizable`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use client::{Client, ClientError, Member, VerifiedCommit};
use contracts::settlement::command::Command;
use contracts::{Command as AnyCommand, PaymentReference};
use interfaces::Base64;
use interfaces::settlement::Balance;
use keys::MemberKey;
use ledger::{Digest, LedgerId, Receipt, SignedTransaction, Timestamp, TransactionBody};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// A little less than the ledger allows.
const VALIDITY_US: u64 = 55_000_000;
/// How long after its validity a transaction's fate is still asked for.
const SETTLED_AFTER_US: u64 = 60_000_000;
const AGAIN_AFTER: Duration = Duration::from_millis(100);
/// The most that one operation moves.
const AMOUNT_MAX: u64 = 5;

/// What became of one operation.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The transaction.
    pub id: Digest,
    /// When it was first sent.
    pub began: Instant,
    /// When its fate was known.
    pub ended: Instant,
    /// Its receipt, verified; none when it expired without one.
    pub receipt: Option<VerifiedCommit>,
}

/// A balance that a client was told.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// When it was asked for.
    pub began: Instant,
    /// When the answer came.
    pub ended: Instant,
    /// The answer.
    pub balance: i64,
}

/// Everything that clients did, and what they were told.
#[derive(Clone, Debug)]
pub struct History {
    /// Whose account.
    pub account: LedgerId,
    /// The operations.
    pub operations: Vec<Operation>,
    /// The readings.
    pub readings: Vec<Reading>,
}

impl History {
    /// The receipts.
    pub fn receipts(&self) -> Vec<Receipt> {
        let commits = self.operations.iter();
        commits
            .filter_map(|operation| Some(operation.receipt.as_ref()?.receipt.clone()))
            .collect()
    }

    /// The longest time without a receipt before a moment.
    pub fn longest_silence(&self, before: Instant) -> Duration {
        let with_receipt = self.operations.iter().filter(|it| it.receipt.is_some());
        let arrived = with_receipt.map(|it| it.ended);
        let mut arrived: Vec<Instant> = arrived.filter(|at| *at <= before).collect();
        arrived.sort_unstable();
        let gaps = arrived.windows(2).map(|pair| pair[1] - pair[0]);
        gaps.max().unwrap_or_default()
    }

    /// The height of the newest receipt.
    ///
    /// # Panics
    /// If there is none.
    pub fn newest(&self) -> u64 {
        let heights = self.receipts().into_iter();
        heights
            .map(|receipt| receipt.header.height.0)
            .max()
            .expect("receipts came")
    }
}

/// Clients at work.
pub struct Load {
    account: LedgerId,
    stop: Arc<AtomicBool>,
    committed: Arc<AtomicU64>,
    workers: JoinSet<Vec<Done>>,
}

enum Done {
    Operation(Operation),
    Reading(Reading),
}

/// One client.
struct Worker {
    member: Member,
    key: MemberKey,
    stop: Arc<AtomicBool>,
    committed: Arc<AtomicU64>,
    /// Every number is drawn twice: two operations contend for its reference.
    contended: Arc<AtomicU64>,
    /// What sets this run's references apart from those of others on the same ledger.
    run: [u8; 8],
}

impl Load {
    /// Starts `workers` clients that move money into and out of the treasurer's own account.
    ///
    /// # Panics
    /// If the treasurer holds no key.
    pub fn start(treasurer: &Member, workers: usize) -> Load {
        let key = treasurer.key().expect("the treasurer holds its key");
        let mut load = Load {
            account: key.ledger_id(),
            stop: Arc::default(),
            committed: Arc::default(),
            workers: JoinSet::new(),
        };
        let (contended, run) = (Arc::default(), random());
        for _ in 0..workers {
            let worker = Worker {
                member: treasurer.clone(),
                key: key.clone(),
                stop: load.stop.clone(),
                committed: load.committed.clone(),
                contended: Arc::clone(&contended),
                run,
            };
            load.workers.spawn(worker.work());
        }
        load
    }

    /// How many receipts came so far.
    pub fn committed(&self) -> u64 {
        self.committed.load(Ordering::Relaxed)
    }

    /// Waits until this many more receipts have come; the test runner ends a test that waits in vain.
    pub async fn goes_on(&self, more: u64) {
        let until = self.committed() + more;
        while self.committed() < until {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Lets each client finish what it is at, and gives what they did.
    ///
    /// # Panics
    /// If a client was told something that cannot be.
    pub async fn finish(mut self) -> History {
        self.stop.store(true, Ordering::Relaxed);
        let mut history = History {
            account: self.account,
            operations: Vec::new(),
            readings: Vec::new(),
        };
        while let Some(done) = self.workers.join_next().await {
            for one in done.expect("a client's history") {
                match one {
                    Done::Operation(operation) => history.operations.push(operation),
                    Done::Reading(reading) => history.readings.push(reading),
                }
            }
        }
        history
    }
}

impl Worker {
    async fn work(self) -> Vec<Done> {
        let mut done = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let [what, amount, contend, twice, ..] = random::<8>();
            if what % 8 == 0 {
                done.extend(self.read().await.map(Done::Reading));
                continue;
            }
            let reference = if contend % 8 == 0 {
                let number = self.contended.fetch_add(1, Ordering::Relaxed) / 2;
                [self.run, number.to_be_bytes()].concat()
            } else {
                random::<16>().to_vec()
            };
            let reference = PaymentReference(reference.try_into().expect("16 bytes"));
            let amount = 1 + i64::from(amount) % AMOUNT_MAX as i64;
            let command = if what % 8 < 5 {
                let account = self.key.ledger_id();
                Command::Deposit {
                    reference,
                    account,
                    amount,
                }
            } else {
                Command::Withdraw { reference, amount }
            };
            done.push(Done::Operation(self.submit(command, twice % 16 == 0).await));
        }
        done
    }

    /// Submits a command; `twice`: two senders send the same bytes, and must be told the same.
    async fn submit(&self, command: Command, twice: bool) -> Operation {
        let client = self.member.client();
        let signed = signed(client.receipts().chain(), &self.key, command);
        let began = Instant::now();
        let receipt = if twice {
            let (one, other) =
                tokio::join!(see_through(client, &signed), see_through(client, &signed));
            if let (Some(one), Some(other)) = (&one, &other) {
                let place = |commit: &VerifiedCommit| (commit.height, commit.receipt.index);
                assert_eq!(place(one), place(other), "two receipts of one transaction");
            }
            one.or(other)
        } else {
            see_through(client, &signed).await
        };
        self.committed
            .fetch_add(u64::from(receipt.is_some()), Ordering::Relaxed);
        Operation {
            id: signed.id(),
            began,
            ended: Instant::now(),
            receipt,
        }
    }

    /// Reads the balance; nothing where nobody answers.
    async fn read(&self) -> Option<Reading> {
        let began = Instant::now();
        match self.member.get::<Vec<Balance>>("/v1/balances").await {
            Ok(balances) => Some(Reading {
                began,
                ended: Instant::now(),
                balance: balances.first()?.balance,
            }),
            Err(_) => {
                tokio::time::sleep(AGAIN_AFTER).await;
                None
            }
        }
    }
}

fn random<const N: usize>() -> [u8; N] {
    let bytes: [u8; 32] = keys::secret::random();
    std::array::from_fn(|place| bytes[place])
}

/// A deposit of one cent under a reference of its own.
pub fn deposit(chain: Digest, treasurer: &MemberKey, account: LedgerId) -> SignedTransaction {
    let command = Command::Deposit {
        reference: PaymentReference(random()),
        account,
        amount: 1,
    };
    signed(chain, treasurer, command)
}

/// A withdrawal of one cent of a member's own money.
pub fn withdrawal(chain: Digest, member: &MemberKey) -> SignedTransaction {
    let command = Command::Withdraw {
        reference: PaymentReference(random()),
        amount: 1,
    };
    signed(chain, member, command)
}

fn signed(chain: Digest, key: &MemberKey, command: Command) -> SignedTransaction {
    let command = AnyCommand::from(command);
    key.sign(TransactionBody {
        chain,
        submitter: key.ledger_id(),
        public_key: key.public_key(),
        nonce: u64::from_be_bytes(random()),
        valid_until: Timestamp(chassis::clock::now() + VALIDITY_US),
        contract: command.contract().id(),
        command: command.to_bytes(),
    })
}
/// Sends a transaction until its receipt comes, or until it is certain that none will.
///
/// # Panics
/// If the gateway says that the transaction is bad, or its receipt does not verify.
pub async fn see_through(client: &Client, signed: &SignedTransaction) -> Option<VerifiedCommit> {
    let request = json!({ "transaction": Base64(signed.to_bytes()) });
    let give_up = signed.body.valid_until.0 + SETTLED_AFTER_US;
    loop {
        match client.post::<_, Value>("/v1/transactions", &request).await {
            Ok(answer) => {
                let bytes: Base64 =
                    serde_json::from_value(answer["receipt"].clone()).expect("a receipt");
                let receipt = Receipt::from_bytes(&bytes.0).expect("a receipt that can be read");
                let kept = client.receipts().keep(receipt, &signed.id());
                return Some(kept.expect("a receipt that verifies"));
            }
            // Its end: in a block after all, or never.
            Err(_) if chassis::clock::now() > signed.body.valid_until.0 => {
                match client.receipt(&signed.id()).await {
                    Ok(commit) => return Some(commit),
                    Err(ClientError::Problem(problem)) if problem.status == 404 => return None,
                    Err(error) if chassis::clock::now() > give_up => panic!("no answer: {error}"),
                    Err(_) => {}
                }
            }
            Err(ClientError::Problem(problem)) => {
                assert!(
                    problem.status >= 500 || problem.status == 429 || problem.status == 408,
                    "{problem}"
                );
            }
            // The gateway is away.
            Err(_) => {}
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}
