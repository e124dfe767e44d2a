//! Watching over patients: what their readings say, and the warnings that come of it.

pub(crate) mod silence;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use clinical::vitals::{Reading, VitalSign};
use clinical::warning::{Assessment, Cause, Limit, PatientSettings, assess};
use contracts::WarningId;
use contracts::telemetry::command::{Command, WarningCause, WarningLevel};
use keys::secret;
use ledger::{Commitment, DigestAlgorithm, LedgerId, canonical};
use serde::{Deserialize, Serialize};
use sqlx::Row;
use store::Transaction;

use crate::packs::{Pack, pack_row};
use crate::service::Iot;

/// How far back readings count (the longest that NEWS2 takes any of them).
const MEMORY_US: u64 = 12 * 3_600_000_000;
/// Readings remembered of one patient at most.
const READINGS_MAX: usize = 4_096;
/// Packs read back of one patient after a restart at most.
const PACKS_MAX: i64 = 512;

/// What is behind a warning, kept sealed; the ledger has a commitment to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WarningDetail {
    /// Salt of the commitment.
    pub(crate) salt: [u8; 32],
    /// In words.
    pub(crate) message: String,
    /// The readings that raised it.
    pub(crate) readings: Vec<Reading>,
}

/// What is remembered of one patient.
struct Patient {
    readings: Vec<Reading>,
    /// Causes already warned of, until they go away.
    active: Vec<Cause>,
}

/// All patients that were heard since the start.
pub(crate) struct Watch {
    iot: Arc<Iot>,
    patients: HashMap<LedgerId, Patient>,
}

impl Watch {
    pub(crate) fn new(iot: Arc<Iot>) -> Watch {
        Watch {
            iot,
            patients: HashMap::new(),
        }
    }

    /// Forgets everything: it is read back from the rows when needed.
    pub(crate) fn forget(&mut self) {
        self.patients.clear();
    }

    /// Assesses a patient after new readings; a new cause raises a warning in the same database transaction.
    pub(crate) async fn assess(
        &mut self,
        transaction: &mut Transaction,
        device: &LedgerId,
        id: &LedgerId,
        new: &[Reading],
    ) -> anyhow::Result<()> {
        if !self.patients.contains_key(id) {
            let readings = remembered(&self.iot, transaction, id).await?;
            self.patients.insert(
                *id,
                Patient {
                    readings,
                    active: Vec::new(),
                },
            );
        }
        let settings = settings(&self.iot, transaction, id).await?;
        let Some(patient) = self.patients.get_mut(id) else {
            return Ok(());
        };
        patient.readings.extend_from_slice(new);
        let latest = patient
            .readings
            .iter()
            .map(|reading| reading.at_micros)
            .max()
            .unwrap_or_default();
        patient
            .readings
            .retain(|reading| reading.at_micros + MEMORY_US >= latest);
        let excess = patient.readings.len().saturating_sub(READINGS_MAX);
        patient.readings.drain(..excess);
        let assessment = assess(&patient.readings, &settings, latest);
        let fresh: Vec<Cause> = assessment
            .causes
            .iter()
            .filter(|cause| !is_known(&patient.active, cause))
            .copied()
            .collect();
        patient.active.clone_from(&assessment.causes);
        if let Some(worst) = fresh.iter().max_by_key(|cause| cause.escalation()) {
            let message = message(&assessment, &fresh);
            raise(
                &self.iot,
                transaction,
                device,
                id,
                level(worst),
                cause(worst),
                message,
                new.to_vec(),
            )
            .await?;
        }
        Ok(())
    }
}

/// A NEWS2 total that was warned of is known until it gets worse.
fn is_known(active: &[Cause], cause: &Cause) -> bool {
    active.iter().any(|known| match (known, cause) {
        (Cause::News2 { total: before }, Cause::News2 { total: now }) => now <= before,
        _ => known == cause,
    })
}

fn level(cause: &Cause) -> WarningLevel {
    match cause {
        Cause::News2 { total: 7.. } => WarningLevel::High,
        Cause::News2 { .. } | Cause::Limit { .. } => WarningLevel::Medium,
        Cause::SingleParameter { .. } => WarningLevel::LowMedium,
        Cause::Trend { .. } => WarningLevel::Low,
    }
}

fn cause(cause: &Cause) -> WarningCause {
    match cause {
        Cause::News2 { .. } => WarningCause::Score,
        Cause::SingleParameter { .. } => WarningCause::Parameter,
        Cause::Limit { .. } => WarningCause::Limit,
        Cause::Trend { .. } => WarningCause::Trend,
    }
}

