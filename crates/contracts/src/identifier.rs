//! Identifiers that contracts give to what they keep, and the small vocabularies that several contracts share.

use serde::{Deserialize, Serialize};

ledger::identifier16! {
    /// The random number of a record; says nothing of patient, hospital or time.
    RecordNumber
}
ledger::identifier16! {
    /// A third party's application for one or more records.
    ApplicationId
}
ledger::identifier16! {
    /// The permission that comes of a released item, an emergency or a telemetry share.
    GrantId
}
ledger::identifier16! {
    /// An opened emergency access (break-glass): one patient, one doctor, a few hours.
    EmergencyId
}
ledger::identifier16! {
    /// An early warning raised from a device's readings.
    WarningId
}
ledger::identifier16! {
    /// A proposal that node operators vote on.
    ProposalId
}
ledger::identifier16! {
    /// The unique reference of a deposit or a withdrawal, as the treasurer's bank statement shows it.
    PaymentReference
}

/// One record in an application: the application and the item's place in it, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ItemId {
    /// The application it belongs to.
    pub application: ApplicationId,
    /// Its place in the application, from 0.
    pub index: u16,
}

/// Why a record is looked at, or applied for (HL7 v3 ActReason).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Purpose {
    /// TREAT: treatment.
    Treatment,
    /// ETREAT / BTG: emergency treatment, break-glass.
    EmergencyTreatment,
    /// HPAYMT: healthcare payment (insurers).
    Payment,
    /// HRESCH: healthcare research.
    Research,
    /// PUBHLTH: public health.
    PublicHealth,
    /// PATRQT: the patient asked for it.
    PatientRequest,
    /// HOPERAT: healthcare operations, audits of a regulator among them.
    Operations,
}

/// An amount of money in minor units (cents) of the consortium's one currency.
pub type Amount = i64;

/// Opaque bytes sealed to somebody (HPKE or AEAD); contracts never look inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed(pub Vec<u8>);

/// The most bytes a [`Sealed`] value on the ledger may have.
pub const SEALED_BYTES_MAX: usize = 512;
