//! One file a use case; each says first who may call it.

mod affiliate_doctor;
mod amend_record;
mod change_code;
mod collect_view;
mod decide_item_as_hospital;
mod delegations;
mod erase_record;
mod find_records;
mod get_consent;
mod import_bundle;
mod list_anomalies;
mod list_emergencies;
mod list_offline_emergencies;
mod list_own_records;
mod list_views;
mod list_views_of_own_records;
mod list_waiting_patients;
mod open_emergency;
mod redeem_code;
mod review_emergency;
mod set_consent;
mod show_code;
mod submit_signature;
mod summary;
mod sweep_integrity;
mod undo_patient_match;
mod view_in_offline_emergency;
mod view_records;
mod withdraw_code;
mod write_record;

use std::sync::Arc;

use bus::Router;
use interfaces::Problem;

use crate::failure::Failure;
use crate::service::Records;

/// All use cases of this service.
pub fn router(router: Router, records: &Arc<Records>) -> Router {
    router
        .over(records)
        .on(import_bundle::import_bundle)
        .on(write_record::write_record)
        .on(amend_record::amend_record)
        .on(find_records::find_records)
        .on(list_own_records::list_own_records)
        .on(view_records::view_records)
        .on(redeem_code::redeem_code)
        .on(collect_view::collect_view)
        .on(show_code::show_code)
        .on(change_code::change_code)
        .on(withdraw_code::withdraw_code)
        .on(list_views::list_views)
        .on(set_consent::set_consent)
        .on(get_consent::get_consent)
        .on(delegations::name_guardian)
        .on(delegations::end_delegation)
        .on(delegations::list_delegations)
        .on(open_emergency::open_emergency)
        .on(list_emergencies::list_emergencies)
        .on(list_offline_emergencies::list_offline_emergencies)
        .on(review_emergency::review_emergency)
        .on(list_anomalies::list_anomalies)
        .on(view_in_offline_emergency::view_in_offline_emergency)
        .on(list_views_of_own_records::list_views_of_own_records)
        .on(decide_item_as_hospital::decide_item_as_hospital)
        .on(affiliate_doctor::affiliate_doctor)
        .on(list_waiting_patients::list_waiting_patients)
        .on(undo_patient_match::undo_patient_match)
        .on(sweep_integrity::sweep_integrity)
        .on(erase_record::erase_record)
        .on(submit_signature::submit_signature)
        .into_router()
}

/// Where a page begins that was given back as `after`; the text is opaque to callers.
fn page_start<T: std::str::FromStr>(after: Option<&str>) -> Result<Option<T>, Failure> {
    let refused = || {
        Failure::from(Problem::bad_input(
            "page.after",
            "is not what a page before gave as next",
        ))
    };
    after
        .filter(|after| !after.is_empty())
        .map(|after| after.parse().map_err(|_| refused()))
        .transpose()
}

/// Two numbers joined by a dot: a place in a sorted list.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place<A, B>(A, B);

impl<A: std::str::FromStr, B: std::str::FromStr> std::str::FromStr for Place<A, B> {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (first, second) = text.split_once('.').ok_or(())?;
        Ok(Place(
            first.parse().map_err(|_| ())?,
            second.parse().map_err(|_| ())?,
        ))
    }
}

impl<A: std::fmt::Display, B: std::fmt::Display> std::fmt::Display for Place<A, B> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}", self.0, self.1)
    }
}
