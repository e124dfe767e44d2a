//! The National Early Warning Score (NEWS) 2.
//!
//! Source: Royal College of Physicians. *National Early Warning Score (NEWS) 2: Standardising the
//! assessment of acute-illness severity in the NHS.* London: RCP, 2017 (charts 1 and 4).
//!
//! Values are first rounded to the resolution of the chart (whole numbers; tenths of a degree), half
//! up. A score with any part missing has no total.

use crate::vitals::Consciousness;

/// What is scored. Values in thousandths of the unit.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Parameter {
    /// Respirations a minute.
    Respiration = 1,
    /// Oxygen saturation, %.
    OxygenSaturation = 2,
    /// Air or oxygen.
    Oxygen = 3,
    /// Systolic blood pressure, mmHg.
    Systolic = 4,
    /// Pulse a minute.
    Pulse = 5,
    /// Level of consciousness.
    Consciousness = 6,
    /// Temperature, °C.
    Temperature = 7,
}

impl Parameter {
    /// All seven, in the order of the chart.
    pub const ALL: [Self; 7] = [
        Self::Respiration,
        Self::OxygenSaturation,
        Self::Oxygen,
        Self::Systolic,
        Self::Pulse,
        Self::Consciousness,
        Self::Temperature,
    ];
}

/// What is known of the patient at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Inputs {
    /// Respirations a minute, in thousandths.
    pub respiration_milli: Option<i64>,
    /// Oxygen saturation in thousandths of a percent.
    pub oxygen_saturation_milli: Option<i64>,
    /// Whether the patient breathes supplemental oxygen.
    pub on_oxygen: Option<bool>,
    /// Systolic blood pressure in thousandths of mmHg.
    pub systolic_milli: Option<i64>,
    /// Pulse a minute, in thousandths.
    pub pulse_milli: Option<i64>,
    /// Level of consciousness.
    pub consciousness: Option<Consciousness>,
    /// Temperature in thousandths of a degree Celsius.
    pub temperature_milli: Option<i64>,
}

/// Which scale oxygen saturation is scored on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Scale 1, for everyone unless a clinician orders otherwise.
    #[default]
    One,
    /// Scale 2, for a target of 88 to 92 % in hypercapnic respiratory failure; only on a clinician's
    /// order.
    Two,
}

/// Clinical risk and the response it calls for. Ordered by urgency.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Risk {
    /// Total 0: monitor every 12 hours.
    Minimal = 0,
    /// Total 1 to 4: monitor every 4 to 6 hours.
    Low = 1,
    /// 3 in a single parameter: monitor every hour.
    LowMedium = 2,
    /// Total 5 or 6: monitor every hour, urgent response.
    Medium = 3,
    /// Total 7 or more: monitor continuously, emergency response.
    High = 4,
}

/// A score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Score {
    /// Points of each parameter in the order of [`Parameter::ALL`]; `None` where it could not be scored.
    pub points: [Option<u8>; 7],
    /// The total, 0 to 20, if every parameter was scored.
    pub total: Option<u8>,
    /// The risk of the total; `None` without one.
    pub risk: Option<Risk>,
}

impl Score {
    /// The parameters that could not be scored.
    pub fn missing(&self) -> impl Iterator<Item = Parameter> + '_ {
        Parameter::ALL
            .into_iter()
            .zip(self.points)
            .filter(|(_, points)| points.is_none())
            .map(|(one, _)| one)
    }

    /// The parameters that score 3 by themselves: these call for a review with or without a total.
    pub fn red(&self) -> impl Iterator<Item = Parameter> + '_ {
        Parameter::ALL
            .into_iter()
            .zip(self.points)
            .filter(|(_, points)| *points == Some(3))
            .map(|(one, _)| one)
    }
}

/// Scores `inputs`. Not for patients under 16 or in pregnancy: [`crate::warning::assess`] minds that.
pub fn score(inputs: &Inputs, scale: Scale) -> Score {
    let saturation = inputs.oxygen_saturation_milli.map(whole);
    let points = [
        inputs.respiration_milli.map(whole).map(respiration),
        match scale {
            Scale::One => saturation.map(saturation_1),
            Scale::Two => saturation.and_then(|value| saturation_2(value, inputs.on_oxygen)),
        },
        inputs.on_oxygen.map(|oxygen| if oxygen { 2 } else { 0 }),
        inputs.systolic_milli.map(whole).map(systolic),
        inputs.pulse_milli.map(whole).map(pulse),
        inputs
            .consciousness
            .map(|level| if level == Consciousness::Alert { 0 } else { 3 }),
        inputs
            .temperature_milli
            .map(|milli| rounded(milli, 100))
            .map(temperature_tenths),
    ];
    let total = points
        .iter()
        .try_fold(0u8, |sum, points| Some(sum + (*points)?));
    Score {
        points,
        total,
        risk: total.map(|total| risk(total, &points)),
    }
}

fn risk(total: u8, points: &[Option<u8>; 7]) -> Risk {
    match total {
        7.. => Risk::High,
        5..=6 => Risk::Medium,
        _ if points.contains(&Some(3)) => Risk::LowMedium,
        1..=4 => Risk::Low,
        0 => Risk::Minimal,
    }
}

/// `milli` in units of `step` thousandths, half up.
fn rounded(milli: i64, step: i64) -> i64 {
    milli.saturating_add(step / 2).div_euclid(step)
}

fn whole(milli: i64) -> i64 {
    rounded(milli, 1000)
}

fn respiration(value: i64) -> u8 {
    match value {
        ..=8 => 3,
        9..=11 => 1,
        12..=20 => 0,
        21..=24 => 2,
        25.. => 3,
    }
}

fn saturation_1(value: i64) -> u8 {
    match value {
        ..=91 => 3,
        92..=93 => 2,
        94..=95 => 1,
        96.. => 0,
    }
}

/// From 93 % on, scale 2 needs to know whether the patient breathes oxygen.
fn saturation_2(value: i64, on_oxygen: Option<bool>) -> Option<u8> {
    Some(match value {
        ..=83 => 3,
        84..=85 => 2,
        86..=87 => 1,
        88..=92 => 0,
        93.. => match (on_oxygen?, value) {
            (false, _) => 0,
            (true, ..=94) => 1,
            (true, 95..=96) => 2,
            (true, 97..) => 3,
        },
    })
}

fn systolic(value: i64) -> u8 {
    match value {
        ..=90 => 3,
        91..=100 => 2,
        101..=110 => 1,
        111..=219 => 0,
        220.. => 3,
    }
}

fn pulse(value: i64) -> u8 {
    match value {
        ..=40 => 3,
        41..=50 => 1,
        51..=90 => 0,
        91..=110 => 1,
        111..=130 => 2,
        131.. => 3,
    }
}

fn temperature_tenths(value: i64) -> u8 {
    match value {
        ..=350 => 3,
        351..=360 => 1,
        361..=380 => 0,
        381..=390 => 1,
        391.. => 2,
    }
}

#[cfg(test)]
mod tests;
