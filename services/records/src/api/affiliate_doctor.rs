//! Lets a doctor act for this hospital, or ends that. By the hospital.

use std::sync::Arc;

use bus::Call;
use contracts::membership::command::Command;
use interfaces::records::AffiliateDoctor;
use interfaces::{Committed, Problem};
use ledger::Timestamp;

use crate::failure::Failure;
use crate::service::Records;

const DAY_US: u64 = 86_400_000_000;
const DAYS_MAX: u32 = 3_660;
/// Block time may lag behind this process's clock: the affiliation holds at once.
const CLOCK_TOLERANCE_US: u64 = 5_000_000;

pub(super) async fn affiliate_doctor(
    records: Arc<Records>,
    call: Call,
    request: AffiliateDoctor,
) -> Result<Committed, Failure> {
    records.hospital_caller(&call)?;
    if request.days > DAYS_MAX {
        return Err(Problem::bad_input("days", format!("must be at most {DAYS_MAX}")).into());
    }
    let now = chassis::clock::now();
    let command = match request.days {
        0 => Command::EndAffiliation {
            doctor: request.doctor,
        },
        days => Command::AffiliateDoctor {
            doctor: request.doctor,
            from: Timestamp(now.saturating_sub(CLOCK_TOLERANCE_US)),
            until: Timestamp(now).plus(u64::from(days) * DAY_US),
        },
    };
    let committed = records
        .desk
        .commit_with_key(&records.key, command, submission::no_facts())
        .await?;
    records.projected(&committed).await;
    Ok(committed)
}
