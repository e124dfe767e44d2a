//! SenML JSON (RFC 8428): what devices send.
//!
//! A pack is an array of records; base fields (`bn`, `bt`, `bu`, `bv`) hold from where they stand on.
//! A time below 2^28 seconds is relative to now. Numbers are added as decimals, never as floats.

use crate::json::{Json, Limits, Number};
use crate::refusal::{Fault, Place, Refusal};
use crate::vitals::{Clock, Consciousness, Reading, ReadingFault, VitalSign, milli_of, milli_text};

/// What is accepted of a pack: 256 KiB, flat, 40,000 values.
pub const LIMITS: Limits = Limits {
    bytes_max: 256 << 10,
    depth_max: 4,
    values_max: 40_000,
};

/// Times below this many seconds are relative to now (RFC 8428, section 4.5.3).
const RELATIVE_SECONDS_MAX: i64 = 1 << 28;

/// A resolved value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `v`, base value added, in thousandths.
    Milli(i64),
    /// `vs`
    Text(String),
    /// `vb`
    Bool(bool),
    /// `vd`, as given (base64url).
    Data(String),
    /// Only a sum was given.
    None,
}

/// A record with the base fields resolved (RFC 8428, section 4.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Base name and name.
    pub name: String,
    /// Unit, own or base; empty if none.
    pub unit: String,
    /// The value.
    pub value: Value,
    /// When, microseconds since the Unix epoch.
    pub at_micros: u64,
}

/// What a pack held of vital signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pack {
    /// Readings that passed, in the pack's order.
    pub readings: Vec<Reading>,
    /// Position in the pack and reason of those that did not.
    pub refused: Vec<(usize, ReadingFault)>,
}

/// Resolves a pack.
///
/// # Errors
/// What is not SenML, named as `SenML[3].v`; a base version above 10; a field that ends in `_` and is
/// unknown (it would have to be understood).
pub fn resolve(bytes: &[u8], now_micros: u64) -> Result<Vec<Resolved>, Refusal> {
    let root = Place::root("SenML");
    let json = Json::parse(bytes, "SenML", &LIMITS)?;
    let Json::Array(items) = &json else {
        return Err(root.refuse(Fault::WrongType {
            expected: "an array",
        }));
    };
    let mut base = Base::default();
    let mut resolved = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let place = root.index(index);
        if !matches!(item, Json::Object(_)) {
            return Err(place.refuse(Fault::WrongType {
                expected: "an object",
            }));
        }
        base.read(item, &place)?;
        resolved.extend(base.resolve(item, &place, now_micros)?);
    }
    Ok(resolved)
}

/// Reads the vital signs of a pack: resolved, named, unit checked, value and time checked by `clock`.
///
/// # Errors
/// As [`resolve`]: the pack as a whole is malformed. A bad reading refuses itself only.
pub fn readings(bytes: &[u8], clock: &Clock) -> Result<Pack, Refusal> {
    let mut pack = Pack {
        readings: Vec::new(),
        refused: Vec::new(),
    };
    for (index, record) in resolve(bytes, clock.now_micros)?.iter().enumerate() {
        match reading(record).and_then(|reading| reading.check(clock).map(|()| reading)) {
            Ok(reading) => pack.readings.push(reading),
            Err(fault) => pack.refused.push((index, fault)),
        }
    }
    Ok(pack)
}

