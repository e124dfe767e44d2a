//! Answers questions on `ordering.<replica>.*`: blocks, receipts, status, epochs.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use bus::ordering_wire::{
    Answer, BLOCKS_REPLY_BYTES_MAX, BlockByHashRequest, BlockInclusionRequest, BlocksReply,
    BlocksRequest, CheckpointReply, CheckpointRequest, ConsistencyRequest, EpochsReply,
    EpochsRequest, HistoryProofReply, PhasesReply, PhasesRequest, Question, ReceiptReply,
    ReceiptRequest, StatusReply, StatusRequest,
};
use futures::StreamExt;
use ledger::tlog::Checkpoint;
use ledger::{Digest, ReplicaId, SigningKey, canonical};
use tokio::sync::Semaphore;

use crate::delivery::{DeliveryError, Stored};
use crate::phases::Phases;
use crate::seat::Position;
use crate::watch::Notices;

/// How many questions are answered at once; more hear "busy".
const AT_ONCE_MAX: usize = 8;

/// What answers are made of.
pub struct Desk {
    /// This replica.
    pub replica: ReplicaId,
    /// Blocks and indexes.
    pub stored: Arc<Stored>,
    /// Where the core stands.
    pub position: Arc<Mutex<Position>>,
    /// What it notices of the others.
    pub notices: Notices,
    /// When the latest blocks went through the phases.
    pub phases: Arc<Phases>,
    /// The chain id.
    pub chain: Digest,
    /// The voting key, for checkpoints.
    pub key: SigningKey,
}

/// Answers until the connection ends.
pub async fn serve(
    desk: Arc<Desk>,
    client: async_nats::Client,
    mut questions: async_nats::Subscriber,
) {
    let places = Arc::new(Semaphore::new(AT_ONCE_MAX));
    while let Some(message) = questions.next().await {
        let Some(reply) = message.reply else { continue };
        let name = message
            .subject
            .rsplit('.')
            .next()
            .unwrap_or_default()
            .to_owned();
        let Ok(place) = places.clone().try_acquire_owned() else {
            let _ = client
                .publish(reply, canonical::encode(&Answer::<()>::Busy).into())
                .await;
            continue;
        };
        let (desk, client) = (desk.clone(), client.clone());
        tokio::spawn(async move {
            let answered =
                tokio::task::spawn_blocking(move || desk.answer(&name, &message.payload)).await;
            drop(place);
            match answered {
                Ok(Ok(answer)) => {
                    // A connection that is gone takes the asker with it.
                    let _ = client.publish(reply, answer.into()).await;
                }
                Ok(Err(error)) => tracing::error!(%error, "a question could not be answered"),
                Err(error) => tracing::error!(%error, "answering failed"),
            }
        });
    }
}

fn with<Q: Question>(
    payload: &[u8],
    answer: impl FnOnce(Q) -> Result<Q::Reply, DeliveryError>,
) -> Result<Vec<u8>, DeliveryError> {
    Ok(match canonical::decode::<Q>(payload) {
        Ok(question) => canonical::encode(&Answer::Ok(answer(question)?)),
        Err(_) => canonical::encode(&Answer::<()>::Malformed),
    })
}

impl Desk {
    fn answer(&self, name: &str, payload: &[u8]) -> Result<Vec<u8>, DeliveryError> {
        match name {
            BlocksRequest::NAME => with(payload, |question| self.blocks(&question)),
            BlockByHashRequest::NAME => with(payload, |question| self.block_by_hash(&question)),
            ReceiptRequest::NAME => with(payload, |question| self.receipt(&question)),
            StatusRequest::NAME => with(payload, |_: StatusRequest| Ok(self.status())),
            EpochsRequest::NAME => with(payload, |_: EpochsRequest| {
                Ok(EpochsReply {
                    links: self.stored.epochs.links(),
                })
            }),
            CheckpointRequest::NAME => with(payload, |question| self.checkpoint(&question)),
            ConsistencyRequest::NAME => with(payload, |question| self.consistency(&question)),
            BlockInclusionRequest::NAME => {
                with(payload, |question| self.block_inclusion(&question))
            }
            PhasesRequest::NAME => with(payload, |question| self.phases(&question)),
            _ => Ok(canonical::encode(&Answer::<()>::Malformed)),
        }
    }

