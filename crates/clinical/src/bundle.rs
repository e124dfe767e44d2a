//! A FHIR R4 Bundle from outside: parsed under limits, checked against R4, reduced to its entries.

use sha2::{Digest, Sha256};

use crate::json::{Json, Limits};
use crate::refusal::{Fault, Place, Refusal};
use crate::structure;

/// A resource and the URL by which the other entries refer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `urn:uuid:...`, an absolute URL, or `Type/id`.
    pub full_url: String,
    /// The resource.
    pub resource: Json,
}

impl Entry {
    /// The resource's type.
    pub fn kind(&self) -> &str {
        self.resource.text("resourceType").unwrap_or_default()
    }

    /// The resource's logical id; empty if it has none.
    pub fn id(&self) -> &str {
        self.resource.text("id").unwrap_or_default()
    }
}

/// A Bundle that FHIR R4 accepts, with a full URL for every entry, in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The entries.
    pub entries: Vec<Entry>,
}

impl Bundle {
    /// Parses and checks a Bundle of type transaction, batch, collection, document or searchset.
    ///
    /// Codes outside their code system and references to absent resources are accepted, as FHIR R4
    /// does. An entry without `fullUrl` gets `Type/id`, or without id a `urn:uuid:` of its content.
    ///
    /// # Errors
    /// The first element that is malformed or belongs to another FHIR version.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, Refusal> {
        Self::from_json(Json::parse(bytes, "Bundle", limits)?)
    }

    /// As [`Bundle::parse`], from parsed JSON.
    ///
    /// # Errors
    /// As [`Bundle::parse`].
    pub fn from_json(json: Json) -> Result<Self, Refusal> {
        let place = Place::root("Bundle");
        if json
            .text("resourceType")
            .is_some_and(|name| name != "Bundle")
        {
            let expected = "Bundle".to_owned();
            return Err(place
                .name("resourceType")
                .refuse(Fault::InvalidValue { expected }));
        }
        structure::check_resource(&json, &place)?;
        let kind = json.text("type").unwrap_or_default();
        if ![
            "transaction",
            "batch",
            "collection",
            "document",
            "searchset",
        ]
        .contains(&kind)
        {
            return Err(place.name("type").refuse(Fault::BundleType));
        }
        let Json::Object(mut object) = json else {
            return Err(place.refuse(Fault::WrongType {
                expected: "an object",
            }));
        };
        let list = place.name("entry");
        let mut entries: Vec<Entry> = Vec::new();
        let mut urls = std::collections::BTreeSet::new();
        let given = object.remove("entry").unwrap_or(Json::Array(Vec::new()));
        let Json::Array(given) = given else {
            return Err(list.refuse(Fault::WrongType {
                expected: "an array",
            }));
        };
        for (index, entry) in given.into_iter().enumerate() {
            let here = list.index(index);
            let entry = read_entry(entry, &here)?;
            if !urls.insert(entry.full_url.clone()) {
                return Err(here.name("fullUrl").refuse(Fault::DuplicateFullUrl));
            }
            entries.push(entry);
        }
        Ok(Self { entries })
    }
}

fn read_entry(entry: Json, place: &Place<'_>) -> Result<Entry, Refusal> {
    let method = entry.at(&["request", "method"]).and_then(Json::as_str);
    if method.is_some_and(|method| method != "POST" && method != "PUT") {
        return Err(place
            .name("request")
            .name("method")
            .refuse(Fault::RequestMethod));
    }
    let Json::Object(mut object) = entry else {
        return Err(place.refuse(Fault::WrongType {
            expected: "an object",
        }));
    };
    let resource = object
        .remove("resource")
        .ok_or_else(|| place.name("resource").refuse(Fault::Missing))?;
    let full_url = match object.remove("fullUrl") {
        Some(Json::String(url)) => url,
        _ => own_url(&resource),
    };
    Ok(Entry { full_url, resource })
}

/// `Type/id`, or for a resource without id a UUID (version 8, RFC 9562) of its content.
fn own_url(resource: &Json) -> String {
    let kind = resource.text("resourceType").unwrap_or_default();
    match resource.text("id") {
        Some(id) => format!("{kind}/{id}"),
        None => format!("urn:uuid:{}", content_uuid(&resource.to_bytes())),
    }
}

/// A version 8 UUID that is a function of `content` alone.
pub(crate) fn content_uuid(content: &[u8]) -> String {
    let hash = Sha256::digest(content);
    let mut bytes = [0u8; 16];
    bytes.copy_from_slice(&hash[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = data_encoding::HEXLOWER.encode(&bytes);
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Bundle, Refusal> {
        Bundle::parse(text.as_bytes(), &Limits::default())
    }

    #[test]
    fn an_entry_without_full_url_gets_one_that_depends_on_its_content_alone() {
        let text = r#"{"resourceType":"Bundle","type":"collection","entry":[
            {"resource":{"resourceType":"Patient","id":"p"}},
            {"resource":{"resourceType":"Patient","active":true}}]}"#;
        let urls: Vec<String> = parse(text)
            .unwrap()
            .entries
            .into_iter()
            .map(|entry| entry.full_url)
            .collect();
        assert_eq!(urls[0], "Patient/p");
        assert!(urls[1].starts_with("urn:uuid:"));
        assert_eq!(urls[1].len(), "urn:uuid:".len() + 36);
        assert_eq!(parse(text).unwrap().entries[1].full_url, urls[1]);
    }

    #[test]
    fn what_is_no_bundle_of_r4_is_refused_by_the_element() {
        for (text, expected) in [
            ("[]", "Bundle: must be an object"),
            ("{}", "Bundle.resourceType: is missing"),
            (
                r#"{"resourceType":"Patient"}"#,
                "Bundle.resourceType: is not a valid Bundle",
            ),
            (r#"{"resourceType":"Bundle"}"#, "Bundle.type: is missing"),
            (
                r#"{"resourceType":"Bundle","type":"history"}"#,
                "Bundle.type: must be transaction",
            ),
            // R5 only.
            (
                r#"{"resourceType":"Bundle","type":"subscription-notification"}"#,
                "Bundle.type: is not a valid",
            ),
            (
                r#"{"resourceType":"Bundle","type":"collection","issues":{}}"#,
                "Bundle.issues: is no element",
            ),
            (
                r#"{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:uuid:a"}]}"#,
                "Bundle.entry[0].resource: is missing",
            ),
            (
                r#"{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Patient"},
                "request":{"method":"DELETE","url":"Patient/1"}}]}"#,
                "Bundle.entry[0].request.method: must be POST",
            ),
            (
                r#"{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:a","resource":{"resourceType":"Patient"}},
                {"fullUrl":"urn:a","resource":{"resourceType":"Patient"}}]}"#,
                "Bundle.entry[1].fullUrl: is the full URL",
            ),
            (
                r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","gender":"m"}}]}"#,
                "Bundle.entry[0].resource.gender: is not a valid male | female",
            ),
        ] {
            let refusal = parse(text).expect_err(text).to_string();
            assert!(refusal.starts_with(expected), "{text}: {refusal}");
        }
    }
}
