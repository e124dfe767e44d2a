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
use interfaces::authorization as requests;
use interfaces::{Committed, Problem, SubmitSignature};

use crate::service::{Authorization, answer};

/// All use cases of this service.
pub(crate) fn router(router: Router, authorization: Arc<Authorization>) -> Router {
    let it = &authorization;
    let router =
        answer::<requests::ApplyForRecords, _, _>(router, it, apply_for_records::apply_for_records);
    let router = answer::<requests::ListItems, _, _>(router, it, list_items::list_items);
    let router = answer::<requests::DecideItemAsPatient, _, _>(
        router,
        it,
        decide_item_as_patient::decide_item_as_patient,
    );
    let router = answer::<requests::WithdrawItem, _, _>(router, it, withdraw_item::withdraw_item);
    let router =
        answer::<requests::WithdrawGrant, _, _>(router, it, withdraw_grant::withdraw_grant);
    let router = answer::<requests::ReadReleased, _, _>(router, it, read_released::read_released);
    let router =
        answer::<requests::CollectReleased, _, _>(router, it, collect_released::collect_released);
    let router = answer::<requests::PutDelivery, _, _>(router, it, put_delivery::put_delivery);
    let router = answer::<requests::ListNotices, _, _>(router, it, list_notices::list_notices);
    answer::<SubmitSignature, _, _>(router, it, submit_signature)
}

/// By the member who asked for the command and holds the own key.
async fn submit_signature(
    authorization: Arc<Authorization>,
    call: Call,
    request: SubmitSignature,
) -> Result<Committed, Problem> {
    let caller = authorization.caller(&call)?;
    authorization.desk.submit_signature(&caller, request).await
}
