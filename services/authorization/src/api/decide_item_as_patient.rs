//! The patient's decision on an item. By the patient or a guardian who may decide, each with the own custodial key (A57, A58).

use std::sync::Arc;

use bus::Call;
use contracts::authorization::command::Command;
use interfaces::authorization::DecideItemAsPatient;
use interfaces::{CommandReply, Problem};
use keys::token::Role;

use crate::service::Authorization;

pub(crate) async fn decide_item_as_patient(
    authorization: Arc<Authorization>,
    call: Call,
    request: DecideItemAsPatient,
) -> Result<CommandReply, Problem> {
    let caller = authorization.sessions.caller(&call)?;
    caller.require(Role::Patient)?;
    let unknown = || Problem::not_found("no item of yours has this id");
    let item = authorization
        .item(&request.item)
        .await?
        .ok_or_else(unknown)?;
    let own = authorization.desk.ledger_ids(&caller).await?;
    let submitter = if own.contains(&item.patient) {
        item.patient
    } else {
        authorization
            .deciding_guardian(&own, &item.patient)
            .await?
            .ok_or_else(unknown)?
    };
    let command = match request.refuse {
        None => Command::ApproveAsPatient { item: request.item },
        Some(reason) => Command::RefuseAsPatient {
            item: request.item,
            reason,
        },
    };
    authorization
        .desk
        .command(&caller, submitter, command)
        .await
}
