//! Authorization: applications, decisions, grants, delivery.

use contracts::authorization::command::RefusalReason;
use contracts::{Amount, ApplicationId, GrantId, ItemId, Purpose, RecordNumber};
use ledger::{Commitment, Digest, LedgerId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::identity::Done;
use crate::index::RecordHandle;
use crate::{Base64, CommandReply, Page, PageRequest, UnsignedCommand, use_case};

/// Applies for records. By a third party or insurer (holds the own key: signature needed).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyForRecords {
    /// Why.
    #[schema(value_type = String)]
    pub purpose: Purpose,
    /// The purpose in plain language, for hospital and patient; at most 2,000 characters.
    pub statement: String,
    /// How long the grants last, in days.
    pub days: u32,
    /// The records.
    pub items: Vec<ApplicationItem>,
}
use_case!("authorization", "apply_for_records", ApplyForRecords -> ApplicationPrepared);

/// One record asked for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplicationItem {
    /// The record, as the search answered it.
    #[schema(value_type = String)]
    pub handle: RecordHandle,
    /// Offered to the patient, minor units.
    pub price: Amount,
    /// X25519 key made for this item alone; its secret half stays with the applicant.
    #[schema(value_type = String)]
    pub item_key: Base64,
}

/// An application that waits for its signature.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ApplicationPrepared {
    /// The application.
    #[schema(value_type = String)]
    pub application: ApplicationId,
    /// What to sign.
    pub unsigned: UnsignedCommand,
}

/// Items that concern the caller: as applicant, as the hospital, or as the patient (only after the hospital has approved).
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListItems {
    /// Only those that wait for the caller's decision.
    #[serde(default)]
    pub waiting_for_me: bool,
    /// Only items of this application.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub application: Option<ApplicationId>,
    /// The patient whose guardian asks: their ledger id at the hospital of the records.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub acting_for: Option<LedgerId>,
    /// Which part.
    #[serde(default)]
    pub page: PageRequest,
}
use_case!("authorization", "list_items", ListItems -> Page<ItemSummary>);

/// One item, for those it concerns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ItemSummary {
    /// The item.
    #[schema(value_type = Object)]
    pub item: ItemId,
    /// The record.
    #[schema(value_type = String)]
    pub record: RecordNumber,
    /// The hospital.
    #[schema(value_type = String)]
    pub hospital: LedgerId,
    /// The applicant.
    #[schema(value_type = String)]
    pub applicant: LedgerId,
    /// The applicant's public name.
    pub applicant_name: Option<String>,
    /// Key to which the content key is sealed.
    #[schema(value_type = String)]
    pub item_key: Base64,
    /// Why.
    #[schema(value_type = String)]
    pub purpose: Purpose,
    /// The purpose in plain language.
    pub statement: String,
    /// Offered to the patient.
    pub price: Amount,
    /// `hospital_pending`, `patient_pending`, `approved`, `released`, `refused_by_hospital`, `refused_by_patient`, `withdrawn`, `expired`, `disputed` or `reversed`.
    pub state: String,
    /// When it expires, RFC 3339.
    pub deadline: String,
    /// End of the grant, RFC 3339.
    pub until: String,
    /// The grant, once released.
    #[schema(value_type = Option<String>)]
    pub grant: Option<GrantId>,
    /// Whether the grant was withdrawn.
    pub grant_withdrawn: bool,
    /// The guardian who decided for the patient.
    #[schema(value_type = Option<String>)]
    pub decided_by: Option<LedgerId>,
    /// The item's transactions so far, in order.
    #[schema(value_type = Vec<String>)]
    pub transactions: Vec<Digest>,
}

/// The patient's decision on an item the hospital approved. By the patient, or a guardian who may decide (custodial).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecideItemAsPatient {
    /// The item.
    #[schema(value_type = Object)]
    pub item: ItemId,
    /// Approve, or refuse with a reason.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub refuse: Option<RefusalReason>,
}
use_case!("authorization", "decide_item_as_patient", DecideItemAsPatient -> CommandReply);

/// Takes an item back. By the applicant (holds the own key).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WithdrawItem {
    /// The item.
    #[schema(value_type = Object)]
    pub item: ItemId,
}
use_case!("authorization", "withdraw_item", WithdrawItem -> CommandReply);

/// Ends a grant. By the patient (custodial).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WithdrawGrant {
    /// The grant.
    #[schema(value_type = String)]
    pub grant: GrantId,
}
use_case!("authorization", "withdraw_grant", WithdrawGrant -> CommandReply);

/// Reads what was released: prepares the view's log entry for the applicant to sign, then collect it. By the applicant (holds the own key).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadReleased {
    /// The grant.
    #[schema(value_type = String)]
    pub grant: GrantId,
}
use_case!("authorization", "read_released", ReadReleased -> UnsignedCommand);

/// Collects the released content after the view is committed, within 30 s of its block time. By the applicant.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CollectReleased {
    /// The transaction that logged the view.
    #[schema(value_type = String)]
    pub transaction: Digest,
}
use_case!("authorization", "collect_released", CollectReleased -> ReleasedContent);

/// Released content, still sealed to the item's key.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReleasedContent {
    /// The item.
    #[schema(value_type = Object)]
    pub item: ItemId,
    /// The record.
    #[schema(value_type = String)]
    pub record: RecordNumber,
    /// The content key, HPKE-sealed to the item's key (`keys::delivery`).
    #[schema(value_type = String)]
    pub sealed_key: Base64,
    /// The ciphertext; opened, it holds the salt and the released bytes.
    #[schema(value_type = String)]
    pub ciphertext: Base64,
    /// What the released bytes must open.
    #[schema(value_type = Object)]
    pub release: Commitment,
}

/// Puts an item's ciphertext into the delivery store. By a hospital's records service, before it approves.
#[derive(Clone, Serialize, Deserialize)]
pub struct PutDelivery {
    /// The item.
    pub item: ItemId,
    /// The ciphertext.
    pub ciphertext: Base64,
}
use_case!("authorization", "put_delivery", PutDelivery -> Done);

/// Notices for the one who is signed in, newest first: whose turn it is and what came of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListNotices {
    /// Which part.
    #[serde(default)]
    pub page: PageRequest,
}
use_case!("authorization", "list_notices", ListNotices -> Page<Notice>);

/// A notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Notice {
    /// `decision_needed`, `released`, `refused`, `expired`, `withdrawn`, `grant_withdrawn`.
    pub kind: String,
    /// The item.
    #[schema(value_type = Object)]
    pub item: ItemId,
    /// When, RFC 3339 (block time).
    pub time: String,
    /// The transaction behind it.
    #[schema(value_type = String)]
    pub transaction: Digest,
}
