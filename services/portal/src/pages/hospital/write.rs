//! One visit of one patient is written as a record: by a doctor, who becomes its author, or by a clerk, who says who the
//! doctor was.

use clinical::terminology;
use interfaces::records::WriteRecord;
use keys::token::Role;
use ledger::LedgerId;
use serde_json::{Value, json};

use super::{nowhere, workplaces};
use crate::answer::{Answer, Refusal};
use crate::design::Html;
use crate::design::forms::{Control, Field, Form};
use crate::design::text;
use crate::pages::form_page::{FormPage, borrowed};
use crate::visit::{Page, Submitted, Visit, done};
use crate::words::fill;

const SNOMED: &str = "http://snomed.info/sct";
const KINDS: &str = "http://terminology.hl7.org/CodeSystem/v2-0203";
const CLASSES: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const PRACTITIONERS: &str = "urn:medshare:practitioner";
const PATIENT_NUMBERS: &str = "urn:medshare:patient-number";
const IDENTITY_NUMBERS: &str = "urn:medshare:identity-number";

/// The fields in their order, and whether they must be filled in.
const FIELDS: [(&str, bool); 9] = [
    ("patient_number", true),
    ("identity", false),
    ("name", true),
    ("birth", true),
    ("sex", true),
    ("day", true),
    ("class", true),
    ("diagnosis", true),
    ("notes", false),
];

/// `GET /hospital/write`
pub(crate) async fn show(visit: Visit) -> Answer {
    let places = workplaces(&visit).await?;
    if places.is_empty() {
        return nowhere(&visit);
    }
    Ok(page(&visit, &places, &|_| String::new(), &[]).answer(&visit))
}

fn page<'a>(
    visit: &Visit,
    places: &[(LedgerId, String)],
    value: &dyn Fn(&str) -> String,
    errors: &'a [(&'a str, &'a str)],
) -> FormPage<'a> {
    let words = visit.words.staff;
    let choices = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(code, name)| ((*code).to_owned(), (*name).to_owned()))
            .collect()
    };
    let sexes = choices(&[
        ("female", words.sex_female),
        ("male", words.sex_male),
        ("other", words.sex_other),
        ("unknown", words.sex_unknown),
    ]);
    let kinds = visit.words.kinds;
    let classes = choices(&[
        ("AMB", kinds.class_amb),
        ("EMER", kinds.class_emer),
        ("IMP", kinds.class_imp),
        ("HH", kinds.class_hh),
        ("VR", kinds.class_vr),
    ]);
    let mut diagnoses: Vec<(String, String)> = terminology::conditions()
        .map(|(code, name)| (code.to_owned(), name.to_owned()))
        .collect();
    diagnoses.sort_by(|one, other| one.1.cmp(&other.1));
    let places: Vec<(String, String)> = places
        .iter()
        .map(|(id, name)| (id.to_string(), name.clone()))
        .collect();
    let field = |name: &'static str, label: &'static str, control: Option<Control>| {
        let field = match control {
            Some(control) => Field::new(name, label, control),
            None => Field::line(name, label),
        };
        field.value(value(name)).error(errors)
    };
    let mut fields = Vec::new();
    if places.len() > 1 {
        fields.push(field(
            "hospital",
            words.which_hospital,
            Some(Control::Select(places.clone())),
        ));
    }
    fields.extend([
        field("patient_number", words.patient_number, None).width(20),
        field("name", words.patient_name, None),
        field("identity", words.patient_identity, None)
            .hint(words.patient_identity_hint)
            .width(20),
        field("birth", words.birth_date, None)
            .hint(words.day_hint)
            .width(10),
        field("sex", words.sex, Some(Control::Select(sexes))),
        field("day", words.visit_day, None)
            .hint(words.day_hint)
            .width(10),
        field("class", words.visit_kind, Some(Control::Select(classes))),
        field(
            "diagnosis",
            words.diagnosis,
            Some(Control::Select(diagnoses)),
        ),
        field("notes", words.notes, Some(Control::Text { rows: 6 })).hint(words.notes_hint),
    ]);
    if visit.is(Role::Clerk) {
        fields.push(field("author", visit.words.desk.author, None).width(20));
    }
    let mut hidden = visit.hidden();
    if let [(only, _)] = places.as_slice() {
        hidden.push(("hospital", only.clone()));
    }
    let form = Form {
        hidden,
        fields,
        busy: words.saving,
        ..Form::new("/hospital/write", words.save_record)
    };
    let lead = match visit.is(Role::Clerk) {
        true => words.write_lead_clerk,
        false => words.write_lead,
    };
    FormPage {
        errors,
        ..FormPage::new(words.write, lead, form)
    }
}

