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
    let applicant = caller.member()?;
    authorization
        .item(&request.item)
        .await?
        .filter(|item| item.summary.applicant == applicant)
        .ok_or_else(|| Problem::not_found("no item of yours has this id"))?;
    let command = Command::WithdrawItem { item: request.item };
    authorization
        .desk
        .command(&caller, applicant, command)
        .await
}