fn message(assessment: &Assessment, fresh: &[Cause]) -> String {
    let words: Vec<String> = fresh
        .iter()
        .map(|cause| match cause {
            Cause::News2 { total } => format!("NEWS2 score of {total}"),
            Cause::SingleParameter { parameter } => format!("{parameter:?} far out of range"),
            Cause::Limit { sign, direction } => {
                format!("{} past your limit ({direction:?})", sign.coding().display)
            }
            Cause::Trend { sign, direction } => format!(
                "{} moving away from normal ({direction:?})",
                sign.coding().display
            ),
        })
        .collect();
    let response = assessment
        .escalation
        .map_or("", |escalation| escalation.text());
    format!("{}; response: {response}", words.join(", "))
}

/// Puts a warning's facts and its transaction into the database transaction.
#[allow(clippy::too_many_arguments, reason = "each is a column of the warning")]
pub(crate) async fn raise(
    iot: &Iot,
    transaction: &mut Transaction,
    device: &LedgerId,
    patient: &LedgerId,
    level: WarningLevel,
    cause: WarningCause,
    message: String,
    readings: Vec<Reading>,
) -> anyhow::Result<()> {
    let warning = WarningId(secret::random());
    let detail = WarningDetail {
        salt: secret::random(),
        message,
        readings,
    };
    let committed = canonical::encode(&(&detail.message, &detail.readings));
    let commitment = Commitment::new(
        DigestAlgorithm::Sha256,
        &detail.salt,
        &[&warning.0, &committed],
    );
    sqlx::query("INSERT INTO warning_details (warning, sealed) VALUES ($1, $2)")
        .bind(warning.to_string())
        .bind(iot.seal_row(patient, &warning.to_string(), &detail))
        .execute(&mut **transaction)
        .await?;
    let command = contracts::Command::from(Command::RaiseWarning {
        warning,
        device: *device,
        level,
        cause,
        detail: commitment,
    });
    let signed = iot.member.sign(iot.desk.body(
        iot.member.ledger_id(),
        iot.member.public_key(),
        &command,
    ));
    store::outbox::put(transaction, &signed).await?;
    tracing::info!(%warning, ?level, ?cause, "warning raised");
    Ok(())
}

async fn remembered(
    iot: &Iot,
    transaction: &mut Transaction,
    patient: &LedgerId,
) -> anyhow::Result<Vec<Reading>> {
    let rows = sqlx::query(
        "SELECT place, sealed FROM packs WHERE patient = $1 ORDER BY place DESC LIMIT $2",
    )
    .bind(patient.to_string())
    .bind(PACKS_MAX)
    .fetch_all(&mut **transaction)
    .await?;
    let mut readings = Vec::new();
    for row in rows.iter().rev() {
        let (place, sealed): (i64, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
        match iot.open_row::<Pack>(patient, &pack_row(place), &sealed) {
            Some(pack) => readings.extend(pack.readings),
            None => tracing::error!(place, "a pack does not open: its row was altered"),
        }
    }
    Ok(readings)
}

async fn settings(
    iot: &Iot,
    transaction: &mut Transaction,
    patient: &LedgerId,
) -> anyhow::Result<PatientSettings> {
    let rows = sqlx::query("SELECT sign, sealed FROM limits WHERE patient = $1")
        .bind(patient.to_string())
        .fetch_all(&mut **transaction)
        .await?;
    let mut limits: BTreeMap<VitalSign, Limit> = BTreeMap::new();
    for row in rows {
        let (sign, sealed): (i64, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
        let Some(sign) = u8::try_from(sign).ok().and_then(VitalSign::from_code) else {
            continue;
        };
        if let Some(limit) = iot.open_row::<Limit>(patient, &limit_row(sign), &sealed) {
            limits.insert(sign, limit);
        }
    }
    Ok(PatientSettings {
        limits,
        ..PatientSettings::default()
    })
}

/// The name of a limit's row for sealing.
pub(crate) fn limit_row(sign: VitalSign) -> String {
    format!("limit/{}", sign as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_warned_of_once_and_a_score_again_when_it_gets_worse() {
        let active = [Cause::News2 { total: 5 }];
        assert!(is_known(&active, &Cause::News2 { total: 5 }));
        assert!(is_known(&active, &Cause::News2 { total: 4 }));
        assert!(!is_known(&active, &Cause::News2 { total: 7 }));
        assert!(!is_known(&[], &Cause::News2 { total: 5 }));
    }
}
