//! Closes the review of an emergency. By a regulator, who holds the own key.

use std::sync::Arc;

use bus::Call;
use contracts::records::command::Command;
use interfaces::records::ReviewEmergency;
use interfaces::{CommandReply, Problem};
use keys::Role;

use crate::failure::Failure;
use crate::projections;
use crate::service::Records;

pub(super) async fn review_emergency(
    records: Arc<Records>,
    call: Call,
    request: ReviewEmergency,
) -> Result<CommandReply, Failure> {
    let caller = records.caller(&call)?;
    caller.require(Role::Regulator)?;
    projections::emergency(records.reader(), &request.emergency)
        .await?
        .ok_or_else(|| Problem::not_found("no emergency here has this id"))?;
    let command = Command::ReviewEmergency {
        emergency: request.emergency,
        justified: request.justified,
    };
    Ok(records
        .desk
        .command(&caller, caller.member()?, command)
        .await?)
}
