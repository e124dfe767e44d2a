//! Withdraws an authorization code. By its holder.

use std::sync::Arc;

use bus::Call;
use contracts::records::command::Command;
use interfaces::Committed;
use interfaces::records::WithdrawCode;

use crate::failure::Failure;
use crate::service::Records;

pub(super) async fn withdraw_code(
    records: Arc<Records>,
    call: Call,
    request: WithdrawCode,
) -> Result<Committed, Failure> {
    let caller = records.caller(&call)?;
    let (on_ledger, holder) = records.code_holder(&caller, &request.record).await?;
    let command = Command::WithdrawCode {
        record: request.record,
        holder,
    };
    records
        .commit_as_holder(
            &caller,
            holder,
            &on_ledger.patient,
            command,
            submission::no_facts(),
        )
        .await
}
