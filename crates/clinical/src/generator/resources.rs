//! FHIR R4 resources, one function each.

use crate::date::Moment;
use crate::json::{Json, Number};
use crate::record::IDENTITY_ID_SYSTEM;
use crate::terminology::{LOINC, SNOMED, UCUM};

/// `object! { "status": "final", "code": concept }`: a JSON object.
macro_rules! object {
    ($($name:literal : $value:expr),* $(,)?) => { Json::object([$(($name, Json::from($value))),*]) };
}
/// `list![a, b]`: a JSON array.
macro_rules! list {
    ($($value:expr),* $(,)?) => { Json::Array(vec![$(Json::from($value)),*]) };
}
pub(super) use object;

/// System of organizations' identifiers.
pub(super) const ORGANIZATION_SYSTEM: &str = "urn:medshare:generated:organization";
const PATIENT_NUMBER_SYSTEM: &str = "urn:medshare:generated:patient-number";
const PRACTITIONER_SYSTEM: &str = "urn:medshare:generated:practitioner";
const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";

/// Who is described.
pub(super) struct Person {
    pub(super) url: String,
    pub(super) number: String,
    pub(super) family: String,
    pub(super) given: String,
    pub(super) female: bool,
    pub(super) street: String,
    pub(super) town: String,
    pub(super) postal_code: String,
    pub(super) telephone: String,
}

/// A visit to hang resources on.
pub(super) struct Place<'a> {
    pub(super) patient: &'a str,
    pub(super) encounter: &'a str,
    pub(super) practitioner: &'a str,
    pub(super) organization: &'a str,
    pub(super) start: i64,
    pub(super) end: i64,
}

impl Place<'_> {
    fn period(&self) -> Json {
        object! { "start": text(self.start), "end": text(self.end) }
    }
}

pub(super) fn text(micros: i64) -> String {
    Moment::from_micros(micros).utc_text()
}

/// `129.16` for 12,916.
pub(super) fn decimal(value: i64, decimals: u32) -> Json {
    let scale = 10i64.pow(decimals);
    let number = format!(
        "{}.{:0width$}",
        value / scale,
        value % scale,
        width = decimals as usize
    );
    Number::new(&number).map_or(Json::Null, Json::Number)
}

pub(super) fn money(cents: i64) -> Json {
    object! { "value": decimal(cents, 2), "currency": "USD" }
}

pub(super) fn refer(url: &str) -> Json {
    object! { "reference": url }
}

pub(super) fn coding(system: &str, code: &str, display: &str) -> Json {
    object! { "system": system, "code": code, "display": display }
}

pub(super) fn concept(system: &str, code: &str, display: &str) -> Json {
    object! { "coding": list![coding(system, code, display)], "text": display }
}

fn bare(system: &str, code: &str) -> Json {
    object! { "coding": list![object! { "system": system, "code": code }] }
}

fn address(person: &Person) -> Json {
    object! { "line": list![person.street.as_str()], "city": person.town.as_str(), "postalCode": person.postal_code.as_str(), "country": "ZZ" }
}

pub(super) fn patient(person: &Person, identity_id: &str, birth: &str, died: Option<i64>) -> Json {
    const KINDS: &str = "http://terminology.hl7.org/CodeSystem/v2-0203";
    let name = format!("{} {}", person.given, person.family);
    let mut resource = object! {
        "resourceType": "Patient",
        "text": object! { "status": "generated", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">Made-up patient {name}</div>") },
        "identifier": list![
            object! { "type": concept(KINDS, "NI", "National unique individual identifier"), "system": IDENTITY_ID_SYSTEM, "value": identity_id },
            object! { "type": concept(KINDS, "MR", "Medical record number"), "system": PATIENT_NUMBER_SYSTEM, "value": person.number.as_str() },
        ],
        "name": list![object! { "use": "official", "family": person.family.as_str(), "given": list![person.given.as_str()] }],
        "telecom": list![object! { "system": "phone", "value": person.telephone.as_str(), "use": "home" }],
        "gender": if person.female { "female" } else { "male" },
        "birthDate": birth,
        "address": list![address(person)],
    };
    if let (Some(died), Some(object)) = (died, resource.as_object_mut()) {
        object.insert("deceasedDateTime".to_owned(), text(died).into());
    }
    resource
}

pub(super) fn practitioner(person: &Person) -> Json {
    object! {
        "resourceType": "Practitioner",
        "identifier": list![object! { "system": PRACTITIONER_SYSTEM, "value": person.number.as_str() }],
        "active": true,
        "name": list![object! { "family": person.family.as_str(), "given": list![person.given.as_str()], "prefix": list!["Dr."] }],
        "address": list![address(person)],
        "gender": if person.female { "female" } else { "male" },
    }
}

