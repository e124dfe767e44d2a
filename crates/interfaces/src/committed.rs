//! What a command answers: its receipt, or bytes to sign.

use ledger::Digest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Base64;

/// A command that is committed to the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Committed {
    /// The transaction's id.
    #[schema(value_type = String)]
    pub transaction: Digest,
    /// The block's height.
    pub height: u64,
    /// The receipt: canonical bytes, verifiable offline with the genesis file alone.
    #[schema(value_type = String)]
    pub receipt: Base64,
}

/// The answer of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CommandReply {
    /// Signed by the custodial key of the one who is signed in, and committed.
    Committed(Committed),
    /// The member holds the own key: sign `unsigned` and hand it to `submit_signature` of the same service.
    SignatureNeeded(UnsignedCommand),
}

/// A transaction that waits for its member's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnsignedCommand {
    /// The transaction's id.
    #[schema(value_type = String)]
    pub transaction: Digest,
    /// Canonical bytes of the transaction body; what is signed is said in `docs/ledger-format.md`.
    #[schema(value_type = String)]
    pub unsigned: Base64,
    /// The service that waits: its bus name.
    pub service: String,
}

/// Hands in the signature of a member who holds the own key. Every service with commands answers it as `submit_signature`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitSignature {
    /// The transaction's id, as [`UnsignedCommand::transaction`].
    #[schema(value_type = String)]
    pub transaction: Digest,
    /// The Ed25519 signature, 64 bytes.
    #[schema(value_type = String)]
    pub signature: Base64,
}

impl crate::UseCase for SubmitSignature {
    const SERVICE: &'static str = "any";
    const NAME: &'static str = "submit_signature";
    type Reply = Committed;
}
