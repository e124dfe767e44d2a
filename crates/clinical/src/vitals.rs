//! Vital signs: codes, units, and readings as integers in thousandths of the unit.
//!
//! Codes are from LOINC, ISO/IEEE 11073-10101 (MDC) and UCUM; SpO2 has two LOINC codes, as the FHIR
//! vital-signs profile wants.

use crate::json::Number;

/// A vital sign. The numbers are part of stored batches and are never reused.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum VitalSign {
    /// Pulse rate, /min.
    Pulse = 1,
    /// Oxygen saturation by pulse oximetry, %.
    OxygenSaturation = 2,
    /// Respiratory rate, /min.
    Respiration = 3,
    /// Body temperature, °C.
    Temperature = 4,
    /// Systolic blood pressure, mmHg.
    Systolic = 5,
    /// Diastolic blood pressure, mmHg.
    Diastolic = 6,
    /// Inhaled oxygen flow, L/min; 0 is air.
    OxygenFlow = 7,
    /// Level of consciousness, coded by [`Consciousness`] times 1000.
    Consciousness = 8,
    /// Inhaled oxygen concentration, %; 21 is air.
    OxygenConcentration = 9,
}

/// Level of consciousness (ACVPU). The numbers are part of stored batches.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Consciousness {
    /// Alert.
    Alert = 1,
    /// New confusion.
    Confusion = 2,
    /// Responds to voice.
    Voice = 3,
    /// Responds to pain.
    Pain = 4,
    /// Unresponsive.
    Unresponsive = 5,
}

impl Consciousness {
    /// Every level.
    pub const ALL: [Self; 5] = [
        Self::Alert,
        Self::Confusion,
        Self::Voice,
        Self::Pain,
        Self::Unresponsive,
    ];

    /// The level with this number.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|level| *level as i64 == code)
    }

    /// The level of a code letter of ACVPU, or of a SNOMED CT code.
    pub fn from_text(text: &str) -> Option<Self> {
        Some(match text {
            "A" | "248234008" => Self::Alert,
            "C" | "130987000" => Self::Confusion,
            "V" | "300202002" => Self::Voice,
            "P" | "450847001" => Self::Pain,
            "U" | "422768004" => Self::Unresponsive,
            _ => return None,
        })
    }

    /// SNOMED CT code and display.
    pub fn snomed(self) -> (&'static str, &'static str) {
        match self {
            Self::Alert => ("248234008", "Mentally alert"),
            Self::Confusion => ("130987000", "Acute confusion"),
            Self::Voice => ("300202002", "Responds to voice"),
            Self::Pain => ("450847001", "Responds to pain"),
            Self::Unresponsive => ("422768004", "Unresponsive"),
        }
    }
}

/// How one vital sign is coded and what is plausible, in thousandths of the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coding {
    /// The sign.
    pub sign: VitalSign,
    /// The name in SenML and other device formats.
    pub name: &'static str,
    /// LOINC codes; the first is the one that Observations are found by.
    pub loinc: &'static [&'static str],
    /// LOINC display.
    pub display: &'static str,
    /// MDC code of ISO/IEEE 11073-10101; 0 if none is used here.
    pub mdc: u32,
    /// UCUM unit code; empty for coded values.
    pub ucum: &'static str,
    /// Other unit texts that devices use for the same unit (SenML units of RFC 8428 among them).
    pub unit_names: &'static [&'static str],
    /// Least plausible value.
    pub milli_min: i64,
    /// Largest plausible value.
    pub milli_max: i64,
    /// Whether 0 means "no reading".
    pub zero_is_none: bool,
}

