//! Everything of the patient who is signed in, from all hospitals at once.

use std::time::Duration;

use axum::extract::{Request, State};
use contracts::membership::command::MemberKind;
use interfaces::identity::GetOwnAccount;
use interfaces::records::{ListOwnRecords, ListViewsOfOwnRecords, RecordSummary, ViewTrace};
use interfaces::{Page, PageRequest, Problem, UseCase};
use ledger::LedgerId;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::Answer;
use super::api::{Api, Route, Shared, answer, take_apart};
use super::document::{json_response, own_operation};
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

/// How long one hospital is waited for.
const HOSPITAL_WITHIN: Duration = Duration::from_secs(5);
/// Entries a page, and pages of one hospital; what is beyond is marked as left out.
const PAGE: u32 = 500;
const PAGES_MAX: usize = 10;
/// What a context of a patient's ledger ids is called at a hospital.
const CONTEXT_PREFIX: &str = "hospital:";

/// Records of all hospitals.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnRecords {
    /// Newest encounter first.
    entries: Vec<RecordSummary>,
    /// Hospitals that did not answer; their records are missing.
    unavailable: Vec<UnavailableHospital>,
}

/// Views at all hospitals.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnViews {
    /// Newest first.
    entries: Vec<ViewTrace>,
    /// Hospitals that did not answer; their views are missing.
    unavailable: Vec<UnavailableHospital>,
}

/// A hospital whose part is missing or incomplete.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct UnavailableHospital {
    /// The hospital.
    #[schema(value_type = String)]
    hospital: LedgerId,
    /// Why.
    reason: String,
}

pub(crate) fn routes(api: Api) -> Api {
    let records = own_operation(&RECORDS, "list_my_records")
        .response("200", json_response::<OwnRecords>("The records."));
    let views = own_operation(&VIEWS, "list_my_views")
        .response("200", json_response::<OwnViews>("The views."));
    api.schema::<OwnRecords>()
        .schema::<OwnViews>()
        .own(RECORDS, records, list_records)
        .own(VIEWS, views, list_views)
}

async fn list_records(State(gateway): State<Shared>, request: Request) -> Answer<OwnRecords> {
    let parts = take_apart(&gateway, &RECORDS, request).await?;
    let asked = |page| ListOwnRecords { page };
    let (mut entries, unavailable) =
        from_all_hospitals(&gateway, parts.authorization.as_deref(), asked).await?;
    // Newest first; the order must not depend on which hospital answered first.
    entries.sort_by(|one, other| (&other.start, other.record).cmp(&(&one.start, one.record)));
    answer(OwnRecords {
        entries,
        unavailable,
    })
}

async fn list_views(State(gateway): State<Shared>, request: Request) -> Answer<OwnViews> {
    let parts = take_apart(&gateway, &VIEWS, request).await?;
    let asked = |page| ListViewsOfOwnRecords {
        by_others: false,
        page,
    };
    let (mut entries, unavailable) =
        from_all_hospitals(&gateway, parts.authorization.as_deref(), asked).await?;
    entries.sort_by(|one: &ViewTrace, other| {
        (&other.time, other.transaction).cmp(&(&one.time, one.transaction))
    });
    answer(OwnViews {
        entries,
        unavailable,
    })
}

/// Asks every hospital where the patient has a ledger id, all at once.
async fn from_all_hospitals<Q, T>(
    gateway: &Gateway,
    token: Option<&str>,
    question: impl Fn(PageRequest) -> Q + Sync,
) -> Result<(Vec<T>, Vec<UnavailableHospital>), Problem>
where
    Q: UseCase<Reply = Page<T>> + Sync,
{
    let token =
        token.ok_or_else(|| Problem::unauthenticated("no session token came with the request"))?;
    let account = gateway
        .bus
        .request(
            &bus::Target::of::<GetOwnAccount>(),
            Some(token),
            &GetOwnAccount {},
        )
        .await?;
    if account.kind != MemberKind::Patient {
        return Err(Problem::forbidden(
            "this is not for the role you are signed in with",
        ));
    }
    let hospitals: Vec<LedgerId> = account
        .ledger_ids
        .keys()
        .filter_map(|context| context.strip_prefix(CONTEXT_PREFIX)?.parse().ok())
        .collect();
    let asked = hospitals
        .iter()
        .map(|hospital| from_hospital(gateway, token, *hospital, &question));
    let mut entries = Vec::new();
    let mut unavailable = Vec::new();
    for (hospital, answer) in hospitals.iter().zip(futures::future::join_all(asked).await) {
        match answer {
            Ok((some, complete)) => {
                entries.extend(some);
                if !complete {
                    let reason =
                        "the hospital holds more than is shown here; ask it directly".to_owned();
                    unavailable.push(UnavailableHospital {
                        hospital: *hospital,
                        reason,
                    });
                }
            }
            // The session ended meanwhile: that is no matter of this hospital.
            Err(problem) if problem.status == 401 => return Err(problem),
            Err(problem) => unavailable.push(UnavailableHospital {
                hospital: *hospital,
                reason: problem.detail,
            }),
        }
    }
    Ok((entries, unavailable))
}

async fn from_hospital<Q, T>(
    gateway: &Gateway,
    token: &str,
    hospital: LedgerId,
    question: &(impl Fn(PageRequest) -> Q + Sync),
) -> Result<(Vec<T>, bool), Problem>
where
    Q: UseCase<Reply = Page<T>> + Sync,
{
    let target = gateway.hospitals.records_service(hospital).await?;
    let mut entries = Vec::new();
    let mut after = None;
    for _ in 0..PAGES_MAX {
        let asked = question(PageRequest {
            after,
            limit: Some(PAGE),
        });
        let page = gateway
            .bus
            .request_within(&target, Some(token), &asked, HOSPITAL_WITHIN)
            .await?;
        entries.extend(page.entries);
        after = page.next;
        if after.is_none() {
            return Ok((entries, true));
        }
    }
    Ok((entries, false))
}
