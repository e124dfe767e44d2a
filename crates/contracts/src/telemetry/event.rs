//! What the telemetry contract decided.

use ledger::{Commitment, Digest, LedgerId, Timestamp};
use serde::{Deserialize, Serialize};

use super::command::{WarningCause, WarningLevel};
use crate::identifier::WarningId;

/// An event of the telemetry contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A device measures a patient.
    DeviceRegistered {
        /// The device.
        device: LedgerId,
        /// The patient, under the devices context's ledger id.
        patient: LedgerId,
    },
    /// A device no longer measures a patient.
    DeviceUnregistered {
        /// The device.
        device: LedgerId,
        /// The patient.
        patient: LedgerId,
    },
    /// A hospital receives a patient's warnings.
    WarningsShared {
        /// The patient.
        patient: LedgerId,
        /// The hospital.
        hospital: LedgerId,
        /// End, exclusive.
        until: Timestamp,
    },
    /// A hospital no longer does.
    ShareEnded {
        /// The patient.
        patient: LedgerId,
        /// The hospital.
        hospital: LedgerId,
    },
    /// A batch of readings is anchored.
    ReadingsAnchored {
        /// Merkle root over the salted digests of the readings.
        root: Digest,
        /// How many readings.
        readings: u32,
        /// The batch's number.
        batch: u64,
    },
    /// A warning was raised.
    WarningRaised {
        /// The warning.
        warning: WarningId,
        /// The device.
        device: LedgerId,
        /// The patient.
        patient: LedgerId,
        /// How urgent.
        level: WarningLevel,
        /// What raised it.
        cause: WarningCause,
        /// Commitment to readings and rule.
        detail: Commitment,
    },
    /// A warning was seen.
    WarningAcknowledged {
        /// The warning.
        warning: WarningId,
        /// By whom.
        by: LedgerId,
    },
}
