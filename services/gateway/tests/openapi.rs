//! The OpenAPI document: complete, consistent, and the same as its committed copy.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Use cases between services, which nobody asks over REST, and why each is none of the gateway's business.
const BETWEEN_SERVICES: [&str; 13] = [
    "renew_certificate",
    "sign_transaction",
    "match_patients",
    "undo_match",
    "check_patient_id",
    "make_guardian_id",
    "get_viewer_name",
    "open_sealed",
    "put_index_rows",
    "put_code_locators",
    // Asked by the gateway itself, for `/v1/codes/redeem`.
    "locate_code",
    "resolve_handles",
    "put_delivery",
];

fn document() -> Value {
    serde_json::from_str(&gateway::rest::document_text()).unwrap()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every operation: method and path, and the operation.
fn operations(document: &Value) -> BTreeMap<String, Value> {
    let mut operations = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.insert(format!("{method} {path}"), operation.clone());
        }
    }
    operations
}

/// Names of use cases in the sources of `interfaces`, as `use_case!` declares them.
fn use_cases() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(repository().join("crates/interfaces/src")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for declaration in text.split("use_case!(").skip(1) {
            let quoted: Vec<&str> = declaration.splitn(5, '"').collect();
            if quoted.len() == 5 && !quoted[0].contains('$') {
                names.insert(quoted[3].to_owned());
            }
        }
    }
    names
}

#[test]
fn every_use_case_is_routed_or_is_between_services() {
    let routed: BTreeSet<String> = operations(&document())
        .values()
        .map(|operation| operation["operationId"].as_str().unwrap().to_owned())
        .collect();
    let all = use_cases();
    assert!(all.len() > 50, "the use cases were not found: {all:?}");
    let missing: Vec<&String> = all
        .iter()
        .filter(|name| !routed.contains(*name) && !BETWEEN_SERVICES.contains(&name.as_str()))
        .collect();
    assert!(missing.is_empty(), "not routed: {missing:?}");
    let exposed: Vec<&&str> = BETWEEN_SERVICES
        .iter()
        .filter(|name| routed.contains(**name))
        .collect();
    assert!(exposed.is_empty(), "must not be reachable: {exposed:?}");
}

#[test]
fn every_reference_in_the_document_resolves() {
    fn check(document: &Value, value: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(
                        document.pointer(pointer).is_some(),
                        "{reference} leads nowhere"
                    );
                }
                fields.values().for_each(|value| check(document, value));
            }
            Value::Array(values) => values.iter().for_each(|value| check(document, value)),
            _ => {}
        }
    }
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    check(&document, &document);
}

#[test]
fn every_operation_says_what_it_does_who_may_call_it_and_what_it_answers() {
    let document = document();
    let mut ids = BTreeSet::new();
    for (name, operation) in operations(&document) {
        assert!(
            ids.insert(operation["operationId"].to_string()),
            "{name}: its id is another's"
        );
        assert!(
            !operation["summary"].as_str().unwrap().is_empty(),
            "{name}: no summary"
        );
        let description = operation["description"].as_str().unwrap();
        assert!(
            description.len() > "Who may call: ".len(),
            "{name}: who may call it?"
        );
        let content = &operation["responses"]["200"]["content"];
        assert!(
            content.as_object().is_some_and(|types| !types.is_empty()),
            "{name}: no answer"
        );
        let problem = &operation["responses"]["default"]["content"]["application/problem+json"];
        assert_eq!(
            problem["schema"]["$ref"], "#/components/schemas/Problem",
            "{name}"
        );
        let tag = &operation["tags"][0];
        let tags = document["tags"].as_array().unwrap();
        assert!(
            tags.iter().any(|known| known["name"] == *tag),
            "{name}: unknown tag {tag}"
        );
        let public = description.contains("Anyone; no session");
        let secured = operation["security"]
            .as_array()
            .is_some_and(|needs| !needs.is_empty());
        assert_eq!(
            public, !secured,
            "{name}: security does not fit who may call"
        );
    }
}

#[test]
fn every_path_parameter_is_described() {
    for (name, operation) in operations(&document()) {
        let in_path: BTreeSet<&str> = name
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .collect();
        let described: BTreeSet<&str> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert_eq!(in_path, described, "{name}");
    }
}

#[test]
fn names_and_numbers_of_people_never_go_into_a_url() {
    const PERSONAL: [&str; 9] = [
        "patient_id",
        "patient_number",
        "patient",
        "identity_id",
        "real_name",
        "login",
        "password",
        "code",
        "disease",
    ];
    for (name, operation) in operations(&document()) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let parameter = parameter["name"].as_str().unwrap();
            assert!(!PERSONAL.contains(&parameter), "{name}: {parameter}");
        }
    }
}

#[test]
fn the_committed_document_is_the_generated_one() {
    let file = repository().join("proto/openapi.json");
    let generated = gateway::rest::document_text();
    if std::env::var_os("MEDSHARE_REGENERATE").is_some() {
        std::fs::write(&file, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == generated,
        "proto/openapi.json is stale: MEDSHARE_REGENERATE=1 cargo test -p gateway --test openapi"
    );
}
