//! Checkpoints of the history log, and what connects two of them.

use bus::Bus;
use bus::checkpoint::SignedCheckpoint;
use interfaces::Problem;
use ledger::Digest;
use serde::Serialize;
use utoipa::ToSchema;

/// That one checkpoint's log is a prefix of another's.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ConsistencyView {
    /// The chain id.
    #[schema(value_type = String)]
    pub chain: Digest,
    /// Blocks in the older log.
    pub first: u64,
    /// The older log's root.
    #[schema(value_type = String)]
    pub first_root: Digest,
    /// Blocks in the newer log.
    pub second: u64,
    /// The newer log's root.
    #[schema(value_type = String)]
    pub second_root: Digest,
    /// The proof (RFC 9162, section 2.1.4).
    #[schema(value_type = Vec<String>)]
    pub proof: Vec<Digest>,
}

/// The checkpoint over the first `size` blocks, or the newest, signed by a quorum of replicas.
///
/// # Errors
/// 404 while there are not so many blocks, 503 when no quorum of replicas answers.
pub async fn checkpoint_note(bus: &Bus, size: Option<u64>) -> Result<SignedCheckpoint, Problem> {
    let found = bus
        .checkpoint(size)
        .await
        .map_err(|error| Problem::busy(error.to_string()))?;
    found.ok_or_else(|| Problem::not_found("there are not so many blocks (yet)"))
}

/// The proof between the checkpoints of two sizes; the newer is the newest if not told.
///
/// # Errors
/// 400 when `first` is larger than `second`, else as [`checkpoint_note`].
pub async fn consistency(
    bus: &Bus,
    first: u64,
    second: Option<u64>,
) -> Result<ConsistencyView, Problem> {
    let newer = checkpoint_note(bus, second).await?.checkpoint;
    if first > newer.size {
        let reason = format!("must be at most {}, the newer size", newer.size);
        return Err(Problem::bad_input("first", &reason));
    }
    let older = checkpoint_note(bus, Some(first)).await?.checkpoint;
    let proof = bus
        .consistency(&older, &newer)
        .await
        .map_err(|error| Problem::busy(error.to_string()))?;
    Ok(ConsistencyView {
        chain: newer.chain,
        first: older.size,
        first_root: older.root,
        second: newer.size,
        second_root: newer.root,
        proof: proof.unwrap_or_default(),
    })
}
