//! Pages of doctors and hospitals.

mod clerks;
mod desk;
mod emergency;
mod find;
mod import;
pub(crate) mod integrity;
pub(crate) mod offline_emergency;
mod people;
mod receive;
mod requests;

mod write;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use interfaces::PageRequest;
use interfaces::records::{FindRecords, RecordSummary};
use ledger::LedgerId;

use super::patient::codes;
use super::viewed;
use crate::answer::{Answer, Refusal};
use crate::design::lists;
use crate::design::text;
use crate::service::Portal;
use crate::visit::{Page, Visit};

pub(crate) fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/hospital/records", get(find::list).post(find::search))
        .route("/hospital/records/open", post(find::open))
        .route(
            "/hospital/records/viewed/{hospital}/{transaction}",
            get(viewed::show),
        )
        .route(
            "/hospital/records/viewed/{hospital}/{transaction}/{record}/proof",
            get(viewed::proof),
        )
        .route(
            "/hospital/records/viewed/{hospital}/{transaction}/{record}/file",
            get(viewed::download),
        )
        .route("/hospital/code", post(codes::change))
        .route("/hospital/code/withdraw", post(codes::withdraw))
        .route("/hospital/code/{hospital}/{record}", get(codes::show))
        .route(
            "/hospital/code/{hospital}/{record}/withdraw",
            get(codes::ask_to_withdraw),
        )
        .route("/hospital/write", get(write::show).post(write::submit))
        .route(
            "/hospital/receive",
            get(receive::show).post(receive::submit),
        )
        .route(
            "/hospital/emergency",
            get(emergency::show).post(emergency::submit),
        )
        .route(
            offline_emergency::HERE,
            get(offline_emergency::show).post(offline_emergency::submit),
        )
        .route(
            "/hospital/emergency/offline/{hospital}/{emergency}",
            get(offline_emergency::state),
        )
        .route(
            "/hospital/emergency/{hospital}/{emergency}",
            get(emergency::opened),
        )
        .route("/hospital/requests", get(requests::list))
        .route("/hospital/requests/decide", post(requests::decide))
        .route(
            "/hospital/requests/{application}/{index}",
            get(requests::show),
        )
        .route(
            "/hospital/requests/{application}/{index}/refuse",
            get(requests::refuse),
        )
        .route(
            "/hospital/people",
            get(people::show).post(people::affiliate),
        )
        .route("/hospital/desk", get(desk::show).post(desk::invite))
        .route(
            "/hospital/import",
            get(import::show)
                .post(import::submit)
                // The form has a limit of its own.
                .layer(axum::extract::DefaultBodyLimit::disable()),
        )
        .route("/hospital/clerks", get(clerks::list).post(clerks::invite))
        .route("/hospital/clerks/end", post(clerks::end))
        .route("/hospital/clerks/{account}/end", get(clerks::ask_to_end))
        .route(
            "/hospital/integrity",
            get(integrity::show).post(integrity::sweep),
        )
}

/// The hospitals that whoever is signed in acts for: a hospital's own staff for theirs, a doctor for those that let them.
pub(crate) async fn workplaces(visit: &Visit) -> Result<Vec<(LedgerId, String)>, Refusal> {
    let places = workplaces_with(visit, None, &least()).await?;
    Ok(places
        .into_iter()
        .map(|(hospital, name, _)| (hospital, name))
        .collect())
}

/// A place where somebody works: the hospital, its name, and the page of its records that was asked for.
pub(crate) type Workplace = (LedgerId, String, HospitalPage);
type HospitalPage = interfaces::Page<RecordSummary>;

/// The hospitals that whoever is signed in acts for, each with its answer to the question: all are asked at once. Where one
/// is chosen, the others are asked for no more than whether they let them.
pub(crate) async fn workplaces_with(
    visit: &Visit,
    chosen: Option<LedgerId>,
    asked: &FindRecords,
) -> Result<Vec<Workplace>, Refusal> {
    let session = visit.signed_in()?;
    let names = visit.portal.hospitals.names().await?;
    if let Some(own) = session.staff_of() {
        let name = names.get(&own).cloned().unwrap_or_default();
        return Ok(vec![(own, name, visit.ask_hospital(own, asked).await?)]);
    }
    let least = least();
    let answers = names.keys().map(|hospital| {
        let is_meant = chosen.is_none_or(|chosen| chosen == *hospital);
        visit.ask_hospital(*hospital, if is_meant { asked } else { &least })
    });
    let answers = futures::future::join_all(answers).await;
    let mut places = Vec::new();
    for ((hospital, name), answer) in names.into_iter().zip(answers) {
        match answer {
            Ok(page) => places.push((hospital, name, page)),
            // A hospital that lets nobody in is no workplace. What else is wrong with the question, or with the hospital that is
            // meant, is said: another's records are no answer.
            Err(problem) if problem.status == 400 => return Err(problem.into()),
            Err(problem) if chosen == Some(hospital) && problem.status != 403 => {
                return Err(problem.into());
            }
            Err(_) => {}
        }
    }
    Ok(places)
}

/// The least that can be asked of a hospital's records.
fn least() -> FindRecords {
    FindRecords {
        page: PageRequest {
            after: None,
            limit: Some(1),
        },
        ..FindRecords::default()
    }
}

/// What a doctor who acts for no hospital sees.
pub(crate) fn nowhere(visit: &Visit) -> Answer {
    let words = &visit.words;
    let id = visit
        .signed_in()?
        .member()
        .map_or_else(crate::design::Html::none, text::number);
    let content = text::paragraph(words.staff.nowhere_text)
        .and(lists::summary(vec![(words.frame.your_id, id)]));
    Ok(visit.page(Page::new(words.staff.nowhere, content)))
}