/// The sign is told by the last part of the name, after `/` or `:`.
fn reading(record: &Resolved) -> Result<Reading, ReadingFault> {
    let name = record.name.rsplit(['/', ':']).next().unwrap_or_default();
    let sign = VitalSign::from_name(name).ok_or(ReadingFault::UnknownSign)?;
    let coding = sign.coding();
    let unit = record.unit.as_str();
    let own_unit = unit == coding.ucum || coding.unit_names.contains(&unit);
    let milli = match &record.value {
        Value::Text(text) if sign == VitalSign::Consciousness => {
            Consciousness::from_text(text).ok_or(ReadingFault::NoNumber)? as i64 * 1000
        }
        Value::Milli(milli) if own_unit => *milli,
        // A temperature in kelvin is the one other unit that RFC 8428 registers for these signs.
        Value::Milli(milli) if sign == VitalSign::Temperature && unit == "K" => milli
            .checked_sub(273_150)
            .ok_or(ReadingFault::Implausible)?,
        Value::Milli(_) => return Err(ReadingFault::WrongUnit),
        _ => return Err(ReadingFault::NoNumber),
    };
    Ok(Reading {
        at_micros: record.at_micros,
        sign,
        milli,
    })
}

/// The base fields in force.
#[derive(Debug, Default)]
struct Base {
    name: String,
    unit: String,
    time_micros: i64,
    value_milli: i64,
    sum_given: bool,
}

