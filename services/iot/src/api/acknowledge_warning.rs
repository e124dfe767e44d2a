//! Says that a warning was seen. By the patient (custodial key) or a hospital it is shared with (own key).

use std::sync::Arc;

use bus::Call;
use contracts::telemetry::command::Command;
use interfaces::iot::AcknowledgeWarning;
use interfaces::{CommandReply, Problem};
use keys::token::Role;

use crate::service::Iot;

pub(crate) async fn acknowledge_warning(
    iot: Arc<Iot>,
    call: Call,
    request: AcknowledgeWarning,
) -> Result<CommandReply, Problem> {
    let caller = iot.sessions.caller(&call)?;
    let submitter = if caller.session().has_role(Role::Patient) {
        caller.ledger_id("devices")?
    } else {
        caller.require(Role::Hospital)?;
        caller.member()?
    };
    iot.desk
        .command(
            &caller,
            submitter,
            Command::AcknowledgeWarning {
                warning: request.warning,
            },
        )
        .await
}
