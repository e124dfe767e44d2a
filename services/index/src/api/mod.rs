//! One file a use case; each says first who may call it.

mod code_locators;
mod put_index_rows;
mod resolve_handles;
mod search_disease;

use std::sync::Arc;

use bus::Router;
use interfaces::index as requests;

use crate::service::{Index, answer};

/// All use cases of this service.
pub(crate) fn router(router: Router, index: Arc<Index>) -> Router {
    let it = &index;
    let router =
        answer::<requests::SearchDisease, _, _>(router, it, search_disease::search_disease);
    let router =
        answer::<requests::ResolveHandles, _, _>(router, it, resolve_handles::resolve_handles);
    let router = answer::<requests::PutIndexRows, _, _>(router, it, put_index_rows::put_index_rows);
    let router =
        answer::<requests::PutCodeLocators, _, _>(router, it, code_locators::put_code_locators);
    answer::<requests::LocateCode, _, _>(router, it, code_locators::locate_code)
}
