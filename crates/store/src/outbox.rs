//! Transactions on their way to the ledger.
//!
//! A service puts the signed transaction into the outbox in the same database transaction as the facts it
//! belongs to. [`Outbox`] then submits it, sending identical bytes until a receipt comes or its validity ends,
//! also after a crash: the ledger executes it at most once. A row keeps its receipt for an hour ([`prune()`]).

mod prune;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bus::{Bus, SubmitError};
use chassis::Shutdown;
use ledger::{Digest, Receipt, Signature, SignedTransaction, TransactionBody, canonical};
use sqlx::{Any, Row};
use tokio::sync::{Notify, Semaphore, mpsc, watch};

use crate::database::Store;

pub use prune::{KEPT_US, prune};

/// Submissions under way at a time.
const IN_FLIGHT_MAX: usize = 256;
/// The outbox looks for rows that nobody waits for this often.
const SWEEP_EVERY: Duration = Duration::from_millis(250);
const SWEEP_ROWS: i64 = 256;
const BUSY_PAUSE: Duration = Duration::from_millis(250);
const DENIED_PAUSE: Duration = Duration::from_secs(5);
/// Ends that are written in one database transaction.
const ENDS_AT_ONCE: usize = 256;

/// Why there is no receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboxError {
    /// No such transaction was put.
    #[error("no such transaction in the outbox")]
    Unknown,
    /// It waits for its member's signature.
    #[error("the transaction waits for its member's signature")]
    Unsigned,
    /// The signature is not its member's over this transaction.
    #[error("the signature does not verify")]
    BadSignature,
    /// Its validity ended before it was ordered; it will never be executed.
    #[error("the transaction expired before it was ordered")]
    Expired,
    /// The ordering service refuses it; it will never be executed.
    #[error("refused by the ordering service ({code}): {reason}")]
    Refused {
        /// A number of [`bus::ordering_wire::refusal`]; 0 when it was not even sent.
        code: u16,
        /// For people.
        reason: String,
    },
    /// The database is at fault.
    #[error("database: {0}")]
    Database(String),
    /// The process stops; the transaction goes on when it starts again.
    #[error("the process stops")]
    Stopping,
}

impl From<sqlx::Error> for OutboxError {
    fn from(error: sqlx::Error) -> OutboxError {
        OutboxError::Database(error.to_string())
    }
}

/// Puts a signed transaction; sent once the database transaction is committed. Putting it again changes nothing.
///
/// # Errors
/// What the database says.
pub async fn put(
    transaction: &mut sqlx::Transaction<'_, Any>,
    signed: &SignedTransaction,
) -> Result<(), sqlx::Error> {
    insert(transaction, &signed.body, Some(signed.to_bytes())).await
}

/// Puts a transaction that waits for its member's signature ([`attach_signature`]).
///
/// # Errors
/// What the database says.
pub async fn put_unsigned(
    transaction: &mut sqlx::Transaction<'_, Any>,
    body: &TransactionBody,
) -> Result<(), sqlx::Error> {
    insert(transaction, body, None).await
}

