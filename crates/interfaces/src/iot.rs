//! IoT: devices, readings, warnings.

use contracts::WarningId;
use contracts::telemetry::command::{WarningCause, WarningLevel};
use ledger::{Digest, LedgerId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::identity::Done;
use crate::{Base64, CommandReply, Page, PageRequest, use_case};

/// The key to which devices seal their readings. Anyone.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GetReadingsKey {}
use_case!("iot", "get_readings_key", GetReadingsKey -> ReadingsKey);

/// See `docs/devices.md`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReadingsKey {
    /// X25519, 32 bytes.
    #[schema(value_type = String)]
    pub sealing_key: Base64,
}

/// Binds a device (an endorsed member) to the caller. By the patient (custodial).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterDevice {
    /// The device.
    #[schema(value_type = String)]
    pub device: LedgerId,
}
use_case!("iot", "register_device", RegisterDevice -> CommandReply);

/// Ends a device's binding. By its patient (custodial).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnregisterDevice {
    /// The device.
    #[schema(value_type = String)]
    pub device: LedgerId,
}
use_case!("iot", "unregister_device", UnregisterDevice -> CommandReply);

/// The devices that are bound to the caller. By the patient.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListDevices {}
use_case!("iot", "list_devices", ListDevices -> Vec<BoundDevice>);

/// A device of the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BoundDevice {
    /// The device.
    #[schema(value_type = String)]
    pub device: LedgerId,
    /// `pending`, `active`, `suspended` or `revoked`.
    pub status: String,
    /// When it was heard last, RFC 3339; none when it never was.
    pub heard: Option<String>,
}

/// Lets a hospital receive the caller's warnings. By the patient (custodial).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShareWarnings {
    /// The hospital.
    #[schema(value_type = String)]
    pub hospital: LedgerId,
    /// For how many days; 0 ends the share.
    pub days: u32,
}
use_case!("iot", "share_warnings", ShareWarnings -> CommandReply);

/// Sets the caller's limits for one kind of reading; kept off the ledger. By the patient.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetLimit {
    /// LOINC code of the vital sign.
    pub loinc: String,
    /// Warn below, in thousandths of the unit.
    #[serde(default)]
    pub low_milli: Option<i64>,
    /// Warn above, in thousandths of the unit.
    #[serde(default)]
    pub high_milli: Option<i64>,
}
use_case!("iot", "set_limit", SetLimit -> Done);

/// Readings as FHIR R4 vital-signs Observations, newest first. By the patient.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListReadings {
    /// Only this device.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub device: Option<LedgerId>,
    /// Only this vital sign (LOINC).
    #[serde(default)]
    pub loinc: Option<String>,
    /// Which part.
    #[serde(default)]
    pub page: PageRequest,
}
use_case!("iot", "list_readings", ListReadings -> Page<ReadingObservation>);

/// One reading.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReadingObservation {
    /// The FHIR Observation.
    #[schema(value_type = Object)]
    pub observation: serde_json::Value,
    /// Number of the anchored batch it is in, once anchored.
    pub batch: Option<u64>,
}

/// Warnings for the caller: the patient, or a hospital they are shared with; newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListWarnings {
    /// Which part.
    #[serde(default)]
    pub page: PageRequest,
}
use_case!("iot", "list_warnings", ListWarnings -> Page<WarningSummary>);

/// One warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WarningSummary {
    /// The warning.
    #[schema(value_type = String)]
    pub warning: WarningId,
    /// The device.
    #[schema(value_type = String)]
    pub device: LedgerId,
    /// How urgent.
    #[schema(value_type = String)]
    pub level: WarningLevel,
    /// What raised it.
    #[schema(value_type = String)]
    pub cause: WarningCause,
    /// In words, in English.
    pub message: String,
    /// The same as facts, for other languages.
    pub reasons: Vec<WarningReason>,
    /// When, RFC 3339 (block time).
    pub time: String,
    /// Whether somebody acknowledged it.
    pub acknowledged: bool,
    /// The transaction.
    #[schema(value_type = String)]
    pub transaction: Digest,
}

/// One thing that a warning is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WarningReason {
    /// The NEWS2 total.
    Score(u8),
    /// One sign by itself is far out of range (LOINC code of the sign, or `consciousness` or `oxygen`).
    Parameter(String),
    /// A sign fell below the patient's own limit.
    BelowLimit(String),
    /// A sign rose above the patient's own limit.
    AboveLimit(String),
    /// A sign falls, away from normal.
    Falling(String),
    /// A sign rises, away from normal.
    Rising(String),
    /// The device sends nothing any more.
    Silence,
}

/// Says that a warning was seen. By the patient (custodial) or the hospital (own key).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeWarning {
    /// The warning.
    #[schema(value_type = String)]
    pub warning: WarningId,
}
use_case!("iot", "acknowledge_warning", AcknowledgeWarning -> CommandReply);
