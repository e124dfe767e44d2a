//! What can be asked of the membership contract.

use ledger::{Commitment, ContractId, LedgerId, PublicKey, Signature, Timestamp};
use serde::{Deserialize, Serialize};

/// What a member is; decides what it may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MemberKind {
    /// A patient, under one of their ledger ids (one per context).
    Patient,
    /// A doctor; may view for a hospital while an affiliation lasts.
    Doctor,
    /// A hospital: owns the records it writes.
    Hospital,
    /// A third party: a research or analysis institution.
    ThirdParty,
    /// An insurer.
    Insurer,
    /// A regulator: sees the use of records, reverses, revokes.
    Regulator,
    /// The treasurer: signs deposits.
    Treasurer,
    /// A measuring device.
    Device,
    /// The operator of a replica: endorses and votes.
    NodeOperator,
    /// A service of the consortium, limited to the commands listed at its registration.
    Service,
}

impl MemberKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [MemberKind; 10] = [
        MemberKind::Patient,
        MemberKind::Doctor,
        MemberKind::Hospital,
        MemberKind::ThirdParty,
        MemberKind::Insurer,
        MemberKind::Regulator,
        MemberKind::Treasurer,
        MemberKind::Device,
        MemberKind::NodeOperator,
        MemberKind::Service,
    ];

    /// The name that the genesis file uses: the variant's own.
    pub fn name(self) -> &'static str {
        match self {
            MemberKind::Patient => "Patient",
            MemberKind::Doctor => "Doctor",
            MemberKind::Hospital => "Hospital",
            MemberKind::ThirdParty => "ThirdParty",
            MemberKind::Insurer => "Insurer",
            MemberKind::Regulator => "Regulator",
            MemberKind::Treasurer => "Treasurer",
            MemberKind::Device => "Device",
            MemberKind::NodeOperator => "NodeOperator",
            MemberKind::Service => "Service",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<MemberKind> {
        MemberKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it is a person or a person's device: endorsed by few, and never named on the ledger.
    pub fn is_personal(self) -> bool {
        matches!(
            self,
            MemberKind::Patient | MemberKind::Doctor | MemberKind::Device
        )
    }
}

/// A command of the membership contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Enters a new member, not yet active. By the identity service or a node operator.
    RegisterMember(RegisterMember),
    /// A node operator's endorsement; the member becomes active when the policy for its kind is met.
    EndorseMember {
        /// The member endorsed.
        member: LedgerId,
    },
    /// Lets a doctor act for a hospital in a period. By the hospital.
    AffiliateDoctor {
        /// The doctor.
        doctor: LedgerId,
        /// First moment of the affiliation.
        from: Timestamp,
        /// End of the affiliation, exclusive.
        until: Timestamp,
    },
    /// Ends an affiliation now. By the hospital.
    EndAffiliation {
        /// The doctor.
        doctor: LedgerId,
    },
    /// Stops a member from acting until reinstated. By a regulator.
    SuspendMember {
        /// The member.
        member: LedgerId,
    },
    /// Lifts a suspension. By a regulator.
    ReinstateMember {
        /// The member.
        member: LedgerId,
    },
    /// Ends a membership for good. By a regulator.
    RevokeMember {
        /// The member.
        member: LedgerId,
    },
    /// Replaces the submitter's own key. Signed with the current key.
    RotateKey {
        /// The new signing key.
        public_key: PublicKey,
        /// The new sealing key (X25519).
        sealing_key: [u8; 32],
        /// By the new key, over [`possession_message`].
        possession: Signature,
    },
}

/// A new member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterMember {
    /// The random ledger id under which the member will act.
    pub member: LedgerId,
    /// What it is.
    pub kind: MemberKind,
    /// Its signing key (Ed25519, not weak).
    pub public_key: PublicKey,
    /// Its sealing key (X25519), to which others seal what only it may read.
    pub sealing_key: [u8; 32],
    /// By `public_key`, over [`possession_message`]: the one who registers holds the key.
    pub possession: Signature,
    /// Commitment to the checked real name and identity ID, or an organisation's certificate; salt kept by identity.
    pub attestation: Commitment,
    /// The public name; organisations and services only, at most [`NAME_BYTES_MAX`] bytes.
    pub name: Option<String>,
    /// Services only: the commands it may submit, as (contract, command number), ascending; each must be one of
    /// [`SERVICE_COMMANDS`](crate::submission::SERVICE_COMMANDS). Empty for everybody else.
    pub allowed: Vec<(ContractId, u16)>,
}

/// The most bytes of a public name.
pub const NAME_BYTES_MAX: usize = 120;

/// The message a new key signs (domain `medshare/possession/v1`) to prove that it is held: chain id, member, key.
pub fn possession_message(chain: &ledger::Digest, member: &LedgerId, key: &PublicKey) -> Vec<u8> {
    [&chain.0[..], &member.0[..], &key.0[..]].concat()
}

/// Signature domain of [`possession_message`].
pub const POSSESSION_DOMAIN: &str = "medshare/possession/v1";
