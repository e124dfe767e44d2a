//! Views records in an emergency while the ledger cannot be reached: the view is signed and on disk in the hospital's
//! journal before the content leaves, is told to the ledger as soon as that can be reached, and is always reviewed. By a
//! doctor who acts for a hospital.

use std::sync::Arc;

use bus::Call;
use contracts::EmergencyId;
use contracts::records::command::ReportOfflineEmergency;
use interfaces::Problem;
use interfaces::records::{JournaledView, ViewInOfflineEmergency};
use interfaces::time_text;
use ledger::Timestamp;

use super::open_emergency::{Reason, doctor_and_hospital};
use super::view_records::ascending;
use crate::facts::journal;
use crate::failure::{Failure, forbidden};
use crate::service::Records;

pub(super) async fn view_in_offline_emergency(
    records: Arc<Records>,
    call: Call,
    request: ViewInOfflineEmergency,
) -> Result<JournaledView, Failure> {
    let caller = records.caller(&call)?;
    let (doctor, hospital) = doctor_and_hospital(&records, &caller).await?;
    let reason = Reason::new(&records, &request.reason)?;
    if !records.heard.is_silent() {
        return Err(Problem::new(
            409,
            "ledger-answers",
            "The ledger answers",
            "open an emergency, which is committed before records are shown; this way is for when that is impossible",
        )
        .into());
    }
    let mut shown = Vec::new();
    for record in ascending(&request.records)? {
        let on_ledger = records.standing_record(&record).await?;
        if on_ledger.patient != request.patient {
            return Err(forbidden());
        }
        shown.push((record, on_ledger.version));
    }
    let viewer = records
        .sealed_viewer(&caller, &request.patient, Some(reason.text()))
        .await?;
    let emergency = EmergencyId(keys::secret::random());
    let report = ReportOfflineEmergency {
        emergency,
        doctor,
        hospital,
        records: shown,
        viewed_at: Timestamp(chassis::clock::now()),
        reason: reason.commitment(),
        viewer,
    };
    let _one_at_a_time = records.journal.lock().await;
    let mut transaction = records.store.begin().await?;
    journal::append(&mut transaction, &records.key, &report).await?;
    reason.keep(&mut transaction, &emergency).await?;
    transaction.commit().await?;
    tracing::warn!(%emergency, records = report.records.len(), "an emergency view without the ledger was journaled");
    let mut viewed = Vec::with_capacity(report.records.len());
    for (record, _) in &report.records {
        viewed.push(records.show_one(record).await?);
    }
    Ok(JournaledView {
        emergency,
        journaled: time_text(report.viewed_at),
        records: viewed,
    })
}
