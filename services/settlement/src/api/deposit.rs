//! Brings money in. By the treasurer, who holds the own key.

use std::sync::Arc;

use bus::Call;
use contracts::settlement::command::Command;
use interfaces::settlement::Deposit;
use interfaces::{CommandReply, Problem};
use keys::token::Role;

use crate::service::Settlement;

pub(crate) async fn deposit(
    settlement: Arc<Settlement>,
    call: Call,
    request: Deposit,
) -> Result<CommandReply, Problem> {
    let caller = settlement.sessions.caller(&call)?;
    caller.require(Role::Treasurer)?;
    let reference = request
        .reference
        .parse()
        .map_err(|_| Problem::bad_input("/reference", "32 lowercase hex digits"))?;
    let command = Command::Deposit {
        reference,
        account: request.account,
        amount: request.amount,
    };
    settlement
        .desk
        .command(&caller, caller.member()?, command)
        .await
}
