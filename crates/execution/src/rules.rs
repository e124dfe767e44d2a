//! What decides: the seam between running blocks and the contracts.

use ledger::{
    ContractId, Digest, Epoch, GenesisFile, Height, LedgerId, PublicKey, RecordedEvent, Timestamp,
    WriteSet,
};

use crate::state::StateView;

/// One transaction as the rules see it. Its signature by `public_key` has been checked.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The chain.
    pub chain: &'a Digest,
    /// The epoch that orders the block.
    pub epoch: Epoch,
    /// The height of the block.
    pub height: Height,
    /// Block time.
    pub time: Timestamp,
    /// The member it speaks for.
    pub submitter: LedgerId,
    /// The key that signed it.
    pub public_key: PublicKey,
    /// The submitter's number for it.
    pub nonce: u64,
    /// Its id.
    pub transaction: &'a Digest,
    /// The contract that is asked.
    pub contract: ContractId,
    /// What is asked, in canonical bytes.
    pub command: &'a [u8],
}

/// What was decided, and what it changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The events, in order.
    pub events: Vec<RecordedEvent>,
    /// The writes, ascending by key, each key once.
    pub writes: WriteSet,
}

/// A numbered no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Whose number it is.
    pub contract: ContractId,
    /// The number.
    pub code: u16,
}

/// The contracts as a whole: deterministic functions of state, block time and what is asked.
pub trait Rules: Send + Sync {
    /// What is wrong with a genesis file.
    type GenesisError: std::error::Error + Send + Sync + 'static;

    /// The state and events of the genesis block.
    ///
    /// # Errors
    /// When the file describes no state.
    fn genesis(&self, genesis: &GenesisFile) -> Result<Decision, Self::GenesisError>;

    /// Decides one command.
    ///
    /// # Errors
    /// [`Refused`]; the transaction is committed with the number and changes nothing.
    fn execute(&self, view: &dyn StateView, call: &Call<'_>) -> Result<Decision, Refused>;

    /// Does what is due at `time`, a bounded amount of it.
    fn expire(
        &self,
        view: &dyn StateView,
        chain: &Digest,
        height: Height,
        time: Timestamp,
    ) -> Decision;

    /// When something will next be due.
    fn next_due(&self, view: &dyn StateView) -> Option<Timestamp>;

    /// The number that says that another transaction of the submitter has used the nonce.
    fn nonce_reused(&self) -> (ContractId, u16);
}
