//! Says that a warning was seen. By the patient (custodial key) or a hospital it is shared with (own key).

use std::sync::Arc;

use bus::Call;
use contracts::telemetry::command::Command;
use interfaces::iot::AcknowledgeWarning;
use interfaces::{CommandReply, Problem};
use keys::token::Role;
use ledger::LedgerId;
use submission::Caller;
use submission::row::database;

use crate::service::{Iot, now_us};

const OWN: &str = "warnings.patient = $1 AND $3 = $3";
const SHARED: &str =
    "EXISTS (SELECT 1 FROM shares WHERE shares.patient = warnings.patient AND shares.hospital = $1
     AND shares.until_us > $3 AND warnings.time_us >= shares.from_us)";

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
    if !shown_to(&iot, &caller, &submitter, &request).await? {
        return Err(Problem::not_found("no warning of yours has this id"));
    }
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

/// Whether the list of warnings shows it to the caller.
async fn shown_to(
    iot: &Iot,
    caller: &Caller,
    member: &LedgerId,
    request: &AcknowledgeWarning,
) -> Result<bool, Problem> {
    let relation = if caller.session().has_role(Role::Patient) {
        OWN
    } else {
        SHARED
    };
    let found = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT 1 FROM warnings WHERE {relation} AND warnings.warning = $2"
    )))
    .bind(member.to_string())
    .bind(request.warning.to_string())
    .bind(now_us() as i64)
    .fetch_optional(iot.store.reader())
    .await
    .map_err(database)?;
    Ok(found.is_some())
}
