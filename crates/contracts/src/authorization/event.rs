//! What the authorization contract decided.

use ledger::{Commitment, Digest, LedgerId, Timestamp};
use serde::{Deserialize, Serialize};

use super::command::RefusalReason;
use crate::identifier::{Amount, ApplicationId, GrantId, ItemId, Purpose, RecordNumber, Sealed};

/// Who ended an item by saying no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Refuser {
    /// The hospital.
    Hospital,
    /// The patient.
    Patient,
}

/// How an item ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FinalState {
    /// Released and paid.
    Released,
    /// Refused by the hospital.
    RefusedByHospital,
    /// Refused by the patient.
    RefusedByPatient,
    /// Nobody answered in time.
    Expired,
    /// Taken back by the applicant.
    Withdrawn,
}

/// An event of the authorization contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// An application was made.
    ApplicationMade {
        /// The application.
        application: ApplicationId,
        /// Who applies.
        applicant: LedgerId,
        /// Why.
        purpose: Purpose,
        /// End of the grants, exclusive.
        until: Timestamp,
        /// Commitment to the plain-language purpose.
        statement: Commitment,
        /// How many items.
        items: u16,
    },
    /// One item waits for its hospital; its escrow is held.
    ItemOpened {
        /// The item.
        item: ItemId,
        /// The record.
        record: RecordNumber,
        /// Its hospital: decides first.
        hospital: LedgerId,
        /// Its patient: decides second.
        patient: LedgerId,
        /// Who applies.
        applicant: LedgerId,
        /// Offered to the patient, held in escrow.
        price: Amount,
        /// Key to which the content key will be sealed.
        item_key: [u8; 32],
        /// When it expires.
        deadline: Timestamp,
    },
    /// The hospital approved; now it is the patient's turn.
    HospitalApproved {
        /// The item.
        item: ItemId,
        /// Digest of the ciphertext in the delivery store.
        ciphertext: Digest,
        /// Bytes of the ciphertext.
        ciphertext_bytes: u64,
        /// Commitment to the bytes that will be released.
        release: Commitment,
        /// The record version.
        version: u32,
    },
    /// The patient approved; the hospital's service releases next.
    PatientApproved {
        /// The item.
        item: ItemId,
    },
    /// Somebody said no; the escrow went back.
    ItemRefused {
        /// The item.
        item: ItemId,
        /// Who.
        refuser: Refuser,
        /// Why.
        reason: RefusalReason,
    },
    /// The content key was handed over, the patient paid, the grant made.
    ItemReleased {
        /// The item.
        item: ItemId,
        /// The record.
        record: RecordNumber,
        /// The grant.
        grant: GrantId,
        /// Who may read.
        applicant: LedgerId,
        /// Who was paid.
        patient: LedgerId,
        /// How much.
        price: Amount,
        /// End of the grant, exclusive.
        until: Timestamp,
        /// The content key, sealed to the item's key.
        sealed_key: Sealed,
    },
    /// The applicant took the item back; the escrow went back.
    ItemWithdrawn {
        /// The item.
        item: ItemId,
    },
    /// The deadline passed; the escrow went back.
    ItemExpired {
        /// The item.
        item: ItemId,
    },
    /// Its last item ended.
    ApplicationClosed {
        /// The application.
        application: ApplicationId,
    },
    /// The patient ended a grant.
    GrantWithdrawn {
        /// The grant.
        grant: GrantId,
        /// The item it came of.
        item: ItemId,
    },
    /// The applicant says the released bytes do not match.
    ReleaseDisputed {
        /// The item.
        item: ItemId,
        /// The item's secret key, sealed to the regulator.
        disclosure: Sealed,
    },
    /// The regulator decided a dispute.
    DisputeSettled {
        /// The item.
        item: ItemId,
        /// Whether payment and grant were reversed.
        reversed: bool,
    },
    /// The patient's decision that the next event records was made by a guardian.
    DecidedByGuardian {
        /// The item.
        item: ItemId,
        /// The patient.
        patient: LedgerId,
        /// The guardian.
        guardian: LedgerId,
    },
}
