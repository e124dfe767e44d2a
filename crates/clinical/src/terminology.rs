//! Code systems and the translation between them.
//!
//! `terminology/snomed-icd10.json` is a FHIR ConceptMap of our own from SNOMED CT to ICD-10 (WHO), for
//! the conditions that the sample data and the generator hold. It is made for search, not for coding
//! bills: where ICD-10 has no equal category the wider one is given, and the map says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use crate::json::{Json, Limits};

/// SNOMED CT.
pub const SNOMED: &str = "http://snomed.info/sct";
/// ICD-10 of the World Health Organization.
pub const ICD10: &str = "http://hl7.org/fhir/sid/icd-10";
/// ICD-10-CM of the United States, met in input.
pub const ICD10_CM: &str = "http://hl7.org/fhir/sid/icd-10-cm";
/// LOINC.
pub const LOINC: &str = "http://loinc.org";
/// UCUM.
pub const UCUM: &str = "http://unitsofmeasure.org";
/// RxNorm.
pub const RXNORM: &str = "http://www.nlm.nih.gov/research/umls/rxnorm";
/// CVX vaccine codes.
pub const CVX: &str = "http://hl7.org/fhir/sid/cvx";

/// How a target relates to its source (FHIR R4 concept-map-equivalence).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Equivalence {
    /// They mean the same.
    Equivalent,
    /// The target is wider.
    Wider,
}

/// One row of the map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// ICD-10 code.
    pub code: String,
    /// ICD-10 title in our own words.
    pub display: String,
    /// How the ICD-10 code relates to the SNOMED CT one.
    pub equivalence: Equivalence,
}

#[derive(Debug, Default)]
struct Map {
    to_icd10: BTreeMap<String, Vec<Translation>>,
    from_icd10: BTreeMap<String, BTreeSet<String>>,
    displays: BTreeMap<(String, String), String>,
}

/// The ConceptMap as FHIR R4 JSON.
pub fn concept_map_json() -> &'static str {
    include_str!("../terminology/snomed-icd10.json")
}

fn map() -> &'static Map {
    static MAP: OnceLock<Map> = OnceLock::new();
    MAP.get_or_init(|| {
        let json = Json::parse(
            concept_map_json().as_bytes(),
            "ConceptMap",
            &Limits::default(),
        );
        json.map(|json| read_map(&json)).unwrap_or_default()
    })
}

fn read_map(json: &Json) -> Map {
    let mut map = Map::default();
    for element in json
        .list("group")
        .iter()
        .flat_map(|group| group.list("element"))
    {
        let Some(source) = element.text("code") else {
            continue;
        };
        if let Some(display) = element.text("display") {
            map.displays
                .insert((SNOMED.to_owned(), source.to_owned()), display.to_owned());
        }
        for target in element.list("target") {
            let Some(code) = target.text("code") else {
                continue;
            };
            let display = target.text("display").unwrap_or_default().to_owned();
            let equivalence = match target.text("equivalence") {
                Some("equivalent") => Equivalence::Equivalent,
                _ => Equivalence::Wider,
            };
            map.displays
                .entry((ICD10.to_owned(), code.to_owned()))
                .or_insert_with(|| display.clone());
            map.from_icd10
                .entry(code.to_owned())
                .or_default()
                .insert(source.to_owned());
            let row = Translation {
                code: code.to_owned(),
                display,
                equivalence,
            };
            map.to_icd10.entry(source.to_owned()).or_default().push(row);
        }
    }
    map
}

/// The ICD-10 codes of a SNOMED CT code; none if the map does not hold it.
pub fn translate(snomed: &str) -> &'static [Translation] {
    map().to_icd10.get(snomed).map_or(&[], Vec::as_slice)
}

/// The SNOMED CT codes that translate to an ICD-10 code, or, for a three-character category or a
/// block letter, to any code within it (`J32` finds `J32.9`).
pub fn snomed_of_icd10(icd10: &str) -> BTreeSet<String> {
    let wanted = normal_icd10(icd10);
    if wanted.is_empty() {
        return BTreeSet::new();
    }
    let within = |code: &str| code == wanted || (wanted.len() <= 3 && code.starts_with(&wanted));
    map()
        .from_icd10
        .iter()
        .filter(|(code, _)| within(code))
        .flat_map(|(_, sources)| sources.clone())
        .collect()
}

/// `j329` and `J32.9` are the same ICD-10 code.
pub fn normal_icd10(code: &str) -> String {
    let plain: String = code
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_uppercase();
    if plain.len() > 3 && !code.trim().is_empty() {
        format!("{}.{}", &plain[..3], &plain[3..])
    } else {
        plain
    }
}

/// The three-character category of an ICD-10 code (`J32.9` is in `J32`).
pub fn icd10_category(code: &str) -> String {
    normal_icd10(code).chars().take(3).collect()
}

/// The display of a code, if it is in the map or among the groups.
pub fn display(system: &str, code: &str) -> Option<&'static str> {
    if system == SNOMED
        && let Some(group) = GROUPS.iter().find(|group| group.snomed == code)
    {
        return Some(group.display);
    }
    map()
        .displays
        .get(&(system.to_owned(), code.to_owned()))
        .map(String::as_str)
}

/// A LOINC code under the name that is used here: the sample data's blood pressure panel 55284-4 is
/// treated as 85354-9.
pub fn canonical_loinc(code: &str) -> &str {
    let (panel, _, other) = crate::vitals::BLOOD_PRESSURE_PANEL;
    if code == other { panel } else { code }
}

