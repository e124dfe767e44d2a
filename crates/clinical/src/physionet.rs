//! Series of the PhysioNet/Computing in Cardiology Challenge 2012: real stays in intensive care.
//!
//! Data: Silva I, Moody G, Scott DJ, Celi LA, Mark RG. "Predicting In-Hospital Mortality of ICU
//! Patients: The PhysioNet/Computing in Cardiology Challenge 2012". Comput Cardiol 2012;39:245-248;
//! Goldberger AL et al. "PhysioBank, PhysioToolkit, and PhysioNet". Circulation 2000;101(23):e215-e220.
//! Open Data Commons Attribution License 1.0.
//!
//! A file has the lines `Time,Parameter,Value`, time as hours and minutes since admission. -1 stands
//! for an unknown value, 0 for "no reading". SaO2 stands for SpO2. FiO2 is a fraction. The Glasgow Coma
//! Scale becomes a level of consciousness: 15 alert, 12 to 14 voice, 8 to 11 pain, below that
//! unresponsive (all but alert score the same in NEWS2). Of invasive and non-invasive blood pressure at
//! the same minute the invasive one is taken.

use std::collections::BTreeMap;

use crate::json::Number;
use crate::vitals::{Clock, Consciousness, Reading, ReadingFault, VitalSign, milli_of};

/// One stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// The record number of the file.
    pub record_id: String,
    /// Age in years.
    pub age_years: Option<u32>,
    /// Readings by minute since admission, then by sign.
    pub readings: Vec<SeriesReading>,
    /// How many rows of vital signs held no reading (-1 or 0).
    pub without_reading: usize,
    /// How many rows of vital signs held implausible values.
    pub implausible: usize,
}

/// A reading at a minute since admission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesReading {
    /// Minutes since admission.
    pub minute: u32,
    /// What was measured.
    pub sign: VitalSign,
    /// In thousandths of the unit.
    pub milli: i64,
}

impl Series {
    /// The readings with real times, for an admission at `start_micros`.
    pub fn at(&self, start_micros: u64) -> Vec<Reading> {
        let place = |one: &SeriesReading| Reading {
            at_micros: start_micros + u64::from(one.minute) * 60_000_000,
            sign: one.sign,
            milli: one.milli,
        };
        self.readings.iter().map(place).collect()
    }
}

/// Why a file is no series: the line, counted from 1, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct NoSeries {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: &'static str,
}

/// Parses a file.
///
/// # Errors
/// A line that is no `hh:mm,Parameter,Value`, or a file without RecordID. Unknown parameters are
/// passed over.
pub fn parse(text: &str) -> Result<Series, NoSeries> {
    let mut series = Series {
        record_id: String::new(),
        age_years: None,
        readings: Vec::new(),
        without_reading: 0,
        implausible: 0,
    };
    // By minute and sign; the second part of the value is the rank of the source.
    let mut found: BTreeMap<(u32, VitalSign), (u8, i64)> = BTreeMap::new();
    for (index, row) in text.lines().enumerate() {
        let fail = |reason| NoSeries {
            line: index + 1,
            reason,
        };
        let row = row.trim();
        if row.is_empty() || row == "Time,Parameter,Value" {
            continue;
        }
        let mut cells = row.split(',');
        let (Some(time), Some(parameter), Some(value), None) =
            (cells.next(), cells.next(), cells.next(), cells.next())
        else {
            return Err(fail("not three cells"));
        };
        let minute = minute(time).ok_or_else(|| fail("no time"))?;
        let value = Number::new(value).ok_or_else(|| fail("no number"))?;
        match parameter {
            "RecordID" => series.record_id = value.text().to_owned(),
            "Age" => {
                series.age_years = value
                    .scaled(0)
                    .and_then(|years| u32::try_from(years).ok())
                    .filter(|years| *years > 0)
            }
            _ => {
                let Some((sign, rank)) = sign(parameter) else {
                    continue;
                };
                match reading(sign, &value) {
                    Ok(milli) => {
                        let known = found.entry((minute, sign)).or_insert((rank, milli));
                        if rank <= known.0 {
                            *known = (rank, milli);
                        }
                    }
                    Err(ReadingFault::NoReading) => series.without_reading += 1,
                    Err(_) => series.implausible += 1,
                }
            }
        }
    }
    if series.record_id.is_empty() {
        return Err(NoSeries {
            line: 1,
            reason: "no RecordID",
        });
    }
    series.readings = found
        .into_iter()
        .map(|((minute, sign), (_, milli))| SeriesReading {
            minute,
            sign,
            milli,
        })
        .collect();
    Ok(series)
}

