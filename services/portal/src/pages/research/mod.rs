//! Third parties and insurers: search, application for view, application history, released records.

mod applications;
mod apply;
mod released;
mod search;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::service::Portal;

pub(crate) fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/research/search", get(search::search))
        .route("/research/basket", post(apply::basket))
        .route("/research/apply", post(apply::apply))
        .route("/research/applications", get(applications::list))
        .route(
            "/research/applications/withdraw",
            post(applications::withdraw),
        )
        .route("/research/released", get(released::list))
        .route("/research/released/read", post(released::read))
        .route("/research/released/{transaction}", get(released::opened))
}
