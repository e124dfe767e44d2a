//! Projections: rows folded from committed events.
//!
//! A projection follows the ledger from the height it stored; rows and height change in one database
//! transaction, so a crash loses and doubles nothing. A new [`Projection::VERSION`] resets and rebuilds.
//! Reactions ([`Projection::after_commit`]) run after the rows are committed, at least once for each block,
//! and not again when rows are rebuilt.

mod rebuild;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bus::follow::Followed;
use bus::{Bus, Position, Router};
use chassis::Shutdown;
use contracts::Event;
use ledger::{
    CertifiedBlock, ContractId, Digest, Header, Height, LEDGER_CONTRACT, LedgerId, Outcome,
    Timestamp,
};
use sqlx::{Any, Row};
use tokio::sync::watch;
use tracing::Instrument;

use crate::database::Store;
use crate::stopped::{self, StoppedMembers};

pub use rebuild::{keep_rows, rebuild};

/// Blocks that are applied in one database transaction while catching up.
const BLOCKS_AT_ONCE: usize = 256;
/// Events after which a database transaction is committed all the same.
const EVENTS_AT_ONCE: usize = 10_000;
/// A caller's height is waited for when it is at most so far ahead, and so long.
const BEHIND_BLOCKS_MAX: u64 = 1_000;
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(5);
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// An idle projection stores how far its reactions came after this long.
const REACTED_AFTER: Duration = Duration::from_secs(1);

/// A database transaction as projections get it.
pub type ProjectionTransaction<'t> = sqlx::Transaction<'t, Any>;

/// One event of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectedEvent {
    /// The transaction that caused it; zero for what the system decided (expiries, genesis).
    pub transaction: Digest,
    /// The transaction's index in the block; 0 for the system's.
    pub index: u32,
    /// Who submitted it; zero for the system's.
    pub submitter: LedgerId,
    /// Always accepted: rejected transactions have no events (see [`ProjectedBlock::rejections`]).
    pub outcome: Outcome,
    /// What was decided.
    pub event: Event,
    /// Block time.
    pub time: Timestamp,
    /// Block height.
    pub height: Height,
}

impl ProjectedEvent {
    /// Whether the system caused it (an expiry, or the genesis block).
    pub fn is_of_system(&self) -> bool {
        self.transaction == Digest::ZERO
    }
}

/// A transaction that a contract rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectedRejection {
    /// The transaction.
    pub transaction: Digest,
    /// Its index in the block.
    pub index: u32,
    /// Who submitted it.
    pub submitter: LedgerId,
    /// Whose code it is.
    pub contract: ContractId,
    /// The numbered reason.
    pub code: u16,
}

/// One block as projections see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectedBlock {
    /// The header.
    pub header: Header,
    /// Its hash.
    pub hash: Digest,
    /// All events, in order.
    pub events: Vec<ProjectedEvent>,
    /// Rejected transactions, in order.
    pub rejections: Vec<ProjectedRejection>,
    /// The whole block with its certificate.
    pub certified: CertifiedBlock,
}

impl ProjectedBlock {
    /// Reads a block's events.
    ///
    /// # Errors
    /// An event this program doesn't know: it is too old for this ledger and must not go on.
    pub fn read(certified: CertifiedBlock) -> Result<ProjectedBlock, contracts::DecodeError> {
        let block = &certified.block;
        let (time, height) = (block.header.time, block.header.height);
        let mut events = Vec::new();
        let mut rejections = Vec::new();
        for (leaf, position) in block.outcomes.iter().zip(0u32..) {
            let index = position.saturating_sub(1);
            let submitted = if position == 0 {
                None
            } else {
                block.transactions.get(index as usize)
            };
            let submitter =
                submitted.map_or(LedgerId([0; 16]), |transaction| transaction.body.submitter);
            let transaction = leaf.transaction;
            if let Outcome::Rejected { contract, code } = leaf.outcome {
                rejections.push(ProjectedRejection {
                    transaction,
                    index,
                    submitter,
                    contract,
                    code,
                });
                continue;
            }
            for recorded in leaf
                .events
                .iter()
                .filter(|recorded| recorded.contract != LEDGER_CONTRACT)
            {
                let event = Event::from_bytes(recorded.contract, &recorded.bytes)?;
                let outcome = leaf.outcome;
                events.push(ProjectedEvent {
                    transaction,
                    index,
                    submitter,
                    outcome,
                    event,
                    time,
                    height,
                });
            }
        }
        let header = block.header.clone();
        Ok(ProjectedBlock {
            hash: header.hash(),
            header,
            events,
            rejections,
            certified,
        })
    }
}

