//! Fetches certified blocks of another replica, each verified before anything is done with it.

use std::sync::mpsc::Sender;

use bus::Bus;
use bus::ordering_wire::BlocksRequest;
use ledger::{CertifiedBlock, canonical};
use pbft::{CertifiedHash, Input, Sequence, Verifier};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::core::{FetchOrder, Heard};
use crate::run_blocks::Task;

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
    verifier: Verifier,
    mut orders: UnboundedReceiver<FetchOrder>,
    execution: Sender<Task>,
    core: Sender<Heard>,
) {
    let fetched = chassis::metrics::counter(
        "ordering_fetched_blocks_total",
        "blocks fetched from other replicas",
    );
    while let Some(order) = orders.recv().await {
        let mut next = order.first;
        while next <= order.last {
            match some_blocks(&bus, &verifier, &order, next).await {
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
        if next == order.first
            && core
                .send(Heard::Input(Input::FetchFailed { peer: order.peer }))
                .is_err()
        {
            return;
        }
    }
}

/// As many of the blocks from `next` on as fit one answer.
async fn some_blocks(
    bus: &Bus,
    verifier: &Verifier,
    order: &FetchOrder,
    next: Sequence,
) -> Result<Vec<(CertifiedBlock, CertifiedHash)>, FetchError> {
    let question = BlocksRequest {
        from: next.height(),
        to: order.last.height(),
    };
    let reply = bus.ask(order.peer, &question).await?;
    let mut blocks = Vec::with_capacity(reply.blocks.len());
    for (bytes, height) in reply.blocks.iter().zip(next.0..=order.last.0) {
        let sequence = Sequence(height);
        let certified: CertifiedBlock =
            canonical::decode(bytes).map_err(|_| FetchError::Bad(sequence))?;
        if certified.block.header.height != sequence.height() {
            return Err(FetchError::Bad(sequence));
        }
        let hash = certified.block.hash();
        let proof = verifier
            .certified(sequence, hash, certified.certificate.clone())
            .map_err(|_| FetchError::Bad(sequence))?;
        certified
            .block
            .check_roots()
            .map_err(|_| FetchError::Bad(sequence))?;
        blocks.push((certified, proof));
    }
    if blocks.is_empty() {
        Err(FetchError::Nothing)
    } else {
        Ok(blocks)
    }
}
