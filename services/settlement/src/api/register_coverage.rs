//! Covers an insured. By an insurer, who holds the own key.

use std::sync::Arc;

use bus::Call;
use contracts::settlement::command::Command;
use interfaces::settlement::RegisterCoverage;
use interfaces::{CommandReply, Problem};
use keys::token::Role;

use crate::service::Settlement;

pub(crate) async fn register_coverage(
    settlement: Arc<Settlement>,
    call: Call,
    request: RegisterCoverage,
) -> Result<CommandReply, Problem> {
    let caller = settlement.sessions.caller(&call)?;
    caller.require(Role::Insurer)?;
    let insurer = caller.member()?;
    if settlement.insurer_of(request.plan).await? != Some(insurer) {
        return Err(Problem::not_found("no plan of yours has this number"));
    }
    let command = Command::RegisterCoverage {
        insured: request.insured,
        plan: request.plan,
        from_year: request.from_year,
        until_year: request.until_year,
    };
    settlement.desk.command(&caller, insurer, command).await
}
