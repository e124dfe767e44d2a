//! One file a use case; each says first who may call it.

mod deposit;
mod get_balances;
mod get_statement;
mod list_claims;
mod pay_share;
mod publish_rules;
mod register_coverage;
mod resolve_claim;
mod withdraw;

use std::sync::Arc;

use bus::{Call, Router};
use interfaces::settlement as requests;
use interfaces::{Committed, Problem, SubmitSignature};

use crate::service::{Settlement, answer};

/// All use cases of this service.
pub(crate) fn router(router: Router, settlement: Arc<Settlement>) -> Router {
    let it = &settlement;
    let router = answer::<requests::Deposit, _, _>(router, it, deposit::deposit);
    let router = answer::<requests::Withdraw, _, _>(router, it, withdraw::withdraw);
    let router = answer::<requests::GetBalances, _, _>(router, it, get_balances::get_balances);
    let router = answer::<requests::GetStatement, _, _>(router, it, get_statement::get_statement);
    let router = answer::<requests::PublishRules, _, _>(router, it, publish_rules::publish_rules);
    let router = answer::<requests::RegisterCoverage, _, _>(
        router,
        it,
        register_coverage::register_coverage,
    );
    let router = answer::<requests::ListClaims, _, _>(router, it, list_claims::list_claims);
    let router = answer::<requests::PayShare, _, _>(router, it, pay_share::pay_share);
    let router = answer::<requests::ResolveClaim, _, _>(router, it, resolve_claim::resolve_claim);
    answer::<SubmitSignature, _, _>(router, it, submit_signature)
}

/// By the member who asked for the command and holds the own key.
async fn submit_signature(
    settlement: Arc<Settlement>,
    call: Call,
    request: SubmitSignature,
) -> Result<Committed, Problem> {
    let caller = settlement.caller(&call)?;
    settlement.desk.submit_signature(&caller, request).await
}
