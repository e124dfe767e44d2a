//! Made-up series of vital signs.

use super::random::Random;
use crate::vitals::{Reading, VitalSign};

const VITALS: u64 = 4;
const MINUTE: u64 = 60_000_000;

/// How a patient does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// Healthy throughout: no warning.
    Stable,
    /// Healthy for the first half; then pulse and respiration rise, saturation and pressure fall, until
    /// NEWS2 calls for an emergency response.
    Deteriorating,
    /// Healthy, but the monitor loses contact: about a third of the readings are 0.
    LosingContact,
}

/// A series of `samples` times, `every_minutes` apart from `start_micros` on: pulse, respiration,
/// saturation and pressure at each, temperature, oxygen flow and consciousness at every sixth.
/// A function of `seed` and `number`.
pub fn vital_series(
    seed: u64,
    number: usize,
    course: Course,
    start_micros: u64,
    samples: usize,
    every_minutes: u64,
) -> Vec<Reading> {
    let mut random = Random::new(seed, VITALS, number as u64);
    let mut readings = Vec::new();
    for sample in 0..samples {
        let at_micros = start_micros + sample as u64 * every_minutes * MINUTE;
        // How ill, in thousandths: 0 in the first half, 1000 at three quarters and after.
        let ill = match course {
            Course::Deteriorating => {
                let quarters = (sample * 4_000 / samples.max(1)) as i64;
                (quarters - 2_000).clamp(0, 1_000)
            }
            _ => 0,
        };
        let mut put = |sign, healthy: i64, sick: i64, noise: i64| {
            let value = healthy + (sick - healthy) * ill / 1_000 + random.between(-noise, noise);
            let lost = course == Course::LosingContact
                && sign != VitalSign::OxygenFlow
                && random.chance(33);
            readings.push(Reading {
                at_micros,
                sign,
                milli: if lost { 0 } else { value },
            });
        };
        put(VitalSign::Pulse, 72_000, 134_000, 2_000);
        put(VitalSign::Respiration, 15_000, 27_000, 1_000);
        put(VitalSign::OxygenSaturation, 98_000, 90_000, 1_000);
        put(VitalSign::Systolic, 124_000, 92_000, 3_000);
        put(VitalSign::Diastolic, 78_000, 55_000, 3_000);
        if sample % 6 == 0 {
            put(VitalSign::Temperature, 36_900, 39_300, 100);
            put(VitalSign::OxygenFlow, 0, 0, 0);
            put(VitalSign::Consciousness, 1_000, 1_000, 0);
        }
    }
    readings
}
