//! Everything of the patient who is signed in, from all hospitals at once.

use axum::extract::{Request, State};
use data_encoding::BASE64URL_NOPAD;
use hospitals::{Merged, Place};
use interfaces::records::{ListOwnRecords, ListViewsOfOwnRecords, RecordSummary, ViewTrace};
use interfaces::{Page, PageRequest, Problem, UseCase};
use ledger::LedgerId;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::path::OperationBuilder;

use super::answer::Answer;
use super::api::{Api, Route, Shared, answer, take_apart};
use super::document::{json_response, own_operation, query_parameter};
use super::input::Kind;
use super::ledger::number;
use super::parts::RequestParts;
use crate::service::Gateway;

const TAG: &str = "patient";
const RECORDS: Route = Route::get(
    "/v1/me/records",
    "The patient's records at all hospitals, newest encounter first: metadata only",
)
.tag(TAG)
.by("Patients.");
const VIEWS: Route = Route::get(
    "/v1/me/views",
    "Who viewed the patient's records, at all hospitals, newest first",
)
.tag(TAG)
.by("Patients.");

/// Hospitals that a page asks: whoever writes `after` by hand does not make the gateway ask the world.
const HOSPITALS_MAX: usize = 256;

/// Records of all hospitals.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnRecords {
    /// Newest encounter first.
    entries: Vec<RecordSummary>,
    /// Give it back as `after` for more; none at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// Hospitals that did not answer; their records are missing.
    unavailable: Vec<UnavailableHospital>,
}

/// Views at all hospitals.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnViews {
    /// Newest first.
    entries: Vec<ViewTrace>,
    /// Give it back as `after` for more; none at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// Hospitals that did not answer; their views are missing.
    unavailable: Vec<UnavailableHospital>,
}

/// A hospital whose part is missing.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct UnavailableHospital {
    /// The hospital.
    #[schema(value_type = String)]
    hospital: LedgerId,
    /// Why.
    reason: String,
}

pub(crate) fn routes(api: Api) -> Api {
    let records = paged(&RECORDS, "list_my_records")
        .response("200", json_response::<OwnRecords>("The records."));
    let views =
        paged(&VIEWS, "list_my_views").response("200", json_response::<OwnViews>("The views."));
    api.schema::<OwnRecords>()
        .schema::<OwnViews>()
        .own(RECORDS, records, list_records)
        .own(VIEWS, views, list_views)
}

fn paged(route: &Route, id: &str) -> OperationBuilder {
    own_operation(route, id)
        .parameter(query_parameter(
            "after",
            Kind::Text,
            "Where the page before ended (`next`); empty for the first.",
        ))
        .parameter(query_parameter(
            "limit",
            Kind::Integer,
            "At most how many, 1 to 500; 50 unless told.",
        ))
}

async fn list_records(State(gateway): State<Shared>, request: Request) -> Answer<OwnRecords> {
    let parts = take_apart(&gateway, &RECORDS, request).await?;
    let asked = |page| ListOwnRecords {
        acting_for: None,
        page,
    };
    let merged = merged(&gateway, &parts, asked, |record: &RecordSummary| {
        (record.start.clone(), record.record)
    })
    .await?;
    answer(OwnRecords {
        next: merged.next.as_deref().map(written),
        unavailable: unavailable(merged.away),
        entries: merged.entries,
    })
}

async fn list_views(State(gateway): State<Shared>, request: Request) -> Answer<OwnViews> {
    let parts = take_apart(&gateway, &VIEWS, request).await?;
    let asked = |page| ListViewsOfOwnRecords {
        acting_for: None,
        by_others: false,
        page,
    };
    let merged = merged(&gateway, &parts, asked, |view: &ViewTrace| {
        (view.time.clone(), view.transaction)
    })
    .await?;
    answer(OwnViews {
        next: merged.next.as_deref().map(written),
        unavailable: unavailable(merged.away),
        entries: merged.entries,
    })
}

async fn merged<Q, T, K: Ord>(
    gateway: &Gateway,
    parts: &RequestParts,
    question: impl Fn(PageRequest) -> Q + Sync,
    key: impl Fn(&T) -> K,
) -> Result<Merged<T>, Problem>
where
    Q: UseCase<Reply = Page<T>> + Sync,
{
    let token = parts
        .authorization
        .as_deref()
        .ok_or_else(|| Problem::unauthenticated("no session token came with the request"))?;
    let limit = number(parts, "limit")?.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX));
    let limit = PageRequest { after: None, limit }.limit();
    let after = parts.query.iter().find(|(name, _)| name == "after");
    let places = match after {
        Some((_, text)) if !text.is_empty() => Some(read(text)?),
        _ => None,
    };
    let hospitals = &gateway.hospitals;
    hospitals.merged(token, places, limit, question, key).await
}

/// Places as text. They are the patient's own, and nothing is permitted by them: each hospital looks at the session.
fn written(places: &[Place]) -> String {
    BASE64URL_NOPAD.encode(&serde_json::to_vec(places).unwrap_or_default())
}

fn read(text: &str) -> Result<Vec<Place>, Problem> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok();
    bytes
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .filter(|places: &Vec<Place>| places.len() <= HOSPITALS_MAX)
        .ok_or_else(|| Problem::bad_input("after", "is not what a page before gave as next"))
}

fn unavailable(away: Vec<(LedgerId, Problem)>) -> Vec<UnavailableHospital> {
    let named = away
        .into_iter()
        .map(|(hospital, problem)| UnavailableHospital {
            hospital,
            reason: problem.detail,
        });
    named.collect()
}
