//! The ledger's blocks as they come, for pages that follow it.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use contracts::Contract;
use futures::StreamExt as _;
use interfaces::Problem;
use interfaces::identity::GetOwnAccount;
use keys::token::Role;
use ledger::{CertifiedBlock, Height, LedgerId};
use tokio::sync::broadcast;

use crate::answer::Refusal;
use crate::concern::{Concern, Concerns};
use crate::service::Portal;
use crate::visit::Visit;

/// Blocks that a slow page may be behind; what it misses, its next question shows.
const BEHIND_MAX: usize = 256;
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A certified block, verified, and whom it concerns.
pub(crate) struct Followed {
    pub(crate) block: CertifiedBlock,
    concern: Concern,
}

/// An idle cluster makes a block every ten seconds: a ledger from which none comes for so long does not answer. Hospitals
/// decide by the same time of their own whether an emergency may go without the ledger.
pub(crate) const SILENT_AFTER: Duration = Duration::from_secs(20);

/// Blocks as they come.
pub(crate) struct Blocks {
    sender: broadcast::Sender<Arc<Followed>>,
    heard: Mutex<Instant>,
}

impl Default for Blocks {
    fn default() -> Self {
        Blocks {
            sender: broadcast::channel(BEHIND_MAX).0,
            heard: Mutex::new(Instant::now()),
        }
    }
}

impl Blocks {
    /// Blocks from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<Followed>> {
        self.sender.subscribe()
    }

    /// Whether no block has come for so long that the ledger does not answer.
    pub(crate) fn is_silent(&self) -> bool {
        let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.elapsed() > SILENT_AFTER
    }

    /// A block came; without pages that follow, nobody hears it.
    fn came(&self, followed: Followed) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        let _ = self.sender.send(Arc::new(followed));
    }
}

/// Follows the ledger from its newest block on, until the process stops.
pub(crate) async fn follow(portal: Arc<Portal>) {
    let mut concerns = Concerns::default();
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
                    let concern = concerns.of(&followed.block);
                    let block = followed.block;
                    portal.blocks.came(Followed { block, concern });
                }
            }
            Err(error) => tracing::warn!(%error, "the ledger cannot be followed; trying again"),
        }
        tokio::time::sleep(TRY_AGAIN_AFTER).await;
    }
}

/// Events to one page come at least so far apart: what happens meanwhile, the next one says.
const APART: Duration = Duration::from_millis(500);

/// `GET /live?contracts=authorization,records`: an event `changed` when a block touched one of the contracts and concerns
/// whoever is signed in; regulators and node operators hear of every one.
pub(crate) async fn stream(
    State(portal): State<Arc<Portal>>,
    visit: Visit,
) -> Result<Response, Refusal> {
    let session = visit.signed_in()?;
    let sees_all = session.is(Role::Regulator) || session.is(Role::NodeOperator);
    let own = session.session.ledger_ids.values().copied();
    // A clerk has no ledger id: what concerns the hospital does.
    let mut members: BTreeSet<LedgerId> = own.chain(session.staff_of()).collect();
    if session.is(Role::Patient) {
        // Ids for new hospitals and as a guardian are in no token.
        let account = visit.ask(&GetOwnAccount {}).await?;
        members.extend(account.ledger_ids.into_values());
    }
    let asked = visit.query("contracts").unwrap_or_default();
    let contracts: BTreeSet<Contract> = asked.split(',').filter_map(contract_of).collect();
    let permit = portal
        .streams
        .clone()
        .try_acquire_owned()
        .map_err(|_| Problem::busy("too many pages follow the ledger"))?;
    let concerns = move |concern: &Concern| {
        if sees_all {
            concern.touches_at_all(&contracts)
        } else {
            concern.touches(&contracts, &members)
        }
    };
    let follower = Follower {
        blocks: portal.blocks.subscribe(),
        concerns,
        said: None,
    };
    let (stopping, ended) = (portal.shutdown.clone(), portal.ended.clone());
    let this = session.session.session.clone();
    let events = futures::stream::unfold(follower, next_change)
        .take_until(async move {
            tokio::select! {
                () = stopping.requested() => {}
                () = ended.ended(&this) => {}
            }
        })
        .map(move |height| {
            let _held = &permit;
            let event = Event::default().event("changed").data(height.to_string());
            Ok::<_, Infallible>(event)
        });
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
        .into_response())
}

/// A page that follows.
struct Follower<C> {
    blocks: broadcast::Receiver<Arc<Followed>>,
    concerns: C,
    said: Option<Instant>,
}

/// The height of the next block that concerns the page, no sooner than [`APART`] after the one before; none when the portal
/// stops.
async fn next_change<C: Fn(&Concern) -> bool>(
    mut follower: Follower<C>,
) -> Option<(u64, Follower<C>)> {
    let mut height = loop {
        match follower.blocks.recv().await {
            Ok(followed) if (follower.concerns)(&followed.concern) => {
                break followed.block.block.header.height.0;
            }
            Ok(_) => {}
            // A page that fell behind is told so: it asks again as well.
            Err(broadcast::error::RecvError::Lagged(_)) => break 0,
            Err(broadcast::error::RecvError::Closed) => return None,
        }
    };
    if let Some(said) = follower.said {
        tokio::time::sleep(APART.saturating_sub(said.elapsed())).await;
    }
    // What came meanwhile is said with this.
    while let Ok(followed) = follower.blocks.try_recv() {
        height = followed.block.block.header.height.0;
    }
    follower.said = Some(Instant::now());
    Some((height, follower))
}

fn contract_of(name: &str) -> Option<Contract> {
    [
        Contract::Membership,
        Contract::Records,
        Contract::Authorization,
        Contract::Settlement,
        Contract::Telemetry,
        Contract::Governance,
    ]
    .into_iter()
    .find(|contract| format!("{contract:?}").eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contracts_are_known_by_their_names_in_pages() {
        assert_eq!(contract_of("settlement"), Some(Contract::Settlement));
        assert_eq!(contract_of("nothing"), None);
    }
}
