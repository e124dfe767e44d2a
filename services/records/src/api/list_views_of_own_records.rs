//! Who viewed the caller's records at this hospital. By the patient, or a guardian who may read: viewers' names are sealed to
//! the patient, and stay so.

use std::sync::Arc;

use bus::Call;
use interfaces::records::{ListViewsOfOwnRecords, ViewTrace};
use interfaces::{Page, time_text};

use super::{Place, page_start};
use crate::failure::Failure;
use crate::projections;
use crate::service::Records;

pub(super) async fn list_views_of_own_records(
    records: Arc<Records>,
    call: Call,
    request: ListViewsOfOwnRecords,
) -> Result<Page<ViewTrace>, Failure> {
    let caller = records.caller(&call)?;
    let patient = records
        .patient_asked_for(&caller, request.acting_for)
        .await?;
    let Place(height, position) =
        page_start(request.page.after.as_deref())?.unwrap_or(Place(i64::MAX, i64::MAX));
    let limit = request.page.limit() as usize;
    let asked = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let (pool, before) = (records.reader(), (height, position));
    let mut views = if request.by_others {
        projections::views_of_by_others(pool, &patient, before, asked).await?
    } else {
        projections::views_of(pool, &patient, before, asked).await?
    };
    let more = views.len() > limit;
    views.truncate(limit);
    let next = views
        .last()
        .filter(|_| more)
        .map(|last| Place(last.position.0, last.position.1).to_string());
    if views.is_empty() {
        return Ok(Page {
            entries: Vec::new(),
            next,
        });
    }
    let mut names = Vec::new();
    if request.acting_for.is_none() {
        let sealed = views.iter().map(|view| view.viewer_name.clone()).collect();
        names = records.opened(&caller, patient, sealed).await?;
    }
    let mut names = names.into_iter();
    let entries = views
        .into_iter()
        .map(|view| ViewTrace {
            records: view.records.iter().map(|(record, _)| *record).collect(),
            time: time_text(view.time),
            viewer: view.viewer,
            viewer_name: names.next().flatten(),
            basis: view.basis,
            purpose: view.purpose,
            transaction: view.transaction,
        })
        .collect();
    Ok(Page { entries, next })
}
