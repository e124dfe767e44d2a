//! Ends a grant: the next read is refused. By the patient, with the custodial key.

use std::sync::Arc;

use bus::Call;
use contracts::authorization::command::Command;
use interfaces::authorization::WithdrawGrant;
use interfaces::{CommandReply, Problem};
use keys::token::Role;

use crate::service::Authorization;

pub(crate) async fn withdraw_grant(
    authorization: Arc<Authorization>,
    call: Call,
    request: WithdrawGrant,
) -> Result<CommandReply, Problem> {
    let caller = authorization.sessions.caller(&call)?;
    caller.require(Role::Patient)?;
    let unknown = || Problem::not_found("no grant of yours has this id");
    let item = authorization
        .item_of_grant(&request.grant.to_string())
        .await?
        .ok_or_else(unknown)?;
    if !authorization
        .desk
        .ledger_ids(&caller)
        .await?
        .contains(&item.patient)
    {
        return Err(unknown());
    }
    authorization
        .desk
        .command(
            &caller,
            item.patient,
            Command::WithdrawGrant {
                grant: request.grant,
            },
        )
        .await
}
