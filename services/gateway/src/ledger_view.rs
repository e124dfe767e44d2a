//! Blocks, transactions and replicas as people read them. Everything here is on the ledger and holds nothing personal.

use bus::error::AskError;
use bus::ordering_wire::StatusReply;
use contracts::{Command, Contract, Event, Rejection};
use interfaces::time_text;
use ledger::{
    CertifiedBlock, ContractId, Digest, EpochDescription, LEDGER_CONTRACT, LedgerId, Outcome,
    OutcomeLeaf, Receipt, RecordedEvent, ReplicaId, SignedTransaction, Timestamp,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Arrays of at least this many bytes are shown as hex.
const BYTES_SHOWN_AS_HEX_FROM: usize = 12;

/// A block's header.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct BlockSummary {
    /// Its position.
    #[schema(value_type = u64)]
    pub(crate) height: u64,
    /// Its hash.
    #[schema(value_type = String)]
    pub(crate) hash: Digest,
    /// Block time, RFC 3339.
    pub(crate) time: String,
    /// How many transactions.
    pub(crate) transactions: u32,
    /// How many of them were rejected.
    pub(crate) rejected: u32,
}

/// A block with everything recorded in it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct BlockView {
    /// Its position.
    pub(crate) height: u64,
    /// Its hash.
    #[schema(value_type = String)]
    pub(crate) hash: Digest,
    /// The hash of the block before.
    #[schema(value_type = String)]
    pub(crate) previous: Digest,
    /// Block time, RFC 3339.
    pub(crate) time: String,
    /// Block time, microseconds since the Unix epoch.
    pub(crate) time_us: u64,
    /// The epoch whose replicas certified it.
    pub(crate) epoch: u64,
    /// Root of the tree over the transactions.
    #[schema(value_type = String)]
    pub(crate) transaction_root: Digest,
    /// Root of the tree over the outcomes.
    #[schema(value_type = String)]
    pub(crate) outcome_root: Digest,
    /// Root of the state.
    #[schema(value_type = String)]
    pub(crate) state_root: Digest,
    /// Root over the hashes of all blocks before.
    #[schema(value_type = String)]
    pub(crate) history_root: Digest,
    /// The replicas that certified it; none for the genesis block.
    pub(crate) signers: Vec<u16>,
    /// What the system itself recorded: what was due, or the founders.
    pub(crate) system_events: Vec<EventView>,
    /// The transactions.
    pub(crate) transactions: Vec<TransactionView>,
}

/// A transaction with its outcome.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct TransactionView {
    /// Its id.
    #[schema(value_type = String)]
    pub(crate) transaction: Digest,
    /// The block's height.
    pub(crate) height: u64,
    /// Its place in the block, from 0.
    pub(crate) index: u32,
    /// Block time, RFC 3339.
    pub(crate) time: String,
    /// The member it speaks for.
    #[schema(value_type = String)]
    pub(crate) submitter: LedgerId,
    /// The contract that decided.
    pub(crate) contract: String,
    /// The command.
    pub(crate) command: Value,
    /// `accepted` or `rejected`.
    pub(crate) outcome: String,
    /// The contract and number of a rejection, for example `records:7`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rejection: Option<String>,
    /// The rejection in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// What was decided.
    pub(crate) events: Vec<EventView>,
}

/// An event.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct EventView {
    /// The contract that decided it.
    pub(crate) contract: String,
    /// The event, its name as the only key.
    pub(crate) event: Value,
}

/// How the ordering cluster is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct StatusView {
    /// The chain id.
    #[schema(value_type = String)]
    pub(crate) chain: Digest,
    /// The consortium's name.
    pub(crate) name: String,
    /// The epoch.
    pub(crate) epoch: u64,
    /// How many replicas may be faulty.
    pub(crate) fault_tolerance: usize,
    /// How many equal votes decide.
    pub(crate) quorum: usize,
    /// Whether a quorum answers and none of it is far behind.
    pub(crate) healthy: bool,
    /// The height that at least one correct replica has reached.
    pub(crate) height: u64,
    /// Every replica, by its own word.
    pub(crate) replicas: Vec<ReplicaView>,
}

/// How one replica is, by its own word.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ReplicaView {
    /// Its number.
    pub(crate) replica: u16,
    /// The member that operates it.
    #[schema(value_type = String)]
    pub(crate) operator: LedgerId,
    /// Whether it answers.
    pub(crate) answers: bool,
    /// What it says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<ReplicaStatus>,
}

