//! Insurers: claims and the audit queue, rules by version, coverage.

mod claims;
mod coverage;
mod rules;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::service::Portal;

pub(crate) fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/insurance/claims", get(claims::list).post(claims::resolve))
        .route("/insurance/audit", get(claims::audit))
        .route("/insurance/rules", get(rules::list))
        .route(
            "/insurance/rules/publish",
            get(rules::ask).post(rules::publish),
        )
        .route(
            "/insurance/coverage",
            get(coverage::ask_coverage).post(coverage::cover),
        )
}
