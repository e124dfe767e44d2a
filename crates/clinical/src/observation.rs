//! Readings as FHIR R4 Observations of the vital-signs profile.

use std::collections::BTreeMap;

use crate::bundle::content_uuid;
use crate::date::Moment;
use crate::json::{Json, Number};
use crate::terminology::{LOINC, SNOMED, UCUM};
use crate::vitals::{BLOOD_PRESSURE_PANEL, Consciousness, Reading, VitalSign, milli_text};

/// Code system of ISO/IEEE 11073-10101.
const MDC: &str = "urn:iso:std:iso:11073:10101";

/// Makes Observations of `readings` of the patient at the reference `subject` (`Patient/...` or
/// `urn:uuid:...`) by `device`. Systolic and diastolic pressure of the same time become one blood
/// pressure panel; a part that is absent says so. The ids are a function of subject, time and sign, so
/// that the same readings give the same Observations.
pub fn observations(readings: &[Reading], subject: &str, device: Option<&str>) -> Vec<Json> {
    let mut pressures: BTreeMap<u64, [Option<i64>; 2]> = BTreeMap::new();
    let mut found = Vec::new();
    for reading in readings {
        match reading.sign {
            VitalSign::Systolic => {
                pressures.entry(reading.at_micros).or_default()[0] = Some(reading.milli)
            }
            VitalSign::Diastolic => {
                pressures.entry(reading.at_micros).or_default()[1] = Some(reading.milli)
            }
            _ => found.push(single(reading, subject, device)),
        }
    }
    found.extend(
        pressures
            .into_iter()
            .map(|(at, pair)| pressure(at, pair, subject, device)),
    );
    found
}

fn single(reading: &Reading, subject: &str, device: Option<&str>) -> Json {
    let coding = reading.sign.coding();
    let mut object = frame(reading.at_micros, coding.name, subject, device);
    object.insert("code".into(), code(reading.sign));
    if reading.sign == VitalSign::Consciousness {
        let level = Consciousness::from_code(reading.milli / 1000).unwrap_or(Consciousness::Alert);
        let (snomed, display) = level.snomed();
        object.insert(
            "valueCodeableConcept".into(),
            concept(vec![one_coding(SNOMED, snomed, display)]),
        );
    } else {
        object.insert(
            "valueQuantity".into(),
            quantity(reading.sign, reading.milli),
        );
    }
    Json::Object(object)
}

fn pressure(at_micros: u64, pair: [Option<i64>; 2], subject: &str, device: Option<&str>) -> Json {
    let (panel, mdc, _) = BLOOD_PRESSURE_PANEL;
    let mut object = frame(at_micros, "blood-pressure", subject, device);
    let codings = vec![
        one_coding(
            LOINC,
            panel,
            "Blood pressure panel with all children optional",
        ),
        one_coding(MDC, &mdc.to_string(), "MDC_PRESS_BLD_NONINV"),
    ];
    object.insert("code".into(), concept(codings));
    let component = |sign: VitalSign, milli: Option<i64>| {
        let value = match milli {
            Some(milli) => ("valueQuantity", quantity(sign, milli)),
            None => {
                let system = "http://terminology.hl7.org/CodeSystem/data-absent-reason";
                (
                    "dataAbsentReason",
                    concept(vec![one_coding(system, "unknown", "Unknown")]),
                )
            }
        };
        Json::object([("code", code(sign)), value])
    };
    let components = vec![
        component(VitalSign::Systolic, pair[0]),
        component(VitalSign::Diastolic, pair[1]),
    ];
    object.insert("component".into(), Json::Array(components));
    Json::Object(object)
}

