//! Delegations, folded and read.

use contracts::records::command::DelegationScope;
use contracts::records::event::Event as RecordEvent;
use ledger::{LedgerId, Timestamp};
use sqlx::any::AnyRow;
use sqlx::{AnyPool, AssertSqlSafe};
use store::row;
use store::rows::{Insert, Rows};

use crate::facts::{column, parsed};
use crate::failure::Failure;
use crate::service::time_us;

static PUT_DELEGATION: Insert = Insert::new(
    "ledger_delegations",
    &[
        "patient",
        "guardian",
        "scope",
        "until",
        "patient_name",
        "guardian_name",
        "ended",
    ],
    2,
    "ON CONFLICT (patient, guardian) DO UPDATE SET scope = excluded.scope, until = excluded.until, \
     patient_name = excluded.patient_name, guardian_name = excluded.guardian_name, ended = excluded.ended",
);

/// A delegation, as the ledger has it.
#[derive(Clone, Debug)]
pub struct DelegationOnLedger {
    /// The patient.
    pub patient: LedgerId,
    /// The guardian.
    pub guardian: LedgerId,
    /// What the guardian may do.
    pub scope: DelegationScope,
    /// Until when, exclusive.
    pub until: Timestamp,
    /// The patient's name, sealed to the guardian.
    pub patient_name: Vec<u8>,
    /// The guardian's name, sealed to the patient.
    pub guardian_name: Vec<u8>,
    /// Whether one of the two ended it.
    pub ended: bool,
    /// Whether both may act on the ledger.
    pub active: bool,
}

impl DelegationOnLedger {
    /// Whether the contract would let the guardian act now, within the scope.
    pub fn holds(&self, now: u64) -> bool {
        !self.ended && now < self.until.0 && self.active
    }
}

pub(super) fn fold(rows: &mut Rows, decided: &RecordEvent) {
    match decided {
        RecordEvent::GuardianNamed {
            patient,
            guardian,
            scope,
            until,
            patient_name,
            guardian_name,
        } => rows.insert(
            &PUT_DELEGATION,
            row![
                patient.to_string(),
                guardian.to_string(),
                *scope as i64,
                time_us(*until),
                patient_name.0.clone(),
                guardian_name.0.clone(),
                0_i64
            ],
        ),
        RecordEvent::DelegationEnded {
            patient, guardian, ..
        } => rows.execute(
            "ledger_delegations",
            "UPDATE ledger_delegations SET ended = 1 WHERE patient = $1 AND guardian = $2",
            row![patient.to_string(), guardian.to_string()],
        ),
        _ => {}
    }
}

const COLUMNS: &str = "SELECT ledger_delegations.patient, guardian, scope, until, patient_name, guardian_name, ended, \
     (SELECT COUNT(*) FROM ledger_members WHERE status = 'active' \
     AND member IN (ledger_delegations.patient, guardian)) AS active FROM ledger_delegations";

/// All delegations that a patient gave.
pub async fn delegations_by(
    pool: &AnyPool,
    patient: &LedgerId,
) -> Result<Vec<DelegationOnLedger>, Failure> {
    let statement = format!("{COLUMNS} WHERE patient = $1 ORDER BY guardian");
    let rows = sqlx::query(AssertSqlSafe(statement))
        .bind(patient.to_string())
        .fetch_all(pool)
        .await?;
    rows.iter().map(read).collect()
}

/// All delegations that a guardian's ledger id holds: one, since each is made for one patient.
pub async fn delegations_to(
    pool: &AnyPool,
    guardian: &LedgerId,
) -> Result<Vec<DelegationOnLedger>, Failure> {
    let statement = format!("{COLUMNS} WHERE guardian = $1 ORDER BY patient");
    let rows = sqlx::query(AssertSqlSafe(statement))
        .bind(guardian.to_string())
        .fetch_all(pool)
        .await?;
    rows.iter().map(read).collect()
}

fn read(row: &AnyRow) -> Result<DelegationOnLedger, Failure> {
    let scope: i64 = column(row, "scope")?;
    Ok(DelegationOnLedger {
        patient: parsed(row, "patient")?,
        guardian: parsed(row, "guardian")?,
        scope: DelegationScope::ALL
            .into_iter()
            .find(|known| *known as i64 == scope)
            .ok_or(Failure::Row("scope"))?,
        until: Timestamp(column::<i64>(row, "until")?.unsigned_abs()),
        patient_name: column(row, "patient_name")?,
        guardian_name: column(row, "guardian_name")?,
        ended: column::<i64>(row, "ended")? != 0,
        active: column::<i64>(row, "active")? == 2,
    })
}
