//! Fetches certified blocks of another replica, each verified before anything is done with it.

use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use bus::ordering_wire::BlocksRequest;
use ledger::{BlockDigests, CertifiedBlock, Epoch, Height};
use pbft::{CertifiedHash, Input, Sequence};
use tokio::sync::mpsc::{Receiver as Orders, UnboundedSender};

use crate::core::{FetchOrder, Heard};
use crate::epochs::Epochs;
use crate::run_blocks::{Execution, Task};

/// How many orders wait at most. The core has one open at a time, and gives it up by itself.
pub const ORDERS_MAX: usize = 16;

/// How many blocks are asked for before they are ordered.
const AHEAD_MAX: u64 = 256;

/// How long they are waited for once they are ordered.
const AHEAD_WITHIN: Duration = Duration::from_millis(250);

/// A block of another replica: a quorum certified it, and its roots are those of what it holds.
#[derive(Debug)]
pub struct FetchedBlock {
    /// The block with its certificate.
    pub certified: CertifiedBlock,
    /// That the certificate is one.
    pub proof: CertifiedHash,
    /// The digests of what it holds.
    pub digests: BlockDigests,
    /// Its canonical bytes, certificate included.
    pub bytes: Vec<u8>,
}

impl FetchOrder {
    /// How many blocks it wants from `next` on.
    fn wanted_from(&self, next: Sequence) -> usize {
        let wanted = self.last.0.saturating_sub(next.0).saturating_add(1);
        usize::try_from(wanted).unwrap_or(usize::MAX)
    }
}

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

/// Blocks that are on their way before they are ordered: what follows the last order, from whoever served that one. They
/// prove themselves, whoever gives them.
struct Ahead {
    first: Sequence,
    epoch: Epoch,
    blocks: tokio::task::JoinHandle<Vec<FetchedBlock>>,
}

impl Ahead {
    fn ask(bus: &Bus, epochs: &Arc<Epochs>, order: &FetchOrder) -> Ahead {
        let first = order.last.next();
        let asked = FetchOrder {
            first,
            last: first.plus(AHEAD_MAX),
            ..*order
        };
        let (bus, epochs) = (bus.clone(), epochs.clone());
        Ahead {
            first,
            epoch: order.epoch,
            blocks: tokio::spawn(async move {
                match encoded_blocks(&bus, &asked, first).await {
                    Ok(encoded) => verify(epochs, asked, first, encoded).await,
                    Err(_) => Vec::new(),
                }
            }),
        }
    }

    /// What came and is the start of this order. It is not waited for long: another than the one who is to answer was asked.
    async fn for_order(self, order: &FetchOrder) -> Vec<FetchedBlock> {
        if self.first != order.first || self.epoch != order.epoch {
            return Vec::new();
        }
        let coming = tokio::time::timeout(AHEAD_WITHIN, self.blocks).await;
        let mut blocks = coming.unwrap_or(Ok(Vec::new())).unwrap_or_default();
        blocks.truncate(order.wanted_from(order.first));
        blocks
    }
}