/// Rows folded from events.
pub trait Projection: Send + Sync + 'static {
    /// Its name in the database; never reused.
    const NAME: &'static str;
    /// Grows when rows must be rebuilt.
    const VERSION: i64;

    /// Folds one block into the rows. Runs again from the start of the batch if the database fails.
    fn apply(
        &self,
        transaction: &mut ProjectionTransaction<'_>,
        block: &ProjectedBlock,
    ) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Folds several blocks into the rows, oldest first, as [`Projection::apply`] does one by one. Projections that may
    /// have to catch up with millions of events gather rows over all of them ([`crate::rows`]).
    fn apply_all(
        &self,
        transaction: &mut ProjectionTransaction<'_>,
        blocks: &[&ProjectedBlock],
    ) -> impl Future<Output = anyhow::Result<()>> + Send {
        async move {
            for block in blocks {
                self.apply(transaction, block).await?;
            }
            Ok(())
        }
    }

    /// Removes all its rows.
    fn reset(
        &self,
        transaction: &mut ProjectionTransaction<'_>,
    ) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Reacts to a block's events once its rows are committed: new commands into the outbox, notices, live pages.
    /// May come twice for the same block after a crash; what it submits must be safe by the contracts' natural keys.
    fn after_commit(&self, events: &[ProjectedEvent]) -> impl Future<Output = ()> + Send {
        let _ = events;
        async {}
    }
}

/// How far a projection is.
#[derive(Debug, Clone)]
pub struct Progress {
    next: watch::Receiver<Height>,
    stopped: StoppedMembers,
}

impl Progress {
    /// The height that is due: all below are in the rows.
    pub fn next_height(&self) -> Height {
        *self.next.borrow()
    }

    /// Members that may not act, as of the blocks that are in the rows.
    pub fn stopped(&self) -> &StoppedMembers {
        &self.stopped
    }

    /// Waits until the block of this height is in the rows, so that a reply can read what its command did.
    /// Gives `false` if that takes longer than `within`, or the projection has ended.
    pub async fn wait_for(&self, height: Height, within: Duration) -> bool {
        let mut next = self.next.clone();
        let reached = next.wait_for(|next| *next > height);
        matches!(tokio::time::timeout(within, reached).await, Ok(Ok(_)))
    }

    /// Whether the rows have what somebody has seen, or get it within the time that callers wait. A projection that is far
    /// behind is being rebuilt, which takes longer.
    async fn keeps_up_with(&self, seen: Height, within: Duration) -> bool {
        let due = self.next_height();
        let is_near = seen.0.saturating_sub(due.0) <= BEHIND_BLOCKS_MAX;
        seen < due || is_near && self.wait_for(seen, within).await
    }
}

/// A router whose handlers read the rows of a projection: each waits, for a while, until the rows have what its caller has
/// seen of the ledger. Nobody is answered from older ones (503): what was granted or withdrawn since would not count.
#[must_use]
pub fn keeping_up(router: Router, progress: &Progress) -> Router {
    let progress = progress.clone();
    router.keep_up(move |seen| {
        let progress = progress.clone();
        async move {
            let is_kept_up = progress.keeps_up_with(seen, CAUGHT_UP_WITHIN).await;
            if !is_kept_up {
                tracing::warn!(
                    height = seen.0,
                    due = progress.next_height().0,
                    "the projection is behind what a caller has seen"
                );
            }
            is_kept_up
        }
    })
}

