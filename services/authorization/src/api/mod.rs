//! One file a use case; each says first who may call it.

mod apply_for_records;
mod collect_released;
mod decide_item_as_patient;
mod list_items;
mod list_notices;
mod put_delivery;
mod read_released;
mod withdraw_grant;
mod withdraw_item;

use std::sync::Arc;

use bus::{Call, Router};
use interfaces::{Committed, Problem, SubmitSignature};

use crate::service::Authorization;

/// All use cases of this service.
pub(crate) fn router(router: Router, authorization: Arc<Authorization>) -> Router {
    router
        .over(&authorization)
        .on(apply_for_records::apply_for_records)
        .on(list_items::list_items)
        .on(decide_item_as_patient::decide_item_as_patient)
        .on(withdraw_item::withdraw_item)
        .on(withdraw_grant::withdraw_grant)
        .on(read_released::read_released)
        .on(collect_released::collect_released)
        .on(put_delivery::put_delivery)
        .on(list_notices::list_notices)
        .on(submit_signature)
        .into_router()
}

/// By the member who asked for the command and holds the own key.
async fn submit_signature(
    authorization: Arc<Authorization>,
    call: Call,
    request: SubmitSignature,
) -> Result<Committed, Problem> {
    let caller = authorization.sessions.caller(&call)?;
    authorization.desk.submit_signature(&caller, request).await
}
