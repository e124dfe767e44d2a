//! Transactions and events as people read them.

use contracts::{Command, Contract, Event, Rejection};
use interfaces::time_text;
use ledger::{
    ContractId, Digest, LEDGER_CONTRACT, LedgerId, Outcome, OutcomeLeaf, Receipt, RecordedEvent,
    SignedTransaction, Timestamp,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Arrays of at least this many bytes are shown as hex.
const BYTES_SHOWN_AS_HEX_FROM: usize = 12;

/// A transaction with its outcome.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TransactionView {
    /// Its id.
    #[schema(value_type = String)]
    pub transaction: Digest,
    /// The block's height.
    pub height: u64,
    /// Its place in the block, from 0.
    pub index: u32,
    /// Block time, RFC 3339.
    pub time: String,
    /// The member it speaks for.
    #[schema(value_type = String)]
    pub submitter: LedgerId,
    /// The contract that decided.
    pub contract: String,
    /// The command.
    pub command: Value,
    /// `accepted` or `rejected`.
    pub outcome: String,
    /// The contract and number of a rejection, for example `records:7`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejection: Option<String>,
    /// The rejection in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was decided.
    pub events: Vec<EventView>,
}

/// An event.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventView {
    /// The contract that decided it.
    pub contract: String,
    /// The event, its name as the only key.
    pub event: Value,
}

impl TransactionView {
    /// The transaction that a receipt is of.
    pub fn of_receipt(receipt: &Receipt) -> TransactionView {
        let header = &receipt.header;
        TransactionView::of(
            &receipt.transaction,
            &receipt.leaf,
            header.height.0,
            receipt.index,
            header.time,
        )
    }

    /// A transaction of a block, with its outcome.
    pub fn of(
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
    /// An event as recorded.
    pub fn of(recorded: &RecordedEvent) -> EventView {
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
pub fn outcome_name(outcome: Outcome) -> &'static str {
    if outcome.is_accepted() {
        "accepted"
    } else {
        "rejected"
    }
}

/// `records:7` for a rejection.
pub fn rejection_text(outcome: Outcome) -> Option<String> {
    match outcome {
        Outcome::Accepted => None,
        Outcome::Rejected { contract, code } => Some(format!("{}:{code}", contract_name(contract))),
    }
}

/// A contract's name in lower case, or its number when this version does not know it.
pub fn contract_name(contract: ContractId) -> String {
    match Contract::from_id(contract) {
        Some(known) => format!("{known:?}").to_ascii_lowercase(),
        None if contract == LEDGER_CONTRACT => "ledger".to_owned(),
        None => contract.to_string(),
    }
}

/// A command's name, such as `RegisterRecord`; `None` when this version does not know it.
pub fn command_name(contract: ContractId, command: &[u8]) -> Option<String> {
    let command = Command::from_bytes(contract, command).ok()?;
    match command_json(&command) {
        Value::String(name) => Some(name),
        Value::Object(fields) => fields.into_iter().next().map(|(name, _)| name),
        _ => None,
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
