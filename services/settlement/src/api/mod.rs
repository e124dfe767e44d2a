//! One file a use case; each says first who may call it.

mod deposit;
mod get_balances;
mod get_statement;
mod list_claims;
mod list_rules;
mod pay_share;
mod publish_rules;
mod register_coverage;
mod resolve_claim;
mod withdraw;

use std::sync::Arc;

use bus::{Call, Router};
use interfaces::{Committed, Problem, SubmitSignature};

use crate::service::Settlement;

/// All use cases of this service.
pub(crate) fn router(router: Router, settlement: Arc<Settlement>) -> Router {
    router
        .over(&settlement)
        .on(deposit::deposit)
        .on(withdraw::withdraw)
        .on(get_balances::get_balances)
        .on(get_statement::get_statement)
        .on(publish_rules::publish_rules)
        .on(register_coverage::register_coverage)
        .on(list_rules::list_rules)
        .on(list_claims::list_claims)
        .on(pay_share::pay_share)
        .on(resolve_claim::resolve_claim)
        .on(submit_signature)
        .into_router()
}

/// By the member who asked for the command and holds the own key.
async fn submit_signature(
    settlement: Arc<Settlement>,
    call: Call,
    request: SubmitSignature,
) -> Result<Committed, Problem> {
    let caller = settlement.sessions.caller(&call)?;
    settlement.desk.submit_signature(&caller, request).await
}
