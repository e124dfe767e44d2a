//! The ledger's blocks as they come, for pages that follow it.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use contracts::Contract;
use futures::StreamExt as _;
use interfaces::Problem;
use ledger::{CertifiedBlock, Height};
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

use crate::answer::Refusal;
use crate::service::Portal;
use crate::visit::Visit;

/// Blocks that a slow page may be behind; what it misses, its next question shows.
const BEHIND_MAX: usize = 256;
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Certified blocks, verified, as they come.
pub(crate) struct Blocks {
    sender: broadcast::Sender<Arc<CertifiedBlock>>,
}

impl Default for Blocks {
    fn default() -> Self {
        Blocks {
            sender: broadcast::channel(BEHIND_MAX).0,
        }
    }
}

impl Blocks {
    /// Blocks from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<CertifiedBlock>> {
        self.sender.subscribe()
    }
}

/// Follows the ledger from its newest block on, until the process stops.
pub(crate) async fn follow(portal: Arc<Portal>) {
    while !portal.shutdown.is_requested() {
        let answers = portal.bus.status().await;
        let heights = answers
            .iter()
            .filter_map(|(_, answer)| Some(answer.as_ref().ok()?.height.0));
        let Some(newest) = heights.max() else {
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
            continue;
        };
        match portal.bus.follow(Height(newest.saturating_add(1))).await {
            Ok(mut blocks) => {
                while let Some(followed) = blocks.next().await {
                    // Without pages that follow, nobody hears it.
                    let _ = portal.blocks.sender.send(Arc::new(followed.block));
                }
            }
            Err(error) => tracing::warn!(%error, "the ledger cannot be followed; trying again"),
        }
        tokio::time::sleep(TRY_AGAIN_AFTER).await;
    }
}

/// `GET /live?contracts=authorization,records`: an event `changed` for each block that touched one of the contracts.
pub(crate) async fn stream(
    State(portal): State<Arc<Portal>>,
    visit: Visit,
) -> Result<Response, Refusal> {
    let session = visit.signed_in()?.session.session.clone();
    let asked = visit.query("contracts").unwrap_or_default();
    let wanted: BTreeSet<String> = asked.split(',').map(str::to_owned).collect();
    let permit = portal
        .streams
        .clone()
        .try_acquire_owned()
        .map_err(|_| Problem::busy("too many pages follow the ledger"))?;
    let (stopping, ended) = (portal.shutdown.clone(), portal.ended.clone());
    let events = BroadcastStream::new(portal.blocks.subscribe())
        .filter_map(move |block| {
            // A page that fell behind is told so: it asks again as well.
            let touched = match &block {
                Ok(block) => touches(block, &wanted),
                Err(_) => true,
            };
            let height = block.map_or(0, |block| block.block.header.height.0);
            let event = Event::default().event("changed").data(height.to_string());
            std::future::ready(touched.then_some(Ok::<_, Infallible>(event)))
        })
        .take_until(async move {
            tokio::select! {
                () = stopping.requested() => {}
                () = ended.ended(&session) => {}
            }
        })
        .map(move |event| {
            let _held = &permit;
            event
        });
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
        .into_response())
}

/// Whether a block holds an event of one of the contracts.
fn touches(block: &CertifiedBlock, contracts: &BTreeSet<String>) -> bool {
    block
        .block
        .outcomes
        .iter()
        .flat_map(|leaf| &leaf.events)
        .filter_map(|event| Contract::from_id(event.contract))
        .any(|contract| contracts.contains(&format!("{contract:?}").to_ascii_lowercase()))
}
