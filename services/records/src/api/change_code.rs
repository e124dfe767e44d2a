//! Changes an authorization code: a new one is drawn and the old one stops working. By its holder.

use std::sync::Arc;

use bus::Call;
use contracts::records::command::Command;
use interfaces::Problem;
use interfaces::records::{ChangeCode, ShownCode};
use ledger::Timestamp;

use crate::facts::codes::{self, DEFAULT_VALIDITY_US, DrawnCode};
use crate::facts::records as record_facts;
use crate::failure::{Failure, forbidden};
use crate::service::Records;

const HOUR_US: u64 = 3_600_000_000;

pub(super) async fn change_code(
    records: Arc<Records>,
    call: Call,
    request: ChangeCode,
) -> Result<ShownCode, Failure> {
    let caller = records.caller(&call)?;
    let (on_ledger, holder) = records.code_holder(&caller, &request.record).await?;
    let uses = request.uses.unwrap_or(u32::MAX);
    if uses == 0 {
        return Err(Problem::bad_input("uses", "must be at least 1").into());
    }
    let validity = match request.hours {
        Some(0) => return Err(Problem::bad_input("hours", "must be at least 1").into()),
        Some(hours) => u64::from(hours) * HOUR_US,
        None => DEFAULT_VALIDITY_US,
    };
    let until = Timestamp(chassis::clock::now()).plus(validity);
    let drawn = DrawnCode::draw(&request.record, holder, uses, until);
    let stored = record_facts::find(records.reader(), &records.vault, &request.record)
        .await?
        .ok_or_else(forbidden)?;
    // The code is durable before the ledger has its public half: a code that nobody knows could not be told.
    let mut transaction = records.store.begin().await?;
    codes::insert(&mut transaction, &stored.key, &request.record, &drawn).await?;
    transaction.commit().await?;
    let command = Command::SetCode {
        record: request.record,
        holder,
        code: drawn.public,
    };
    let committed = records
        .commit_as_holder(
            &caller,
            holder,
            &on_ledger.patient,
            command,
            submission::no_facts(),
        )
        .await?;
    // The index forgets the old locator with the new one; the reaction tells it if this fails.
    if let Err(failure) = records.tell_locators().await {
        tracing::warn!(record_id = %request.record, reason = %failure, "the index was not told of a code yet");
    }
    let code = drawn.code.expose_text().to_string();
    Ok(ShownCode {
        wrong_patient_ids: 0,
        record: request.record,
        holder,
        code,
        committed: Some(committed),
    })
}
