//! Takes money out to the caller's bank account. By whoever owns the account.

use std::sync::Arc;

use bus::Call;
use contracts::PaymentReference;
use contracts::settlement::command::Command;
use interfaces::settlement::Withdraw;
use interfaces::{CommandReply, Problem};

use crate::service::Settlement;

pub(crate) async fn withdraw(
    settlement: Arc<Settlement>,
    call: Call,
    request: Withdraw,
) -> Result<CommandReply, Problem> {
    let caller = settlement.sessions.caller(&call)?;
    if !settlement
        .accounts(&caller)
        .await?
        .contains(&request.account)
    {
        return Err(Problem::forbidden("this is not an account of yours"));
    }
    let command = Command::Withdraw {
        reference: PaymentReference(keys::secret::random()),
        amount: request.amount,
    };
    settlement
        .desk
        .command(&caller, request.account, command)
        .await
}