/// A disease group: a SNOMED CT concept and those of our conditions that it subsumes. Our own, and
/// minimal: without a SNOMED CT release there is no hierarchy to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// SNOMED CT code of the group.
    pub snomed: &'static str,
    /// Name for people.
    pub display: &'static str,
    /// SNOMED CT codes within it.
    pub members: &'static [&'static str],
}

/// The groups. A member may be a group itself.
pub const GROUPS: &[Group] = &[
    Group {
        snomed: "36971009",
        display: "Sinusitis",
        members: &["40055000", "444814009", "75498004"],
    },
    Group {
        snomed: "73211009",
        display: "Diabetes mellitus",
        members: &["44054006", "368581000119106"],
    },
    Group {
        snomed: "56265001",
        display: "Heart disease",
        members: &["53741008", "22298006", "49436004", "88805009", "410429000"],
    },
    Group {
        snomed: "195967001",
        display: "Asthma",
        members: &["233678006"],
    },
    Group {
        snomed: "396275006",
        display: "Osteoarthritis",
        members: &["239872002", "239873007", "201834006"],
    },
    Group {
        snomed: "26929004",
        display: "Alzheimer's disease",
        members: &["230265002"],
    },
    Group {
        snomed: "128613002",
        display: "Seizure disorder",
        members: &["84757009"],
    },
    Group {
        snomed: "125605004",
        display: "Fracture of bone",
        members: &[
            "443165006",
            "65966004",
            "263102004",
            "16114001",
            "58150001",
            "33737001",
        ],
    },
    Group {
        snomed: "125643001",
        display: "Open wound",
        members: &[
            "283371005",
            "283385000",
            "284549007",
            "370247008",
            "284551006",
            "262574004",
        ],
    },
    Group {
        snomed: "363406005",
        display: "Malignant neoplasm of colon",
        members: &["93761005", "109838007"],
    },
    Group {
        snomed: "61582004",
        display: "Allergic rhinitis",
        members: &["232353008", "446096008", "367498001"],
    },
    Group {
        snomed: "414916001",
        display: "Obesity",
        members: &["162864005", "408512008"],
    },
    Group {
        snomed: "38341003",
        display: "Hypertension",
        members: &["59621000"],
    },
    Group {
        snomed: "68566005",
        display: "Urinary tract infection",
        members: &["301011002", "197927001", "38822007"],
    },
];

/// `code` and every code it subsumes by [`GROUPS`].
pub fn with_descendants(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![code];
    while let Some(code) = open.pop() {
        if found.insert(code.to_owned()) {
            open.extend(
                GROUPS
                    .iter()
                    .filter(|group| group.snomed == code)
                    .flat_map(|group| group.members),
            );
        }
    }
    found
}

/// `code` and every group it is in.
pub fn with_ancestors(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![code];
    while let Some(code) = open.pop() {
        if found.insert(code.to_owned()) {
            open.extend(
                GROUPS
                    .iter()
                    .filter(|group| group.members.contains(&code))
                    .map(|group| group.snomed),
            );
        }
    }
    found
}

/// The SNOMED CT codes that a search for a disease means: a SNOMED CT code with its descendants, or
/// all that translate to an ICD-10 code. The system is told by the form: SNOMED CT codes are digits.
pub fn search_codes(disease: &str) -> BTreeSet<String> {
    let disease = disease.trim();
    if !disease.is_empty() && disease.bytes().all(|byte| byte.is_ascii_digit()) {
        with_descendants(disease)
    } else {
        snomed_of_icd10(disease)
    }
}

/// Every condition of the map, by SNOMED CT code, with its display.
pub fn conditions() -> impl Iterator<Item = (&'static str, &'static str)> {
    map()
        .displays
        .iter()
        .filter(|((system, _), _)| system == SNOMED)
        .map(|((_, code), display)| (code.as_str(), display.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_concept_map_is_whole() {
        assert!(conditions().count() >= 95, "{}", conditions().count());
        for (code, _) in conditions() {
            assert!(!translate(code).is_empty(), "{code} has no target");
            for row in translate(code) {
                assert_eq!(normal_icd10(&row.code), row.code);
                assert!(snomed_of_icd10(&row.code).contains(code));
                assert!(snomed_of_icd10(&icd10_category(&row.code)).contains(code));
                assert!(!row.display.is_empty());
            }
        }
    }

    #[test]
    fn every_member_of_a_group_is_in_the_map_or_a_group() {
        for group in GROUPS {
            for member in group.members {
                assert!(display(SNOMED, member).is_some(), "{member}");
            }
        }
    }

    #[test]
    fn chronic_sinusitis_and_hypertension_are_found_in_both_systems() {
        assert_eq!(translate("40055000")[0].code, "J32.9");
        assert_eq!(translate("38341003")[0].code, "I10");
        assert!(search_codes("J32").contains("40055000"));
        assert!(search_codes("j329").contains("40055000"));
        assert!(search_codes("i10").contains("38341003"));
        assert!(search_codes("38341003").contains("59621000"));
        assert_eq!(
            search_codes("40055000"),
            BTreeSet::from(["40055000".to_owned()])
        );
        assert!(search_codes("36971009").contains("40055000"));
        assert!(with_ancestors("368581000119106").contains("73211009"));
        assert!(search_codes("").is_empty());
        assert!(search_codes("no such thing").is_empty());
    }

    #[test]
    fn the_old_blood_pressure_panel_is_the_current_one() {
        assert_eq!(canonical_loinc("55284-4"), "85354-9");
        assert_eq!(canonical_loinc("8867-4"), "8867-4");
    }
}
