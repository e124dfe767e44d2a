//! Questions to replicas.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_nats::StatusCode;
use ledger::canonical;
use ledger::{CertifiedBlock, Digest, Height, ReplicaId};

use crate::Bus;
use crate::error::AskError;
use crate::ordering_wire::{
    Answer, BlockByHashRequest, BlocksRequest, Question, ReceiptReply, ReceiptRequest, StatusReply,
    StatusRequest,
};
use crate::waiting::Incoming;
use crate::{subjects, trace_context};

/// How long one replica has to answer before the next is asked.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

static NEXT: AtomicUsize = AtomicUsize::new(0);

impl Bus {
    /// Asks one replica.
    ///
    /// # Errors
    /// [`AskError`], naming the replica.
    pub async fn ask<Q: Question>(
        &self,
        replica: ReplicaId,
        question: &Q,
    ) -> Result<Q::Reply, AskError> {
        let token = crate::request::random_token();
        let subject = subjects::ordering(replica, Q::NAME);
        let mut waiting = self.inner.waiters.wait(&token, &subject, 1);
        let reply = subjects::reply(&subjects::replica_name(replica), self.user(), &token);
        let headers = trace_context::headers();
        self.inner
            .client
            .publish_with_reply_and_headers(
                subject,
                reply,
                headers,
                canonical::encode(question).into(),
            )
            .await
            .map_err(|_| AskError::Unanswered(replica))?;
        match tokio::time::timeout(ANSWER_WITHIN, waiting.next()).await {
            Ok(Incoming::Message(message)) if message.status == Some(StatusCode::NO_RESPONDERS) => {
                Err(AskError::Unanswered(replica))
            }
            Ok(Incoming::Message(message)) => match canonical::decode(&message.payload) {
                Ok(Answer::Ok(answer)) => Ok(answer),
                Ok(Answer::Busy) => Err(AskError::Busy(replica)),
                Ok(Answer::Malformed) | Err(_) => Err(AskError::Malformed(replica)),
            },
            Ok(Incoming::Denied) | Err(_) => Err(AskError::Unanswered(replica)),
        }
    }

    /// Asks one replica after another, each time starting with another one, until one answers.
    ///
    /// # Errors
    /// [`AskError::None`] if none does. The answer of one replica proves nothing by itself.
    pub async fn ask_any<Q: Question>(&self, question: &Q) -> Result<Q::Reply, AskError> {
        for replica in self.replicas_in_turn() {
            match self.ask(replica, question).await {
                Ok(reply) => return Ok(reply),
                Err(error) => {
                    tracing::debug!(%error, question = Q::NAME, "asking the next replica")
                }
            }
        }
        Err(AskError::None)
    }

    /// Asks all replicas at once; each with its answer.
    pub async fn ask_all<Q: Question>(
        &self,
        question: &Q,
    ) -> Vec<(ReplicaId, Result<Q::Reply, AskError>)> {
        let asked = self
            .epoch()
            .replicas
            .into_iter()
            .map(|described| async move {
                (
                    described.replica,
                    self.ask(described.replica, question).await,
                )
            });
        futures::future::join_all(asked).await
    }

    /// How every replica is, by its own word.
    pub async fn status(&self) -> Vec<(ReplicaId, Result<StatusReply, AskError>)> {
        self.ask_all(&StatusRequest {}).await
    }

    /// The receipt of a transaction, verified; `None` if some replica answers that there is none so far.
    ///
    /// # Errors
    /// [`AskError::None`] if no replica gives a receipt that verifies or says that there is none.
    pub async fn receipt(&self, transaction: &Digest) -> Result<Option<ledger::Receipt>, AskError> {
        let mut missing = false;
        for replica in self.replicas_in_turn() {
            match self
                .ask(
                    replica,
                    &ReceiptRequest {
                        transaction: *transaction,
                    },
                )
                .await
            {
                Ok(ReceiptReply::Found(bytes)) => {
                    if let Some(receipt) = self.verified_receipt(&bytes, transaction) {
                        return Ok(Some(receipt));
                    }
                }
                Ok(ReceiptReply::NotFound { .. }) => missing = true,
                Err(error) => tracing::debug!(%error, "asking the next replica for a receipt"),
            }
        }
        if missing {
            Ok(None)
        } else {
            Err(AskError::None)
        }
    }

    /// A block by height, its certificate verified; `None` if there is none so far. The genesis block
    /// (height 0) has no certificate: it is verified by block 1, which names its hash.
    ///
    /// # Errors
    /// [`AskError::None`] if no replica answers with a block that verifies.
    pub async fn block(&self, height: Height) -> Result<Option<CertifiedBlock>, AskError> {
        let mut missing = false;
        for replica in self.replicas_in_turn() {
            let to = if height == Height(0) {
                Height(1)
            } else {
                height
            };
            let Ok(reply) = self.ask(replica, &BlocksRequest { from: height, to }).await else {
                continue;
            };
            missing |= reply.newest < to;
            match self.verified_block(&reply.blocks) {
                Some(block) if block.block.header.height == height => return Ok(Some(block)),
                _ => {}
            }
        }
        if missing {
            Ok(None)
        } else {
            Err(AskError::None)
        }
    }

    /// A block by its header's hash, verified.
    ///
    /// # Errors
    /// [`AskError::None`] if no replica answers.
    pub async fn block_by_hash(&self, hash: Digest) -> Result<Option<CertifiedBlock>, AskError> {
        let reply = self.ask_any(&BlockByHashRequest { hash }).await?;
        let block = reply
            .blocks
            .first()
            .and_then(|bytes| canonical::decode::<CertifiedBlock>(bytes).ok());
        match block {
            Some(block) if block.block.hash() == hash => {
                self.block(block.block.header.height).await
            }
            _ => Ok(None),
        }
    }

    /// The first of `blocks`, if it verifies; for the genesis block the second must name it.
    fn verified_block(&self, blocks: &[Vec<u8>]) -> Option<CertifiedBlock> {
        let first: CertifiedBlock = canonical::decode(blocks.first()?).ok()?;
        if first.block.header.height == Height(0) {
            let second: CertifiedBlock = canonical::decode(blocks.get(1)?).ok()?;
            let follows =
                second.block.header.previous == first.block.hash() && self.certified(&second);
            return (follows && first.block.check_roots().is_ok()).then_some(first);
        }
        self.certified(&first).then_some(first)
    }

    fn certified(&self, certified: &CertifiedBlock) -> bool {
        let header = &certified.block.header;
        let Some(epoch) = self.inner.epochs.get(header.epoch) else {
            return false;
        };
        header.chain == self.inner.chain
            && certified.block.check_roots().is_ok()
            && certified
                .certificate
                .verify(&self.inner.chain, header.height, &header.hash(), &epoch)
                .is_ok()
    }

    /// The replicas of the newest epoch, starting with another one each time.
    pub(crate) fn replicas_in_turn(&self) -> Vec<ReplicaId> {
        let mut replicas: Vec<ReplicaId> = self
            .epoch()
            .replicas
            .iter()
            .map(|described| described.replica)
            .collect();
        let start = NEXT.fetch_add(1, Ordering::Relaxed) % replicas.len().max(1);
        replicas.rotate_left(start);
        replicas
    }
}
