//! When a patient's readings call for a warning: NEWS2, single parameters, the patient's own limits,
//! and a trend.

use std::collections::BTreeMap;

use crate::news2::{Inputs, Parameter, Risk, Scale, Score, score};
use crate::vitals::{Consciousness, Reading, VitalSign};

/// How urgent a warning is. The numbers are part of the ledger's format.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Escalation {
    /// A clinician should look within the hour: a single parameter of 3, or a trend.
    Watch = 1,
    /// Urgent response: NEWS2 of 5 or 6, or one of the patient's limits passed.
    Urgent = 2,
    /// Emergency response: NEWS2 of 7 or more.
    Emergency = 3,
}

impl Escalation {
    /// The level with this number.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Watch, Self::Urgent, Self::Emergency]
            .into_iter()
            .find(|level| *level as u8 == code)
    }

    /// Name for people.
    pub fn text(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Urgent => "urgent",
            Self::Emergency => "emergency",
        }
    }
}

/// Which way a value passed a limit or moves.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Downwards.
    Low,
    /// Upwards.
    High,
}

/// Why there is a warning.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case", tag = "cause")]
pub enum Cause {
    /// The NEWS2 total is 5 or more.
    News2 {
        /// The total.
        total: u8,
    },
    /// A single parameter scores 3.
    SingleParameter {
        /// The parameter.
        parameter: Parameter,
    },
    /// A limit set for this patient is passed.
    Limit {
        /// The sign.
        sign: VitalSign,
        /// Below or above.
        direction: Direction,
    },
    /// The sign moves away from normal.
    Trend {
        /// The sign.
        sign: VitalSign,
        /// Falling or rising.
        direction: Direction,
    },
}

impl Cause {
    /// How urgent the cause is by itself.
    pub fn escalation(&self) -> Escalation {
        match self {
            Self::News2 { total: 7.. } => Escalation::Emergency,
            Self::News2 { .. } | Self::Limit { .. } => Escalation::Urgent,
            Self::SingleParameter { .. } | Self::Trend { .. } => Escalation::Watch,
        }
    }
}

/// A limit of one sign, in thousandths; values at the limit do not pass it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Limit {
    /// Warn below this.
    pub low_milli: Option<i64>,
    /// Warn above this.
    pub high_milli: Option<i64>,
}

/// What a clinician has set for a patient.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct PatientSettings {
    /// Age in years; NEWS2 is not used under 16. Unknown counts as adult.
    pub age_years: Option<u32>,
    /// NEWS2 is not used in pregnancy.
    pub pregnant: bool,
    /// The oxygen scale; two only on a clinician's order.
    pub scale: Scale,
    /// The patient's own limits.
    pub limits: BTreeMap<VitalSign, Limit>,
}

/// What the readings of a patient say at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// The NEWS2 score; `None` where NEWS2 is not to be used.
    pub score: Option<Score>,
    /// All causes of warning, sorted.
    pub causes: Vec<Cause>,
    /// The highest escalation of the causes.
    pub escalation: Option<Escalation>,
}

const MINUTE: u64 = 60_000_000;

/// The trend rule looks at readings no older than this.
pub const TREND_WINDOW_MICROS: u64 = 60 * MINUTE;
/// The trend rule needs this many readings of a sign in the window.
pub const TREND_READINGS_MIN: usize = 6;

/// How long a reading counts for a score.
pub fn fresh_for_micros(sign: VitalSign) -> u64 {
    match sign {
        VitalSign::Pulse | VitalSign::Respiration | VitalSign::Systolic | VitalSign::Diastolic => {
            60 * MINUTE
        }
        VitalSign::OxygenSaturation => 120 * MINUTE,
        VitalSign::Temperature | VitalSign::Consciousness => 6 * 60 * MINUTE,
        VitalSign::OxygenFlow | VitalSign::OxygenConcentration => 12 * 60 * MINUTE,
    }
}

/// Normal range and least change that the trend rule minds, in thousandths of the unit.
fn trend_of(sign: VitalSign) -> Option<(i64, i64, i64)> {
    Some(match sign {
        VitalSign::Pulse => (51_000, 90_000, 20_000),
        VitalSign::OxygenSaturation => (96_000, 100_000, 4_000),
        VitalSign::Respiration => (12_000, 20_000, 6_000),
        VitalSign::Temperature => (36_100, 38_000, 1_000),
        VitalSign::Systolic => (111_000, 219_000, 30_000),
        _ => return None,
    })
}

