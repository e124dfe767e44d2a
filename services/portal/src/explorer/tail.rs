//! `GET /explorer/tail`: every block as it comes, ready to be put on the page (server-sent events).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use interfaces::Problem;
use ledger::CertifiedBlock;
use serde::Serialize;
use tokio_stream::wrappers::BroadcastStream;

use super::parts;
use super::rows::BlockRow;
use crate::answer::Refusal;
use crate::service::Portal;
use crate::visit::Visit;

/// Transactions of a block that are put on the page.
const ENTRIES_MAX: usize = 8;

/// A block for the page: numbers, and markup made as the page's own.
#[derive(Serialize)]
struct NewBlock {
    height: u64,
    time_us: u64,
    transactions: u32,
    tile: String,
    entries: Vec<String>,
}

/// See the module.
pub(crate) async fn stream(
    State(portal): State<Arc<Portal>>,
    visit: Visit,
) -> Result<Response, Refusal> {
    let permit = portal
        .streams
        .clone()
        .try_acquire_owned()
        .map_err(|_| Problem::busy("too many pages follow the ledger"))?;
    let stopping = portal.shutdown.clone();
    let events = BroadcastStream::new(portal.blocks.subscribe())
        .filter_map(move |block| {
            // A page that fell behind goes on with what comes next.
            let event = block.ok().and_then(|block| event(&visit, &block.block));
            std::future::ready(event.map(Ok::<_, Infallible>))
        })
        .take_until(async move { stopping.requested().await })
        .map(move |event| {
            let _held = &permit;
            event
        });
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
        .into_response())
}

fn event(visit: &Visit, certified: &CertifiedBlock) -> Option<Event> {
    let header = &certified.block.header;
    let rejected = certified.block.outcomes.iter();
    let rejected = rejected.filter(|leaf| !leaf.outcome.is_accepted()).count();
    let row = BlockRow {
        height: header.height.0,
        hash: header.hash().to_string(),
        time_us: header.time.0,
        transactions: u64::from(header.transactions),
        rejected: rejected as u64,
        system_events: 0,
        contracts: parts::contracts_in(certified),
        signers: String::new(),
    };
    let newest = (0..header.transactions).rev().take(ENTRIES_MAX);
    let entries = newest.filter_map(|place| parts::listed(certified, place));
    let block = NewBlock {
        height: row.height,
        time_us: row.time_us,
        transactions: header.transactions,
        tile: parts::tile(visit, &row).into(),
        entries: entries.map(|it| parts::entry(visit, &it).into()).collect(),
    };
    let data = serde_json::to_string(&block).ok()?;
    Some(
        Event::default()
            .event("block")
            .id(row.height.to_string())
            .data(data),
    )
}
