//! Answers questions on `ordering.<replica>.*`: blocks, receipts, status, epochs.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use bus::ordering_wire::{
    Answer, BLOCKS_REPLY_BYTES_MAX, BlockByHashRequest, BlocksReply, BlocksRequest, EpochsReply,
    EpochsRequest, Question, ReceiptReply, ReceiptRequest, StatusReply, StatusRequest,
};
use futures::StreamExt;
use ledger::{Epoch, ReplicaId, canonical};
use pbft::Summary;
use tokio::sync::Semaphore;

use crate::delivery::{DeliveryError, Stored};

/// How many questions are answered at once; more hear "busy".
const AT_ONCE_MAX: usize = 8;

/// What answers are made of.
pub struct Desk {
    /// This replica.
    pub replica: ReplicaId,
    /// Its epoch.
    pub epoch: Epoch,
    /// Blocks and indexes.
    pub stored: Arc<Stored>,
    /// Where the core stands.
    pub summary: Arc<Mutex<Summary>>,
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
                Ok(EpochsReply { links: Vec::new() })
            }),
            _ => Ok(canonical::encode(&Answer::<()>::Malformed)),
        }
    }

    fn blocks(&self, question: &BlocksRequest) -> Result<BlocksReply, DeliveryError> {
        let newest = self.stored.tip().height;
        let mut blocks = Vec::new();
        let mut bytes = 0;
        let mut height = question.from;
        while height <= question.to && height <= newest {
            let Some(block) = self.stored.block(height)? else {
                break;
            };
            let block = canonical::encode(&block);
            if !blocks.is_empty() && bytes + block.len() > BLOCKS_REPLY_BYTES_MAX {
                break;
            }
            bytes += block.len();
            blocks.push(block);
            height = height.next();
        }
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
        let summary = *self.summary.lock().unwrap_or_else(PoisonError::into_inner);
        StatusReply {
            replica: self.replica,
            height: tip.height,
            time: tip.time,
            block: tip.hash,
            epoch: self.epoch,
            view: summary.view.0,
            primary: summary.primary,
            changing_view: summary.changing,
            stable_checkpoint: summary.stable.height().0,
            waiting_transactions: summary.requests as u64,
            committed_transactions: self.stored.transactions.load(Ordering::Relaxed),
        }
    }
}
