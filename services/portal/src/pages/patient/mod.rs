//! The patient's pages.

mod codes;
mod devices;
mod history;
mod records;
pub(crate) mod requests;
mod settings;
mod views;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use interfaces::identity::GetOwnAccount;
use interfaces::{Page, PageRequest, Problem, UseCase};
use ledger::LedgerId;

use crate::answer::Refusal;
use crate::design::Html;
use crate::design::text;
use crate::service::Portal;
use crate::visit::Visit;
use crate::words::fill;

use super::viewed;

pub(crate) fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/records", get(records::list))
        .route("/records/open", post(records::open))
        .route("/records/code", post(codes::change))
        .route("/records/code/withdraw", post(codes::withdraw))
        .route("/records/code/{hospital}/{record}", get(codes::show))
        .route(
            "/records/code/{hospital}/{record}/withdraw",
            get(codes::ask_to_withdraw),
        )
        .route("/requests", get(requests::list))
        .route("/requests/decide", post(requests::decide))
        .route("/requests/{application}/{index}", get(requests::show))
        .route(
            "/requests/{application}/{index}/refuse",
            get(requests::refuse),
        )
        .route("/history", get(history::list))
        .route("/history/end", post(history::end))
        .route("/history/{application}/{index}", get(history::show))
        .route(
            "/history/{application}/{index}/end",
            get(history::ask_to_end),
        )
        .route("/views", get(views::list))
        .route("/settings", get(settings::show))
        .route("/settings/consent", post(settings::set_consent))
        .route("/settings/warnings", post(settings::share_warnings))
        .route("/devices", get(devices::show))
        .route("/devices/acknowledge", post(devices::acknowledge))
        .route("/devices/add", get(devices::ask_to_add).post(devices::add))
        .route(
            "/devices/limits",
            get(devices::ask_limits).post(devices::set_limits),
        )
        .route(
            "/records/viewed/{hospital}/{transaction}",
            get(viewed::show),
        )
        .route(
            "/records/viewed/{hospital}/{transaction}/{record}/proof",
            get(viewed::proof),
        )
        .route(
            "/records/viewed/{hospital}/{transaction}/{record}/file",
            get(viewed::download),
        )
}

/// How long one hospital is waited for.
const HOSPITAL_WITHIN: Duration = Duration::from_secs(5);
/// Entries a page, and pages of one hospital.
const PAGE: u32 = 500;
const PAGES_MAX: usize = 10;
/// What a context of a patient's ledger ids is called at a hospital.
const CONTEXT_PREFIX: &str = "hospital:";

/// The hospitals where the patient has a ledger id, with that id.
pub(crate) async fn own_hospitals(visit: &Visit) -> Result<Vec<(LedgerId, LedgerId)>, Refusal> {
    visit.signed_in()?;
    let account = visit.ask(&GetOwnAccount {}).await?;
    Ok(account
        .ledger_ids
        .iter()
        .filter_map(|(context, id)| {
            Some((context.strip_prefix(CONTEXT_PREFIX)?.parse().ok()?, *id))
        })
        .collect())
}

/// Asks every hospital where the patient has a ledger id, all at once; and those that did not answer.
pub(crate) async fn from_all_hospitals<Q, T>(
    visit: &Visit,
    question: impl Fn(PageRequest) -> Q + Sync,
) -> Result<(Vec<T>, Vec<LedgerId>), Refusal>
where
    Q: UseCase<Reply = Page<T>> + Sync,
{
    let hospitals = own_hospitals(visit).await?;
    let asked = hospitals
        .iter()
        .map(|(hospital, _)| from_hospital(visit, *hospital, &question));
    let mut entries = Vec::new();
    let mut away = Vec::new();
    let answers = futures::future::join_all(asked).await;
    for ((hospital, _), answer) in hospitals.iter().zip(answers) {
        match answer {
            Ok(some) => entries.extend(some),
            // The session ended meanwhile: that is no matter of this hospital.
            Err(problem) if problem.status == 401 => return Err(problem.into()),
            Err(problem) => {
                tracing::warn!(%problem, %hospital, "a hospital did not answer");
                away.push(*hospital);
            }
        }
    }
    Ok((entries, away))
}

async fn from_hospital<Q, T>(
    visit: &Visit,
    hospital: LedgerId,
    question: &(impl Fn(PageRequest) -> Q + Sync),
) -> Result<Vec<T>, Problem>
where
    Q: UseCase<Reply = Page<T>> + Sync,
{
    let target = visit.portal.hospitals.records_service(hospital).await?;
    let token = visit.session.as_ref().map(|session| session.token.as_str());
    let mut entries = Vec::new();
    let mut after = None;
    for _ in 0..PAGES_MAX {
        let asked = question(PageRequest {
            after,
            limit: Some(PAGE),
        });
        let page = visit
            .portal
            .bus
            .request_within(&target, token, &asked, HOSPITAL_WITHIN)
            .await?;
        entries.extend(page.entries);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(entries)
}

/// Says which hospitals did not answer.
pub(crate) async fn missing_part(visit: &Visit, away: &[LedgerId]) -> Html {
    if away.is_empty() {
        return Html::none();
    }
    let names = visit.hospital_names().await;
    let names: Vec<String> = away
        .iter()
        .map(|id| names.get(id).cloned().unwrap_or_else(|| id.to_string()))
        .collect();
    let words = visit.words.frame;
    let text = fill(words.unavailable, &[("names", &names.join(", "))]);
    text::warning(words.important, &text)
}
