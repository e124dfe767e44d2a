//! Watching over patients: what their readings say, and the warnings that come of it.

pub(crate) mod silence;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use clinical::news2::Parameter;
use clinical::vitals::{Reading, VitalSign};
use clinical::warning::{
    Assessment, Cause, Direction, Limit, PatientSettings, TREND_WINDOW_MICROS, assess,
};
use contracts::WarningId;
use contracts::telemetry::command::{Command, WarningCause, WarningLevel};
use interfaces::iot::WarningReason;
use keys::secret;
use ledger::{Commitment, DigestAlgorithm, LedgerId, canonical};
use serde::{Deserialize, Serialize};
use sqlx::Row;
use store::Transaction;

use crate::packs::{Pack, pack_row};
use crate::service::{Iot, now_us};

/// How far back readings count (the longest that NEWS2 takes any of them).
const MEMORY_US: u64 = 12 * 3_600_000_000;
/// Readings remembered of one patient at most.
const READINGS_MAX: usize = 4_096;
/// Packs read back of one patient after a restart at most.
const PACKS_MAX: i64 = 512;

/// Patients whose settings are read by one statement.
const PATIENTS_AT_ONCE: usize = 32;
/// With so many patients for the first time it is looked for some to forget.
const PATIENTS_LOOKED_AT: usize = 4_096;
/// Patients in memory at most: each has up to about 100 KB.
const PATIENTS_MAX: usize = 20_000;

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

/// The patients that were heard lately.
pub(crate) struct Watch {
    iot: Arc<Iot>,
    patients: HashMap<LedgerId, Patient>,
    /// Of the patients that were prepared last and have any.
    settings: HashMap<LedgerId, PatientSettings>,
    /// With so many patients it is looked for some to forget.
    look_at: usize,
}

impl Watch {
    pub(crate) fn new(iot: Arc<Iot>) -> Watch {
        Watch {
            iot,
            patients: HashMap::new(),
            settings: HashMap::new(),
            look_at: PATIENTS_LOOKED_AT,
        }
    }

    /// Forgets everything: it is read back from the rows when needed.
    pub(crate) fn forget(&mut self) {
        self.patients.clear();
    }

    /// Has at hand what is needed of these patients: their recent readings and their limits as they are now.
    pub(crate) async fn prepare(
        &mut self,
        transaction: &mut Transaction,
        ids: &BTreeSet<LedgerId>,
    ) -> anyhow::Result<()> {
        self.forget_some();
        self.settings = settings(&self.iot, transaction, ids).await?;
        for id in ids {
            if !self.patients.contains_key(id) {
                let readings = remembered(&self.iot, transaction, id).await?;
                let patient = Patient {
                    readings,
                    active: Vec::new(),
                };
                self.patients.insert(*id, patient);
            }
        }
        Ok(())
    }

    /// Forgets patients whose readings are so old that none counts any more; and all of them when they are too many,
    /// since they can be read back.
    fn forget_some(&mut self) {
        if self.patients.len() < self.look_at {
            return;
        }
        let since = now_us().saturating_sub(MEMORY_US);
        self.patients.retain(|_, patient| {
            let mut times = patient.readings.iter().map(|reading| reading.at_micros);
            times.any(|time| time >= since)
        });
        if self.patients.len() > PATIENTS_MAX {
            self.patients.clear();
        }
        self.look_at = (self.patients.len() * 2).max(PATIENTS_LOOKED_AT);
    }

    /// Assesses a patient, for whom [`Watch::prepare`] was called, after new readings; a new cause raises a warning in the
    /// same database transaction.
    pub(crate) async fn assess(
        &mut self,
        transaction: &mut Transaction,
        device: &LedgerId,
        id: &LedgerId,
        new: &[Reading],
    ) -> anyhow::Result<()> {
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
        forget_superseded(&mut patient.readings, latest);
        let no_limits = PatientSettings::default();
        let settings = self.settings.get(id).unwrap_or(&no_limits);
        let assessment = assess(&patient.readings, settings, latest);
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
                Words {
                    message,
                    reasons: fresh.iter().map(reason).collect(),
                },
                new.to_vec(),
            )
            .await?;
        }
        Ok(())
    }
}