pub(super) fn organization(value: &str, name: &str, town: &str, telephone: &str) -> Json {
    object! {
        "resourceType": "Organization",
        "identifier": list![object! { "system": ORGANIZATION_SYSTEM, "value": value }],
        "active": true,
        "type": list![concept("http://terminology.hl7.org/CodeSystem/organization-type", "prov", "Healthcare Provider")],
        "name": name,
        "telecom": list![object! { "system": "phone", "value": telephone }],
        "address": list![object! { "city": town, "country": "ZZ" }],
    }
}

pub(super) fn encounter(
    place: &Place<'_>,
    class: &str,
    code: &str,
    display: &str,
    reason: Option<(&str, &str)>,
) -> Json {
    let mut resource = object! {
        "resourceType": "Encounter",
        "status": "finished",
        "class": object! { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": class },
        "type": list![concept(SNOMED, code, display)],
        "subject": refer(place.patient),
        "participant": list![object! { "individual": refer(place.practitioner) }],
        "period": place.period(),
        "serviceProvider": refer(place.organization),
    };
    if let (Some((code, display)), Some(object)) = (reason, resource.as_object_mut()) {
        object.insert(
            "reasonCode".to_owned(),
            list![concept(SNOMED, code, display)],
        );
    }
    resource
}

pub(super) fn condition(
    place: &Place<'_>,
    code: &str,
    display: &str,
    resolved: Option<i64>,
) -> Json {
    let status = if resolved.is_some() {
        "resolved"
    } else {
        "active"
    };
    let mut resource = object! {
        "resourceType": "Condition",
        "clinicalStatus": bare("http://terminology.hl7.org/CodeSystem/condition-clinical", status),
        "verificationStatus": bare("http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed"),
        "code": concept(SNOMED, code, display),
        "subject": refer(place.patient),
        "encounter": refer(place.encounter),
        "onsetDateTime": text(place.start),
        "recordedDate": text(place.start),
    };
    if let (Some(resolved), Some(object)) = (resolved, resource.as_object_mut()) {
        object.insert("abatementDateTime".to_owned(), text(resolved).into());
    }
    resource
}

fn observation(place: &Place<'_>, category: &str, code: &str, display: &str) -> Json {
    object! {
        "resourceType": "Observation",
        "status": "final",
        "category": list![object! { "coding": list![coding(CATEGORY, category, category)] }],
        "code": concept(LOINC, code, display),
        "subject": refer(place.patient),
        "encounter": refer(place.encounter),
        "effectiveDateTime": text(place.start),
        "issued": text(place.start),
    }
}

fn quantity(value: Json, unit: &str) -> Json {
    object! { "value": value, "unit": unit, "system": UCUM, "code": unit }
}

pub(super) fn measured(
    place: &Place<'_>,
    category: &str,
    (code, display, unit): (&str, &str, &str),
    value: Json,
) -> Json {
    let mut resource = observation(place, category, code, display);
    if let Some(object) = resource.as_object_mut() {
        object.insert("valueQuantity".to_owned(), quantity(value, unit));
    }
    resource
}

pub(super) fn blood_pressure(place: &Place<'_>, systolic: i64, diastolic: i64) -> Json {
    let part = |code, display, value: i64| {
        object! { "code": concept(LOINC, code, display), "valueQuantity": quantity(value.into(), "mm[Hg]") }
    };
    let mut resource = observation(
        place,
        "vital-signs",
        "85354-9",
        "Blood pressure panel with all children optional",
    );
    if let Some(object) = resource.as_object_mut() {
        let parts = list![
            part("8480-6", "Systolic blood pressure", systolic),
            part("8462-4", "Diastolic blood pressure", diastolic)
        ];
        object.insert("component".to_owned(), parts);
    }
    resource
}

pub(super) fn report(place: &Place<'_>, results: Vec<Json>) -> Json {
    object! {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "category": list![object! { "coding": list![coding("http://terminology.hl7.org/CodeSystem/v2-0074", "LAB", "Laboratory")] }],
        "code": concept(LOINC, "57698-3", "Lipid panel with direct LDL - Serum or Plasma"),
        "subject": refer(place.patient),
        "encounter": refer(place.encounter),
        "effectiveDateTime": text(place.start),
        "issued": text(place.start),
        "result": results,
    }
}

pub(super) fn procedure(place: &Place<'_>, code: &str, display: &str, reason: &str) -> Json {
    object! {
        "resourceType": "Procedure",
        "status": "completed",
        "code": concept(SNOMED, code, display),
        "subject": refer(place.patient),
        "encounter": refer(place.encounter),
        "performedPeriod": place.period(),
        "reasonReference": list![refer(reason)],
    }
}

pub(super) fn medication_request(
    place: &Place<'_>,
    code: &str,
    display: &str,
    reason: &str,
) -> Json {
    object! {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": concept(crate::terminology::RXNORM, code, display),
        "subject": refer(place.patient),
        "encounter": refer(place.encounter),
        "authoredOn": text(place.start),
        "requester": refer(place.practitioner),
        "reasonReference": list![refer(reason)],
        "dosageInstruction": list![object! { "sequence": 1, "asNeededBoolean": false }],
    }
}

pub(super) fn immunization(place: &Place<'_>, code: &str, display: &str) -> Json {
    object! {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": concept(crate::terminology::CVX, code, display),
        "patient": refer(place.patient),
        "encounter": refer(place.encounter),
        "occurrenceDateTime": text(place.start),
        "primarySource": true,
    }
}

pub(super) fn allergy(patient: &str, code: &str, display: &str, recorded: i64) -> Json {
    object! {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": bare("http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "active"),
        "verificationStatus": bare("http://terminology.hl7.org/CodeSystem/allergyintolerance-verification", "confirmed"),
        "type": "allergy",
        "category": list!["environment"],
        "criticality": "low",
        "code": concept(SNOMED, code, display),
        "patient": refer(patient),
        "recordedDate": text(recorded),
    }
}

