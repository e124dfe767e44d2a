//! Contract numbers, and one type over all contracts' commands and events.

use ledger::{ContractId, LEDGER_CONTRACT, LedgerEvent, RecordedEvent, canonical};
use thiserror::Error;

use crate::{authorization, governance, membership, records, settlement, telemetry};

/// The contracts by number. Numbers are never reused; 0 is the ledger's own ([`ledger::LEDGER_CONTRACT`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contract {
    /// Who is a member.
    Membership = 1,
    /// Records, codes, views, consents.
    Records = 2,
    /// Applications and grants.
    Authorization = 3,
    /// Money, coverage, claims.
    Settlement = 4,
    /// Devices, readings, warnings.
    Telemetry = 5,
    /// Parameters, replicas, versions.
    Governance = 6,
}

impl Contract {
    /// All contracts, by number.
    pub const ALL: [Contract; 6] = [
        Contract::Membership,
        Contract::Records,
        Contract::Authorization,
        Contract::Settlement,
        Contract::Telemetry,
        Contract::Governance,
    ];

    /// Its number on the ledger.
    pub fn id(self) -> ContractId {
        ContractId(self as u16)
    }

    /// The contract with that number, if there is one.
    pub fn from_id(id: ContractId) -> Option<Contract> {
        Contract::ALL
            .into_iter()
            .find(|contract| contract.id() == id)
    }
}

/// Bytes that are no command or event of any contract.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// No contract has that number.
    #[error("no contract has number {}", .0.0)]
    UnknownContract(ContractId),
    /// The bytes are not the canonical encoding of one of its commands or events.
    #[error("not canonical bytes of contract {}: {reason}", contract.0)]
    NotCanonical {
        /// The contract.
        contract: ContractId,
        /// What is wrong.
        reason: String,
    },
}

macro_rules! over_contracts {
    ($(#[$doc:meta])* $name:ident, $room:ident, $inner:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            /// Of the membership contract.
            Membership(membership::$room::$inner),
            /// Of the records contract.
            Records(records::$room::$inner),
            /// Of the authorization contract.
            Authorization(authorization::$room::$inner),
            /// Of the settlement contract.
            Settlement(settlement::$room::$inner),
            /// Of the telemetry contract.
            Telemetry(telemetry::$room::$inner),
            /// Of the governance contract.
            Governance(governance::$room::$inner),
        }

        impl $name {
            /// Whose it is.
            pub fn contract(&self) -> Contract {
                match self {
                    $name::Membership(_) => Contract::Membership,
                    $name::Records(_) => Contract::Records,
                    $name::Authorization(_) => Contract::Authorization,
                    $name::Settlement(_) => Contract::Settlement,
                    $name::Telemetry(_) => Contract::Telemetry,
                    $name::Governance(_) => Contract::Governance,
                }
            }

            /// Its canonical bytes.
            pub fn to_bytes(&self) -> Vec<u8> {
                match self {
                    $name::Membership(inner) => canonical::encode(inner),
                    $name::Records(inner) => canonical::encode(inner),
                    $name::Authorization(inner) => canonical::encode(inner),
                    $name::Settlement(inner) => canonical::encode(inner),
                    $name::Telemetry(inner) => canonical::encode(inner),
                    $name::Governance(inner) => canonical::encode(inner),
                }
            }

            fn of_contract(contract: ContractId, bytes: &[u8]) -> Result<Self, DecodeError> {
                let known = Contract::from_id(contract).ok_or(DecodeError::UnknownContract(contract))?;
                let refuse = |error: ledger::CanonicalError| DecodeError::NotCanonical { contract, reason: error.to_string() };
                match known {
                    Contract::Membership => canonical::decode(bytes).map($name::Membership),
                    Contract::Records => canonical::decode(bytes).map($name::Records),
                    Contract::Authorization => canonical::decode(bytes).map($name::Authorization),
                    Contract::Settlement => canonical::decode(bytes).map($name::Settlement),
                    Contract::Telemetry => canonical::decode(bytes).map($name::Telemetry),
                    Contract::Governance => canonical::decode(bytes).map($name::Governance),
                }
                .map_err(refuse)
            }
        }

        impl From<membership::$room::$inner> for $name { fn from(inner: membership::$room::$inner) -> Self { $name::Membership(inner) } }
        impl From<records::$room::$inner> for $name { fn from(inner: records::$room::$inner) -> Self { $name::Records(inner) } }
        impl From<authorization::$room::$inner> for $name { fn from(inner: authorization::$room::$inner) -> Self { $name::Authorization(inner) } }
        impl From<settlement::$room::$inner> for $name { fn from(inner: settlement::$room::$inner) -> Self { $name::Settlement(inner) } }
        impl From<telemetry::$room::$inner> for $name { fn from(inner: telemetry::$room::$inner) -> Self { $name::Telemetry(inner) } }
        impl From<governance::$room::$inner> for $name { fn from(inner: governance::$room::$inner) -> Self { $name::Governance(inner) } }
    };
}

over_contracts!(
    /// A command of any contract.
    Command, command, Command
);
over_contracts!(
    /// An event of any contract.
    Event, event, Event
);

impl Command {
    /// Reads canonical bytes; anything else is refused.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn from_bytes(contract: ContractId, bytes: &[u8]) -> Result<Command, DecodeError> {
        Command::of_contract(contract, bytes)
    }
}

impl Event {
    /// Reads what [`Event::recorded`] gave; anything else is refused. The ledger's own events are governance's.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn from_bytes(contract: ContractId, bytes: &[u8]) -> Result<Event, DecodeError> {
        if contract != LEDGER_CONTRACT {
            return Event::of_contract(contract, bytes);
        }
        let LedgerEvent::EpochStarted(epoch) =
            canonical::decode(bytes).map_err(|error| DecodeError::NotCanonical {
                contract,
                reason: error.to_string(),
            })?;
        Ok(governance::event::Event::EpochAnnounced { epoch }.into())
    }

    /// As a block's outcome leaf records it.
    pub fn recorded(&self) -> RecordedEvent {
        if let Event::Governance(governance::event::Event::EpochAnnounced { epoch }) = self {
            return RecordedEvent::of_ledger(&LedgerEvent::EpochStarted(epoch.clone()));
        }
        RecordedEvent {
            contract: self.contract().id(),
            bytes: self.to_bytes(),
        }
    }
}
