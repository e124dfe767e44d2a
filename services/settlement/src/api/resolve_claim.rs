//! Decides a pended claim by hand. By the plan's insurer, who holds the own key.

use std::sync::Arc;

use bus::Call;
use contracts::settlement::command::Command;
use interfaces::settlement::ResolveClaim;
use interfaces::{CommandReply, Problem};
use keys::token::Role;

use crate::service::Settlement;

pub(crate) async fn resolve_claim(
    settlement: Arc<Settlement>,
    call: Call,
    request: ResolveClaim,
) -> Result<CommandReply, Problem> {
    let caller = settlement.sessions.caller(&call)?;
    caller.require(Role::Insurer)?;
    let insurer = caller.member()?;
    settlement
        .require_own_claim(&insurer, &request.claim.0)
        .await?;
    let command = Command::ResolveClaim {
        claim: request.claim,
        benefit: request.benefit,
    };
    settlement.desk.command(&caller, insurer, command).await
}
