//! Folding what becomes of applications' items that ask for this hospital's records.

use contracts::authorization::event::{Event as Authorization, Refuser};
use ledger::{LedgerId, canonical};
use store::row;
use store::rows::{Insert, Rows};

use crate::facts::deliveries::item_text;

static PUT_APPLICATION: Insert = Insert::new(
    "ledger_applications",
    &["application", "purpose"],
    0,
    "ON CONFLICT (application) DO NOTHING",
);
static PUT_ITEM: Insert = Insert::new(
    "ledger_items",
    &[
        "item",
        "item_id",
        "record",
        "applicant",
        "item_key",
        "state",
    ],
    0,
    "ON CONFLICT (item) DO NOTHING",
);

pub(super) fn fold(rows: &mut Rows, hospital_here: &LedgerId, decided: &Authorization) {
    let (item, state) = match decided {
        Authorization::ApplicationMade {
            application,
            purpose,
            ..
        } => {
            let row = row![application.to_string(), canonical::encode(purpose)];
            return rows.insert(&PUT_APPLICATION, row);
        }
        Authorization::ItemOpened {
            item,
            record,
            hospital,
            applicant,
            item_key,
            ..
        } => {
            if hospital == hospital_here {
                let row = row![
                    item_text(item),
                    canonical::encode(item),
                    record.to_string(),
                    applicant.to_string(),
                    data_encoding::HEXLOWER.encode(item_key),
                    "hospital_pending"
                ];
                rows.insert(&PUT_ITEM, row);
            }
            return;
        }
        Authorization::HospitalApproved { item, .. } => (item, "patient_pending"),
        Authorization::PatientApproved { item } => (item, "approved"),
        Authorization::ItemRefused {
            item,
            refuser: Refuser::Hospital,
            ..
        } => (item, "refused_by_hospital"),
        Authorization::ItemRefused {
            item,
            refuser: Refuser::Patient,
            ..
        } => (item, "refused_by_patient"),
        Authorization::ItemReleased { item, .. } => (item, "released"),
        Authorization::ItemWithdrawn { item } => (item, "withdrawn"),
        Authorization::ItemExpired { item } => (item, "expired"),
        Authorization::ApplicationClosed { .. }
        | Authorization::GrantWithdrawn { .. }
        | Authorization::ReleaseDisputed { .. }
        | Authorization::DisputeSettled { .. }
        | Authorization::DecidedByGuardian { .. } => return,
    };
    rows.execute(
        "ledger_items",
        "UPDATE ledger_items SET state = $1 WHERE item = $2",
        row![state, item_text(item)],
    );
}
