use super::*;
use crate::json::Limits;
use crate::personal::personal_strings;
use crate::refusal::Place;

const RECORD: &str = r##"{"resourceType":"Bundle","type":"collection","entry":[
    {"fullUrl":"urn:uuid:p","resource":{"resourceType":"Patient","id":"patient-canary","gender":"female","birthDate":"1920-07-07",
        "deceasedDateTime":"2012-06-30T01:02:03Z","identifier":[{"system":"s","value":"identity-canary"}],
        "name":[{"family":"Namecanary","given":["Givencanary"]}],"telecom":[{"system":"phone","value":"555-canary"}],
        "address":[{"line":["1 Canary Street"],"city":"Canaryville","postalCode":"99881"}],
        "maritalStatus":{"text":"Canary wed"},"text":{"status":"generated","div":"<div>Canary</div>"},
        "extension":[{"url":"http://x","valueString":"Canary maiden"}]}},
    {"fullUrl":"urn:uuid:e","resource":{"resourceType":"Encounter","id":"e","status":"finished","meta":{"source":"http://canary"},
        "class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"},"subject":{"reference":"Patient/patient-canary","display":"Namecanary"},
        "participant":[{"individual":{"reference":"Practitioner?identifier=npi|canary-doctor"}}],
        "serviceProvider":{"reference":"urn:uuid:o"},"period":{"start":"2010-03-04T05:06:07+00:00"}}},
    {"fullUrl":"urn:uuid:o","resource":{"resourceType":"Organization","name":"Canary Clinic","telecom":[{"value":"555-canary"}]}},
    {"fullUrl":"urn:uuid:c","resource":{"resourceType":"Condition","id":"c","subject":{"reference":"urn:uuid:p"},"encounter":{"reference":"urn:uuid:e"},
        "code":{"coding":[{"system":"http://snomed.info/sct","code":"40055000","display":"Chronic sinusitis"},{"system":"http://canary.example","code":"canary-local"}],"text":"Namecanary's nose"},
        "onsetAge":{"value":91,"unit":"years","system":"http://unitsofmeasure.org","code":"a"},"note":[{"text":"Namecanary says"}]}},
    {"fullUrl":"urn:uuid:g","resource":{"resourceType":"Goal","lifecycleStatus":"active","description":{"text":"Namecanary walks"},"subject":{"reference":"urn:uuid:p"},
        "startDate":"2010-03-05"}},
    {"fullUrl":"urn:uuid:b","resource":{"resourceType":"ExplanationOfBenefit","id":"b","status":"active","type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/claim-type","code":"institutional"}]},
        "use":"claim","patient":{"reference":"urn:uuid:p"},"created":"2010-03-04","insurer":{"display":"Canary Insurance"},"provider":{"display":"Canary"},"outcome":"complete",
        "contained":[{"resourceType":"Coverage","id":"coverage-canary","status":"active","beneficiary":{"reference":"urn:uuid:p"},"payor":[{"display":"Canary"}]}],
        "insurance":[{"focal":true,"coverage":{"reference":"#coverage-canary"}}],
        "payment":{"amount":{"value":12.50,"currency":"USD"}}}},
    {"fullUrl":"urn:uuid:w","resource":{"resourceType":"Observation","id":"w","status":"final","code":{"text":"Canary words only"},
        "issued":"2010-03-04T05:06:07.000Z","effectiveDateTime":"2010-03-04T05:06:07Z","valueQuantity":{"value":1.00,"unit":"canary","system":"http://unitsofmeasure.org","code":"cm"}}},
    {"fullUrl":"urn:uuid:d","resource":{"resourceType":"DocumentReference","status":"current","content":[{"attachment":{"title":"Canary"}}]}}]}"##;

fn record() -> Record {
    Record::parse(RECORD.as_bytes(), &Limits::default()).unwrap()
}

#[test]
fn nothing_personal_is_left() {
    let text = deidentify(&record(), &[7; 32]).to_string().to_lowercase();
    assert!(!text.contains("canary"), "{text}");
    let json = Json::parse(RECORD.as_bytes(), "Bundle", &Limits::default()).unwrap();
    for personal in personal_strings(&json)
        .iter()
        .filter(|personal| personal.is_distinctive())
    {
        assert!(
            !text.contains(&personal.text.to_lowercase()),
            "{personal:?}"
        );
    }
    for date in ["2010-03", "1920", "05:06", "01:02"] {
        assert!(!text.contains(date), "{date}");
    }
}

#[test]
fn what_research_needs_is_left() {
    let json = deidentify(&record(), &[7; 32]);
    let text = json.to_string();
    for expected in [
        "40055000",
        "Chronic sinusitis",
        "\"2010\"",
        "\"female\"",
        "\"deceasedBoolean\":true",
        "\"value\":12.50",
        "\"value\":1.00",
        "\"PSEUDED\"",
        "\"masked\"",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    // The record's latest year, of the death, is 92 years after birth.
    assert!(text.contains("\"birthDate\":\"1922\""), "{text}");
    assert!(
        text.contains(
            "\"onsetAge\":{\"code\":\"a\",\"system\":\"http://unitsofmeasure.org\",\"value\":90}"
        ),
        "{text}"
    );
    assert_eq!(json.list("entry").len(), 7, "all but the document");
}

#[test]
fn fhir_accepts_the_copy_and_its_references_lead_to_its_entries() {
    let json = deidentify(&record(), &[7; 32]);
    crate::structure::check_resource(&json, &Place::root("Bundle")).unwrap();
    let copy = Record::parse(&json.to_bytes(), &Limits::default()).unwrap();
    let encounter = copy.encounter().unwrap();
    let subject = encounter
        .at(&["subject", "reference"])
        .unwrap()
        .as_str()
        .unwrap();
    assert_eq!(copy.resolve(subject), Some(copy.patient()));
    assert!(copy.organization().is_some());
    let benefit = copy.resources("ExplanationOfBenefit").next().unwrap();
    let contained = benefit
        .at(&["contained", "0", "id"])
        .unwrap()
        .as_str()
        .unwrap();
    let reference = benefit
        .at(&["insurance", "0", "coverage", "reference"])
        .unwrap()
        .as_str()
        .unwrap();
    assert_eq!(reference, format!("#{contained}"));
}

#[test]
fn the_same_key_gives_the_same_bytes_and_another_key_other_ids() {
    let first = release_bytes(&record(), &[7; 32]);
    assert_eq!(first, release_bytes(&record(), &[7; 32]));
    let other = Record::parse(&release_bytes(&record(), &[8; 32]), &Limits::default()).unwrap();
    let first = Record::parse(&first, &Limits::default()).unwrap();
    for (one, two) in first.entries().iter().zip(other.entries()) {
        assert!(
            other
                .entries()
                .iter()
                .all(|entry| entry.full_url != one.full_url)
        );
        assert_ne!(one.full_url, two.full_url);
    }
}
