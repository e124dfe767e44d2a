//! A record's content (a FHIR R4 Bundle) as people read it: by kind, with display texts, dates in their language.

use serde_json::Value;

use crate::design::Html;
use crate::design::lists;
use crate::design::text;
use crate::visit::Visit;
use crate::words::fill;

/// A record's content.
pub(crate) struct Bundle {
    resources: Vec<Value>,
}

/// Kinds that have a section of their own, in this order.
const KINDS: [&str; 9] = [
    "AllergyIntolerance",
    "Condition",
    "Procedure",
    "Observation",
    "DiagnosticReport",
    "MedicationRequest",
    "Immunization",
    "ImagingStudy",
    "CarePlan",
];

impl Bundle {
    /// Reads the text; what is no Bundle has no resources.
    pub(crate) fn read(content: &str) -> Bundle {
        let value: Value = serde_json::from_str(content).unwrap_or(Value::Null);
        let entries = value["entry"].as_array().cloned().unwrap_or_default();
        let resources = entries
            .into_iter()
            .map(|mut entry| entry["resource"].take())
            .filter(Value::is_object)
            .collect();
        Bundle { resources }
    }

    /// What the encounter was for.
    pub(crate) fn title(&self) -> Option<String> {
        let encounter = self.of_kind("Encounter").next()?;
        let reason = encounter["reasonCode"]
            .as_array()
            .and_then(|reasons| concept(reasons.first()?));
        let kind = encounter["type"]
            .as_array()
            .and_then(|kinds| concept(kinds.first()?));
        reason.or(kind)
    }

    fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.resources
            .iter()
            .filter(move |resource| resource["resourceType"] == kind)
    }

    /// All of it.
    pub(crate) fn html(&self, visit: &Visit) -> Html {
        let words = visit.words.clinical;
        let mut parts = vec![self.encounter(visit)];
        for kind in KINDS {
            let resources: Vec<&Value> = self.of_kind(kind).collect();
            if resources.is_empty() {
                continue;
            }
            let heading = heading(visit, kind);
            parts.push(match kind {
                "Observation" => observations(visit, heading, &resources),
                _ => dated(visit, heading, &resources),
            });
        }
        parts.push(self.costs(visit));
        if self.resources.len() <= 1 {
            parts.push(text::paragraph(words.nothing));
        }
        Html::join(parts)
    }

    fn encounter(&self, visit: &Visit) -> Html {
        let words = visit.words.clinical;
        let Some(encounter) = self.of_kind("Encounter").next() else {
            return Html::none();
        };
        let period = &encounter["period"];
        let when = match (period["start"].as_str(), period["end"].as_str()) {
            (Some(start), Some(end)) if visit.locale.time(start) != visit.locale.time(end) => {
                let from = visit.locale.time(start);
                let to = visit.locale.end(start, end);
                fill(words.range, &[("from", &from), ("to", &to)])
            }
            (Some(start), _) => visit.locale.time(start),
            _ => String::new(),
        };
        let kind = encounter["type"]
            .as_array()
            .and_then(|kinds| concept(kinds.first()?))
            .unwrap_or_default();
        let class = encounter["class"]["code"].as_str().unwrap_or_default();
        let doctor = encounter["participant"]
            .as_array()
            .and_then(|all| all.first()?["individual"]["display"].as_str())
            .unwrap_or_default();
        lists::summary(vec![
            (words.date, Html::text(when)),
            (
                words.visit,
                Html::text(super::kinds::class(&visit.words, class)),
            ),
            (words.name, Html::text(kind)),
            (visit.words.patient.doctor, Html::text(doctor)),
        ])
    }

    fn costs(&self, visit: &Visit) -> Html {
        let words = visit.words.clinical;
        let mut rows = Vec::new();
        for claim in self.of_kind("Claim") {
            let total = money(&claim["total"]);
            rows.push(vec![
                Html::text(bill(visit, &claim["type"])),
                Html::text(total),
            ]);
        }
        if rows.is_empty() {
            return Html::none();
        }
        lists::table(words.costs, &[words.name, words.total], &rows)
    }
}

/// Whose bill a claim is: its text or display, else the word for HL7's code of claim types.
fn bill(visit: &Visit, kind: &Value) -> String {
    let words = visit.words.clinical;
    let shown = concept(kind).unwrap_or_default();
    let known = match shown.as_str() {
        "institutional" => words.bill_institutional,
        "professional" => words.bill_professional,
        "pharmacy" => words.bill_pharmacy,
        "oral" => words.bill_oral,
        "vision" => words.bill_vision,
        _ => return shown,
    };
    known.to_owned()
}

fn heading(visit: &Visit, kind: &str) -> &'static str {
    let words = visit.words.clinical;
    match kind {
        "AllergyIntolerance" => words.allergies,
        "Condition" => words.conditions,
        "Procedure" => words.procedures,
        "Observation" => words.observations,
        "DiagnosticReport" => words.reports,
        "MedicationRequest" => words.medications,
        "Immunization" => words.immunizations,
        "ImagingStudy" => words.imaging,
        "CarePlan" => words.care_plans,
        _ => words.other,
    }
}

fn dated(visit: &Visit, heading: &str, resources: &[&Value]) -> Html {
    let words = visit.words.clinical;
    let rows: Vec<Vec<Html>> = resources
        .iter()
        .map(|resource| {
            vec![
                Html::text(name(resource)),
                Html::text(when(visit, resource)),
            ]
        })
        .collect();
    lists::table(heading, &[words.name, words.date], &rows)
}

