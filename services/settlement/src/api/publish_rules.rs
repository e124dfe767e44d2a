//! Publishes a plan's rules. By an insurer, who holds the own key.

use std::sync::Arc;

use bus::Call;
use contracts::settlement::command::Command;
use interfaces::settlement::PublishRules;
use interfaces::{CommandReply, Problem};
use keys::token::Role;

use crate::service::Settlement;

pub(crate) async fn publish_rules(
    settlement: Arc<Settlement>,
    call: Call,
    request: PublishRules,
) -> Result<CommandReply, Problem> {
    let caller = settlement.sessions.caller(&call)?;
    caller.require(Role::Insurer)?;
    let insurer = caller.member()?;
    let owner = settlement.insurer_of(request.plan).await?;
    if owner.is_some_and(|owner| owner != insurer) {
        return Err(Problem::forbidden("this is another insurer's plan"));
    }
    let command = Command::PublishRules {
        plan: request.plan,
        version: request.version,
        rules: request.rules,
    };
    settlement.desk.command(&caller, insurer, command).await
}