async fn insert(
    transaction: &mut sqlx::Transaction<'_, Any>,
    body: &TransactionBody,
    signed: Option<Vec<u8>>,
) -> Result<(), sqlx::Error> {
    let state = if signed.is_some() {
        State::Pending
    } else {
        State::Unsigned
    };
    sqlx::query(
        "INSERT INTO outbox (transaction_id, state, body, signed, valid_until) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (transaction_id) DO NOTHING",
    )
    .bind(body.id().to_string())
    .bind(state.name())
    .bind(canonical::encode(body))
    .bind(signed)
    .bind(i64::try_from(body.valid_until.0).unwrap_or(i64::MAX))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Attaches the member's signature to a transaction put by [`put_unsigned`]; sent after the commit.
///
/// # Errors
/// [`OutboxError::Unknown`], [`OutboxError::BadSignature`], [`OutboxError::Expired`] or the database's.
/// The same signature again is fine.
pub async fn attach_signature(
    transaction: &mut sqlx::Transaction<'_, Any>,
    id: &Digest,
    signature: Signature,
) -> Result<SignedTransaction, OutboxError> {
    let row = sqlx::query("SELECT state, body FROM outbox WHERE transaction_id = $1")
        .bind(id.to_string())
        .fetch_optional(&mut **transaction)
        .await?
        .ok_or(OutboxError::Unknown)?;
    let body: TransactionBody = decoded(&row.try_get::<Vec<u8>, _>(1)?)?;
    let signed = SignedTransaction { body, signature };
    signed.verify().map_err(|_| OutboxError::BadSignature)?;
    if State::from_name(&row.try_get::<String, _>(0)?) != Some(State::Unsigned) {
        return Ok(signed);
    }
    if chassis::clock::now() > signed.body.valid_until.0 {
        return Err(OutboxError::Expired);
    }
    sqlx::query("UPDATE outbox SET state = $2, signed = $3 WHERE transaction_id = $1")
        .bind(id.to_string())
        .bind(State::Pending.name())
        .bind(signed.to_bytes())
        .execute(&mut **transaction)
        .await?;
    Ok(signed)
}

/// The body of a transaction in the outbox.
///
/// # Errors
/// [`OutboxError::Unknown`] or the database's.
pub async fn body(store: &Store, id: &Digest) -> Result<TransactionBody, OutboxError> {
    let row = sqlx::query("SELECT body FROM outbox WHERE transaction_id = $1")
        .bind(id.to_string())
        .fetch_optional(store.reader())
        .await?
        .ok_or(OutboxError::Unknown)?;
    decoded(&row.try_get::<Vec<u8>, _>(0)?)
}

fn decoded(bytes: &[u8]) -> Result<TransactionBody, OutboxError> {
    canonical::decode(bytes).map_err(|error| OutboxError::Database(error.to_string()))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unsigned,
    Pending,
    Committed,
    Expired,
    Refused,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            State::Unsigned => "unsigned",
            State::Pending => "pending",
            State::Committed => "committed",
            State::Expired => "expired",
            State::Refused => "refused",
        }
    }

    fn from_name(name: &str) -> Option<State> {
        use State::*;
        [Unsigned, Pending, Committed, Expired, Refused]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

type End = Result<Receipt, OutboxError>;

/// Submits what is in the outbox, and lets others wait for receipts. Cloning is cheap.
#[derive(Clone)]
pub struct Outbox {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    bus: Bus,
    shutdown: Shutdown,
    in_flight: Mutex<HashMap<Digest, watch::Receiver<Option<End>>>>,
    permits: Arc<Semaphore>,
    wake: Notify,
    ends: mpsc::Sender<(Digest, End)>,
}

impl Outbox {
    /// Starts: what a crash left behind is sent again.
    pub fn start(store: &Store, bus: &Bus, shutdown: &Shutdown) -> Outbox {
        let (ends, ended) = mpsc::channel(IN_FLIGHT_MAX * 2);
        let inner = Arc::new(Inner {
            store: store.clone(),
            bus: bus.clone(),
            shutdown: shutdown.clone(),
            in_flight: Mutex::default(),
            permits: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
            wake: Notify::new(),
            ends,
        });
        tokio::spawn(write_ends(inner.clone(), ended));
        tokio::spawn(sweep(inner.clone()));
        tokio::spawn(prune::run(inner.clone()));
        Outbox { inner }
    }

    /// Waits for the receipt of a transaction whose putting is committed, submitting it at once.
    ///
    /// The receipt is verified; its outcome may be a rejection by the contract.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub async fn wait(&self, id: &Digest) -> Result<Receipt, OutboxError> {
        let mut end = match self.inner.under_way(id) {
            Some(end) => end,
            None => match self.inner.stored(id).await? {
                Stored::Ended(end) => return end,
                Stored::Pending(signed) => self.inner.submit(*signed),
            },
        };
        let ended = async {
            match end.wait_for(Option::is_some).await {
                Ok(end) => end.clone().expect("waited for it"),
                Err(_) => Err(OutboxError::Stopping),
            }
        };
        tokio::select! {
            ended = ended => ended,
            () = self.inner.shutdown.requested() => Err(OutboxError::Stopping),
        }
    }

    /// Puts a signed transaction in a database transaction of its own, and waits for its receipt.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub async fn submit(&self, signed: &SignedTransaction) -> Result<Receipt, OutboxError> {
        let mut transaction = self.inner.store.begin().await?;
        put(&mut transaction, signed).await?;
        transaction.commit().await?;
        self.wait(&signed.id()).await
    }

    /// Submits a transaction whose putting is committed, at once and in the present trace; [`Outbox::wait`] waits for it.
    pub fn send(&self, signed: &SignedTransaction) {
        self.inner.submit(signed.clone());
    }

    /// Looks into the outbox now rather than within a quarter of a second: for transactions nobody waits for.
    pub fn wake(&self) {
        self.inner.wake.notify_one();
    }

    /// How many transactions are on their way.
    ///
    /// # Errors
    /// What the database says.
    pub async fn depth(&self) -> Result<i64, sqlx::Error> {
        depth(&self.inner.store).await
    }
}

