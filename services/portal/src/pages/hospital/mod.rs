//! Pages of doctors and hospitals.

mod emergency;
mod find;
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
use interfaces::records::FindRecords;
use keys::token::Role;
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
        .route(
            "/hospital/integrity",
            get(integrity::show).post(integrity::sweep),
        )
}

/// The hospitals that whoever is signed in acts for: a hospital's own staff for theirs, a doctor for those that let them.
pub(crate) async fn workplaces(visit: &Visit) -> Result<Vec<(LedgerId, String)>, Refusal> {
    let session = visit.signed_in()?;
    let names = visit.portal.hospitals.names().await?;
    if session.is(Role::Hospital) {
        let own = session.member().into_iter();
        return Ok(own
            .map(|id| (id, names.get(&id).cloned().unwrap_or_default()))
            .collect());
    }
    let asked = FindRecords {
        page: PageRequest {
            after: None,
            limit: Some(1),
        },
        ..FindRecords::default()
    };
    let answers = names
        .keys()
        .map(|hospital| visit.ask_hospital(*hospital, &asked));
    let answers = futures::future::join_all(answers).await;
    Ok(names
        .iter()
        .zip(answers)
        .filter(|(_, answer)| answer.is_ok())
        .map(|((id, name), _)| (*id, name.clone()))
        .collect())
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
