//! From a committed permission to the content: what every basis of a view has in common.

use contracts::records::event::Event as RecordEvent;
use contracts::{Event, RecordNumber, Sealed};
use interfaces::identity::GetViewerName;
use interfaces::records::{Integrity, ViewedRecord, ViewedRecords};
use interfaces::{Committed, Problem};
use keys::SealingPublicKey;
use ledger::{Digest, LedgerId, Outcome, Receipt, Timestamp};
use submission::Caller;

use crate::facts::patients;
use crate::failure::{Failure, forbidden};
use crate::service::{Records, VIEW_WITHIN_US};

/// A permission that is on the ledger.
pub struct Permission {
    /// Records and versions it covers.
    pub records: Vec<(RecordNumber, u32)>,
    /// Its block time.
    pub time: Timestamp,
}

/// The permission that a receipt holds, if its transaction logged a view or redeemed a code.
pub fn permission_of(receipt: &Receipt) -> Option<Permission> {
    if receipt.leaf.outcome != Outcome::Accepted {
        return None;
    }
    receipt.leaf.events.iter().find_map(|recorded| {
        let records = match Event::from_bytes(recorded.contract, &recorded.bytes).ok()? {
            Event::Records(RecordEvent::AccessLogged { records, .. }) => records,
            Event::Records(RecordEvent::CodeRedeemed {
                record, version, ..
            }) => vec![(record, version)],
            _ => return None,
        };
        Some(Permission {
            records,
            time: receipt.header.time,
        })
    })
}

impl Records {
    /// The caller's name (and more, such as an emergency's reason), sealed to the patient and the regulator.
    pub async fn sealed_viewer(
        &self,
        caller: &Caller,
        patient: &LedgerId,
        more: Option<&str>,
    ) -> Result<Sealed, Failure> {
        let viewer = self.ask_identity(Some(caller), &GetViewerName {}).await?;
        let regulator = sealing_key(&viewer.regulator_sealing_key.0)?;
        let patient = self.patient_sealing_key(patient).await?;
        let text = match more {
            Some(more) => format!("{}: {more}", viewer.name),
            None => viewer.name,
        };
        sealed_name(&text, &patient, &regulator)
    }

    /// The key to which things are sealed for a patient: the ledger's, which a change of key keeps current.
    pub async fn patient_sealing_key(
        &self,
        patient: &LedgerId,
    ) -> Result<SealingPublicKey, Failure> {
        if let Some(key) = crate::projections::sealing_key(self.reader(), patient).await? {
            return Ok(SealingPublicKey(key));
        }
        let known = patients::by_ledger_id(self.reader(), &self.vault, patient).await?;
        let matched = known
            .and_then(|known| known.matched)
            .ok_or_else(forbidden)?;
        Ok(SealingPublicKey(matched.sealing_key))
    }

    /// The content behind a committed command that permits a view.
    pub async fn content_of(&self, committed: Committed) -> Result<ViewedRecords, Failure> {
        let receipt = Receipt::from_bytes(&committed.receipt.0)
            .map_err(|_| Failure::from(Problem::failure("the receipt can't be read")))?;
        let permission = permission_of(&receipt)
            .ok_or_else(|| Failure::from(Problem::failure("the transaction permits no view")))?;
        self.show(committed, &permission).await
    }

    /// The content that a permission covers, while it lasts. What does not match the ledger is withheld and reported.
    pub async fn show(
        &self,
        committed: Committed,
        permission: &Permission,
    ) -> Result<ViewedRecords, Failure> {
        self.projected(&committed).await;
        let mut viewed = Vec::with_capacity(permission.records.len());
        for (record, _) in &permission.records {
            viewed.push(self.show_one(record).await?);
        }
        if chassis::clock::now() > permission.time.plus(VIEW_WITHIN_US).0 {
            return Err(Problem::new(
                403,
                "view-expired",
                "The permission has passed",
                "a view is shown within 30 s of its block; ask again",
            )
            .into());
        }
        Ok(ViewedRecords {
            committed,
            records: viewed,
        })
    }

    /// The content of one record, which its caller is permitted to see; withheld and reported if it does not match.
    pub async fn show_one(&self, record: &RecordNumber) -> Result<ViewedRecord, Failure> {
        let on_ledger = self.standing_record(record).await?;
        let checked = self.read_checked(&on_ledger).await?;
        let (content, integrity) = match checked.content {
            Ok(bytes) => (
                Some(String::from_utf8(bytes).map_err(|_| Failure::Row("content"))?),
                Integrity::Verified,
            ),
            Err(kind) => {
                self.report_tampering(record, checked.version, kind).await?;
                (None, Integrity::from(kind))
            }
        };
        Ok(ViewedRecord {
            record: *record,
            version: checked.version,
            content,
            integrity,
            salt: Digest(checked.salt),
            registration: on_ledger.transaction,
        })
    }
}

/// A name for one reader and the regulator.
pub fn sealed_name(
    name: &str,
    reader: &SealingPublicKey,
    regulator: &SealingPublicKey,
) -> Result<Sealed, Failure> {
    Ok(Sealed(keys::viewer_name::seal(name, reader, regulator)?))
}

fn sealing_key(bytes: &[u8]) -> Result<SealingPublicKey, Failure> {
    bytes
        .try_into()
        .map(SealingPublicKey)
        .map_err(|_| Failure::Unsealable)
}
