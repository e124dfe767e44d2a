//! What the membership contract decided.

use ledger::{Commitment, ContractId, LedgerId, PublicKey, Timestamp};
use serde::{Deserialize, Serialize};

use super::command::MemberKind;

/// An event of the membership contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A member was entered; not active yet.
    MemberRegistered {
        /// The member.
        member: LedgerId,
        /// What it is.
        kind: MemberKind,
        /// Its signing key.
        public_key: PublicKey,
        /// Its sealing key.
        sealing_key: [u8; 32],
        /// Commitment to its attestation.
        attestation: Commitment,
        /// Public name of an organisation or service.
        name: Option<String>,
        /// The commands a service may submit, as (contract, command number).
        allowed: Vec<(ContractId, u16)>,
    },
    /// A node operator endorsed a member.
    MemberEndorsed {
        /// The member.
        member: LedgerId,
        /// The endorsing node operator.
        operator: LedgerId,
        /// Endorsements so far.
        endorsements: u16,
        /// Endorsements needed.
        needed: u16,
    },
    /// The policy for its kind is met: the member may act.
    MemberActivated {
        /// The member.
        member: LedgerId,
    },
    /// A doctor may act for a hospital.
    DoctorAffiliated {
        /// The doctor.
        doctor: LedgerId,
        /// The hospital.
        hospital: LedgerId,
        /// First moment.
        from: Timestamp,
        /// End, exclusive.
        until: Timestamp,
    },
    /// A doctor no longer acts for a hospital.
    AffiliationEnded {
        /// The doctor.
        doctor: LedgerId,
        /// The hospital.
        hospital: LedgerId,
    },
    /// A member may not act for now.
    MemberSuspended {
        /// The member.
        member: LedgerId,
    },
    /// A suspension was lifted.
    MemberReinstated {
        /// The member.
        member: LedgerId,
    },
    /// A membership ended for good.
    MemberRevoked {
        /// The member.
        member: LedgerId,
    },
    /// A member's key was replaced.
    KeyRotated {
        /// The member.
        member: LedgerId,
        /// The new signing key.
        public_key: PublicKey,
        /// The new sealing key.
        sealing_key: [u8; 32],
    },
    /// The genesis file names a member: active from the start. Only in the genesis block.
    FounderNamed {
        /// The member.
        member: LedgerId,
        /// What it is.
        kind: MemberKind,
        /// Its signing key.
        public_key: PublicKey,
        /// Public name of an organisation or service.
        name: Option<String>,
        /// The commands a service may submit, as (contract, command number).
        allowed: Vec<(ContractId, u16)>,
        /// Whether it endorses and votes as a node operator: by its kind, or as operator of a first replica.
        operator: bool,
    },
}