/// The table of vital signs. Ranges hold what a living body or a monitor at its stops can give, so
/// that a wrong unit or a broken sensor is refused and a dying patient is not.
pub const CODINGS: [Coding; 9] = [
    Coding {
        sign: VitalSign::Pulse,
        name: "pulse",
        loinc: &["8867-4"],
        display: "Heart rate",
        mdc: 149_530,
        ucum: "/min",
        unit_names: &["beat/min", "bpm", "1/min"],
        milli_min: 10_000,
        milli_max: 350_000,
        zero_is_none: true,
    },
    Coding {
        sign: VitalSign::OxygenSaturation,
        name: "spo2",
        loinc: &["2708-6", "59408-5"],
        display: "Oxygen saturation in Arterial blood",
        mdc: 150_456,
        ucum: "%",
        unit_names: &["%RH", "percent"],
        milli_min: 30_000,
        milli_max: 100_000,
        zero_is_none: true,
    },
    Coding {
        sign: VitalSign::Respiration,
        name: "respiration",
        loinc: &["9279-1"],
        display: "Respiratory rate",
        mdc: 151_562,
        ucum: "/min",
        unit_names: &["1/min", "breath/min"],
        milli_min: 2_000,
        milli_max: 120_000,
        zero_is_none: true,
    },
    Coding {
        sign: VitalSign::Temperature,
        name: "temperature",
        loinc: &["8310-5"],
        display: "Body temperature",
        mdc: 150_364,
        ucum: "Cel",
        unit_names: &["C", "degC"],
        milli_min: 15_000,
        milli_max: 46_000,
        zero_is_none: true,
    },
    Coding {
        sign: VitalSign::Systolic,
        name: "systolic",
        loinc: &["8480-6"],
        display: "Systolic blood pressure",
        mdc: 150_021,
        ucum: "mm[Hg]",
        unit_names: &["mmHg"],
        milli_min: 20_000,
        milli_max: 350_000,
        zero_is_none: true,
    },
    Coding {
        sign: VitalSign::Diastolic,
        name: "diastolic",
        loinc: &["8462-4"],
        display: "Diastolic blood pressure",
        mdc: 150_022,
        ucum: "mm[Hg]",
        unit_names: &["mmHg"],
        milli_min: 5_000,
        milli_max: 250_000,
        zero_is_none: true,
    },
    Coding {
        sign: VitalSign::OxygenFlow,
        name: "oxygen-flow",
        loinc: &["3151-8"],
        display: "Inhaled oxygen flow rate",
        mdc: 0,
        ucum: "L/min",
        unit_names: &["l/min"],
        milli_min: 0,
        milli_max: 80_000,
        zero_is_none: false,
    },
    Coding {
        sign: VitalSign::Consciousness,
        name: "consciousness",
        loinc: &["67775-7"],
        display: "Level of responsiveness",
        mdc: 0,
        ucum: "",
        unit_names: &[],
        milli_min: 1_000,
        milli_max: 5_000,
        zero_is_none: true,
    },
    Coding {
        sign: VitalSign::OxygenConcentration,
        name: "oxygen-concentration",
        loinc: &["3150-6"],
        display: "Inhaled oxygen concentration",
        mdc: 0,
        ucum: "%",
        unit_names: &[],
        milli_min: 20_000,
        milli_max: 100_000,
        zero_is_none: true,
    },
];

/// LOINC code of the blood pressure panel, its MDC code, and the panel code of the sample data that is
/// treated as the same.
pub const BLOOD_PRESSURE_PANEL: (&str, u32, &str) = ("85354-9", 150_020, "55284-4");

impl VitalSign {
    /// The sign's row of [`CODINGS`].
    pub fn coding(self) -> &'static Coding {
        &CODINGS[self as usize - 1]
    }

    /// The sign with this number.
    pub fn from_code(code: u8) -> Option<Self> {
        CODINGS
            .iter()
            .map(|coding| coding.sign)
            .find(|sign| *sign as u8 == code)
    }

    /// The sign of a device's name for it: our name, a LOINC code, or an MDC code.
    pub fn from_name(name: &str) -> Option<Self> {
        let mdc = name
            .strip_prefix("mdc")
            .unwrap_or(name)
            .trim_start_matches(['-', '_', ':'])
            .parse::<u32>()
            .ok();
        let is = |coding: &&Coding| {
            coding.name == name
                || coding.loinc.contains(&name)
                || (coding.mdc != 0 && Some(coding.mdc) == mdc)
        };
        CODINGS.iter().find(is).map(|coding| coding.sign)
    }
}

/// One reading of a patient's device.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct Reading {
    /// When it was measured, microseconds since the Unix epoch.
    pub at_micros: u64,
    /// What was measured.
    pub sign: VitalSign,
    /// The value in thousandths of the sign's unit.
    pub milli: i64,
}

/// Why a reading is not taken.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    thiserror::Error,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ReadingFault {
    /// The monitor's 0 (or -1): there was no reading. Not an error of the device.
    #[error("no reading")]
    NoReading,
    /// Outside what a body can have.
    #[error("implausible value")]
    Implausible,
    /// Measured later than now plus the allowed skew.
    #[error("from the future")]
    FromTheFuture,
    /// Measured longer ago than is accepted.
    #[error("too old")]
    TooOld,
    /// The unit is not the sign's.
    #[error("wrong unit")]
    WrongUnit,
    /// The name is no vital sign.
    #[error("unknown vital sign")]
    UnknownSign,
    /// The value is no number, or finer than a thousandth and not roundable.
    #[error("no number")]
    NoNumber,
}

/// The span of time that readings are accepted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Now, microseconds since the Unix epoch.
    pub now_micros: u64,
    /// How far ahead of now a device's clock may be.
    pub ahead_micros_max: u64,
    /// How long ago a buffered reading may have been measured.
    pub age_micros_max: u64,
}

impl Reading {
    /// Checks value and time.
    ///
    /// # Errors
    /// The first thing wrong; [`ReadingFault::NoReading`] comes before all others.
    pub fn check(&self, clock: &Clock) -> Result<(), ReadingFault> {
        let coding = self.sign.coding();
        if self.milli < 0 || (coding.zero_is_none && self.milli == 0) {
            return Err(ReadingFault::NoReading);
        }
        if !(coding.milli_min..=coding.milli_max).contains(&self.milli)
            || (self.sign == VitalSign::Consciousness && self.milli % 1000 != 0)
        {
            return Err(ReadingFault::Implausible);
        }
        if self.at_micros > clock.now_micros.saturating_add(clock.ahead_micros_max) {
            return Err(ReadingFault::FromTheFuture);
        }
        if self.at_micros < clock.now_micros.saturating_sub(clock.age_micros_max) {
            return Err(ReadingFault::TooOld);
        }
        Ok(())
    }
}

