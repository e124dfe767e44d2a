//! Binds a device to the caller, and unbinds it. By the patient, with the custodial key (A72).

use std::sync::Arc;

use bus::Call;
use contracts::telemetry::command::Command;
use interfaces::iot::{RegisterDevice, UnregisterDevice};
use interfaces::{CommandReply, Problem};
use keys::token::Role;

use crate::service::Iot;

pub(crate) async fn register_device(
    iot: Arc<Iot>,
    call: Call,
    request: RegisterDevice,
) -> Result<CommandReply, Problem> {
    let caller = iot.sessions.caller(&call)?;
    caller.require(Role::Patient)?;
    iot.desk
        .command(
            &caller,
            caller.ledger_id("devices")?,
            Command::RegisterDevice {
                device: request.device,
            },
        )
        .await
}

pub(crate) async fn unregister_device(
    iot: Arc<Iot>,
    call: Call,
    request: UnregisterDevice,
) -> Result<CommandReply, Problem> {
    let caller = iot.sessions.caller(&call)?;
    caller.require(Role::Patient)?;
    iot.desk
        .command(
            &caller,
            caller.ledger_id("devices")?,
            Command::UnregisterDevice {
                device: request.device,
            },
        )
        .await
}
