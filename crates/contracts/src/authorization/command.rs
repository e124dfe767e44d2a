//! What can be asked of the authorization contract.

use ledger::{Commitment, Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::identifier::{Amount, ApplicationId, GrantId, ItemId, Purpose, RecordNumber, Sealed};

/// The most items of one application.
pub const ITEMS_PER_APPLICATION_MAX: usize = 64;

/// Why a hospital or a patient says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RefusalReason {
    /// No reason given.
    Unstated,
    /// The purpose does not fit.
    Purpose,
    /// The price is too low.
    Price,
    /// The record is too sensitive.
    Sensitive,
    /// The record is not fit for release (under amendment, disputed).
    Unfit,
}

/// A command of the authorization contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Applies for records and puts the offered payment in escrow. By a third party or an insurer.
    ApplyForRecords {
        /// The application's random id.
        application: ApplicationId,
        /// Why.
        purpose: Purpose,
        /// End of the grants, exclusive.
        until: Timestamp,
        /// Commitment to the plain-language purpose (kept by the authorization service).
        statement: Commitment,
        /// The records, 1 to [`ITEMS_PER_APPLICATION_MAX`], no record twice.
        items: Vec<ItemOffer>,
    },
    /// The hospital approves an item: the content is sealed and in the delivery store. By the hospital that holds the record.
    ApproveAsHospital {
        /// The item.
        item: ItemId,
        /// Digest of the ciphertext in the delivery store.
        ciphertext: Digest,
        /// Bytes of the ciphertext.
        ciphertext_bytes: u64,
        /// Commitment to exactly the bytes that will be released (salt inside the ciphertext).
        release: Commitment,
        /// The record version released.
        version: u32,
    },
    /// The hospital refuses an item; its escrow returns.
    RefuseAsHospital {
        /// The item.
        item: ItemId,
        /// Why.
        reason: RefusalReason,
    },
    /// The patient approves an item that the hospital approved. By the patient, or a guardian who may decide.
    ApproveAsPatient {
        /// The item.
        item: ItemId,
    },
    /// The patient refuses an item; its escrow returns. By the patient, or a guardian who may decide.
    RefuseAsPatient {
        /// The item.
        item: ItemId,
        /// Why.
        reason: RefusalReason,
    },
    /// Hands over the content key and, in the same decision, pays the patient. By the hospital, after both approvals.
    ReleaseKey {
        /// The item.
        item: ItemId,
        /// The content key, HPKE-sealed to the item's key.
        sealed_key: Sealed,
    },
    /// Takes an item back before its release; its escrow returns. By the applicant.
    WithdrawItem {
        /// The item.
        item: ItemId,
    },
    /// Ends a grant; later reads are refused. By the patient.
    WithdrawGrant {
        /// The grant.
        grant: GrantId,
    },
    /// Says that the released bytes do not match, disclosing the item's key to the regulator. By the applicant.
    DisputeRelease {
        /// The item.
        item: ItemId,
        /// The item's secret key, sealed to the regulator.
        disclosure: Sealed,
    },
    /// Decides a dispute; a reversal pays the applicant back from the patient's account and ends the grant. By a regulator.
    SettleDispute {
        /// The item.
        item: ItemId,
        /// Whether payment and grant are reversed.
        reverse: bool,
    },
}

/// One record asked for, with the payment offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemOffer {
    /// The record.
    pub record: RecordNumber,
    /// Offered to the patient, not negative, at least the parameter `item_price_min`.
    pub price: Amount,
    /// X25519 key made for this item alone; the content key is sealed to it.
    pub item_key: [u8; 32],
}
