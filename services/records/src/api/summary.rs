//! A record's metadata, as lists show it.

use contracts::RecordNumber;
use interfaces::records::RecordSummary;

use crate::facts::records::Stored;
use crate::failure::Failure;
use crate::projections;
use crate::service::Records;

impl Records {
    /// A record's metadata; `for_staff` adds the patient number.
    pub(super) async fn summary(
        &self,
        stored: Stored,
        for_staff: bool,
    ) -> Result<RecordSummary, Failure> {
        let on_ledger = projections::own_record(self.reader(), &stored.record).await?;
        let summary = stored.summary;
        Ok(RecordSummary {
            record: on_ledger.as_ref().map(|found| found.record),
            version: on_ledger.as_ref().map_or(0, |found| found.version),
            hospital: self.hospital,
            patient: on_ledger.as_ref().map(|found| found.patient),
            patient_number: for_staff.then_some(summary.patient_number),
            doctor: summary.doctor,
            start: summary.start,
            class: summary.class,
            title: summary.title,
            transaction: on_ledger.map(|found| found.transaction),
        })
    }
}

/// Where a list goes on after a record.
pub(super) fn place_of(stored: &Stored) -> super::Place<i64, RecordNumber> {
    super::Place(stored.start_us, stored.record)
}