/// Keeps what an assessment at `latest` or later can look at: the trend rule's window, and of each sign the newest
/// reading as long as it counts.
fn forget_superseded(readings: &mut Vec<Reading>, latest: u64) {
    let mut newest: BTreeMap<VitalSign, (u64, usize)> = BTreeMap::new();
    for (place, reading) in readings.iter().enumerate() {
        let known = newest.entry(reading.sign).or_insert((0, place));
        if reading.at_micros >= known.0 {
            *known = (reading.at_micros, place);
        }
    }
    let mut place = 0;
    readings.retain(|reading| {
        let is_newest = newest[&reading.sign].1 == place;
        place += 1;
        let kept_us = if is_newest {
            MEMORY_US
        } else {
            TREND_WINDOW_MICROS
        };
        reading.at_micros + kept_us >= latest
    });
    let excess = readings.len().saturating_sub(READINGS_MAX);
    readings.drain(..excess);
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

/// A cause as a fact, for people of any language.
fn reason(cause: &Cause) -> WarningReason {
    let name = |sign: &VitalSign| sign.coding().name.to_owned();
    match cause {
        Cause::News2 { total } => WarningReason::Score(*total),
        Cause::SingleParameter { parameter } => {
            WarningReason::Parameter(parameter_name(*parameter).to_owned())
        }
        Cause::Limit { sign, direction } => match direction {
            Direction::Low => WarningReason::BelowLimit(name(sign)),
            Direction::High => WarningReason::AboveLimit(name(sign)),
        },
        Cause::Trend { sign, direction } => match direction {
            Direction::Low => WarningReason::Falling(name(sign)),
            Direction::High => WarningReason::Rising(name(sign)),
        },
    }
}

/// The name of the sign that a parameter of NEWS2 scores.
fn parameter_name(parameter: Parameter) -> &'static str {
    let sign = match parameter {
        Parameter::Respiration => VitalSign::Respiration,
        Parameter::OxygenSaturation => VitalSign::OxygenSaturation,
        Parameter::Oxygen => VitalSign::OxygenFlow,
        Parameter::Systolic => VitalSign::Systolic,
        Parameter::Pulse => VitalSign::Pulse,
        Parameter::Consciousness => VitalSign::Consciousness,
        Parameter::Temperature => VitalSign::Temperature,
    };
    sign.coding().name
}

/// What a warning says: in English, and as facts.
pub(crate) struct Words {
    pub(crate) message: String,
    pub(crate) reasons: Vec<WarningReason>,
}

/// The name of a warning's reasons for sealing.
pub(crate) fn reasons_row(warning: &str) -> String {
    format!("{warning}/reasons")
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
    words: Words,
    readings: Vec<Reading>,
) -> anyhow::Result<()> {
    let warning = WarningId(secret::random());
    let detail = WarningDetail {
        salt: secret::random(),
        message: words.message,
        readings,
    };
    let committed = canonical::encode(&(&detail.message, &detail.readings));
    let commitment = Commitment::new(
        DigestAlgorithm::Sha256,
        &detail.salt,
        &[&warning.0, &committed],
    );
    let name = warning.to_string();
    sqlx::query("INSERT INTO warning_details (warning, sealed, reasons) VALUES ($1, $2, $3)")
        .bind(&name)
        .bind(iot.seal_row(patient, &name, &detail))
        .bind(iot.seal_row(patient, &reasons_row(&name), &words.reasons))
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

/// The settings of those of the patients who have any.
async fn settings(
    iot: &Iot,
    transaction: &mut Transaction,
    patients: &BTreeSet<LedgerId>,
) -> anyhow::Result<HashMap<LedgerId, PatientSettings>> {
    let patients: Vec<LedgerId> = patients.iter().copied().collect();
    let mut settings: HashMap<LedgerId, PatientSettings> = HashMap::new();
    for part in patients.chunks(PATIENTS_AT_ONCE) {
        let places = if part.len() == 1 { 1 } else { PATIENTS_AT_ONCE };
        let list: Vec<String> = (1..=places).map(|place| format!("${place}")).collect();
        let sql = format!(
            "SELECT patient, sign, sealed FROM limits WHERE patient IN ({})",
            list.join(", ")
        );
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for place in 0..places {
            // A patient who is asked for twice is answered once.
            query = query.bind(part[place.min(part.len() - 1)].to_string());
        }
        for row in query.fetch_all(&mut **transaction).await? {
            let (patient, sign, sealed): (String, i64, Vec<u8>) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let patient: LedgerId = patient.parse()?;
            let Some(sign) = u8::try_from(sign).ok().and_then(VitalSign::from_code) else {
                continue;
            };
            if let Some(limit) = iot.open_row::<Limit>(&patient, &limit_row(sign), &sealed) {
                let of_patient = settings.entry(patient).or_default();
                of_patient.limits.insert(sign, limit);
            }
        }
    }
    Ok(settings)
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

    #[test]
    fn forgetting_superseded_readings_changes_no_assessment() {
        const MINUTE_US: u64 = 60_000_000;
        let signs = [
            VitalSign::Pulse,
            VitalSign::Temperature,
            VitalSign::OxygenFlow,
        ];
        let (mut all, mut remembered) = (Vec::new(), Vec::new());
        for step in 0_u64..400 {
            let sign = signs[(step % 7 % 3) as usize];
            // Now and then a reading comes late.
            let late = if step % 11 == 0 { 50 } else { 0 };
            let reading = Reading {
                at_micros: (10_000 + step * 4 - late) * MINUTE_US,
                sign,
                milli: 36_000 + (step as i64 * 7_919 % 90_000),
            };
            all.push(reading);
            remembered.push(reading);
            let latest = all.iter().map(|reading| reading.at_micros).max().unwrap();
            forget_superseded(&mut remembered, latest);
            let settings = PatientSettings::default();
            assert_eq!(
                assess(&remembered, &settings, latest),
                assess(&all, &settings, latest)
            );
        }
        assert!(remembered.len() < 40, "{}", remembered.len());
    }
}