/// `POST /hospital/write`
pub(crate) async fn submit(form: Submitted) -> Answer {
    let visit = &form.visit;
    let words = visit.words.staff;
    let places = workplaces(visit).await?;
    let labels = |name: &str| match name {
        "patient_number" => words.patient_number,
        "name" => words.patient_name,
        "birth" => words.birth_date,
        "sex" => words.sex,
        "day" => words.visit_day,
        "class" => words.visit_kind,
        _ => words.diagnosis,
    };
    let mut errors: Vec<(&str, String)> = FIELDS
        .iter()
        .filter(|(name, needed)| *needed && form.get(name).is_empty())
        .map(|(name, _)| (*name, fill(words.required, &[("field", labels(name))])))
        .collect();
    if visit.is(Role::Clerk) && form.get("author").is_empty() {
        let label = visit.words.desk.author;
        errors.push(("author", fill(words.required, &[("field", label)])));
    }
    for name in ["birth", "day"] {
        let text = form.get(name);
        let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d");
        if !text.is_empty() && (day.is_err() || text.len() != 10) {
            errors.push((name, words.day_bad.to_owned()));
        }
    }
    let value = |name: &str| form.get(name).to_owned();
    let again = |errors: &[(&str, String)]| {
        let errors = borrowed(errors);
        page(visit, &places, &value, &errors).answer(visit)
    };
    if !errors.is_empty() {
        return Ok(again(&errors));
    }
    let hospital: LedgerId = form.id("hospital")?;
    let author = match visit.is(Role::Clerk) {
        true => form.get("author"),
        false => visit.signed_in()?.name.as_str(),
    };
    let bundle = bundle(&form, author).to_string();
    let written = form
        .once(async {
            let registered = visit
                .ask_hospital(hospital, &WriteRecord { bundle })
                .await?;
            Ok(done("/hospital/records", registered.committed.transaction))
        })
        .await;
    match written {
        Err(Refusal(problem)) if problem.status == 400 => {
            let text = match &problem.field {
                Some(field) => format!("{} ({field})", problem.detail),
                None => problem.detail.clone(),
            };
            Ok(again(&[("patient_number", text)]))
        }
        Err(Refusal(problem)) if problem.status == 202 => {
            let content = Html::join([
                text::inset(
                    visit.words.frame.information,
                    text::paragraph(words.written_waiting),
                ),
                text::action_link("/hospital/write", words.write),
                text::action_link("/hospital/records", words.find),
            ]);
            Ok(visit.page(Page::new(words.write, content)))
        }
        other => other,
    }
}

/// One encounter with its patient, doctor and diagnosis, as a FHIR R4 Bundle.
fn bundle(form: &Submitted, doctor: &str) -> Value {
    let url = || {
        let bytes: [u8; 16] = keys::secret::random();
        let hex = data_encoding::HEXLOWER.encode(&bytes);
        format!(
            "urn:uuid:{}-{}-4{}-8{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[13..16],
            &hex[17..20],
            &hex[20..32]
        )
    };
    let (patient, practitioner, encounter, condition) = (url(), url(), url(), url());
    let day = form.get("day");
    let code = form.get("diagnosis");
    let name = terminology::display(SNOMED, code).unwrap_or(code);
    let diagnosis =
        json!({ "coding": [{ "system": SNOMED, "code": code, "display": name }], "text": name });
    let mut identifiers = vec![json!({
        "type": { "coding": [{ "system": KINDS, "code": "MR" }] },
        "system": PATIENT_NUMBERS, "value": form.get("patient_number"),
    })];
    if !form.get("identity").is_empty() {
        identifiers.push(json!({
            "type": { "coding": [{ "system": KINDS, "code": "NI" }] },
            "system": IDENTITY_NUMBERS, "value": form.get("identity"),
        }));
    }
    let mut of_condition = json!({
        "resourceType": "Condition",
        "clinicalStatus": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active" }] },
        "verificationStatus": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "confirmed" }] },
        "code": diagnosis, "subject": { "reference": patient }, "encounter": { "reference": encounter },
        "onsetDateTime": day,
    });
    if !form.get("notes").is_empty() {
        of_condition["note"] = json!([{ "text": form.get("notes") }]);
    }
    json!({ "resourceType": "Bundle", "type": "collection", "entry": [
        { "fullUrl": patient, "resource": {
            "resourceType": "Patient", "identifier": identifiers, "name": [{ "text": form.get("name") }],
            "gender": form.get("sex"), "birthDate": form.get("birth"),
        } },
        { "fullUrl": practitioner, "resource": {
            "resourceType": "Practitioner", "identifier": [{ "system": PRACTITIONERS, "value": doctor }],
            "name": [{ "text": doctor }],
        } },
        { "fullUrl": encounter, "resource": {
            "resourceType": "Encounter", "status": "finished",
            "class": { "system": CLASSES, "code": form.get("class") },
            "subject": { "reference": patient },
            "participant": [{ "individual": { "reference": practitioner, "display": doctor } }],
            "period": { "start": day, "end": day }, "reasonCode": [diagnosis],
        } },
        { "fullUrl": condition, "resource": of_condition },
    ] })
}
