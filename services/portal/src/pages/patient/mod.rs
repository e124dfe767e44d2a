//! The patient's pages.

pub(crate) mod acting;
pub(crate) mod codes;
mod devices;
mod download;
mod erase;
mod guardians;
mod history;
mod merged;
mod records;
pub(crate) mod requests;
mod settings;
mod views;
mod vitals;
mod warnings;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use super::viewed;
use crate::service::Portal;

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
        .route(
            "/records/erase/{hospital}/{record}",
            get(erase::ask).post(erase::erase),
        )
        .route(
            "/settings/download",
            get(download::ask).post(download::download),
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
        .route("/devices/acknowledge", post(warnings::acknowledge))
        .route(
            "/devices/{device}/disconnect",
            get(devices::ask_to_disconnect).post(devices::disconnect),
        )
        .route("/devices/add", get(devices::ask_to_add).post(devices::add))
        .route(
            "/devices/limits",
            get(devices::ask_limits).post(devices::set_limits),
        )
        .route("/guardians", get(guardians::list))
        .route("/guardians/name", get(guardians::ask).post(guardians::name))
        .route("/guardians/end", post(guardians::end))
        .merge(acting())
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

/// For whoever acts for a patient.
fn acting() -> Router<Arc<Portal>> {
    let below = |list: &str| format!("/acting/{{hospital}}/{{patient}}/{list}");
    let request = "requests/{application}/{index}";
    let viewed = "viewed/{place}/{transaction}";
    Router::new()
        .route("/acting/open", post(acting::open))
        .route(&below("records"), get(acting::list_records))
        .route(&below("views"), get(acting::list_views))
        .route(&below("requests"), get(acting::list_requests))
        .route(&below(request), get(acting::show_request))
        .route(
            &below(&format!("{request}/refuse")),
            get(acting::refuse_request),
        )
        .route(&below(viewed), get(acting::show_viewed))
        .route(
            &below(&format!("{viewed}/{{record}}/proof")),
            get(acting::proof),
        )
        .route(
            &below(&format!("{viewed}/{{record}}/file")),
            get(acting::download),
        )
}
