//! Suspends, reinstates or revokes a member. By a regulator, who holds the own key.

use std::sync::Arc;

use bus::Call;
use contracts::membership::command::Command;
use interfaces::identity::{ChangeMemberStatus, MemberStatusChange};
use interfaces::{CommandReply, Problem};
use keys::token::Role;

use crate::service::Identity;

pub(crate) async fn change_member_status(
    identity: Arc<Identity>,
    call: Call,
    request: ChangeMemberStatus,
) -> Result<CommandReply, Problem> {
    let caller = identity.caller(&call).await?;
    caller.require(Role::Regulator)?;
    let member = request.member;
    let command = match request.change {
        MemberStatusChange::Suspend => Command::SuspendMember { member },
        MemberStatusChange::Reinstate => Command::ReinstateMember { member },
        MemberStatusChange::Revoke => Command::RevokeMember { member },
    };
    identity
        .desk
        .command(&caller, caller.member()?, command)
        .await
}