/// The number in thousandths, rounded half away from zero from its decimal text; `None` if it is too
/// large. No floats.
pub fn milli_of(number: &Number) -> Option<i64> {
    if let Some(exact) = number.scaled(3) {
        return Some(exact);
    }
    // Too fine: keep four decimals of the plain text and round.
    let text = number.text();
    let (whole, fraction) = text.split_once('.')?;
    if fraction.contains(['e', 'E']) {
        return None;
    }
    let cut: String = fraction.chars().take(4).collect();
    let ten_thousandths = Number::new(&format!("{whole}.{cut}"))?.scaled(4)?;
    let away = if text.starts_with('-') { -5 } else { 5 };
    Some(ten_thousandths.checked_add(away)? / 10)
}

/// `36.6` for 36,600: the decimal text of thousandths, without trailing zeros.
pub fn milli_text(milli: i64) -> String {
    let sign = if milli < 0 { "-" } else { "" };
    let (whole, fraction) = (milli.unsigned_abs() / 1000, milli.unsigned_abs() % 1000);
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let fraction = format!("{fraction:03}");
    format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: Clock = Clock {
        now_micros: 1_000_000,
        ahead_micros_max: 1_000,
        age_micros_max: 500_000,
    };

    fn check(sign: VitalSign, milli: i64, at_micros: u64) -> Result<(), ReadingFault> {
        Reading {
            at_micros,
            sign,
            milli,
        }
        .check(&CLOCK)
    }

    #[test]
    fn the_table_is_in_the_order_of_the_numbers_and_names_are_unique() {
        for (index, coding) in CODINGS.iter().enumerate() {
            assert_eq!(coding.sign as usize, index + 1);
            assert_eq!(coding.sign.coding(), coding);
            assert_eq!(VitalSign::from_code(coding.sign as u8), Some(coding.sign));
            assert_eq!(VitalSign::from_name(coding.name), Some(coding.sign));
            for loinc in coding.loinc {
                assert_eq!(VitalSign::from_name(loinc), Some(coding.sign));
            }
        }
        assert_eq!(VitalSign::from_name("149530"), Some(VitalSign::Pulse));
        assert_eq!(
            VitalSign::from_name("mdc-150456"),
            Some(VitalSign::OxygenSaturation)
        );
        assert_eq!(VitalSign::from_name("0"), None);
        assert_eq!(VitalSign::from_name("88330-6"), None);
    }

    #[test]
    fn a_zero_is_no_reading_except_for_oxygen_flow() {
        for coding in &CODINGS {
            let expected = if coding.sign == VitalSign::OxygenFlow {
                Ok(())
            } else {
                Err(ReadingFault::NoReading)
            };
            assert_eq!(
                check(coding.sign, 0, 1_000_000),
                expected,
                "{}",
                coding.name
            );
            assert_eq!(
                check(coding.sign, -1_000, 1_000_000),
                Err(ReadingFault::NoReading)
            );
            assert_eq!(check(coding.sign, coding.milli_max, 1_000_000), Ok(()));
            assert_eq!(
                check(coding.sign, coding.milli_max + 1, 1_000_000),
                Err(ReadingFault::Implausible)
            );
        }
    }

    #[test]
    fn readings_of_the_future_and_of_long_ago_are_refused() {
        assert_eq!(check(VitalSign::Pulse, 70_000, 1_001_000), Ok(()));
        assert_eq!(
            check(VitalSign::Pulse, 70_000, 1_001_001),
            Err(ReadingFault::FromTheFuture)
        );
        assert_eq!(check(VitalSign::Pulse, 70_000, 500_000), Ok(()));
        assert_eq!(
            check(VitalSign::Pulse, 70_000, 499_999),
            Err(ReadingFault::TooOld)
        );
    }

    #[test]
    fn decimals_become_thousandths_without_floats() {
        for (text, expected) in [
            ("36.6", Some(36_600)),
            ("70", Some(70_000)),
            ("0.1234", Some(123)),
            ("0.1235", Some(124)),
            ("-0.1235", Some(-124)),
            ("172.28916887329822", Some(172_289)),
            ("1e2", Some(100_000)),
            ("1e99", None),
        ] {
            assert_eq!(milli_of(&Number::new(text).unwrap()), expected, "{text}");
        }
        for (milli, expected) in [
            (36_600, "36.6"),
            (70_000, "70"),
            (5, "0.005"),
            (-1_500, "-1.5"),
        ] {
            assert_eq!(milli_text(milli), expected);
        }
    }
}