fn minute(time: &str) -> Option<u32> {
    let (hours, minutes) = time.split_once(':')?;
    let (hours, minutes) = (hours.parse::<u32>().ok()?, minutes.parse::<u32>().ok()?);
    (hours < 10_000 && minutes < 60).then(|| hours * 60 + minutes)
}

/// The sign of a parameter, and its rank among several sources of the same sign.
fn sign(parameter: &str) -> Option<(VitalSign, u8)> {
    Some(match parameter {
        "HR" => (VitalSign::Pulse, 0),
        "RespRate" => (VitalSign::Respiration, 0),
        "SysABP" => (VitalSign::Systolic, 0),
        "NISysABP" => (VitalSign::Systolic, 1),
        "DiasABP" => (VitalSign::Diastolic, 0),
        "NIDiasABP" => (VitalSign::Diastolic, 1),
        "Temp" => (VitalSign::Temperature, 0),
        "SaO2" => (VitalSign::OxygenSaturation, 0),
        "FiO2" => (VitalSign::OxygenConcentration, 0),
        "GCS" => (VitalSign::Consciousness, 0),
        _ => return None,
    })
}

fn reading(sign: VitalSign, value: &Number) -> Result<i64, ReadingFault> {
    let milli = milli_of(value).ok_or(ReadingFault::NoNumber)?;
    let milli = match sign {
        VitalSign::OxygenConcentration => milli * 100,
        VitalSign::Consciousness if milli > 0 => {
            of_glasgow(milli / 1000).ok_or(ReadingFault::Implausible)? as i64 * 1000
        }
        _ => milli,
    };
    let any_time = Clock {
        now_micros: 0,
        ahead_micros_max: 0,
        age_micros_max: 0,
    };
    Reading {
        at_micros: 0,
        sign,
        milli,
    }
    .check(&any_time)
    .map(|()| milli)
}

fn of_glasgow(points: i64) -> Option<Consciousness> {
    Some(match points {
        15 => Consciousness::Alert,
        12..=14 => Consciousness::Voice,
        8..=11 => Consciousness::Pain,
        3..=7 => Consciousness::Unresponsive,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_readings_by_the_rules() {
        let text = "Time,Parameter,Value\n00:00,RecordID,7\n00:00,Age,84\n00:00,Height,-1\n00:07,HR,73\n00:07,NISysABP,150\n\
            00:07,SysABP,140\n01:07,NISysABP,151\n00:07,Temp,0\n00:07,Temp,-17.8\n00:07,Temp,3\n00:07,GCS,15\n01:07,GCS,11\n00:07,SaO2,97\n\
            00:07,FiO2,0.4\n47:59,FiO2,0.21\n00:07,HR,-1\n";
        let series = parse(text).unwrap();
        assert_eq!(
            (series.record_id.as_str(), series.age_years),
            ("7", Some(84))
        );
        let found: Vec<(u32, VitalSign, i64)> = series
            .readings
            .iter()
            .map(|one| (one.minute, one.sign, one.milli))
            .collect();
        assert_eq!(
            found,
            [
                (7, VitalSign::Pulse, 73_000),
                (7, VitalSign::OxygenSaturation, 97_000),
                (7, VitalSign::Systolic, 140_000),
                (7, VitalSign::Consciousness, 1_000),
                (7, VitalSign::OxygenConcentration, 40_000),
                (67, VitalSign::Systolic, 151_000),
                (67, VitalSign::Consciousness, 4_000),
                (2_879, VitalSign::OxygenConcentration, 21_000),
            ]
        );
        assert_eq!((series.without_reading, series.implausible), (3, 1));
        assert_eq!(series.at(1_000)[5].at_micros, 1_000 + 67 * 60_000_000);
    }

    #[test]
    fn what_is_no_series_is_refused_by_the_line() {
        for (text, expected) in [
            ("", "line 1: no RecordID"),
            (
                "Time,Parameter,Value\n00:00,RecordID",
                "line 2: not three cells",
            ),
            ("0000,RecordID,1", "line 1: no time"),
            ("4294967295:59,RecordID,1", "line 1: no time"),
            ("00:00,RecordID,1\n00:00,HR,fast", "line 2: no number"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), expected);
        }
    }
}