/// Starts a projection in a task of its own; resets it first if its version is new.
///
/// While it fails (database, an unknown event) the process is degraded and it tries again.
///
/// # Errors
/// If the stored height can't be read or the reset fails.
pub async fn start<P: Projection>(
    store: &Store,
    bus: &Bus,
    projection: P,
    shutdown: &Shutdown,
) -> anyhow::Result<Progress> {
    let projector = Projector::prepare(store, bus, projection, shutdown).await?;
    let progress = projector.progress();
    tokio::spawn(projector.run());
    Ok(progress)
}

/// Runs a projection until `shutdown`.
///
/// # Errors
/// If the stored height can't be read or the reset fails.
pub async fn run<P: Projection>(
    store: Store,
    bus: Bus,
    projection: P,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    Projector::prepare(&store, &bus, projection, &shutdown)
        .await?
        .run()
        .await;
    Ok(())
}

/// The height that is due in a projection's rows; 0 if it never ran.
///
/// # Errors
/// What the database says.
pub async fn height(store: &Store, name: &str) -> Result<Height, sqlx::Error> {
    let row = sqlx::query("SELECT next_height FROM projection WHERE name = $1")
        .bind(name)
        .fetch_optional(store.reader())
        .await?;
    let next = row
        .map(|row| row.try_get::<i64, _>(0))
        .transpose()?
        .unwrap_or(0);
    Ok(Height(u64::try_from(next).unwrap_or(0)))
}

struct Projector<P> {
    store: Store,
    bus: Bus,
    projection: Arc<P>,
    shutdown: Shutdown,
    /// Of the rows.
    position: Position,
    /// Reactions to all blocks below are done.
    reacted: Height,
    stored_reacted: Height,
    next: watch::Sender<Height>,
    stopped: StoppedMembers,
    part: String,
    gauge: chassis::metrics::Gauge,
}

impl<P: Projection> Projector<P> {
    async fn prepare(
        store: &Store,
        bus: &Bus,
        projection: P,
        shutdown: &Shutdown,
    ) -> anyhow::Result<Projector<P>> {
        let mut transaction = store.begin().await?;
        let stored = Stored::read(&mut transaction, P::NAME).await?;
        let reacted = stored.as_ref().map_or(Height(0), |stored| stored.reacted);
        let current = stored.filter(|stored| stored.version == P::VERSION);
        let position = match current.and_then(|stored| stored.position) {
            Some(position) => position,
            None => {
                tracing::info!(
                    projection = P::NAME,
                    version = P::VERSION,
                    "the projection is built from the start"
                );
                projection.reset(&mut transaction).await?;
                write_position::<P>(&mut transaction, Position::START, reacted).await?;
                Position::START
            }
        };
        let stopped = StoppedMembers::load(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Projector {
            stopped,
            store: store.clone(),
            bus: bus.clone(),
            projection: Arc::new(projection),
            shutdown: shutdown.clone(),
            position,
            reacted,
            stored_reacted: reacted,
            next: watch::Sender::new(position.next),
            part: format!("projection {}", P::NAME),
            gauge: height_gauge(P::NAME),
        })
    }

    fn progress(&self) -> Progress {
        Progress {
            next: self.next.subscribe(),
            stopped: self.stopped.clone(),
        }
    }

    async fn run(mut self) {
        let mut has_failed = false;
        while !self.shutdown.is_requested() {
            let followed = async {
                if has_failed {
                    self.read_stored().await?;
                }
                self.follow().await
            };
            match followed.await {
                Ok(()) => return,
                Err(error) => {
                    has_failed = true;
                    tracing::error!(projection = P::NAME, error = %format!("{error:#}"), "the projection stopped; it starts again");
                    self.shutdown
                        .degrade(&self.part, "stopped by an error, see the log");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY_PAUSE) => {}
                () = self.shutdown.requested() => {}
            }
        }
    }

