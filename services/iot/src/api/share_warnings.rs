//! Lets a hospital receive the caller's warnings, or ends that. By the patient, with the custodial key.

use std::sync::Arc;

use bus::Call;
use contracts::telemetry::command::Command;
use interfaces::iot::ShareWarnings;
use interfaces::{CommandReply, Problem};
use keys::token::Role;
use ledger::Timestamp;

use crate::service::{Iot, now_us};

const DAYS_MAX: u32 = 3_650;
const DAY_US: u64 = 86_400_000_000;

pub(crate) async fn share_warnings(
    iot: Arc<Iot>,
    call: Call,
    request: ShareWarnings,
) -> Result<CommandReply, Problem> {
    let caller = iot.sessions.caller(&call)?;
    caller.require(Role::Patient)?;
    if request.days > DAYS_MAX {
        return Err(Problem::bad_input(
            "/days",
            format!("at most {DAYS_MAX} days"),
        ));
    }
    let command = match request.days {
        0 => Command::EndShare {
            hospital: request.hospital,
        },
        days => Command::ShareWarnings {
            hospital: request.hospital,
            until: Timestamp(now_us() + u64::from(days) * DAY_US),
        },
    };
    iot.desk
        .command(&caller, caller.ledger_id("devices")?, command)
        .await
}
