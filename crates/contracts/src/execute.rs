//! The way of one command: checks, decision, events folded into writes.

use ledger::{
    ContractId, Digest, Epoch, Height, LedgerId, Outcome, PublicKey, Timestamp, WriteSet,
};

use crate::{
    Command, Contract, DecodeError, Event, Rejection, State, View, authorization, governance,
    membership, records, settlement, submission, telemetry,
};

/// All that a decision depends on besides state and command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The chain.
    pub chain: Digest,
    /// Height of the block the transaction is in.
    pub height: Height,
    /// The block's time.
    pub time: Timestamp,
    /// The block's epoch.
    pub epoch: Epoch,
    /// Who submits.
    pub submitter: LedgerId,
    /// The key that signed.
    pub public_key: PublicKey,
    /// The transaction's nonce.
    pub nonce: u64,
    /// The transaction's id.
    pub transaction: Digest,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Accepted, or rejected with a number.
    pub outcome: Outcome,
    /// What was decided, in order; empty when rejected.
    pub events: Vec<Event>,
    /// What changes in the state; empty when rejected.
    pub writes: WriteSet,
}

/// Decides one command. The caller has checked signature, chain, validity and repetition.
pub fn execute(
    view: &dyn View,
    context: &Context,
    contract: ContractId,
    command: &[u8],
) -> Execution {
    let mut state = State::new(view);
    match run(&mut state, context, contract, command) {
        Ok(events) => Execution {
            outcome: Outcome::Accepted,
            events,
            writes: state.into_writes(),
        },
        Err(rejection) => Execution {
            outcome: rejection.outcome(),
            events: Vec::new(),
            writes: WriteSet::default(),
        },
    }
}

fn run(
    state: &mut State,
    context: &Context,
    contract: ContractId,
    command: &[u8],
) -> Result<Vec<Event>, Rejection> {
    if Contract::from_id(contract).is_none() {
        return Err(submission::Rejection::UnknownContract.into());
    }
    submission::check(state, context, contract, command)?;
    let command = Command::from_bytes(contract, command).map_err(|error| match error {
        DecodeError::UnknownContract(_) => submission::Rejection::UnknownContract,
        DecodeError::NotCanonical { .. } => submission::Rejection::MalformedCommand,
    })?;
    let events = decide(state, context, command)?;
    for event in &events {
        fold(state, event);
    }
    Ok(events)
}

/// What the command's contract decides; changes nothing.
///
/// # Errors
/// The numbered [`Rejection`].
pub fn decide(state: &State, context: &Context, command: Command) -> Result<Vec<Event>, Rejection> {
    match command {
        Command::Membership(command) => membership::decide(state, context, command),
        Command::Records(command) => records::decide(state, context, command),
        Command::Authorization(command) => authorization::decide(state, context, command),
        Command::Settlement(command) => settlement::decide(state, context, command),
        Command::Telemetry(command) => telemetry::decide(state, context, command),
        Command::Governance(command) => governance::decide(state, context, command),
    }
}

/// Brings the state up to date with an event that was decided.
pub fn fold(state: &mut State, event: &Event) {
    match event {
        Event::Membership(event) => membership::fold(state, event),
        Event::Records(event) => records::fold(state, event),
        Event::Authorization(event) => authorization::fold(state, event),
        Event::Settlement(event) => settlement::fold(state, event),
        Event::Telemetry(event) => telemetry::fold(state, event),
        Event::Governance(event) => governance::fold(state, event),
    }
}
