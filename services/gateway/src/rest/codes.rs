//! Opening a record by its authorization code, when only code and patient ID are known.

use axum::extract::{Request, State};
use bus::Target;
use contracts::Purpose;
use hospitals::is_records_service;
use interfaces::Problem;
use interfaces::identity::GetOwnAccount;
use interfaces::index::{LocateCode, LocatedCode};
use interfaces::records::{RedeemCode, RedeemReply};
use keys::code::AuthorizationCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::Answer;
use super::api::{Api, Route, Shared, answer, take_apart};
use super::document::{json_body, json_response, own_operation};
use super::input::from_slice;
use crate::service::Gateway;

const REDEEM: Route = Route::post("/v1/codes/redeem", "Opens one record by an authorization code and the patient ID")
    .tag("records")
    .by("Doctors (committed and shown at once), third parties and insurers (they sign first, then collect). Every wrong combination gives the same 403.")
    .slow()
    .cost(10);

/// A code, as its holder handed it on.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShownToRedeem {
    /// The code, 24 characters, groups and case as you like.
    code: String,
    /// The patient ID.
    patient_id: String,
    /// Why.
    #[schema(value_type = String)]
    purpose: Purpose,
}

pub(crate) fn routes(api: Api) -> Api {
    let operation = own_operation(&REDEEM, "redeem_shown_code")
        .request_body(Some(json_body::<ShownToRedeem>().build()))
        .response(
            "200",
            json_response::<RedeemReply>("The record, or what the redeemer has to sign first."),
        );
    api.schema::<ShownToRedeem>()
        .schema::<RedeemReply>()
        .own(REDEEM, operation, redeem)
}

async fn redeem(State(gateway): State<Shared>, request: Request) -> Answer<RedeemReply> {
    let parts = take_apart(&gateway, &REDEEM, request).await?;
    parts.require_json()?;
    let shown: ShownToRedeem = from_slice(&parts.body)?;
    let code: AuthorizationCode =
        shown
            .code
            .parse()
            .map_err(|error: keys::code::MalformedCode| {
                Problem::bad_input("/code", error.to_string())
            })?;
    let token = parts
        .authorization
        .as_deref()
        .ok_or_else(|| Problem::unauthenticated("no session token came with the request"))?;
    // Before anything is looked up: otherwise 401 and 403 would tell strangers which codes exist.
    gateway
        .bus
        .request(
            &Target::of::<GetOwnAccount>(),
            Some(token),
            &GetOwnAccount {},
        )
        .await?;
    let located = locate(&gateway, token, &code).await?;
    let question = RedeemCode {
        record: located.record,
        code: shown.code,
        patient_id: shown.patient_id,
        purpose: shown.purpose,
    };
    let target = Target::records(&located.service);
    let within = gateway.within(true);
    answer(
        gateway
            .bus
            .request_within(&target, Some(token), &question, within)
            .await
            .map_err(uniform)?,
    )
}

async fn locate(
    gateway: &Gateway,
    token: &str,
    code: &AuthorizationCode,
) -> Result<LocatedCode, Problem> {
    let question = LocateCode {
        locator: code.locator(),
    };
    let located = gateway
        .bus
        .request(&Target::of::<LocateCode>(), Some(token), &question)
        .await
        .map_err(uniform)?;
    if is_records_service(&located.service) {
        Ok(located)
    } else {
        Err(wrong())
    }
}

/// Whatever is wrong with a code gives the same answer.
fn uniform(problem: Problem) -> Problem {
    if matches!(problem.status, 403 | 404) {
        wrong()
    } else {
        problem
    }
}

fn wrong() -> Problem {
    Problem::forbidden("this code and this patient ID open no record for you")
}
