//! Deriving a record's canonical bytes from the hospital's rows again, and comparing them with the ledger.

use clinical::{Record, canonical};
use contracts::RecordNumber;
use contracts::records::command::content_parts;
use ledger::{Commitment, LedgerId};

use crate::adapters::StoredEncounter;

/// The canonical bytes that rows make under a version of the canonical form; none when they make no record.
pub fn canonical_of_rows(stored: StoredEncounter, canonical_version: u16) -> Option<Vec<u8>> {
    let StoredEncounter::Entries(entries) = stored else {
        return None;
    };
    let record = Record::from_entries(entries).ok()?;
    canonical::canonical_bytes_in(canonical_version, &record)
}

/// What the ledger and the service's own facts say about one version of a record.
#[derive(Clone, Debug)]
pub struct ContentCheck {
    /// The record.
    pub record: RecordNumber,
    /// The version.
    pub version: u32,
    /// The patient it was committed for.
    pub patient: LedgerId,
    /// The hospital.
    pub hospital: LedgerId,
    /// The salt.
    pub salt: [u8; 32],
    /// The commitment on the ledger.
    pub commitment: Commitment,
}

/// Whether `bytes` are exactly what was committed.
pub fn check_content(check: &ContentCheck, bytes: &[u8]) -> bool {
    let digest = check.commitment.algorithm.digest(bytes);
    let parts = content_parts(
        &check.patient,
        &check.record,
        check.version,
        &check.hospital,
        &digest,
    );
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    check.commitment.opens(&check.salt, &parts)
}