    /// Goes on from what the database has: a commit may have been done although its answer was lost.
    async fn read_stored(&mut self) -> anyhow::Result<()> {
        let mut transaction = self.store.begin().await?;
        let position = Stored::read(&mut transaction, P::NAME)
            .await?
            .filter(|stored| stored.version == P::VERSION)
            .and_then(|stored| stored.position)
            .ok_or_else(|| anyhow::anyhow!("the projection's stored position is gone"))?;
        self.stopped.reload(&mut transaction).await?;
        transaction.commit().await?;
        self.rows_are_at(position);
        Ok(())
    }

    fn rows_are_at(&mut self, position: Position) {
        self.position = position;
        self.next.send_replace(position.next);
        self.gauge
            .set(i64::try_from(position.next.0).unwrap_or(i64::MAX));
    }

    /// Follows until shutdown or an error. Blocks below the rows' height, if any, are for reactions only.
    async fn follow(&mut self) -> anyhow::Result<()> {
        let start = if self.reacted < self.position.next {
            Position {
                next: self.reacted,
                previous: None,
            }
        } else {
            self.position
        };
        let mut follow = self.bus.follow_from(start).await?;
        loop {
            let first = tokio::select! {
                followed = follow.next() => followed.ok_or_else(|| anyhow::anyhow!("the connection to the bus was closed"))?,
                () = tokio::time::sleep(REACTED_AFTER), if self.stored_reacted < self.reacted => {
                    self.store_reacted().await?;
                    continue;
                }
                () = self.shutdown.requested() => {
                    self.store_reacted().await?;
                    return Ok(());
                }
            };
            let span = tracing::info_span!(
                "project",
                projection = P::NAME,
                height = first.block.block.header.height.0
            );
            bus::trace_context::continue_from_all(&span, first.headers.as_ref());
            let mut batch = vec![first];
            let mut events = events_in(&batch[0]);
            while batch.len() < BLOCKS_AT_ONCE && events < EVENTS_AT_ONCE {
                let Some(followed) = follow.next_ready() else {
                    break;
                };
                events += events_in(&followed);
                batch.push(followed);
            }
            self.apply(batch).instrument(span).await?;
            self.shutdown.restore(&self.part);
        }
    }

    async fn apply(&mut self, batch: Vec<Followed>) -> anyhow::Result<()> {
        let blocks = batch
            .into_iter()
            .map(|followed| ProjectedBlock::read(followed.block))
            .collect::<Result<Vec<_>, _>>()?;
        let due = self.position.next;
        let fresh: Vec<&ProjectedBlock> = blocks
            .iter()
            .filter(|block| block.header.height >= due)
            .collect();
        let folded = fold(&self.store, &*self.projection, &fresh, self.reacted).await?;
        if let Some((position, stopped)) = folded {
            self.stopped.take(&stopped);
            self.stored_reacted = self.reacted;
            self.rows_are_at(position);
        }
        for block in &blocks {
            if block.header.height < self.reacted {
                continue;
            }
            if !block.events.is_empty() {
                self.projection.after_commit(&block.events).await;
            }
            self.reacted = block.header.height.next();
        }
        Ok(())
    }

    async fn store_reacted(&mut self) -> anyhow::Result<()> {
        let mut transaction = self.store.begin().await?;
        write_position::<P>(&mut transaction, self.position, self.reacted).await?;
        transaction.commit().await?;
        self.stored_reacted = self.reacted;
        Ok(())
    }
}

