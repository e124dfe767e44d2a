//! Fetches certified blocks of another replica, each verified before anything is done with it.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use bus::Bus;
use bus::ordering_wire::{BlocksRequest, StatusRequest};
use ledger::{CertifiedBlock, Height, ReplicaId, canonical};
use pbft::{CertifiedHash, Input, Sequence};
use tokio::sync::mpsc::{Receiver as Orders, UnboundedSender};

use crate::core::{FetchOrder, Heard};
use crate::epochs::Epochs;
use crate::run_blocks::Task;

/// How many orders wait at most. The core has one open at a time, and gives it up by itself.
pub const ORDERS_MAX: usize = 16;

/// How long after one question to a replica that is ahead the next is asked.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// What a peer's answer is worth.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    /// It did not answer.
    #[error(transparent)]
    Ask(#[from] bus::AskError),
    /// It has none of the blocks.
    #[error("it has none of the blocks")]
    Nothing,
    /// What it gave is no certified block of that height.
    #[error("block {0} does not verify")]
    Bad(Sequence),
}

/// Fetches as ordered, one order after another, until the core is gone.
pub async fn fetch(
    bus: Bus,
    epochs: Arc<Epochs>,
    mut orders: Orders<FetchOrder>,
    execution: Sender<Task>,
    core: UnboundedSender<Heard>,
) {
    let fetched = chassis::metrics::counter(
        "ordering_fetched_blocks_total",
        "blocks fetched from other replicas",
    );
    while let Some(order) = orders.recv().await {
        let mut next = order.first;
        while next <= order.last {
            match some_blocks(&bus, &epochs, &order, next).await {
                Ok(blocks) => {
                    fetched.add(blocks.len() as u64);
                    next = next.plus(blocks.len() as u64);
                    if execution.send(Task::Install(blocks)).is_err() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::info!(peer = order.peer.0, height = next.0, %error, "fetching blocks failed");
                    break;
                }
            }
        }
        // A prefix of the range is an answer; nothing at all is a failure.
        let end = match next.0.checked_sub(1).filter(|_| next > order.first) {
            Some(last) => Heard::Fetched {
                peer: order.peer,
                last: Height(last),
            },
            None => Heard::Input(Input::FetchFailed { peer: order.peer }),
        };
        if core.send(end).is_err() {
            return;
        }
    }
}

/// Asks replicas that work in a later epoch up to where they have certificates, and tells the core: they send no more
/// messages of the epoch that is in force here.
pub async fn ask_those_ahead(
    bus: Bus,
    mut ahead: tokio::sync::mpsc::Receiver<ReplicaId>,
    core: UnboundedSender<Heard>,
) {
    while let Some(peer) = ahead.recv().await {
        if let Ok(status) = bus.ask(peer, &StatusRequest {}).await {
            let certified = Sequence::from(status.height);
            let claimed = Input::Claimed { peer, certified };
            if core.send(Heard::Input(claimed)).is_err() {
                return;
            }
        }
        // Whoever else was named meanwhile is most likely named again.
        tokio::time::sleep(ASK_AGAIN_AFTER).await;
        while ahead.try_recv().is_ok() {}
    }
}

/// As many of the blocks from `next` on as fit one answer: those that verify, up to the first that does not.
async fn some_blocks(
    bus: &Bus,
    epochs: &Epochs,
    order: &FetchOrder,
    next: Sequence,
) -> Result<Vec<(CertifiedBlock, CertifiedHash)>, FetchError> {
    let question = BlocksRequest {
        from: next.height(),
        to: order.last.height(),
    };
    let reply = bus.ask(order.peer, &question).await?;
    let mut blocks = Vec::with_capacity(reply.blocks.len());
    let mut refused = FetchError::Nothing;
    for (bytes, height) in reply.blocks.iter().zip(next.0..=order.last.0) {
        match verified(epochs, order, Sequence(height), bytes) {
            Some(block) => blocks.push(block),
            None => {
                refused = FetchError::Bad(Sequence(height));
                break;
            }
        }
    }
    if blocks.is_empty() {
        Err(refused)
    } else {
        Ok(blocks)
    }
}

/// The block, if a quorum of the epoch that was asked for certified it at this height.
pub(crate) fn verified(
    epochs: &Epochs,
    order: &FetchOrder,
    sequence: Sequence,
    bytes: &[u8],
) -> Option<(CertifiedBlock, CertifiedHash)> {
    let certified: CertifiedBlock = canonical::decode(bytes).ok()?;
    let header = &certified.block.header;
    if header.height != sequence.height() || header.epoch != order.epoch {
        return None;
    }
    let verifier = epochs.certificates_at(header.height);
    let certificate = certified.certificate.clone();
    let proof = verifier
        .certified(sequence, header.hash(), certificate)
        .ok()?;
    certified.block.check_roots().ok()?;
    Some((certified, proof))
}