    /// Signs what is certified only: the log never shrinks, and every replica's has the same root at a size.
    fn checkpoint(&self, question: &CheckpointRequest) -> Result<CheckpointReply, DeliveryError> {
        let held = self.stored.tip().height.next().0;
        let size = question.size.unwrap_or(held);
        if size > held {
            return Ok(CheckpointReply::NotYet { size: held });
        }
        let checkpoint = Checkpoint {
            chain: self.chain,
            size,
            root: self.stored.store.history().root(size)?,
        };
        Ok(CheckpointReply::Signed {
            size,
            root: checkpoint.root,
            line: checkpoint.sign(&checkpoint.origin(), &self.key),
        })
    }

    fn consistency(
        &self,
        question: &ConsistencyRequest,
    ) -> Result<HistoryProofReply, DeliveryError> {
        let proof = if question.second > self.stored.tip().height.next().0 {
            None
        } else {
            let history = self.stored.store.history();
            history.consistency(question.first, question.second)?
        };
        Ok(HistoryProofReply { proof })
    }

    fn block_inclusion(
        &self,
        question: &BlockInclusionRequest,
    ) -> Result<HistoryProofReply, DeliveryError> {
        let proof = if question.size > self.stored.tip().height.next().0 {
            None
        } else {
            let history = self.stored.store.history();
            history.inclusion(question.height, question.size)?
        };
        Ok(HistoryProofReply { proof })
    }

    fn phases(&self, question: &PhasesRequest) -> Result<PhasesReply, DeliveryError> {
        let place = self.stored.store.receipts().find(&question.transaction)?;
        let times = place.and_then(|(height, index)| self.phases.of(height, index));
        Ok(PhasesReply { times })
    }

    fn blocks(&self, question: &BlocksRequest) -> Result<BlocksReply, DeliveryError> {
        let newest = self.stored.tip().height;
        let heights = question.from..=question.to;
        let blocks = self
            .stored
            .encoded_blocks(heights, BLOCKS_REPLY_BYTES_MAX)?;
        Ok(BlocksReply { blocks, newest })
    }

    fn block_by_hash(&self, question: &BlockByHashRequest) -> Result<BlocksReply, DeliveryError> {
        let newest = self.stored.tip().height;
        let found = match self.stored.store.height_of(&question.hash)? {
            Some(height) => self.stored.block(height)?,
            None => None,
        };
        let blocks = found
            .filter(|block| block.block.hash() == question.hash)
            .iter()
            .map(canonical::encode)
            .collect();
        Ok(BlocksReply { blocks, newest })
    }

    fn receipt(&self, question: &ReceiptRequest) -> Result<ReceiptReply, DeliveryError> {
        let tip = self.stored.tip();
        Ok(match self.stored.receipt(&question.transaction)? {
            Some(receipt) => ReceiptReply::Found(receipt),
            None => ReceiptReply::NotFound {
                newest: tip.height,
                time: tip.time,
            },
        })
    }

    fn status(&self) -> StatusReply {
        let tip = self.stored.tip();
        let position = *self.position.lock().unwrap_or_else(PoisonError::into_inner);
        let summary = position.summary;
        let notices = self.notices.read().unwrap_or_else(PoisonError::into_inner);
        let notices = notices.clone();
        StatusReply {
            replica: self.replica,
            height: tip.height,
            time: tip.time,
            block: tip.hash,
            epoch: position.epoch,
            view: summary.map_or(0, |summary| summary.view.0),
            primary: summary.map_or(self.replica, |summary| summary.primary),
            changing_view: summary.is_some_and(|summary| summary.changing),
            standing: position.standing,
            stable_checkpoint: summary.map_or(0, |summary| summary.stable.0),
            waiting_transactions: summary.map_or(0, |summary| summary.requests as u64),
            committed_transactions: self.stored.transactions.load(Ordering::Relaxed),
            notices,
        }
    }
}
