//! Re-hashing what the hospital's database holds against the ledger, on every read.

use contracts::RecordNumber;
use contracts::records::command::TamperingKind;
use interfaces::Problem;
use ledger::DigestAlgorithm;

use crate::adapters::StoredEncounter;
use crate::facts::records::{self, Stored};
use crate::facts::versions::{self, Version};
use crate::failure::{Failure, forbidden};
use crate::intake::{ContentCheck, canonical_of_rows, check_content};
use crate::projections::{self, OnLedger};
use crate::service::Records;

/// A record's content, or what is wrong with it.
pub struct Checked {
    /// The version checked.
    pub version: u32,
    /// The canonical bytes, if they are what was committed.
    pub content: Result<Vec<u8>, TamperingKind>,
    /// Salt of the content commitment.
    pub salt: [u8; 32],
}

/// What is known about a record whose rows do not open its commitment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Whether there are any rows.
    pub missing: bool,
    /// Records and versions that hold the content found, this record's among them.
    pub holders: Vec<(RecordNumber, u32)>,
}

/// Names what happened to the rows of `record`, of which `version` was expected; none when they hold a later version
/// of it, whose commitment is on its way to the ledger.
pub fn classify(record: &RecordNumber, version: u32, mismatch: &Mismatch) -> Option<TamperingKind> {
    if mismatch.missing {
        return Some(TamperingKind::Deleted);
    }
    let own = mismatch
        .holders
        .iter()
        .filter(|(holder, _)| holder == record)
        .map(|(_, held)| *held);
    let (mut later, mut earlier) = (false, false);
    for held in own {
        later |= held > version;
        earlier |= held < version;
    }
    if later {
        return None;
    }
    if earlier {
        return Some(TamperingKind::RolledBack);
    }
    let elsewhere = mismatch.holders.iter().any(|(holder, _)| holder != record);
    Some(if elsewhere {
        TamperingKind::Swapped
    } else {
        TamperingKind::Edited
    })
}

impl Records {
    /// Reads the current version of a record and re-hashes it.
    pub async fn read_checked(&self, on_ledger: &OnLedger) -> Result<Checked, Failure> {
        let stored = records::find(self.reader(), &self.vault, &on_ledger.record)
            .await?
            .ok_or_else(forbidden)?;
        let known = versions::of_record(self.reader(), &on_ledger.record).await?;
        let version = known
            .iter()
            .find(|version| version.version == on_ledger.version)
            .ok_or(Failure::Row("versions"))?;
        let commitments = version
            .secrets(&stored.key)?
            .commitments
            .ok_or(Failure::Row("commitments"))?;
        let rows = self
            .database
            .read_encounter(version.mapping_version, &stored.summary.encounter)
            .await?;
        let missing = rows == StoredEncounter::Missing;
        let bytes = canonical_of_rows(rows, version.canonical_version);
        let check = ContentCheck {
            record: on_ledger.record,
            version: on_ledger.version,
            patient: on_ledger.patient,
            hospital: self.hospital,
            salt: commitments.salt,
            commitment: on_ledger.commitment,
        };
        let content = match bytes {
            Some(bytes) if check_content(&check, &bytes) => Ok(bytes),
            found => Err(self
                .explain(&stored, version, missing, found.as_deref())
                .await?),
        };
        Ok(Checked {
            version: on_ledger.version,
            content,
            salt: commitments.salt,
        })
    }

    async fn explain(
        &self,
        stored: &Stored,
        version: &Version,
        missing: bool,
        found: Option<&[u8]>,
    ) -> Result<TamperingKind, Failure> {
        let holders = match found {
            Some(bytes) => {
                let digest = DigestAlgorithm::Sha256.digest(bytes);
                versions::with_content(
                    self.reader(),
                    &versions::content_token(&self.vault, &digest),
                )
                .await?
            }
            None => Vec::new(),
        };
        let kind = classify(
            &stored.record,
            version.version,
            &Mismatch { missing, holders },
        );
        kind.ok_or_else(|| {
            Problem::conflict("a new version of the record is being registered; try again").into()
        })
    }

    /// A record of this hospital that can be shown.
    pub async fn standing_record(&self, record: &RecordNumber) -> Result<OnLedger, Failure> {
        let found = projections::own_record(self.reader(), record).await?;
        let found = found.filter(|found| !found.erased).ok_or_else(forbidden)?;
        // A record given up after a wrong match is on the ledger still, and is shown to nobody.
        records::find(self.reader(), &self.vault, record)
            .await?
            .ok_or_else(forbidden)?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: RecordNumber = RecordNumber([1; 16]);
    const OTHER: RecordNumber = RecordNumber([2; 16]);

    fn kind_of(missing: bool, holders: &[(RecordNumber, u32)]) -> Option<TamperingKind> {
        classify(
            &RECORD,
            2,
            &Mismatch {
                missing,
                holders: holders.to_vec(),
            },
        )
    }

    #[test]
    fn each_way_of_tampering_is_told_apart() {
        assert_eq!(kind_of(true, &[]), Some(TamperingKind::Deleted));
        assert_eq!(kind_of(false, &[]), Some(TamperingKind::Edited));
        assert_eq!(kind_of(false, &[(OTHER, 1)]), Some(TamperingKind::Swapped));
        assert_eq!(
            kind_of(false, &[(RECORD, 1)]),
            Some(TamperingKind::RolledBack)
        );
    }

    #[test]
    fn a_version_on_its_way_is_no_tampering() {
        assert_eq!(kind_of(false, &[(RECORD, 3)]), None);
    }

    #[test]
    fn the_own_earlier_content_is_a_roll_back_even_if_another_record_has_it_too() {
        assert_eq!(
            kind_of(false, &[(OTHER, 1), (RECORD, 1)]),
            Some(TamperingKind::RolledBack)
        );
    }

    #[test]
    fn content_whose_facts_were_changed_as_well_counts_as_edited() {
        // The rows hold the version's own content, yet it does not open the ledger's commitment.
        assert_eq!(kind_of(false, &[(RECORD, 2)]), Some(TamperingKind::Edited));
    }
}
