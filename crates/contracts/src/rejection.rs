//! Numbered ways of saying no: one enum per contract, and one type over all of them.

use ledger::{ContractId, LEDGER_CONTRACT, Outcome};
use thiserror::Error;

use crate::{
    Contract, authorization, governance, membership, records, settlement, submission, telemetry,
};

/// Declares a contract's rejections: stable numbers (never reused), names, texts.
macro_rules! rejections {
    ($(#[$doc:meta])* $($code:literal $name:ident $text:literal)+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
        #[repr(u16)]
        pub enum Rejection {
            $(
                #[doc = concat!("Number ", stringify!($code), ": ", $text, ".")]
                #[error($text)]
                $name = $code,
            )+
        }

        impl Rejection {
            /// All of them, by number.
            pub const ALL: &'static [Rejection] = &[$(Rejection::$name),+];

            /// Its number on the ledger.
            pub fn code(self) -> u16 {
                self as u16
            }

            /// Its name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Rejection::$name => stringify!($name),)+
                }
            }

            /// The rejection with that number.
            pub fn from_code(code: u16) -> Option<Rejection> {
                Rejection::ALL.iter().copied().find(|rejection| rejection.code() == code)
            }
        }
    };
}
pub(crate) use rejections;

/// Why a transaction changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum Rejection {
    /// Before any contract decided: [`LEDGER_CONTRACT`].
    #[error(transparent)]
    Submission(#[from] submission::Rejection),
    /// By the membership contract.
    #[error(transparent)]
    Membership(#[from] membership::Rejection),
    /// By the records contract.
    #[error(transparent)]
    Records(#[from] records::Rejection),
    /// By the authorization contract.
    #[error(transparent)]
    Authorization(#[from] authorization::Rejection),
    /// By the settlement contract.
    #[error(transparent)]
    Settlement(#[from] settlement::Rejection),
    /// By the telemetry contract.
    #[error(transparent)]
    Telemetry(#[from] telemetry::Rejection),
    /// By the governance contract.
    #[error(transparent)]
    Governance(#[from] governance::Rejection),
}

impl Rejection {
    /// Whose rejection it is; not always the contract the command was for, since contracts call each other.
    pub fn contract(self) -> ContractId {
        match self {
            Rejection::Submission(_) => LEDGER_CONTRACT,
            Rejection::Membership(_) => Contract::Membership.id(),
            Rejection::Records(_) => Contract::Records.id(),
            Rejection::Authorization(_) => Contract::Authorization.id(),
            Rejection::Settlement(_) => Contract::Settlement.id(),
            Rejection::Telemetry(_) => Contract::Telemetry.id(),
            Rejection::Governance(_) => Contract::Governance.id(),
        }
    }

    /// Its number within its contract.
    pub fn code(self) -> u16 {
        match self {
            Rejection::Submission(rejection) => rejection.code(),
            Rejection::Membership(rejection) => rejection.code(),
            Rejection::Records(rejection) => rejection.code(),
            Rejection::Authorization(rejection) => rejection.code(),
            Rejection::Settlement(rejection) => rejection.code(),
            Rejection::Telemetry(rejection) => rejection.code(),
            Rejection::Governance(rejection) => rejection.code(),
        }
    }

    /// Its name, as `docs/contracts.md` lists it.
    pub fn name(self) -> &'static str {
        match self {
            Rejection::Submission(rejection) => rejection.name(),
            Rejection::Membership(rejection) => rejection.name(),
            Rejection::Records(rejection) => rejection.name(),
            Rejection::Authorization(rejection) => rejection.name(),
            Rejection::Settlement(rejection) => rejection.name(),
            Rejection::Telemetry(rejection) => rejection.name(),
            Rejection::Governance(rejection) => rejection.name(),
        }
    }

    /// As a block's outcome leaf records it.
    pub fn outcome(self) -> Outcome {
        Outcome::Rejected {
            contract: self.contract(),
            code: self.code(),
        }
    }

    /// The rejection that a recorded outcome names; `None` if it was accepted, or by a number this version lacks.
    pub fn from_outcome(outcome: Outcome) -> Option<Rejection> {
        let Outcome::Rejected { contract, code } = outcome else {
            return None;
        };
        if contract == LEDGER_CONTRACT {
            return submission::Rejection::from_code(code).map(Rejection::from);
        }
        match Contract::from_id(contract)? {
            Contract::Membership => membership::Rejection::from_code(code).map(Rejection::from),
            Contract::Records => records::Rejection::from_code(code).map(Rejection::from),
            Contract::Authorization => {
                authorization::Rejection::from_code(code).map(Rejection::from)
            }
            Contract::Settlement => settlement::Rejection::from_code(code).map(Rejection::from),
            Contract::Telemetry => telemetry::Rejection::from_code(code).map(Rejection::from),
            Contract::Governance => governance::Rejection::from_code(code).map(Rejection::from),
        }
    }
}

/// `Ok` if the condition holds, else the rejection.
pub(crate) fn ensure<R>(holds: bool, otherwise: R) -> Result<(), R> {
    if holds { Ok(()) } else { Err(otherwise) }
}