fn observations(visit: &Visit, heading: &str, resources: &[&Value]) -> Html {
    let words = visit.words.clinical;
    let rows: Vec<Vec<Html>> = resources
        .iter()
        .map(|resource| {
            vec![
                Html::text(name(resource)),
                Html::text(value(resource)),
                text::span("medshare-date", &when(visit, resource)),
            ]
        })
        .collect();
    lists::table(heading, &[words.name, words.value, words.date], &rows)
}

/// What a resource is about.
fn name(resource: &Value) -> String {
    for field in ["code", "vaccineCode", "medicationCodeableConcept"] {
        if let Some(text) = concept(&resource[field]) {
            return text;
        }
    }
    let category = resource["category"]
        .as_array()
        .and_then(|categories| concept(categories.last()?));
    let procedure = resource["procedureCode"]
        .as_array()
        .and_then(|codes| concept(codes.first()?));
    category
        .or(procedure)
        .or_else(|| Some(resource["description"].as_str()?.to_owned()))
        .unwrap_or_else(|| {
            resource["resourceType"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
}

/// The display text of a CodeableConcept: its own text, a coding's, ours, or the code itself.
pub(crate) fn concept(concept: &Value) -> Option<String> {
    if let Some(text) = concept["text"].as_str().filter(|text| !text.is_empty()) {
        return Some(text.to_owned());
    }
    let codings = concept["coding"].as_array()?;
    let display = codings
        .iter()
        .find_map(|coding| coding["display"].as_str().filter(|text| !text.is_empty()));
    if let Some(display) = display {
        return Some(display.to_owned());
    }
    let coding = codings.first()?;
    let code = coding["code"].as_str()?;
    let system = coding["system"].as_str().unwrap_or_default();
    Some(
        clinical::terminology::display(system, code)
            .unwrap_or(code)
            .to_owned(),
    )
}

/// An observation's value, or its parts'.
fn value(observation: &Value) -> String {
    if let Some(text) = one_value(observation) {
        return text;
    }
    let parts = observation["component"].as_array();
    parts
        .map(|parts| {
            let shown = parts.iter().filter_map(|part| {
                Some(format!("{}: {}", concept(&part["code"])?, one_value(part)?))
            });
            shown.collect::<Vec<_>>().join("; ")
        })
        .unwrap_or_default()
}

fn one_value(holder: &Value) -> Option<String> {
    let quantity = &holder["valueQuantity"];
    if let Some(number) = quantity["value"].as_number() {
        let unit = quantity["unit"]
            .as_str()
            .or(quantity["code"].as_str())
            .unwrap_or_default();
        return Some(format!(
            "{} {}",
            rounded(&number.to_string()),
            unit.replace(['{', '}', '[', ']'], "")
        ));
    }
    concept(&holder["valueCodeableConcept"])
        .or_else(|| holder["valueString"].as_str().map(str::to_owned))
        .or_else(|| {
            holder["valueInteger"]
                .as_i64()
                .map(|number| number.to_string())
        })
        .or_else(|| holder["valueBoolean"].as_bool().map(|yes| yes.to_string()))
}

/// At most two digits after the point; measurements carry no more, generated data does.
fn rounded(number: &str) -> String {
    match number.split_once('.') {
        Some((whole, rest)) if rest.len() > 2 && !rest.contains(['e', 'E']) => {
            let parsed: f64 = number.parse().unwrap_or_default();
            let short = format!("{parsed:.2}");
            if short.ends_with(".00") {
                whole.to_owned()
            } else {
                short
            }
        }
        _ => number.to_owned(),
    }
}

fn when(visit: &Visit, resource: &Value) -> String {
    let words = visit.words.clinical;
    if let Some(onset) = resource["onsetDateTime"].as_str() {
        let since = fill(words.began, &[("date", &visit.locale.day(onset))]);
        return match resource["abatementDateTime"].as_str() {
            Some(end) => {
                let until = fill(words.ended, &[("date", &visit.locale.day(end))]);
                format!("{since}, {until}")
            }
            None => since,
        };
    }
    for field in [
        "effectiveDateTime",
        "authoredOn",
        "occurrenceDateTime",
        "performedDateTime",
        "started",
        "recordedDate",
        "issued",
    ] {
        if let Some(time) = resource[field].as_str() {
            return visit.locale.day(time);
        }
    }
    for field in ["performedPeriod", "period", "effectivePeriod"] {
        if let Some(start) = resource[field]["start"].as_str() {
            return visit.locale.day(start);
        }
    }
    String::new()
}

fn money(value: &Value) -> String {
    let Some(amount) = value["value"].as_number() else {
        return String::new();
    };
    let currency = value["currency"].as_str().unwrap_or_default();
    format!("{:.2} {currency}", amount.as_f64().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_concept_is_shown_by_its_text_then_its_display_then_its_code() {
        let both = serde_json::json!({ "text": "Cold", "coding": [{ "display": "Common cold" }] });
        assert_eq!(concept(&both).as_deref(), Some("Cold"));
        let display =
            serde_json::json!({ "coding": [{ "code": "1" }, { "display": "Common cold" }] });
        assert_eq!(concept(&display).as_deref(), Some("Common cold"));
        let code = serde_json::json!({ "coding": [{ "code": "xyz" }] });
        assert_eq!(concept(&code).as_deref(), Some("xyz"));
        assert_eq!(concept(&Value::Null), None);
    }

    #[test]
    fn numbers_are_shown_as_measured() {
        assert_eq!(rounded("175.3452893"), "175.35");
        assert_eq!(rounded("80.0000001"), "80");
        assert_eq!(rounded("36.6"), "36.6");
        assert_eq!(rounded("120"), "120");
    }
}
