//! The canonical form of a record: the bytes that are committed on the ledger.
//!
//! Version 1:
//! - a FHIR Bundle `{"entry":[...],"resourceType":"Bundle","type":"collection"}`, each entry with
//!   `fullUrl` and `resource` only, in the order Patient, Encounter, then by resource type, then by
//!   full URL (bytewise);
//! - within resources array order is kept: FHIR gives it meaning;
//! - property names in byte order, no white space, UTF-8;
//! - strings with the shortest escapes, as RFC 8785 (JCS) writes them; no Unicode normalisation;
//! - numbers with the digits they arrived with: in FHIR `1.0` and `1.00` differ. Here the form leaves
//!   RFC 8785, which would force them through binary fractions.
//!
//! Hospitals may store a record in tables of any shape, as long as they give back the same resources.

use crate::json::Limits;
use crate::record::Record;
use crate::refusal::Refusal;

/// The version that [`canonical_bytes`] writes. Recorded beside every commitment: reads derive the
/// bytes under the version that was in force at the time.
pub const CANONICAL_FORM_VERSION: u16 = 1;

/// The canonical bytes of `record` in the current version.
pub fn canonical_bytes(record: &Record) -> Vec<u8> {
    record.to_bundle().to_bytes()
}

/// The canonical bytes of `record` in `version`; `None` if this program does not know that version.
pub fn canonical_bytes_in(version: u16, record: &Record) -> Option<Vec<u8>> {
    (version == CANONICAL_FORM_VERSION).then(|| canonical_bytes(record))
}

/// Reads canonical bytes back.
///
/// # Errors
/// As [`Record::parse`].
pub fn parse_canonical(bytes: &[u8]) -> Result<Record, Refusal> {
    Record::parse(bytes, &Limits::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::Entry;
    use crate::json::Json;
    use proptest::prelude::*;

    const PATIENT: &str = r#"{ "id":"p", "resourceType":"Patient", "name":[{"given":["B","A"],"family":"O\u0027Neil\/x"}] }"#;
    const ENCOUNTER: &str =
        r#"{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},"id":"e"}"#;
    const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"t"},"valueQuantity":{"value":1.00}}"#;

    fn entry(text: &str) -> Entry {
        let resource = Json::parse(text.as_bytes(), "Resource", &Limits::default()).unwrap();
        let full_url = format!(
            "{}/{}",
            resource.text("resourceType").unwrap(),
            resource.text("id").unwrap()
        );
        Entry { full_url, resource }
    }

    const GOLDEN: &str = concat!(
        r#"{"entry":[{"fullUrl":"Patient/p","resource":{"id":"p","name":[{"family":"O'Neil/x","given":["B","A"]}],"resourceType":"Patient"}},"#,
        r#"{"fullUrl":"Encounter/e","resource":{"class":{"code":"AMB"},"id":"e","resourceType":"Encounter","status":"finished"}},"#,
        r#"{"fullUrl":"Observation/o","resource":{"code":{"text":"t"},"id":"o","resourceType":"Observation","status":"final","valueQuantity":{"value":1.00}}}],"#,
        r#""resourceType":"Bundle","type":"collection"}"#,
    );

    #[test]
    fn the_golden_bytes_of_version_1_never_change() {
        let record =
            Record::from_entries([OBSERVATION, ENCOUNTER, PATIENT].map(entry).to_vec()).unwrap();
        assert_eq!(String::from_utf8(canonical_bytes(&record)).unwrap(), GOLDEN);
        assert_eq!(canonical_bytes_in(1, &record).unwrap(), GOLDEN.as_bytes());
        assert_eq!(canonical_bytes_in(2, &record), None);
    }

    #[test]
    fn canonical_bytes_read_back_give_the_same_bytes() {
        let record = parse_canonical(GOLDEN.as_bytes()).unwrap();
        assert_eq!(canonical_bytes(&record), GOLDEN.as_bytes());
    }

    #[test]
    fn another_digit_of_a_number_gives_other_bytes() {
        let other = OBSERVATION.replace("1.00", "1.0");
        let record =
            Record::from_entries([PATIENT, ENCOUNTER, &other].map(entry).to_vec()).unwrap();
        assert_ne!(canonical_bytes(&record), GOLDEN.as_bytes());
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::Bool),
            any::<i64>().prop_map(Json::from),
            any::<f64>()
                .prop_filter("finite", |n| n.is_finite())
                .prop_map(|n| Json::Number(
                    crate::json::Number::new(&serde_json::to_string(&n).unwrap()).unwrap()
                )),
            any::<String>().prop_map(Json::String),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Json::Array),
                prop::collection::btree_map(any::<String>(), inner, 0..8).prop_map(Json::Object),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_parses_to_the_same_value_here_and_in_serde_json(json in any_json()) {
            let bytes = json.to_bytes();
            prop_assert_eq!(&Json::parse(&bytes, "X", &Limits::default()).unwrap(), &json);
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
        }

        #[test]
        fn white_space_does_not_matter(json in any_json()) {
            // Between any two tokens outside strings.
            let mut spaced = Vec::new();
            let (mut within, mut escaped) = (false, false);
            for byte in json.to_bytes() {
                let structural = !within && b"{}[]:,".contains(&byte);
                if structural { spaced.extend_from_slice(b" \n"); }
                spaced.push(byte);
                if structural { spaced.extend_from_slice(b"\t\r"); }
                if byte == b'"' && !escaped { within = !within; }
                escaped = byte == b'\\' && !escaped;
            }
            prop_assert_eq!(Json::parse(&spaced, "X", &Limits::default()).unwrap(), json);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Json::parse(&bytes, "X", &Limits::default());
            let _ = crate::bundle::Bundle::parse(&bytes, &Limits::default());
        }
    }
}