/// Assesses the readings of one patient at `now_micros`. `readings` may be in any order and hold older
/// ones; all must have passed [`Reading::check`].
///
/// The trend rule: of the readings of a sign in the last hour, if there are at least six, take the
/// median of the earliest third and the median of the latest third. If they differ by the sign's least
/// change (pulse 20, SpO2 4, respiration 6, temperature 1.0, systolic 30) and the later one is further
/// from the middle of the normal range and outside of that range, the sign moves away from normal.
pub fn assess(readings: &[Reading], settings: &PatientSettings, now_micros: u64) -> Assessment {
    let latest = latest_fresh(readings, now_micros);
    let mut causes = Vec::new();
    let usable = settings.age_years.is_none_or(|age| age >= 16) && !settings.pregnant;
    let score = usable.then(|| score(&inputs(&latest), settings.scale));
    if let Some(score) = &score {
        if let Some(total) = score.total.filter(|_| score.risk >= Some(Risk::Medium)) {
            causes.push(Cause::News2 { total });
        }
        causes.extend(
            score
                .red()
                .map(|parameter| Cause::SingleParameter { parameter }),
        );
    }
    for (sign, limit) in &settings.limits {
        let Some(milli) = latest.get(sign) else {
            continue;
        };
        if limit.low_milli.is_some_and(|low| *milli < low) {
            causes.push(Cause::Limit {
                sign: *sign,
                direction: Direction::Low,
            });
        }
        if limit.high_milli.is_some_and(|high| *milli > high) {
            causes.push(Cause::Limit {
                sign: *sign,
                direction: Direction::High,
            });
        }
    }
    for (sign, window) in in_trend_window(readings, now_micros) {
        causes.extend(trend(sign, window).map(|direction| Cause::Trend { sign, direction }));
    }
    causes.sort();
    let escalation = causes.iter().map(Cause::escalation).max();
    Assessment {
        score,
        causes,
        escalation,
    }
}

/// The latest value of each sign that still counts; of several at one time the last in order.
fn latest_fresh(readings: &[Reading], now_micros: u64) -> BTreeMap<VitalSign, i64> {
    let mut latest: BTreeMap<VitalSign, (u64, i64)> = BTreeMap::new();
    for reading in readings {
        let age = now_micros.saturating_sub(reading.at_micros);
        if age > fresh_for_micros(reading.sign) {
            continue;
        }
        let known = latest
            .entry(reading.sign)
            .or_insert((reading.at_micros, reading.milli));
        if reading.at_micros >= known.0 {
            *known = (reading.at_micros, reading.milli);
        }
    }
    latest
        .into_iter()
        .map(|(sign, (_, milli))| (sign, milli))
        .collect()
}

fn inputs(latest: &BTreeMap<VitalSign, i64>) -> Inputs {
    let of = |sign| latest.get(&sign).copied();
    let flow = of(VitalSign::OxygenFlow).map(|milli| milli > 0);
    let concentration = of(VitalSign::OxygenConcentration).map(|milli| milli > 21_000);
    Inputs {
        respiration_milli: of(VitalSign::Respiration),
        oxygen_saturation_milli: of(VitalSign::OxygenSaturation),
        on_oxygen: flow.or(concentration),
        systolic_milli: of(VitalSign::Systolic),
        pulse_milli: of(VitalSign::Pulse),
        consciousness: of(VitalSign::Consciousness)
            .and_then(|milli| Consciousness::from_code(milli / 1000)),
        temperature_milli: of(VitalSign::Temperature),
    }
}

/// Times and values of the signs that the trend rule looks at.
fn in_trend_window(readings: &[Reading], now_micros: u64) -> BTreeMap<VitalSign, Vec<(u64, i64)>> {
    let since = now_micros.saturating_sub(TREND_WINDOW_MICROS);
    let mut windows: BTreeMap<VitalSign, Vec<(u64, i64)>> = BTreeMap::new();
    for reading in readings {
        if (since..=now_micros).contains(&reading.at_micros) && trend_of(reading.sign).is_some() {
            windows
                .entry(reading.sign)
                .or_default()
                .push((reading.at_micros, reading.milli));
        }
    }
    windows
}

fn trend(sign: VitalSign, mut window: Vec<(u64, i64)>) -> Option<Direction> {
    let (low, high, change_min) = trend_of(sign)?;
    if window.len() < TREND_READINGS_MIN {
        return None;
    }
    // Devices send in order: mostly there is nothing to sort.
    if !window.is_sorted() {
        window.sort_unstable();
    }
    let third = window.len() / 3;
    let before = median(window[..third].iter().map(|(_, milli)| *milli).collect());
    let after = median(
        window[window.len() - third..]
            .iter()
            .map(|(_, milli)| *milli)
            .collect(),
    );
    let middle = (low + high) / 2;
    let away = (after - middle).abs() > (before - middle).abs() && !(low..=high).contains(&after);
    if (after - before).abs() < change_min || !away {
        return None;
    }
    Some(if after < before {
        Direction::Low
    } else {
        Direction::High
    })
}