/// What a replica says of itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ReplicaStatus {
    /// Newest certified height.
    pub(crate) height: u64,
    /// That block's time, RFC 3339.
    pub(crate) time: String,
    /// That block's hash.
    #[schema(value_type = String)]
    pub(crate) block: Digest,
    /// The view.
    pub(crate) view: u64,
    /// The view's primary.
    pub(crate) primary: u16,
    /// Whether a view change is under way.
    pub(crate) changing_view: bool,
    /// Last stable checkpoint (sequence number).
    pub(crate) stable_checkpoint: u64,
    /// Transactions waiting to be ordered.
    pub(crate) waiting_transactions: u64,
    /// Transactions committed since genesis.
    pub(crate) committed_transactions: u64,
}

/// A replica this many blocks behind is no help to a quorum right now.
const FAR_BEHIND_BLOCKS: u64 = 1_000;

impl StatusView {
    pub(crate) fn of(
        bus: &bus::Bus,
        epoch: &EpochDescription,
        answers: &[(ReplicaId, Result<StatusReply, AskError>)],
    ) -> StatusView {
        let mut heights: Vec<u64> = answers
            .iter()
            .filter_map(|(_, answer)| Some(answer.as_ref().ok()?.height.0))
            .collect();
        heights.sort_unstable_by(|one, other| other.cmp(one));
        let height = heights
            .get(epoch.fault_tolerance())
            .copied()
            .unwrap_or_default();
        let near = heights
            .iter()
            .filter(|reached| **reached + FAR_BEHIND_BLOCKS >= height)
            .count();
        let replicas = epoch.replicas.iter().map(|described| {
            let answer = answers
                .iter()
                .find(|(replica, _)| *replica == described.replica);
            let status = answer
                .and_then(|(_, answer)| answer.as_ref().ok())
                .map(ReplicaStatus::of);
            ReplicaView {
                replica: described.replica.0,
                operator: described.operator,
                answers: status.is_some(),
                status,
            }
        });
        StatusView {
            chain: bus.chain(),
            name: bus.genesis().name.clone(),
            epoch: epoch.epoch.0,
            fault_tolerance: epoch.fault_tolerance(),
            quorum: epoch.quorum(),
            healthy: near >= epoch.quorum(),
            height,
            replicas: replicas.collect(),
        }
    }
}

impl ReplicaStatus {
    fn of(reply: &StatusReply) -> ReplicaStatus {
        ReplicaStatus {
            height: reply.height.0,
            time: time_text(reply.time),
            block: reply.block,
            view: reply.view,
            primary: reply.primary.0,
            changing_view: reply.changing_view,
            stable_checkpoint: reply.stable_checkpoint,
            waiting_transactions: reply.waiting_transactions,
            committed_transactions: reply.committed_transactions,
        }
    }
}

impl BlockSummary {
    pub(crate) fn of(certified: &CertifiedBlock) -> BlockSummary {
        let header = &certified.block.header;
        let rejected = certified
            .block
            .outcomes
            .iter()
            .filter(|leaf| !leaf.outcome.is_accepted())
            .count();
        BlockSummary {
            height: header.height.0,
            hash: header.hash(),
            time: time_text(header.time),
            transactions: header.transactions,
            rejected: rejected as u32,
        }
    }
}

impl BlockView {
    pub(crate) fn of(certified: &CertifiedBlock) -> BlockView {
        let block = &certified.block;
        let header = &block.header;
        let (system, outcomes) = block
            .outcomes
            .split_first()
            .map_or((&[][..], &[][..]), |(first, rest)| {
                (first.events.as_slice(), rest)
            });
        let transactions = block.transactions.iter().zip(outcomes).zip(0..);
        BlockView {
            height: header.height.0,
            hash: header.hash(),
            previous: header.previous,
            time: time_text(header.time),
            time_us: header.time.0,
            epoch: header.epoch.0,
            transaction_root: header.transaction_root,
            outcome_root: header.outcome_root,
            state_root: header.state_root,
            history_root: header.history_root,
            signers: certified
                .certificate
                .votes
                .iter()
                .map(|(replica, _)| replica.0)
                .collect(),
            system_events: system.iter().map(EventView::of).collect(),
            transactions: transactions
                .map(|((transaction, leaf), index)| {
                    TransactionView::of(transaction, leaf, header.height.0, index, header.time)
                })
                .collect(),
        }
    }
}

