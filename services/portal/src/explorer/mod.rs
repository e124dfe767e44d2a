//! The explorer: the ledger to look into, for anyone. It needs nobody's keys and no session, and shows nothing personal:
//! what it shows is on the ledger, or said by the replicas of themselves.
//!
//! Blocks, transactions and receipts come from the replicas, verified; what only a reader of the whole chain knows (which
//! blocks hold which kinds, a record's transactions, counts over time) is folded into rows of the explorer's own, which
//! may be dropped and come again.
//!
//! | module | what |
//! |---|---|
//! | [`fold`], [`rows`] | the rows: how blocks become them, how pages ask them |
//! | [`source`] | blocks from the replicas, the latest ones remembered |
//! | [`overview`], [`nodes`], [`blocks`], [`block`], [`transactions`], [`transaction`], [`record`], [`search`] | pages |
//! | [`checkpoint`], [`verify`] | the history log's checkpoint; receipts verified in the browser |
//! | [`activity`], [`tail`] | counts for the chart; blocks as they come |
//! | [`tree`], [`phases`], [`parts`] | drawings, and what pages are made of |

mod activity;
mod block;
mod blocks;
mod checkpoint;
mod filling;
mod fold;
mod migrations;
mod nodes;
mod overview;
mod parts;
mod phases;
mod record;
mod rows;
mod search;
mod source;
mod tail;
mod transaction;
mod transactions;
mod tree;
mod verify;

pub use filling::fill_blocks;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use bus::Bus;
use chassis::{InvalidKey, Shutdown};
use interfaces::Problem;
use serde::Deserialize;
use store::{DatabaseConfig, Store};

use crate::service::Portal;
use source::Source;

/// The table `[explorer]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplorerConfig {
    /// Where its rows are kept; they may be dropped.
    pub database: DatabaseConfig,
    /// Where a trace is shown; `{trace}` stands for its id. Absent: trace ids are shown without a link.
    #[serde(default)]
    pub trace_viewer: Option<String>,
}

/// What the explorer's pages work with.
pub(crate) struct Explorer {
    store: Store,
    source: Source,
    pub(crate) trace_viewer: Option<String>,
}

impl Explorer {
    /// Opens the rows and starts to follow the ledger.
    ///
    /// # Errors
    /// [`InvalidKey`] when the database cannot be used.
    pub(crate) async fn start(
        config: &ExplorerConfig,
        bus: &Bus,
        shutdown: &Shutdown,
    ) -> anyhow::Result<Explorer> {
        let store = Store::open(&config.database.url, migrations::MIGRATIONS)
            .await
            .map_err(|error| InvalidKey::new("explorer.database.url", error))?;
        store::projections::start(&store, bus, fold::Fold, shutdown).await?;
        Ok(Explorer {
            store,
            source: Source::new(bus.clone()),
            trace_viewer: config.trace_viewer.clone(),
        })
    }
}

/// The explorer's paths.
pub(crate) fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/explorer", get(overview::show))
        .route("/explorer/nodes", get(nodes::show))
        .route("/explorer/blocks", get(blocks::show))
        .route("/explorer/blocks/{block}", get(block::show))
        .route("/explorer/transactions", get(transactions::show))
        .route("/explorer/transactions/{id}", get(transaction::show))
        .route("/explorer/records/{record}", get(record::show))
        .route("/explorer/search", get(search::show))
        .route("/explorer/activity", get(activity::answer))
        .route("/explorer/tail", get(tail::stream))
        .route("/explorer/genesis", get(verify::genesis))
        .route("/explorer/checkpoint", get(checkpoint::show))
        .route("/checkpoint", get(checkpoint::note))
        .route("/checkpoint/consistency", get(checkpoint::consistency))
        .route("/verify", get(verify::show))
        .route("/verify/page", get(verify::download))
}

/// A database failure, logged without values.
fn database(error: sqlx::Error) -> Problem {
    tracing::error!(%error, "explorer's database");
    Problem::failure("the explorer's database did not do its work")
}
