//! Checkpoints of the history log, signed by the replicas, and the proofs that connect them.

use ledger::tlog::Checkpoint;
use ledger::{Digest, Height, ReplicaId, merkle};

use crate::Bus;
use crate::error::AskError;
use crate::ordering_wire::{
    BlockInclusionRequest, CheckpointReply, CheckpointRequest, ConsistencyRequest,
};

/// A checkpoint and who signed it: a quorum of the replicas, or all that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// The log's size and root.
    pub checkpoint: Checkpoint,
    /// Verified signature lines, ascending by replica.
    pub lines: Vec<(ReplicaId, String)>,
}

impl SignedCheckpoint {
    /// The whole note (C2SP tlog-checkpoint).
    pub fn note(&self) -> String {
        let lines: Vec<String> = self.lines.iter().map(|(_, line)| line.clone()).collect();
        self.checkpoint.note(&lines)
    }
}

impl Bus {
    /// The checkpoint at a size, or at the largest that a quorum of replicas has reached; every signature in it is
    /// verified, all are over one root, and there is a quorum of them. `None` if there are not so many blocks yet.
    ///
    /// # Errors
    /// [`AskError::None`] if no quorum of replicas answers.
    pub async fn checkpoint(
        &self,
        size: Option<u64>,
    ) -> Result<Option<SignedCheckpoint>, AskError> {
        let quorum = self.epoch().quorum();
        let size = match size {
            Some(size) => size,
            None => self.size_of_quorum(quorum).await?,
        };
        let answers = self
            .ask_all(&CheckpointRequest { size: Some(size) })
            .await
            .into_iter();
        let mut signed: Vec<SignedCheckpoint> = Vec::new();
        let mut without = 0;
        for (replica, answer) in answers {
            match answer {
                Ok(CheckpointReply::Signed {
                    size: found,
                    root,
                    line,
                }) if found == size => {
                    let chain = self.chain();
                    let checkpoint = Checkpoint { chain, size, root };
                    if self.has_signed(replica, &checkpoint, &line) {
                        add(&mut signed, checkpoint, replica, line);
                    }
                }
                Ok(CheckpointReply::NotYet { .. }) => without += 1,
                _ => {}
            }
        }
        let found = signed.into_iter().find(|it| it.lines.len() >= quorum);
        match found {
            Some(found) => Ok(Some(found)),
            None if without > 0 => Ok(None),
            None => Err(AskError::None),
        }
    }

    async fn size_of_quorum(&self, quorum: usize) -> Result<u64, AskError> {
        let answers = self.ask_all(&CheckpointRequest { size: None }).await;
        let sizes = answers.into_iter().filter_map(|(_, answer)| match answer {
            Ok(CheckpointReply::Signed { size, .. } | CheckpointReply::NotYet { size }) => {
                Some(size)
            }
            Err(_) => None,
        });
        let mut sizes: Vec<u64> = sizes.collect();
        sizes.sort_unstable_by(|one, other| other.cmp(one));
        sizes.get(quorum - 1).copied().ok_or(AskError::None)
    }

    fn has_signed(&self, replica: ReplicaId, checkpoint: &Checkpoint, line: &str) -> bool {
        self.epoch().replica(replica).is_some_and(|described| {
            let name = checkpoint.origin();
            checkpoint
                .verify(line, &name, &described.public_key)
                .is_ok()
        })
    }

    /// The proof that the log of the older checkpoint is a prefix of the newer one's, verified; `None` if their sizes
    /// do not fit.
    ///
    /// # Errors
    /// [`AskError::None`] if no replica gives a proof that verifies.
    pub async fn consistency(
        &self,
        older: &Checkpoint,
        newer: &Checkpoint,
    ) -> Result<Option<Vec<Digest>>, AskError> {
        if older.size > newer.size {
            return Ok(None);
        }
        if older.size == 0 || older.size == newer.size {
            return Ok(Some(Vec::new()));
        }
        let question = ConsistencyRequest {
            first: older.size,
            second: newer.size,
        };
        for replica in self.replicas_in_turn() {
            if let Ok(reply) = self.ask(replica, &question).await
                && let Some(proof) = reply.proof
                && merkle::verify_consistency(
                    &older.root,
                    older.size,
                    &newer.root,
                    newer.size,
                    &proof,
                )
            {
                return Ok(Some(proof));
            }
        }
        Err(AskError::None)
    }

    /// The proof that a block is in a checkpoint's log, verified; `None` if it is not among its blocks.
    ///
    /// # Errors
    /// [`AskError::None`] if no replica gives a proof that verifies.
    pub async fn block_inclusion(
        &self,
        height: Height,
        block: &Digest,
        checkpoint: &Checkpoint,
    ) -> Result<Option<Vec<Digest>>, AskError> {
        if height.0 >= checkpoint.size {
            return Ok(None);
        }
        let (root, size) = (&checkpoint.root, checkpoint.size);
        for replica in self.replicas_in_turn() {
            let question = BlockInclusionRequest { height, size };
            if let Ok(reply) = self.ask(replica, &question).await
                && let Some(proof) = reply.proof
                && merkle::verify_inclusion(root, size, height.0, &block.0, &proof)
            {
                return Ok(Some(proof));
            }
        }
        Err(AskError::None)
    }
}

fn add(
    signed: &mut Vec<SignedCheckpoint>,
    checkpoint: Checkpoint,
    replica: ReplicaId,
    line: String,
) {
    match signed.iter_mut().find(|it| it.checkpoint == checkpoint) {
        Some(found) => found.lines.push((replica, line)),
        None => signed.push(SignedCheckpoint {
            checkpoint,
            lines: vec![(replica, line)],
        }),
    }
}
