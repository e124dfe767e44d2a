//! Takes an item back before its release. By the applicant, who holds the own key.

use std::sync::Arc;

use bus::Call;
use contracts::authorization::command::Command;
use interfaces::authorization::WithdrawItem;
use interfaces::{CommandReply, Problem};
use keys::token::Role;

use crate::service::Authorization;

pub(crate) async fn withdraw_item(
    authorization: Arc<Authorization>,
    call: Call,
    request: WithdrawItem,
) -> Result<CommandReply, Problem> {
    let caller = authorization.sessions.caller(&call)?;
    caller.require_any(&[Role::ThirdParty, Role::Insurer])?;
    authorization
        .desk
        .command(
            &caller,
            caller.member()?,
            Command::WithdrawItem { item: request.item },
        )
        .await
}