impl Base {
    fn read(&mut self, item: &Json, place: &Place<'_>) -> Result<(), Refusal> {
        for (field, value) in item.as_object().into_iter().flatten() {
            let here = place.name(field);
            match field.as_str() {
                "bn" => self.name = text(value, &here)?,
                "bu" => self.unit = text(value, &here)?,
                "bt" => self.time_micros = micros(value, &here)?,
                "bv" => self.value_milli = milli(value, &here)?,
                "bs" => self.sum_given = number(value, &here).map(|_| true)?,
                "bver"
                    if number(value, &here)?
                        .scaled(0)
                        .is_none_or(|version| !(1..=10).contains(&version)) =>
                {
                    return Err(here.refuse(Fault::InvalidValue {
                        expected: "SenML version up to 10".into(),
                    }));
                }
                unknown if unknown.ends_with('_') => {
                    return Err(place.refuse(Fault::UnknownElement));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The record itself; `None` if it carries base fields only.
    fn resolve(
        &self,
        item: &Json,
        place: &Place<'_>,
        now_micros: u64,
    ) -> Result<Option<Resolved>, Refusal> {
        let value = self.value(item, place)?;
        let Some(value) = value else { return Ok(None) };
        let own_name = item
            .get("n")
            .map_or(Ok(String::new()), |name| text(name, &place.name("n")))?;
        let name = format!("{}{own_name}", self.name);
        if !is_name(&name) {
            return Err(place.name("n").refuse(Fault::InvalidValue {
                expected: "SenML name".into(),
            }));
        }
        let unit = item
            .get("u")
            .map_or(Ok(self.unit.clone()), |unit| text(unit, &place.name("u")))?;
        let own_time = item
            .get("t")
            .map_or(Ok(0), |time| micros(time, &place.name("t")))?;
        let time = self.time_micros.saturating_add(own_time);
        let absolute = if time < RELATIVE_SECONDS_MAX * 1_000_000 {
            i64::try_from(now_micros)
                .unwrap_or(i64::MAX)
                .saturating_add(time)
        } else {
            time
        };
        let at_micros = u64::try_from(absolute).map_err(|_| {
            place.name("t").refuse(Fault::InvalidValue {
                expected: "time".into(),
            })
        })?;
        Ok(Some(Resolved {
            name,
            unit,
            value,
            at_micros,
        }))
    }

    fn value(&self, item: &Json, place: &Place<'_>) -> Result<Option<Value>, Refusal> {
        let mut found = None;
        for field in ["v", "vs", "vb", "vd"] {
            let Some(value) = item.get(field) else {
                continue;
            };
            let here = place.name(field);
            let value = match field {
                "v" => Value::Milli(
                    milli(value, &here)?
                        .checked_add(self.value_milli)
                        .ok_or_else(|| {
                            here.refuse(Fault::InvalidValue {
                                expected: "number".into(),
                            })
                        })?,
                ),
                "vs" => Value::Text(text(value, &here)?),
                "vb" => match value {
                    Json::Bool(value) => Value::Bool(*value),
                    _ => {
                        return Err(here.refuse(Fault::WrongType {
                            expected: "a boolean",
                        }));
                    }
                },
                _ => Value::Data(text(value, &here)?),
            };
            if found.replace(value).is_some() {
                return Err(here.refuse(Fault::SecondChoice { choice: "v".into() }));
            }
        }
        if found.is_none() && item.get("s").is_some() {
            number(item.get("s").unwrap_or(&Json::Null), &place.name("s"))?;
            found = Some(Value::None);
        }
        Ok(found)
    }
}

fn text(value: &Json, place: &Place<'_>) -> Result<String, Refusal> {
    value.as_str().map(str::to_owned).ok_or_else(|| {
        place.refuse(Fault::WrongType {
            expected: "a string",
        })
    })
}

fn number<'a>(value: &'a Json, place: &Place<'_>) -> Result<&'a Number, Refusal> {
    value.as_number().ok_or_else(|| {
        place.refuse(Fault::WrongType {
            expected: "a number",
        })
    })
}

fn milli(value: &Json, place: &Place<'_>) -> Result<i64, Refusal> {
    milli_of(number(value, place)?).ok_or_else(|| {
        place.refuse(Fault::InvalidValue {
            expected: "number".into(),
        })
    })
}

/// Seconds to microseconds; what is finer is cut off.
fn micros(value: &Json, place: &Place<'_>) -> Result<i64, Refusal> {
    let number = number(value, place)?;
    let cut = || {
        let (whole, fraction) = number.text().split_once('.')?;
        let digits: String = fraction.chars().take(6).collect();
        Number::new(&format!("{whole}.{digits}"))?.scaled(6)
    };
    number.scaled(6).or_else(cut).ok_or_else(|| {
        place.refuse(Fault::InvalidValue {
            expected: "time".into(),
        })
    })
}

/// RFC 8428, section 4.5.1: letters, digits and `-:./_`, beginning with a letter or digit.
fn is_name(name: &str) -> bool {
    name.bytes()
        .next()
        .is_some_and(|first| first.is_ascii_alphanumeric())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-:./_".contains(&byte))
}

/// Writes readings as a SenML pack under the base name of a device (`urn:dev:mac:0024befffe804ff1:`),
/// times relative to the first reading's.
pub fn write(base_name: &str, readings: &[Reading]) -> Vec<u8> {
    let Some(first) = readings.first() else {
        return b"[]".to_vec();
    };
    let mut items = Vec::new();
    for (index, reading) in readings.iter().enumerate() {
        let mut fields = std::collections::BTreeMap::new();
        let mut put = |name: &str, value: Json| drop(fields.insert(name.to_owned(), value));
        if index == 0 {
            put("bn", base_name.into());
            put("bt", seconds(first.at_micros as i64));
        } else {
            put(
                "t",
                seconds(reading.at_micros as i64 - first.at_micros as i64),
            );
        }
        let coding = reading.sign.coding();
        put("n", coding.name.into());
        if reading.sign == VitalSign::Consciousness {
            let letter = ["", "A", "C", "V", "P", "U"]
                .get((reading.milli / 1000) as usize)
                .copied()
                .unwrap_or_default();
            put("vs", letter.into());
        } else {
            put("u", coding.ucum.into());
            put(
                "v",
                Number::new(&milli_text(reading.milli)).map_or(Json::Null, Json::Number),
            );
        }
        items.push(Json::Object(fields));
    }
    Json::Array(items).to_bytes()
}

/// Microseconds as decimal seconds.
fn seconds(micros: i64) -> Json {
    let sign = if micros < 0 { "-" } else { "" };
    let (whole, fraction) = (
        micros.unsigned_abs() / 1_000_000,
        micros.unsigned_abs() % 1_000_000,
    );
    let text = if fraction == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction:06}")
    };
    Number::new(&text).map_or(Json::Null, Json::Number)
}

#[cfg(test)]
mod tests;
