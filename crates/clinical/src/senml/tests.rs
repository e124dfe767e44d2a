use super::*;
use proptest::prelude::*;

const NOW: u64 = 1_500_000_000_000_000;
const CLOCK: Clock = Clock {
    now_micros: NOW,
    ahead_micros_max: 60_000_000,
    age_micros_max: 86_400_000_000,
};

fn parse(text: &str) -> Result<Pack, Refusal> {
    readings(text.as_bytes(), &CLOCK)
}

#[test]
fn base_fields_hold_from_where_they_stand_on() {
    let text = r#"[{"bn":"urn:dev:mac:0024befffe804ff1:","bt":1.5e9,"bu":"/min","bver":10,"n":"pulse","v":71},
        {"n":"respiration","v":16.5,"t":-1.25},
        {"n":"temperature","u":"Cel","v":36.6},
        {"n":"temperature","u":"K","v":309.75},
        {"n":"consciousness","vs":"A"},
        {"bt":-10,"n":"pulse","v":72}]"#;
    let pack = parse(text).unwrap();
    let found: Vec<(VitalSign, i64, i64)> = pack
        .readings
        .iter()
        .map(|one| (one.sign, one.milli, one.at_micros as i64 - NOW as i64))
        .collect();
    assert_eq!(
        found,
        [
            (VitalSign::Pulse, 71_000, 0),
            (VitalSign::Respiration, 16_500, -1_250_000),
            (VitalSign::Temperature, 36_600, 0),
            (VitalSign::Temperature, 36_600, 0),
            (VitalSign::Consciousness, 1_000, 0),
            (VitalSign::Pulse, 72_000, -10_000_000),
        ]
    );
    assert!(pack.refused.is_empty());
}

#[test]
fn a_base_value_is_added_exactly() {
    let resolved = resolve(br#"[{"bn":"x","bv":0.1,"v":0.2},{"v":0.002}]"#, NOW).unwrap();
    assert_eq!(resolved[0].value, Value::Milli(300));
    assert_eq!(resolved[1].value, Value::Milli(102));
}

#[test]
fn a_bad_reading_refuses_itself_and_no_other() {
    let text = r#"[{"bn":"ward3/","n":"pulse","u":"/min","v":0},{"n":"pulse","u":"/min","v":70},{"n":"pulse","u":"Cel","v":70},
        {"n":"glucose","u":"mmol/l","v":5},{"n":"spo2","u":"%","v":140},{"n":"spo2","u":"%","v":97,"t":3600},
        {"n":"spo2","u":"%","v":97,"t":-90000},{"n":"spo2","vb":true},{"n":"8867-4","u":"beat/min","v":71}]"#;
    let pack = parse(text).unwrap();
    assert_eq!(
        pack.readings
            .iter()
            .map(|one| one.milli)
            .collect::<Vec<_>>(),
        [70_000, 71_000]
    );
    assert_eq!(
        pack.refused,
        [
            (0, ReadingFault::NoReading),
            (2, ReadingFault::WrongUnit),
            (3, ReadingFault::UnknownSign),
            (4, ReadingFault::Implausible),
            (5, ReadingFault::FromTheFuture),
            (6, ReadingFault::TooOld),
            (7, ReadingFault::NoNumber),
        ]
    );
}

#[test]
fn what_is_no_senml_is_refused_by_the_element() {
    for (text, expected) in [
        ("{}", "SenML: must be an array"),
        ("[1]", "SenML[0]: must be an object"),
        (r#"[{"bn":"x","v":"1"}]"#, "SenML[0].v: must be a number"),
        (r#"[{"v":1}]"#, "SenML[0].n: is not a valid SenML name"),
        (
            r#"[{"n":"-x","v":1}]"#,
            "SenML[0].n: is not a valid SenML name",
        ),
        (
            r#"[{"n":"x","v":1,"vs":"a"}]"#,
            "SenML[0].vs: gives a second form",
        ),
        (
            r#"[{"bver":11,"n":"x","v":1}]"#,
            "SenML[0].bver: is not a valid",
        ),
        (r#"[{"n":"x","v":1,"must_":1}]"#, "SenML[0]: is no element"),
        (
            r#"[{"n":"x","v":1,"t":-1e12}]"#,
            "SenML[0].t: is not a valid time",
        ),
        (r#"[{"n":"x","v":1,"v":2}]"#, "SenML[0].v: occurs twice"),
    ] {
        let refusal = parse(text).expect_err(text).to_string();
        assert!(refusal.starts_with(expected), "{text}: {refusal}");
    }
    assert_eq!(parse(r#"[{"bn":"x"}]"#).unwrap().readings, []);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        values in prop::collection::vec((0usize..9, 0i64..1_000_000, 0u64..86_000_000_000), 1..40)
    ) {
        let written: Vec<Reading> = values.into_iter().map(|(sign, value, ago)| {
            let coding = &crate::vitals::CODINGS[sign];
            let span = coding.milli_max - coding.milli_min + 1;
            let milli = coding.milli_min.max(1) + value % span.max(1);
            let milli = milli.min(coding.milli_max);
            let milli = if coding.sign == VitalSign::Consciousness { milli / 1000 * 1000 } else { milli };
            Reading { at_micros: NOW - ago, sign: coding.sign, milli }
        }).collect();
        let bytes = write("urn:dev:ow:10e2073a01080063:", &written);
        let pack = readings(&bytes, &CLOCK).unwrap();
        prop_assert_eq!(pack.refused, vec![]);
        prop_assert_eq!(pack.readings, written);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = readings(&bytes, &CLOCK);
    }
}

#[test]
fn a_temperature_in_kelvin_at_the_end_of_the_numbers_refuses_itself() {
    let text = r#"[{"bn":"ward3/","n":"temperature","u":"K","v":-9223372036854775.808},
        {"n":"temperature","u":"K","v":9223372036854775.807},{"n":"temperature","u":"K","v":310.15}]"#;
    let pack = parse(text).unwrap();
    assert_eq!(
        pack.refused,
        [
            (0, ReadingFault::Implausible),
            (1, ReadingFault::Implausible)
        ]
    );
    assert_eq!(pack.readings[0].milli, 37_000);
}
