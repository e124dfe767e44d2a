use super::*;
use crate::json::Limits;

fn check(text: &str) -> Result<(), Refusal> {
    let json = Json::parse(text.as_bytes(), "X", &Limits::default()).unwrap();
    let name = json.text("resourceType").unwrap_or("Resource").to_owned();
    check_resource(&json, &Place::root(&name))
}

const ENCOUNTER: &str =
    r#"{"resourceType":"Encounter","id":"e1","status":"finished","class":{"code":"AMB"}"#;

#[test]
fn every_element_of_the_table_has_a_known_type() {
    let primitives = [
        "base64Binary",
        "boolean",
        "canonical",
        "code",
        "date",
        "dateTime",
        "decimal",
        "id",
        "instant",
        "integer",
        "markdown",
        "oid",
        "positiveInt",
        "string",
        "time",
        "unsignedInt",
        "uri",
        "url",
        "uuid",
        "xhtml",
        "Resource",
    ];
    for (name, known) in table() {
        for (element, rule) in &known.elements {
            assert!(
                table().contains_key(rule.kind) || primitives.contains(&rule.kind),
                "{name}.{element}: {}",
                rule.kind
            );
        }
    }
    assert_eq!(table().values().filter(|known| known.resource).count(), 146);
}

#[test]
fn what_r4_accepts_is_accepted() {
    for text in [
        format!("{ENCOUNTER}}}"),
        // A code outside its code system, a conditional reference whose target is absent.
        format!(r#"{ENCOUNTER},"type":[{{"coding":[{{"system":"http://snomed.info/sct","code":"34552-0"}}]}}],
            "participant":[{{"individual":{{"reference":"Practitioner?identifier=a|b"}}}}]}}"#),
        // An absent value explained by an extension.
        r#"{"resourceType":"Patient","_birthDate":{"extension":[{"url":"http://x","valueCode":"unknown"}]}}"#.into(),
        r#"{"resourceType":"Patient","name":[{"given":["A",null],"_given":[null,{"id":"x"}]}]}"#.into(),
        r#"{"resourceType":"MolecularSequence","coordinateSystem":0}"#.into(),
        r#"{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p style=\"x\">a<br/></p></div>"}}"#.into(),
    ] {
        check(&text).unwrap_or_else(|refusal| panic!("{text}: {refusal}"));
    }
}

#[test]
fn what_r4_does_not_accept_is_refused_by_the_element() {
    for (text, expected) in [
        (r#"{"id":"x"}"#.to_owned(), "Resource.resourceType: is missing"),
        (r#"{"resourceType":"SubscriptionTopic"}"#.into(), "SubscriptionTopic.resourceType: is no resource type of FHIR R4"),
        (r#"{"resourceType":"Encounter","status":"finished"}"#.into(), "Encounter.class: is missing"),
        // R5's code, R5's list of classes, DSTU2's bare code.
        (ENCOUNTER.replace("finished", "completed") + "}", "Encounter.status: is not a valid planned | "),
        (r#"{"resourceType":"Encounter","status":"finished","class":[{"text":"x"}]}"#.into(), "Encounter.class: must be an object"),
        (r#"{"resourceType":"Encounter","status":"finished","class":"outpatient"}"#.into(), "Encounter.class: must be an object"),
        // STU3 elements.
        (r#"{"resourceType":"Procedure","status":"completed","subject":{"display":"x"},"context":{"display":"x"}}"#.into(), "Procedure.context: is no element"),
        (r#"{"resourceType":"Patient","animal":{}}"#.into(), "Patient.animal: is no element"),
        (r#"{"resourceType":"MedicationRequest","status":"active","intent":"order","subject":{"display":"x"}}"#.into(), "MedicationRequest.medication: is missing"),
        (r#"{"resourceType":"Patient","deceasedBoolean":true,"deceasedDateTime":"2010"}"#.into(), "Patient.deceasedDateTime: gives a second form of deceased[x]"),
        (r#"{"resourceType":"Patient","name":{"family":"x"}}"#.into(), "Patient.name: must be an array"),
        (r#"{"resourceType":"Patient","name":[]}"#.into(), "Patient.name: is empty"),
        (r#"{"resourceType":"Patient","name":[{}]}"#.into(), "Patient.name[0]: is empty"),
        (r#"{"resourceType":"Patient","name":[null]}"#.into(), "Patient.name[0]: must be an object"),
        (r#"{"resourceType":"Patient","birthDate":"1.1.1990"}"#.into(), "Patient.birthDate: is not a valid date"),
        (r#"{"resourceType":"Patient","active":"true"}"#.into(), "Patient.active: must be a boolean"),
        (r#"{"resourceType":"Patient","id":"a b"}"#.into(), "Patient.id: is not a valid id"),
        (r#"{"resourceType":"Patient","contained":[{"resourceType":"Nothing"}]}"#.into(), "Patient.contained[0].resourceType: is no resource type"),
        (r#"{"resourceType":"Patient","text":{"status":"generated","div":"<div><script>x</script></div>"}}"#.into(), "Patient.text.div: is not a valid xhtml"),
        (r#"{"resourceType":"Patient","text":{"status":"generated","div":"<div><b onclick='x'>x</b></div>"}}"#.into(), "Patient.text.div: is not a valid xhtml"),
        (r#"{"resourceType":"MolecularSequence","x":[]}"#.into(), "MolecularSequence.x: is empty"),
    ] {
        let refusal = check(&text).expect_err(&text).to_string();
        assert!(refusal.starts_with(expected), "{text}: {refusal}");
    }
}