/// Fetches as ordered, one order after another, until the core is gone.
pub async fn fetch(
    bus: Bus,
    epochs: Arc<Epochs>,
    mut orders: Orders<FetchOrder>,
    execution: Execution,
    core: UnboundedSender<Heard>,
) {
    let fetched = chassis::metrics::counter(
        "ordering_fetched_blocks_total",
        "blocks fetched from other replicas",
    );
    let mut ahead: Option<Ahead> = None;
    while let Some(order) = orders.recv().await {
        let mut next = order.first;
        let mut blocks = match ahead.take() {
            Some(ahead) => ahead.for_order(&order).await,
            None => Vec::new(),
        };
        let mut coming = None;
        loop {
            fetched.add(blocks.len() as u64);
            next = next.plus(blocks.len() as u64);
            if !blocks.is_empty() {
                execution.give(Task::Install(blocks));
            }
            if next > order.last {
                ahead = Some(Ahead::ask(&bus, &epochs, &order));
                break;
            }
            let answer = match coming.take() {
                Some(answer) => answer,
                None => encoded_blocks(&bus, &order, next).await,
            };
            let encoded = match answer {
                Ok(encoded) => encoded,
                Err(error) => {
                    note_failure(&order, next, &error);
                    break;
                }
            };
            let count = encoded.len();
            let after = next.plus(count as u64);
            let verifying = verify(epochs.clone(), order, next, encoded);
            // While these are verified, the next ones are on their way.
            blocks = if after <= order.last {
                let asking = encoded_blocks(&bus, &order, after);
                let (blocks, answer) = tokio::join!(verifying, asking);
                coming = Some(answer);
                blocks
            } else {
                verifying.await
            };
            if blocks.len() < count {
                let bad = next.plus(blocks.len() as u64);
                note_failure(&order, bad, &FetchError::Bad(bad));
                if blocks.is_empty() {
                    break;
                }
                // What verified is taken; who gave the rest is asked once more, and found out by an answer without any.
                coming = None;
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

fn note_failure(order: &FetchOrder, next: Sequence, error: &FetchError) {
    tracing::info!(peer = order.peer.0, height = next.0, %error, "fetching blocks failed");
}

/// As many of the blocks from `next` on as fit one answer, as the peer gives them.
async fn encoded_blocks(
    bus: &Bus,
    order: &FetchOrder,
    next: Sequence,
) -> Result<Vec<Vec<u8>>, FetchError> {
    let question = BlocksRequest {
        from: next.height(),
        to: order.last.height(),
    };
    let mut blocks = bus.ask(order.peer, &question).await?.blocks;
    blocks.truncate(order.wanted_from(next));
    if blocks.is_empty() {
        return Err(FetchError::Nothing);
    }
    Ok(blocks)
}

/// [`verified`], beside the tasks that wait for the broker.
async fn verify(
    epochs: Arc<Epochs>,
    order: FetchOrder,
    first: Sequence,
    encoded: Vec<Vec<u8>>,
) -> Vec<FetchedBlock> {
    let verifying = tokio::task::spawn_blocking(move || verified(&epochs, &order, first, encoded));
    // Cut off by the end of the process, it has found nothing.
    verifying.await.unwrap_or_default()
}

/// Those of the blocks from `first` on that a quorum of the epoch that was asked for certified at their heights, up to the
/// first that is none. The certificates' signatures are checked together.
pub(crate) fn verified(
    epochs: &Epochs,
    order: &FetchOrder,
    first: Sequence,
    encoded: Vec<Vec<u8>>,
) -> Vec<FetchedBlock> {
    let verifier = epochs.certificates_at(first.height());
    if verifier.epoch() != order.epoch {
        return Vec::new();
    }
    let last = epochs.last_height(order.epoch);
    let mut claimed = Vec::with_capacity(encoded.len());
    let mut contents = Vec::with_capacity(encoded.len());
    for (bytes, sequence) in encoded.into_iter().zip(first.0..) {
        let Ok((certified, digests)) = CertifiedBlock::decode(&bytes) else {
            break;
        };
        let header = &certified.block.header;
        let is_wanted = header.height.0 == sequence
            && header.epoch == order.epoch
            && last.is_none_or(|last| header.height <= last);
        if !is_wanted || certified.block.check_roots_of(&digests).is_err() {
            break;
        }
        claimed.push((
            Sequence(sequence),
            header.hash(),
            certified.certificate.clone(),
        ));
        contents.push((certified, digests, bytes));
    }
    let proofs = verifier.certified_all(claimed, keys::secret::random());
    contents
        .into_iter()
        .zip(proofs)
        .map_while(|((certified, digests, bytes), proof)| {
            Some(FetchedBlock {
                certified,
                proof: proof.ok()?,
                digests,
                bytes,
            })
        })
        .collect()
}