/// The lower median; `values` is not empty.
fn median(mut values: Vec<i64>) -> i64 {
    let middle = (values.len() - 1) / 2;
    *values.select_nth_unstable(middle).1
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000 * MINUTE;

    fn reading(sign: VitalSign, value: i64, minutes_ago: u64) -> Reading {
        Reading {
            at_micros: NOW - minutes_ago * MINUTE,
            sign,
            milli: value * 1000,
        }
    }

    fn healthy() -> Vec<Reading> {
        [
            (VitalSign::Pulse, 70),
            (VitalSign::Respiration, 16),
            (VitalSign::OxygenSaturation, 98),
            (VitalSign::Temperature, 37),
            (VitalSign::Systolic, 120),
            (VitalSign::OxygenFlow, 0),
            (VitalSign::Consciousness, 1),
        ]
        .map(|(sign, value)| reading(sign, value, 5))
        .to_vec()
    }

    fn series(sign: VitalSign, values: &[i64]) -> Vec<Reading> {
        values
            .iter()
            .rev()
            .enumerate()
            .map(|(ago, value)| reading(sign, *value, ago as u64 * 5))
            .collect()
    }

    #[test]
    fn a_healthy_patient_gives_a_total_and_no_warning() {
        let found = assess(&healthy(), &PatientSettings::default(), NOW);
        assert_eq!(found.score.unwrap().total, Some(0));
        assert_eq!((found.causes, found.escalation), (vec![], None));
    }

    #[test]
    fn each_cause_has_its_escalation() {
        let mut readings = healthy();
        readings.push(reading(VitalSign::Pulse, 140, 0));
        let found = assess(&readings, &PatientSettings::default(), NOW);
        assert_eq!(
            found.causes,
            [Cause::SingleParameter {
                parameter: Parameter::Pulse
            }]
        );
        assert_eq!(found.escalation, Some(Escalation::Watch));
        readings.push(reading(VitalSign::OxygenFlow, 4, 0));
        assert_eq!(
            assess(&readings, &PatientSettings::default(), NOW).escalation,
            Some(Escalation::Urgent)
        );
        readings.push(reading(VitalSign::Respiration, 30, 0));
        let found = assess(&readings, &PatientSettings::default(), NOW);
        assert_eq!(found.causes[0], Cause::News2 { total: 8 });
        assert_eq!(found.escalation, Some(Escalation::Emergency));
    }

    #[test]
    fn without_oxygen_known_single_parameters_and_limits_still_warn() {
        let mut settings = PatientSettings::default();
        settings.limits.insert(
            VitalSign::Systolic,
            Limit {
                low_milli: Some(115_000),
                high_milli: Some(160_000),
            },
        );
        let readings = [
            reading(VitalSign::Pulse, 140, 1),
            reading(VitalSign::Systolic, 114, 1),
        ];
        let found = assess(&readings, &settings, NOW);
        assert_eq!(found.score.unwrap().total, None);
        assert_eq!(
            found.causes,
            [
                Cause::SingleParameter {
                    parameter: Parameter::Pulse
                },
                Cause::Limit {
                    sign: VitalSign::Systolic,
                    direction: Direction::Low
                },
            ]
        );
        assert_eq!(found.escalation, Some(Escalation::Urgent));
        let at_limit = [reading(VitalSign::Systolic, 115, 1)];
        assert!(assess(&at_limit, &settings, NOW).causes.is_empty());
    }

    #[test]
    fn news2_is_not_used_under_sixteen_nor_in_pregnancy() {
        let readings = [reading(VitalSign::Pulse, 140, 1)];
        for settings in [
            PatientSettings {
                age_years: Some(15),
                ..Default::default()
            },
            PatientSettings {
                pregnant: true,
                ..Default::default()
            },
        ] {
            let found = assess(&readings, &settings, NOW);
            assert_eq!((found.score, found.escalation), (None, None));
        }
        let adult = PatientSettings {
            age_years: Some(16),
            ..Default::default()
        };
        assert!(assess(&readings, &adult, NOW).score.is_some());
    }

    #[test]
    fn old_readings_do_not_count() {
        let found = assess(
            &[reading(VitalSign::Pulse, 140, 61)],
            &PatientSettings::default(),
            NOW,
        );
        assert!(found.causes.is_empty());
        assert_eq!(found.score.unwrap().points, [None; 7]);
    }

    #[test]
    fn a_sign_that_moves_away_from_normal_warns_and_one_that_recovers_does_not() {
        let causes = |sign, values: &[i64]| {
            assess(
                &series(sign, values),
                &PatientSettings {
                    pregnant: true,
                    ..Default::default()
                },
                NOW,
            )
            .causes
        };
        let rising = Cause::Trend {
            sign: VitalSign::Pulse,
            direction: Direction::High,
        };
        assert_eq!(
            causes(VitalSign::Pulse, &[80, 82, 90, 95, 100, 104]),
            [rising]
        );
        assert!(
            causes(VitalSign::Pulse, &[104, 100, 95, 90, 82, 80]).is_empty(),
            "recovering"
        );
        assert!(
            causes(VitalSign::Pulse, &[60, 62, 70, 75, 80, 84]).is_empty(),
            "within the normal range"
        );
        assert!(
            causes(VitalSign::Pulse, &[80, 82, 90, 95, 100]).is_empty(),
            "too few"
        );
        assert!(
            causes(VitalSign::Pulse, &[80, 82, 90, 95, 99, 99]).is_empty(),
            "too small a change"
        );
        let falling = Cause::Trend {
            sign: VitalSign::OxygenSaturation,
            direction: Direction::Low,
        };
        assert_eq!(
            causes(VitalSign::OxygenSaturation, &[98, 97, 96, 95, 93, 93]),
            [falling]
        );
    }
}
