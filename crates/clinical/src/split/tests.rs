use super::*;
use crate::canonical::canonical_bytes;
use crate::json::Limits;

const HEAD: &str = r#"{"resourceType":"Bundle","type":"transaction","entry":["#;

fn entry(url: &str, resource: &str) -> String {
    format!(
        r#"{{"fullUrl":"urn:uuid:{url}","resource":{{{resource}}},"request":{{"method":"POST","url":"X"}}}}"#
    )
}

fn encounter(url: &str, start: &str, end: &str) -> String {
    entry(
        url,
        &format!(
            r#""resourceType":"Encounter","status":"finished","class":{{"code":"AMB"}},"subject":{{"reference":"urn:uuid:p"}},
        "period":{{"start":"{start}","end":"{end}"}},"serviceProvider":{{"reference":"Organization?identifier=s|one"}}"#
        ),
    )
}

fn patient() -> String {
    entry(
        "p",
        r#""resourceType":"Patient","id":"p","identifier":[{"system":"s","value":"7"}]"#,
    )
}

fn intake(entries: &[String]) -> Result<Intake, Refusal> {
    let text = format!("{HEAD}{}]}}", entries.join(","));
    split(Bundle::parse(text.as_bytes(), &Limits::default())?)
}

/// Full URLs, without prefix, of each record.
fn contents(intake: &Intake) -> Vec<Vec<&str>> {
    let urls = |record: &EncounterRecord| {
        record
            .record
            .entries()
            .iter()
            .map(|entry| &entry.full_url["urn:uuid:".len()..])
            .map(|url| contents_name(url))
            .collect()
    };
    intake.records.iter().map(urls).collect()
}

fn contents_name(url: &str) -> &'static str {
    [
        "p", "late", "early", "plan", "goal", "claim", "benefit", "drug", "allergy", "undated",
        "org", "doctor",
    ]
    .into_iter()
    .find(|name| *name == url)
    .expect("a known name")
}

fn all() -> Vec<String> {
    vec![
        entry(
            "benefit",
            r#""resourceType":"ExplanationOfBenefit","status":"active","type":{"text":"x"},"use":"claim",
            "patient":{"reference":"Patient/p"},"created":"2020","insurer":{"display":"x"},"provider":{"display":"x"},
            "outcome":"complete","insurance":[{"focal":true,"coverage":{"display":"x"}}],"claim":{"reference":"urn:uuid:claim"}"#,
        ),
        entry(
            "claim",
            r#""resourceType":"Claim","status":"active","type":{"text":"x"},"use":"claim",
            "patient":{"reference":"Patient?identifier=s|7"},"created":"2020","provider":{"display":"x"},"priority":{"text":"x"},
            "insurance":[{"sequence":1,"focal":true,"coverage":{"display":"x"}}],"prescription":{"reference":"urn:uuid:drug"}"#,
        ),
        entry(
            "drug",
            r#""resourceType":"MedicationRequest","status":"active","intent":"order","medicationCodeableConcept":{"text":"x"},
            "subject":{"reference":"urn:uuid:p"},"encounter":{"reference":"urn:uuid:late"},"requester":{"reference":"urn:uuid:doctor"}"#,
        ),
        entry(
            "goal",
            r#""resourceType":"Goal","lifecycleStatus":"active","description":{"text":"x"},"subject":{"reference":"urn:uuid:p"},"startDate":"2001-01-01""#,
        ),
        entry(
            "plan",
            r#""resourceType":"CarePlan","status":"active","intent":"order","subject":{"reference":"urn:uuid:p"},
            "encounter":{"reference":"urn:uuid:late"},"goal":[{"reference":"urn:uuid:goal"}]"#,
        ),
        entry(
            "allergy",
            r#""resourceType":"AllergyIntolerance","patient":{"reference":"urn:uuid:p"},"recordedDate":"2019-12-31""#,
        ),
        entry(
            "undated",
            r#""resourceType":"AllergyIntolerance","patient":{"reference":"urn:uuid:p"}"#,
        ),
        encounter("late", "2020-01-01T10:00:00Z", "2020-01-02T10:00:00Z"),
        encounter("early", "2001-01-01T10:00:00Z", "2001-01-01T11:00:00Z"),
        entry(
            "org",
            r#""resourceType":"Organization","identifier":[{"system":"s","value":"one"}],"name":"n""#,
        ),
        entry("doctor", r#""resourceType":"Practitioner","id":"d""#),
        patient(),
    ]
}

#[test]
fn every_resource_finds_its_encounter_by_the_first_rule_that_applies() {
    let intake = intake(&all()).unwrap();
    assert_eq!(
        contents(&intake),
        [
            vec!["p", "early", "undated", "org"],
            vec![
                "p", "late", "allergy", "plan", "claim", "benefit", "goal", "drug", "org", "doctor"
            ],
        ]
    );
    // Rule 1: two encounters; 2: plan, drug; 3: claim by drug, benefit by claim; 4: goal by plan;
    // 5: allergy; 6: the undated one. The organization is referred to conditionally.
    assert_eq!(intake.placed_by_rule, [2, 2, 2, 1, 1, 1]);
}

#[test]
fn the_order_of_the_entries_does_not_matter() {
    let bytes = |entries: &[String]| -> Vec<Vec<u8>> {
        intake(entries)
            .unwrap()
            .records
            .iter()
            .map(|one| canonical_bytes(&one.record))
            .collect()
    };
    let mut entries = all();
    let expected = bytes(&entries);
    for turn in 0..entries.len() {
        entries.rotate_left(1);
        entries.swap(turn, 0);
        assert_eq!(bytes(&entries), expected);
    }
}

#[test]
fn a_patient_without_encounters_keeps_what_there_is_in_one_record() {
    let alone = intake(&[patient()]).unwrap();
    assert!(alone.records.is_empty());
    let with = intake(&[patient(), all()[5].clone(), all()[9].clone()]).unwrap();
    assert_eq!(contents(&with), [vec!["p", "allergy", "org"]]);
    assert_eq!(with.records[0].encounter_url, None);
}

#[test]
fn records_of_two_people_never_mix() {
    for (entries, expected) in [
        (vec![all()[9].clone()], "Bundle.entry: holds no Patient"),
        (
            vec![patient(), patient().replace("urn:uuid:p", "urn:uuid:q")],
            "Bundle.entry[1].resource: is a second Patient",
        ),
        (
            vec![patient(), all()[5].replace("urn:uuid:p", "urn:uuid:other")],
            "Bundle.entry[1].resource.patient: refers to another patient",
        ),
        (
            vec![
                patient(),
                all()[5].replace("urn:uuid:p", "Patient?identifier=s|8"),
            ],
            "Bundle.entry[1].resource.patient: refers to another patient",
        ),
    ] {
        let refusal = intake(&entries).expect_err(expected).to_string();
        assert!(refusal.starts_with(expected), "{refusal}");
    }
}

#[test]
fn circles_of_references_end() {
    let circle = |name: &str, other: &str| {
        entry(
            name,
            &format!(
                r#""resourceType":"CarePlan","status":"active","intent":"order","subject":{{"reference":"urn:uuid:p"}},"basedOn":[{{"reference":"urn:uuid:{other}"}}]"#
            ),
        )
    };
    let intake = intake(&[
        patient(),
        encounter("early", "2001-01-01", "2001-01-01"),
        circle("plan", "goal"),
        circle("goal", "plan"),
    ])
    .unwrap();
    assert_eq!(intake.records.len(), 1);
    assert_eq!(intake.records[0].record.entries().len(), 4);
}
