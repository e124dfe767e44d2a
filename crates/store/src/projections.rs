//! Projections: rows folded from committed events.
//!
//! A projection follows the ledger from the height it stored; rows and height change in one database
//! transaction, so a crash loses and doubles nothing. A new [`Projection::VERSION`] resets and rebuilds.
//! Reactions ([`Projection::after_commit`]) run after the rows are committed, at least once for each block,
//! and not again when rows are rebuilt.

mod block;
mod progress;
mod rebuild;
mod stored;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bus::follow::Followed;
use bus::{Bus, Position};
use chassis::Shutdown;
use ledger::Height;
use sqlx::Any;
use tokio::sync::watch;
use tracing::Instrument;

use crate::database::Store;
use crate::stopped::{self, StoppedMembers};

pub use block::{ProjectedBlock, ProjectedEvent, ProjectedRejection};
pub use progress::{Progress, keeping_up};
pub use rebuild::{keep_rows, rebuild};
pub use stored::height;

use stored::{Stored, write_position};

/// Blocks that are applied in one database transaction while catching up.
const BLOCKS_AT_ONCE: usize = 256;
/// Events after which a database transaction is committed all the same.
const EVENTS_AT_ONCE: usize = 10_000;
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// An idle projection stores how far its reactions came after this long.
const REACTED_AFTER: Duration = Duration::from_secs(1);

/// A database transaction as projections get it.
pub type ProjectionTransaction<'t> = sqlx::Transaction<'t, Any>;

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
