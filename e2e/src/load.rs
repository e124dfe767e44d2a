//! A client at work while things break: deposits, each signed once and sent again, byte for byte, until its receipt comes,
//! and a history of what became of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use client::{Client, ClientError, VerifiedCommit};
use contracts::settlement::command::Command;
use contracts::{Command as AnyCommand, PaymentReference};
use interfaces::Base64;
use keys::MemberKey;
use ledger::{Digest, LedgerId, Outcome, Receipt, SignedTransaction, Timestamp, TransactionBody};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// A little less than the ledger allows.
const VALIDITY_US: u64 = 55_000_000;
/// How long after its validity a transaction's fate is still asked for.
const SETTLED_AFTER_US: u64 = 60_000_000;
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// What became of one operation.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The transaction.
    pub id: Digest,
    /// Its receipt, verified; none when it expired without one.
    pub receipt: Option<VerifiedCommit>,
}

/// Everything a client did, and what it was told.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The operations.
    pub operations: Vec<Operation>,
}

impl History {
    /// How many were accepted by the contract.
    pub fn accepted(&self) -> u64 {
        let accepted = self.operations.iter().filter(|operation| {
            operation
                .receipt
                .as_ref()
                .is_some_and(|commit| commit.receipt.leaf.outcome == Outcome::Accepted)
        });
        accepted.count() as u64
    }
}

/// Clients at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    committed: Arc<AtomicU64>,
    workers: JoinSet<Vec<Operation>>,
}

impl Load {
    /// Starts `workers` clients that pay one cent after another into an account.
    pub fn start(
        client: &Client,
        treasurer: &MemberKey,
        account: LedgerId,
        workers: usize,
    ) -> Load {
        let mut load = Load {
            stop: Arc::default(),
            committed: Arc::default(),
            workers: JoinSet::new(),
        };
        for _ in 0..workers {
            let (client, key) = (client.clone(), treasurer.clone());
            let (stop, committed) = (load.stop.clone(), load.committed.clone());
            load.workers.spawn(async move {
                let mut done = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let signed = deposit(client.receipts().chain(), &key, account);
                    let receipt = see_through(&client, &signed).await;
                    committed.fetch_add(u64::from(receipt.is_some()), Ordering::Relaxed);
                    let id = signed.id();
                    done.push(Operation { id, receipt });
                }
                done
            });
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
        let mut history = History::default();
        while let Some(done) = self.workers.join_next().await {
            history.operations.extend(done.expect("a client's history"));
        }
        history
    }
}

/// A deposit of one cent under a reference of its own.
pub fn deposit(chain: Digest, treasurer: &MemberKey, account: LedgerId) -> SignedTransaction {
    let command = AnyCommand::from(Command::Deposit {
        reference: PaymentReference(keys::secret::random()),
        account,
        amount: 1,
    });
    treasurer.sign(TransactionBody {
        chain,
        submitter: treasurer.ledger_id(),
        public_key: treasurer.public_key(),
        nonce: u64::from_be_bytes(keys::secret::random()),
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