/// What every Observation has.
fn frame(
    at_micros: u64,
    name: &str,
    subject: &str,
    device: Option<&str>,
) -> BTreeMap<String, Json> {
    let when = Moment::from_micros(i64::try_from(at_micros).unwrap_or(i64::MAX)).utc_text();
    let id =
        content_uuid(format!("medshare observation\n{subject}\n{at_micros}\n{name}").as_bytes());
    let category = one_coding(
        "http://terminology.hl7.org/CodeSystem/observation-category",
        "vital-signs",
        "Vital Signs",
    );
    let mut object = BTreeMap::from([
        ("resourceType".to_owned(), "Observation".into()),
        ("id".to_owned(), id.into()),
        ("status".to_owned(), "final".into()),
        (
            "category".to_owned(),
            Json::Array(vec![concept(vec![category])]),
        ),
        (
            "subject".to_owned(),
            Json::object([("reference", subject.into())]),
        ),
        ("effectiveDateTime".to_owned(), when.into()),
    ]);
    if let Some(device) = device {
        object.insert(
            "device".to_owned(),
            Json::object([("reference", device.into())]),
        );
    }
    object
}

fn code(sign: VitalSign) -> Json {
    let coding = sign.coding();
    let mut codings: Vec<Json> = coding
        .loinc
        .iter()
        .map(|loinc| {
            let display = if *loinc == "59408-5" {
                "Oxygen saturation in Arterial blood by Pulse oximetry"
            } else {
                coding.display
            };
            one_coding(LOINC, loinc, display)
        })
        .collect();
    if coding.mdc != 0 {
        codings.push(Json::object([
            ("system", MDC.into()),
            ("code", coding.mdc.to_string().into()),
        ]));
    }
    concept(codings)
}

fn concept(codings: Vec<Json>) -> Json {
    Json::object([("coding", Json::Array(codings))])
}

fn one_coding(system: &str, code: &str, display: &str) -> Json {
    Json::object([
        ("system", system.into()),
        ("code", code.into()),
        ("display", display.into()),
    ])
}

fn quantity(sign: VitalSign, milli: i64) -> Json {
    let coding = sign.coding();
    let value = Number::new(&milli_text(milli)).map_or(Json::Null, Json::Number);
    Json::object([
        ("value", value),
        ("unit", coding.ucum.into()),
        ("system", UCUM.into()),
        ("code", coding.ucum.into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Place;
    use crate::structure::check_resource;

    fn reading(sign: VitalSign, milli: i64) -> Reading {
        Reading {
            at_micros: 1_443_177_311_367_000,
            sign,
            milli,
        }
    }

    #[test]
    fn every_sign_becomes_an_observation_that_fhir_accepts() {
        let readings: Vec<Reading> = crate::vitals::CODINGS
            .iter()
            .map(|coding| reading(coding.sign, coding.milli_min))
            .collect();
        let found = observations(&readings, "Patient/1", Some("Device/2"));
        assert_eq!(found.len(), 8, "systolic and diastolic are one");
        for one in &found {
            check_resource(one, &Place::root("Observation")).unwrap();
            assert_eq!(
                one.text("effectiveDateTime"),
                Some("2015-09-25T10:35:11.367Z")
            );
        }
        assert_eq!(
            found,
            observations(&readings, "Patient/1", Some("Device/2"))
        );
        assert_ne!(
            found[0].text("id"),
            observations(&readings, "Patient/2", None)[0].text("id")
        );
    }

    #[test]
    fn saturation_has_both_codes_and_pressure_is_a_panel() {
        let saturation = &observations(
            &[reading(VitalSign::OxygenSaturation, 97_500)],
            "Patient/1",
            None,
        )[0];
        assert_eq!(
            saturation
                .at(&["code", "coding", "0", "code"])
                .unwrap()
                .as_str(),
            Some("2708-6")
        );
        assert_eq!(
            saturation
                .at(&["code", "coding", "1", "code"])
                .unwrap()
                .as_str(),
            Some("59408-5")
        );
        assert_eq!(
            saturation
                .at(&["valueQuantity", "value"])
                .unwrap()
                .to_string(),
            "97.5"
        );
        let pressure =
            &observations(&[reading(VitalSign::Systolic, 120_000)], "Patient/1", None)[0];
        assert_eq!(
            pressure
                .at(&["code", "coding", "0", "code"])
                .unwrap()
                .as_str(),
            Some("85354-9")
        );
        assert_eq!(
            pressure
                .at(&["component", "0", "valueQuantity", "value"])
                .unwrap()
                .to_string(),
            "120"
        );
        assert!(
            pressure
                .at(&["component", "1", "dataAbsentReason"])
                .is_some()
        );
    }
}