async fn depth(store: &Store) -> Result<i64, sqlx::Error> {
    sqlx::query("SELECT COUNT(*) FROM outbox WHERE state = $1")
        .bind(State::Pending.name())
        .fetch_one(store.reader())
        .await?
        .try_get(0)
}

enum Stored {
    Ended(End),
    Pending(Box<SignedTransaction>),
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, watch::Receiver<Option<End>>>> {
        self.in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn under_way(&self, id: &Digest) -> Option<watch::Receiver<Option<End>>> {
        self.lock().get(id).cloned()
    }

    async fn stored(&self, id: &Digest) -> Result<Stored, OutboxError> {
        let row = sqlx::query("SELECT state, signed, receipt, failure_code, failure FROM outbox WHERE transaction_id = $1")
            .bind(id.to_string())
            .fetch_optional(self.store.reader())
            .await?
            .ok_or(OutboxError::Unknown)?;
        let damaged = || OutboxError::Database("a row of the outbox is damaged".into());
        match State::from_name(&row.try_get::<String, _>(0)?).ok_or_else(damaged)? {
            State::Unsigned => Err(OutboxError::Unsigned),
            State::Pending => {
                let signed = row.try_get::<Option<Vec<u8>>, _>(1)?.ok_or_else(damaged)?;
                Ok(Stored::Pending(Box::new(
                    SignedTransaction::from_bytes(&signed).map_err(|_| damaged())?,
                )))
            }
            State::Committed => {
                let receipt = row.try_get::<Option<Vec<u8>>, _>(2)?.ok_or_else(damaged)?;
                Ok(Stored::Ended(Ok(
                    Receipt::from_bytes(&receipt).map_err(|_| damaged())?
                )))
            }
            State::Expired => Ok(Stored::Ended(Err(OutboxError::Expired))),
            State::Refused => {
                let code = row
                    .try_get::<Option<i64>, _>(3)?
                    .and_then(|code| u16::try_from(code).ok())
                    .unwrap_or(0);
                let reason = row.try_get::<Option<String>, _>(4)?.unwrap_or_default();
                Ok(Stored::Ended(Err(OutboxError::Refused { code, reason })))
            }
        }
    }

    /// Starts a submission unless it is under way.
    fn submit(self: &Arc<Self>, signed: SignedTransaction) -> watch::Receiver<Option<End>> {
        let id = signed.id();
        let mut in_flight = self.lock();
        if let Some(end) = in_flight.get(&id) {
            return end.clone();
        }
        let (sender, receiver) = watch::channel(None);
        in_flight.insert(id, receiver.clone());
        drop(in_flight);
        let inner = self.clone();
        let span = tracing::Span::current();
        tokio::spawn(tracing::Instrument::instrument(
            async move {
                let Ok(_permit) = inner.permits.acquire().await else {
                    return;
                };
                if let Some(end) = inner.submit_until_end(&signed).await {
                    sender.send_replace(Some(end.clone()));
                    // Only the end of the process closes this; then the row stays pending.
                    let _ = inner.ends.send((id, end)).await;
                } else {
                    inner.lock().remove(&id);
                }
            },
            span,
        ));
        receiver
    }

    /// `None` when the process stops first.
    async fn submit_until_end(&self, signed: &SignedTransaction) -> Option<End> {
        loop {
            let submitted = tokio::select! {
                submitted = self.bus.submit(signed) => submitted,
                () = self.shutdown.requested() => return None,
            };
            let pause = match submitted {
                Ok(receipt) => return Some(Ok(receipt)),
                Err(SubmitError::Expired) => return Some(Err(OutboxError::Expired)),
                Err(SubmitError::Refused { code, reason }) => {
                    return Some(Err(OutboxError::Refused { code, reason }));
                }
                Err(SubmitError::Invalid(reason)) => {
                    return Some(Err(OutboxError::Refused { code: 0, reason }));
                }
                Err(SubmitError::Busy) | Err(SubmitError::Unanswered) => BUSY_PAUSE,
                Err(SubmitError::Denied) => DENIED_PAUSE,
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.shutdown.requested() => return None,
            }
        }
    }
}

/// Submits pending rows that nobody waits for, oldest validity first.
async fn sweep(inner: Arc<Inner>) {
    let gauge = depth_gauge();
    loop {
        tokio::select! {
            () = inner.wake.notified() => {}
            () = tokio::time::sleep(SWEEP_EVERY) => {}
            () = inner.shutdown.requested() => return,
        }
        match pending(&inner.store).await {
            Ok(rows) => {
                for signed in rows {
                    inner.submit(signed);
                }
            }
            Err(error) => tracing::warn!(%error, "the outbox can't be read"),
        }
        if let Ok(depth) = depth(&inner.store).await {
            gauge.set(depth);
        }
    }
}

async fn pending(store: &Store) -> Result<Vec<SignedTransaction>, sqlx::Error> {
    let rows =
        sqlx::query("SELECT signed FROM outbox WHERE state = $1 ORDER BY valid_until LIMIT $2")
            .bind(State::Pending.name())
            .bind(SWEEP_ROWS)
            .fetch_all(store.reader())
            .await?;
    let mut transactions = Vec::with_capacity(rows.len());
    for row in rows {
        let signed = row.try_get::<Option<Vec<u8>>, _>(0)?.unwrap_or_default();
        match SignedTransaction::from_bytes(&signed) {
            Ok(signed) => transactions.push(signed),
            Err(error) => tracing::error!(%error, "a row of the outbox is damaged"),
        }
    }
    Ok(transactions)
}

/// Writes ends, many in one database transaction. Those who wait don't wait for this: a receipt can be had again.
async fn write_ends(inner: Arc<Inner>, mut ended: mpsc::Receiver<(Digest, End)>) {
    let mut ends = Vec::with_capacity(ENDS_AT_ONCE);
    while ended.recv_many(&mut ends, ENDS_AT_ONCE).await > 0 {
        while let Err(error) = write(&inner.store, &ends).await {
            tracing::warn!(%error, "receipts can't be written yet");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let mut in_flight = inner.lock();
        for (id, _) in ends.drain(..) {
            in_flight.remove(&id);
        }
    }
}

async fn write(store: &Store, ends: &[(Digest, End)]) -> Result<(), sqlx::Error> {
    let mut transaction = store.begin().await?;
    for (id, end) in ends {
        let (state, receipt, code, failure) = match end {
            Ok(receipt) => (State::Committed, Some(receipt.to_bytes()), None, None),
            Err(OutboxError::Refused { code, reason }) => (
                State::Refused,
                None,
                Some(i64::from(*code)),
                Some(reason.clone()),
            ),
            Err(_) => (State::Expired, None, None, None),
        };
        sqlx::query("UPDATE outbox SET state = $2, receipt = $3, failure_code = $4, failure = $5 WHERE transaction_id = $1")
            .bind(id.to_string())
            .bind(state.name())
            .bind(receipt)
            .bind(code)
            .bind(failure)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await
}

fn depth_gauge() -> &'static chassis::metrics::Gauge {
    static GAUGE: OnceLock<chassis::metrics::Gauge> = OnceLock::new();
    GAUGE.get_or_init(|| {
        chassis::metrics::gauge("outbox_depth", "Transactions put and not yet ended")
    })
}
