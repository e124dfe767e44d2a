//! REST: every use case over HTTP, the ledger to read, and the document that describes both.

pub(crate) mod answer;
mod api;
mod authorization;
mod checkpoints;
mod codes;
mod document;
mod guard;
mod hospital_records;
mod identity;
mod index;
mod input;
mod iot;
mod ledger;
mod ocsp;
mod own_records;
mod parts;
pub(crate) mod serve;
mod settlement;
pub(crate) mod trace;
mod transactions;

use std::sync::Arc;

use axum::Router;
use utoipa::openapi::OpenApi;

use crate::service::Gateway;
use api::Api;
pub(crate) use ledger::status_of;

/// All routes, without what serves them.
fn api() -> Api {
    let api = Api::new();
    let api = identity::routes(api);
    let api = hospital_records::routes(api);
    let api = own_records::routes(api);
    let api = codes::routes(api);
    let api = index::routes(api);
    let api = authorization::routes(api);
    let api = settlement::routes(api);
    let api = iot::routes(api);
    let api = transactions::routes(api);
    let api = checkpoints::routes(api);
    let api = ocsp::routes(api);
    ledger::routes(api)
}

/// The OpenAPI 3.1 document, made from the routes and their types.
pub fn document() -> OpenApi {
    api().into_parts().1
}

/// The document as `proto/openapi.json` holds it.
///
/// # Panics
/// Never: the document is plain JSON.
pub fn document_text() -> String {
    let mut text = serde_json::to_string_pretty(&document()).expect("the document is plain JSON");
    text.push('\n');
    text
}

/// The router, behind its guards, and the document.
pub fn router(gateway: Arc<Gateway>) -> (Router, OpenApi) {
    let (router, document) = api().into_parts();
    let router = router
        .fallback(answer::no_such_path)
        .method_not_allowed_fallback(answer::no_such_method)
        .layer(axum::middleware::from_fn_with_state(
            gateway.clone(),
            guard::guard,
        ))
        .with_state(gateway);
    (router, document)
}
