//! One file a use case; each says first who may call it.

mod code_locators;
mod put_index_rows;
mod resolve_handles;
mod search_disease;

use std::sync::Arc;

use bus::Router;

pub(crate) use put_index_rows::put as put_rows;

use crate::service::Index;

/// All use cases of this service.
pub(crate) fn router(router: Router, index: Arc<Index>) -> Router {
    router
        .over(&index)
        .on(search_disease::search_disease)
        .on(resolve_handles::resolve_handles)
        .on(put_index_rows::put_index_rows)
        .on(code_locators::put_code_locators)
        .on(code_locators::locate_code)
        .into_router()
}
