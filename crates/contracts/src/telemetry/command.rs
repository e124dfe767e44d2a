//! What can be asked of the telemetry contract.

use ledger::{Commitment, Digest, LedgerId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::identifier::WarningId;

/// How urgent a warning is (NEWS2 bands, Royal College of Physicians 2017, chart 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum WarningLevel {
    /// A trend or a silence worth a look.
    Low,
    /// One parameter far out of range.
    LowMedium,
    /// Urgent.
    Medium,
    /// Emergency.
    High,
}

/// What raised a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum WarningCause {
    /// A complete NEWS2 total.
    Score,
    /// A single NEWS2 parameter.
    Parameter,
    /// A limit set for this patient.
    Limit,
    /// A trend.
    Trend,
    /// Readings stopped coming.
    Silence,
}

/// A command of the telemetry contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Binds a device to the submitter. By the patient (ledger id of the devices context).
    RegisterDevice {
        /// The device: an active member of kind Device.
        device: LedgerId,
    },
    /// Ends a device's binding. By its patient.
    UnregisterDevice {
        /// The device.
        device: LedgerId,
    },
    /// Lets a hospital receive the patient's warnings until a moment. By the patient.
    ShareWarnings {
        /// The hospital.
        hospital: LedgerId,
        /// End, exclusive.
        until: Timestamp,
    },
    /// Ends such a share. By the patient.
    EndShare {
        /// The hospital.
        hospital: LedgerId,
    },
    /// Anchors a batch of readings. By the iot service.
    AnchorReadings {
        /// Merkle root (RFC 9162) over the salted digests of the readings, in order of arrival.
        root: Digest,
        /// How many readings.
        readings: u32,
        /// The batch's number, from 1, without gaps.
        batch: u64,
    },
    /// Raises a warning. By the iot service.
    RaiseWarning {
        /// Its random id.
        warning: WarningId,
        /// The device whose readings raised it.
        device: LedgerId,
        /// How urgent.
        level: WarningLevel,
        /// What raised it.
        cause: WarningCause,
        /// Commitment to the readings and the rule behind it (kept by the iot service).
        detail: Commitment,
    },
    /// Says that a warning was seen. By the patient or a hospital it is shared with.
    AcknowledgeWarning {
        /// The warning.
        warning: WarningId,
    },
}
