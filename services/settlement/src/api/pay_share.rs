//! Pays the caller's share of a claim. By the insured (custodial key).

use std::sync::Arc;

use bus::Call;
use contracts::settlement::command::Command;
use interfaces::settlement::PayShare;
use interfaces::{CommandReply, Problem};
use keys::token::Role;

use crate::service::Settlement;

pub(crate) async fn pay_share(
    settlement: Arc<Settlement>,
    call: Call,
    request: PayShare,
) -> Result<CommandReply, Problem> {
    let caller = settlement.sessions.caller(&call)?;
    caller.require(Role::Patient)?;
    let insured = caller.ledger_id("insurance")?;
    settlement
        .require_claim_of(&insured, &request.claim.0)
        .await?;
    settlement
        .desk
        .command(
            &caller,
            insured,
            Command::PayShare {
                claim: request.claim,
            },
        )
        .await
}
