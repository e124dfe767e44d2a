//! Endorses a member. By a node operator, who holds the own key.

use std::sync::Arc;

use bus::Call;
use contracts::membership::command::Command;
use interfaces::identity::EndorseMember;
use interfaces::{CommandReply, Problem};
use keys::token::Role;

use crate::service::Identity;

pub(crate) async fn endorse_member(
    identity: Arc<Identity>,
    call: Call,
    request: EndorseMember,
) -> Result<CommandReply, Problem> {
    let caller = identity.caller(&call).await?;
    caller.require(Role::NodeOperator)?;
    identity
        .desk
        .command(
            &caller,
            caller.member()?,
            Command::EndorseMember {
                member: request.member,
            },
        )
        .await
}
