//! One file a use case; each says first who may call it.

mod affiliate_doctor;
mod amend_record;
mod change_code;
mod collect_view;
mod decide_item_as_hospital;
mod erase_record;
mod find_records;
mod import_bundle;
mod list_own_records;
mod list_views_of_own_records;
mod list_waiting_patients;
mod open_emergency;
mod redeem_code;
mod set_consent;
mod show_code;
mod submit_signature;
mod summary;
mod sweep_integrity;
mod undo_patient_match;
mod view_records;
mod withdraw_code;
mod write_record;

use std::sync::Arc;

use bus::{Call, Router};
use interfaces::{Problem, UseCase};

use crate::failure::Failure;
use crate::service::Records;

/// All use cases of this service.
pub fn router(router: Router, records: &Arc<Records>) -> Router {
    let router = answer(router, records, import_bundle::import_bundle);
    let router = answer(router, records, write_record::write_record);
    let router = answer(router, records, amend_record::amend_record);
    let router = answer(router, records, find_records::find_records);
    let router = answer(router, records, list_own_records::list_own_records);
    let router = answer(router, records, view_records::view_records);
    let router = answer(router, records, redeem_code::redeem_code);
    let router = answer(router, records, collect_view::collect_view);
    let router = answer(router, records, show_code::show_code);
    let router = answer(router, records, change_code::change_code);
    let router = answer(router, records, withdraw_code::withdraw_code);
    let router = answer(router, records, set_consent::set_consent);
    let router = answer(router, records, open_emergency::open_emergency);
    let router = answer(
        router,
        records,
        list_views_of_own_records::list_views_of_own_records,
    );
    let router = answer(
        router,
        records,
        decide_item_as_hospital::decide_item_as_hospital,
    );
    let router = answer(router, records, affiliate_doctor::affiliate_doctor);
    let router = answer(
        router,
        records,
        list_waiting_patients::list_waiting_patients,
    );
    let router = answer(router, records, undo_patient_match::undo_patient_match);
    let router = answer(router, records, sweep_integrity::sweep_integrity);
    let router = answer(router, records, erase_record::erase_record);
    answer(router, records, submit_signature::submit_signature)
}

fn answer<Q, F, R>(router: Router, records: &Arc<Records>, handler: F) -> Router
where
    Q: UseCase,
    F: Fn(Arc<Records>, Call, Q) -> R + Send + Sync + Copy + 'static,
    R: Future<Output = Result<Q::Reply, Failure>> + Send + 'static,
{
    let records = records.clone();
    router.on::<Q, _, _>(move |call, request| {
        let answered = handler(records.clone(), call, request);
        async move { answered.await.map_err(Problem::from) }
    })
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

/// A time as answers show it: RFC 3339, UTC.
fn time_text(time: ledger::Timestamp) -> String {
    clinical::date::Moment::from_micros(crate::service::time_us(time)).utc_text()
}