/// Rows, stopped members and height of some blocks in one database transaction; the new position and who was stopped or
/// may go on, if there were any blocks.
async fn fold<P: Projection>(
    store: &Store,
    projection: &P,
    blocks: &[&ProjectedBlock],
    reacted: Height,
) -> anyhow::Result<Option<(Position, Vec<stopped::Change>)>> {
    let Some(last) = blocks.last() else {
        return Ok(None);
    };
    let position = Position {
        next: last.header.height.next(),
        previous: Some(last.hash),
    };
    let mut transaction = store.begin().await?;
    projection.apply_all(&mut transaction, blocks).await?;
    let mut stopped = Vec::new();
    for block in blocks {
        stopped.extend(stopped::apply(&mut transaction, block).await?);
    }
    write_position::<P>(&mut transaction, position, reacted).await?;
    transaction.commit().await?;
    Ok(Some((position, stopped)))
}

fn events_in(followed: &Followed) -> usize {
    followed
        .block
        .block
        .outcomes
        .iter()
        .map(|leaf| leaf.events.len())
        .sum()
}

/// What the database has of a projection.
struct Stored {
    version: i64,
    /// None if this program can't read it.
    position: Option<Position>,
    reacted: Height,
}

impl Stored {
    async fn read(
        transaction: &mut sqlx::Transaction<'_, Any>,
        name: &str,
    ) -> Result<Option<Stored>, sqlx::Error> {
        let row =
            sqlx::query("SELECT version, position, reacted_height FROM projection WHERE name = $1")
                .bind(name)
                .fetch_optional(&mut **transaction)
                .await?;
        row.map(|row| {
            let position: Vec<u8> = row.try_get(1)?;
            let reacted: i64 = row.try_get(2)?;
            Ok(Stored {
                version: row.try_get(0)?,
                position: Position::from_bytes(&position),
                reacted: Height(u64::try_from(reacted).unwrap_or(0)),
            })
        })
        .transpose()
    }
}

async fn write_position<P: Projection>(
    transaction: &mut sqlx::Transaction<'_, Any>,
    position: Position,
    reacted: Height,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO projection (name, version, next_height, position, reacted_height) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (name) DO UPDATE SET version = excluded.version, next_height = excluded.next_height, \
         position = excluded.position, reacted_height = excluded.reacted_height",
    )
    .bind(P::NAME)
    .bind(P::VERSION)
    .bind(i64::try_from(position.next.0).unwrap_or(i64::MAX))
    .bind(position.to_bytes())
    .bind(i64::try_from(reacted.0).unwrap_or(i64::MAX))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// One gauge a projection, `projection_<name>_next_height`; made once for each name.
fn height_gauge(name: &str) -> chassis::metrics::Gauge {
    use std::collections::BTreeMap;
    use std::sync::{Mutex, PoisonError};
    static NAMES: Mutex<BTreeMap<String, &'static str>> = Mutex::new(BTreeMap::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    let metric = *names.entry(name.to_owned()).or_insert_with(|| {
        let name: String = name
            .chars()
            .map(|character| {
                if character.is_ascii_alphanumeric() {
                    character
                } else {
                    '_'
                }
            })
            .collect();
        Box::leak(format!("projection_{name}_next_height").into_boxed_str())
    });
    chassis::metrics::gauge(metric, "The height that is due in the projection's rows")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_is_answered_from_rows_that_are_older_than_what_was_seen() {
        let (tell, next) = watch::channel(Height(5));
        let stopped = StoppedMembers::default();
        let progress = Progress { next, stopped };
        let (short, long) = (Duration::from_millis(1), Duration::from_secs(600));
        assert!(progress.keeps_up_with(Height(4), short).await);
        assert!(
            !progress.keeps_up_with(Height(5), short).await,
            "it never comes"
        );
        assert!(
            !progress.keeps_up_with(Height(u64::MAX), long).await,
            "nobody waits for so much"
        );
        let (kept_up, sent) = tokio::join!(progress.keeps_up_with(Height(5), long), async {
            tell.send(Height(6))
        });
        assert!(kept_up && sent.is_ok());
    }
}
