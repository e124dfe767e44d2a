//! All views of this hospital's records: the regulator's look at their use. By the hospital or a regulator.

use std::sync::Arc;

use bus::Call;
use interfaces::records::{ListViews, ViewTrace};
use interfaces::{Page, Problem, time_text};
use keys::Role;

use super::{Place, page_start};
use crate::failure::Failure;
use crate::projections;
use crate::service::Records;

const BASES: [&str; 8] = [
    "owner",
    "own_hospital",
    "grant",
    "emergency",
    "offline_emergency",
    "delegation",
    "patient_code",
    "hospital_code",
];

pub(super) async fn list_views(
    records: Arc<Records>,
    call: Call,
    request: ListViews,
) -> Result<Page<ViewTrace>, Failure> {
    let caller = records.caller(&call)?;
    if !records.is_hospital(&caller) {
        caller.require(Role::Regulator)?;
    }
    let basis = request.basis.as_deref();
    if basis.is_some_and(|basis| !BASES.contains(&basis)) {
        return Err(
            Problem::bad_input("basis", format!("must be one of {}", BASES.join(", "))).into(),
        );
    }
    let Place(height, position) =
        page_start(request.page.after.as_deref())?.unwrap_or(Place(i64::MAX, i64::MAX));
    let limit = request.page.limit() as usize;
    let asked = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut views = projections::views(
        records.reader(),
        basis,
        request.viewer.as_ref(),
        (height, position),
        asked,
    )
    .await?;
    let more = views.len() > limit;
    views.truncate(limit);
    let next = views
        .last()
        .filter(|_| more)
        .map(|last| Place(last.position.0, last.position.1).to_string());
    let entries = views
        .into_iter()
        .map(|view| ViewTrace {
            records: view.records.iter().map(|(record, _)| *record).collect(),
            time: time_text(view.time),
            viewer: view.viewer,
            viewer_name: None,
            basis: view.basis,
            purpose: view.purpose,
            transaction: view.transaction,
        })
        .collect();
    Ok(Page { entries, next })
}