impl TransactionView {
    pub(crate) fn of_receipt(receipt: &Receipt) -> TransactionView {
        let header = &receipt.header;
        TransactionView::of(
            &receipt.transaction,
            &receipt.leaf,
            header.height.0,
            receipt.index,
            header.time,
        )
    }

    fn of(
        transaction: &SignedTransaction,
        leaf: &OutcomeLeaf,
        height: u64,
        index: u32,
        time: Timestamp,
    ) -> TransactionView {
        let body = &transaction.body;
        let command = Command::from_bytes(body.contract, &body.command)
            .map_or(Value::Null, |command| command_json(&command));
        TransactionView {
            transaction: leaf.transaction,
            height,
            index,
            time: time_text(time),
            submitter: body.submitter,
            contract: contract_name(body.contract),
            command: readable(command),
            outcome: outcome_name(leaf.outcome).to_owned(),
            rejection: rejection_text(leaf.outcome),
            reason: Rejection::from_outcome(leaf.outcome).map(|rejection| rejection.to_string()),
            events: leaf.events.iter().map(EventView::of).collect(),
        }
    }
}

impl EventView {
    pub(crate) fn of(recorded: &RecordedEvent) -> EventView {
        let event = match recorded.as_ledger_event() {
            Some(event) => json(&event),
            None => Event::from_bytes(recorded.contract, &recorded.bytes)
                .map_or(Value::Null, |event| event_json(&event)),
        };
        EventView {
            contract: contract_name(recorded.contract),
            event: readable(event),
        }
    }
}

/// `accepted` or `rejected`.
pub(crate) fn outcome_name(outcome: Outcome) -> &'static str {
    if outcome.is_accepted() {
        "accepted"
    } else {
        "rejected"
    }
}

/// `records:7` for a rejection.
pub(crate) fn rejection_text(outcome: Outcome) -> Option<String> {
    match outcome {
        Outcome::Accepted => None,
        Outcome::Rejected { contract, code } => Some(format!("{}:{code}", contract_name(contract))),
    }
}

/// A contract's name in lower case, or its number when this version does not know it.
pub(crate) fn contract_name(contract: ContractId) -> String {
    match Contract::from_id(contract) {
        Some(known) => format!("{known:?}").to_ascii_lowercase(),
        None if contract == LEDGER_CONTRACT => "ledger".to_owned(),
        None => contract.to_string(),
    }
}

fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

fn command_json(command: &Command) -> Value {
    match command {
        Command::Membership(inner) => json(inner),
        Command::Records(inner) => json(inner),
        Command::Authorization(inner) => json(inner),
        Command::Settlement(inner) => json(inner),
        Command::Telemetry(inner) => json(inner),
        Command::Governance(inner) => json(inner),
    }
}

fn event_json(event: &Event) -> Value {
    match event {
        Event::Membership(inner) => json(inner),
        Event::Records(inner) => json(inner),
        Event::Authorization(inner) => json(inner),
        Event::Settlement(inner) => json(inner),
        Event::Telemetry(inner) => json(inner),
        Event::Governance(inner) => json(inner),
    }
}

/// Shows byte strings as hex instead of lists of numbers.
fn readable(value: Value) -> Value {
    match value {
        Value::Array(entries) => match bytes_of(&entries) {
            Some(bytes) => Value::String(data_encoding::HEXLOWER.encode(&bytes)),
            None => Value::Array(entries.into_iter().map(readable).collect()),
        },
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, value)| (name, readable(value)))
                .collect(),
        ),
        other => other,
    }
}

fn bytes_of(entries: &[Value]) -> Option<Vec<u8>> {
    if entries.len() < BYTES_SHOWN_AS_HEX_FROM {
        return None;
    }
    entries
        .iter()
        .map(|entry| u8::try_from(entry.as_u64()?).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_byte_lists_are_shown_as_hex_and_short_number_lists_as_they_are() {
        let value = serde_json::json!({ "Event": { "sealed": vec![7; 16], "years": [1, 2, 3], "big": vec![300; 16] } });
        let shown = readable(value);
        assert_eq!(shown["Event"]["sealed"], "07".repeat(16));
        assert_eq!(shown["Event"]["years"], serde_json::json!([1, 2, 3]));
        assert!(shown["Event"]["big"].is_array());
    }

    #[test]
    fn a_rejection_is_named_by_contract_and_number() {
        assert_eq!(
            rejection_text(Outcome::Rejected {
                contract: ContractId(2),
                code: 7
            })
            .as_deref(),
            Some("records:7")
        );
        assert_eq!(contract_name(ContractId(0)), "ledger");
    }
}