pub(super) fn goal(patient: &str, what: &str) -> Json {
    object! {
        "resourceType": "Goal",
        "lifecycleStatus": "active",
        "description": object! { "text": what },
        "subject": refer(patient),
    }
}

pub(super) fn care_plan(place: &Place<'_>, condition: &str, goal: &str) -> Json {
    object! {
        "resourceType": "CarePlan",
        "status": "active",
        "intent": "order",
        "category": list![concept(SNOMED, "734163000", "Care plan")],
        "subject": refer(place.patient),
        "encounter": refer(place.encounter),
        "period": object! { "start": text(place.start) },
        "addresses": list![refer(condition)],
        "goal": list![refer(goal)],
    }
}

/// One item of a claim: system, code, display, and price in cents.
pub(super) type Item<'a> = (&'a str, &'a str, &'a str, i64);

pub(super) fn claim(
    place: &Place<'_>,
    kind: &str,
    payer: &str,
    items: &[Item<'_>],
    prescription: Option<&str>,
) -> Json {
    let lines: Vec<Json> = items
        .iter()
        .zip(1i64..)
        .map(|((system, code, display, cents), sequence)| {
            object! {
                "sequence": sequence,
                "productOrService": concept(system, code, display),
                "encounter": list![refer(place.encounter)],
                "net": money(*cents),
            }
        })
        .collect();
    let mut resource = object! {
        "resourceType": "Claim",
        "status": "active",
        "type": bare("http://terminology.hl7.org/CodeSystem/claim-type", kind),
        "use": "claim",
        "patient": refer(place.patient),
        "billablePeriod": place.period(),
        "created": text(place.end),
        "provider": refer(place.organization),
        "priority": bare("http://terminology.hl7.org/CodeSystem/processpriority", "normal"),
        "insurance": list![object! { "sequence": 1, "focal": true, "coverage": object! { "display": payer } }],
        "item": lines,
        "total": money(items.iter().map(|(_, _, _, cents)| cents).sum()),
    };
    if let (Some(prescription), Some(object)) = (prescription, resource.as_object_mut()) {
        object.insert("prescription".to_owned(), refer(prescription));
    }
    resource
}

pub(super) fn explanation(place: &Place<'_>, payer: &str, claim: &str, total_cents: i64) -> Json {
    object! {
        "resourceType": "ExplanationOfBenefit",
        "contained": list![object! {
            "resourceType": "Coverage", "id": "coverage", "status": "active", "type": object! { "text": payer },
            "beneficiary": refer(place.patient), "payor": list![object! { "display": payer }],
        }],
        "status": "active",
        "type": bare("http://terminology.hl7.org/CodeSystem/claim-type", "institutional"),
        "use": "claim",
        "patient": refer(place.patient),
        "billablePeriod": place.period(),
        "created": text(place.end),
        "insurer": object! { "display": payer },
        "provider": refer(place.practitioner),
        "claim": refer(claim),
        "outcome": "complete",
        "insurance": list![object! { "focal": true, "coverage": object! { "reference": "#coverage", "display": payer } }],
        "total": list![object! {
            "category": concept("http://terminology.hl7.org/CodeSystem/adjudication", "submitted", "Submitted Amount"),
            "amount": money(total_cents),
        }],
        "payment": object! { "amount": money(0) },
    }
}
