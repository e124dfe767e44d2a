//! Records' metadata, as lists show it.

use contracts::RecordNumber;
use interfaces::Page;
use interfaces::records::RecordSummary;
use sqlx::any::AnyRow;

use crate::facts::records::{self as record_facts, Stored};
use crate::failure::Failure;
use crate::projections::{self, OnLedger};
use crate::service::Records;

impl Records {
    /// A page of at most `limit` of the rows' records, of which there is one more where the list goes on; `for_staff` adds the
    /// patient number.
    pub(super) async fn page_of(
        &self,
        rows: &[AnyRow],
        limit: u32,
        for_staff: bool,
    ) -> Result<Page<RecordSummary>, Failure> {
        let more = rows.len() > limit as usize;
        let shown = rows.iter().take(limit as usize);
        let stored = shown
            .map(|row| record_facts::read(&self.vault, row))
            .collect::<Result<Vec<_>, _>>()?;
        let numbers: Vec<RecordNumber> = stored.iter().map(|stored| stored.record).collect();
        let mut on_ledger = projections::own_records_among(self.reader(), &numbers).await?;
        let next = stored
            .last()
            .filter(|_| more)
            .map(|last| place_of(last).to_string());
        let entries = stored.into_iter().map(|stored| {
            let found = on_ledger.remove(&stored.record);
            self.summary(stored, found, for_staff)
        });
        Ok(Page {
            entries: entries.collect(),
            next,
        })
    }

    fn summary(
        &self,
        stored: Stored,
        on_ledger: Option<OnLedger>,
        for_staff: bool,
    ) -> RecordSummary {
        let summary = stored.summary;
        RecordSummary {
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
        }
    }
}

/// Where a list goes on after a record.
fn place_of(stored: &Stored) -> super::Place<i64, RecordNumber> {
    super::Place(stored.start_us, stored.record)
}
