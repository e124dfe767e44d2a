//! What a search may learn of a record: coded, coarse, without any text or number of the patient.

use std::collections::BTreeSet;

use crate::json::Json;
use crate::record::Record;
use crate::terminology::{ICD10, ICD10_CM, SNOMED, icd10_category, normal_icd10, translate};

/// Age at the encounter in bands of ten years; the last is 90 and over.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct AgeBand(u8);

impl AgeBand {
    /// The band of an age in years.
    pub fn of_years(years: u32) -> Self {
        Self((years / 10).min(9) as u8)
    }

    /// The band with this number, 0 to 9.
    pub fn from_code(code: u8) -> Option<Self> {
        (code <= 9).then_some(Self(code))
    }

    /// Its number: 0 for 0 to 9 years, 9 for 90 and over.
    pub fn code(self) -> u8 {
        self.0
    }

    /// `40-49`, `90+`
    pub fn text(self) -> String {
        match self.0 {
            9 => "90+".to_owned(),
            tens => format!("{}-{}", tens * 10, tens * 10 + 9),
        }
    }
}

/// Administrative sex as FHIR codes it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Sex {
    /// `male`
    Male,
    /// `female`
    Female,
    /// `other`
    Other,
    /// `unknown` or not given
    Unknown,
}

impl Sex {
    /// The sex of a FHIR `administrative-gender` code.
    pub fn from_fhir(code: Option<&str>) -> Self {
        match code {
            Some("male") => Self::Male,
            Some("female") => Self::Female,
            Some("other") => Self::Other,
            _ => Self::Unknown,
        }
    }

    /// The FHIR code.
    pub fn text(self) -> &'static str {
        match self {
            Self::Male => "male",
            Self::Female => "female",
            Self::Other => "other",
            Self::Unknown => "unknown",
        }
    }
}

/// The kind of a record, by the class of its encounter.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum RecordClass {
    /// A visit.
    Ambulatory = 1,
    /// An emergency.
    Emergency = 2,
    /// A stay in hospital.
    Inpatient = 3,
    /// At the patient's home.
    Home = 4,
    /// By telephone or video.
    Virtual = 5,
    /// Any other, or no encounter.
    Other = 6,
}

impl RecordClass {
    /// The class of a v3-ActCode encounter class.
    pub fn from_fhir(code: Option<&str>) -> Self {
        match code {
            Some("AMB") => Self::Ambulatory,
            Some("EMER") => Self::Emergency,
            Some("IMP" | "ACUTE" | "NONAC" | "OBSENC" | "SS") => Self::Inpatient,
            Some("HH") => Self::Home,
            Some("VR") => Self::Virtual,
            _ => Self::Other,
        }
    }

    /// Name for people and for queries.
    pub fn text(self) -> &'static str {
        match self {
            Self::Ambulatory => "ambulatory",
            Self::Emergency => "emergency",
            Self::Inpatient => "inpatient",
            Self::Home => "home",
            Self::Virtual => "virtual",
            Self::Other => "other",
        }
    }

    /// The class with this name.
    pub fn from_text(text: &str) -> Option<Self> {
        [
            Self::Ambulatory,
            Self::Emergency,
            Self::Inpatient,
            Self::Home,
            Self::Virtual,
            Self::Other,
        ]
        .into_iter()
        .find(|class| class.text() == text)
    }
}

/// The brief of a record.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Brief {
    /// SNOMED CT codes of its Conditions.
    pub snomed: BTreeSet<String>,
    /// ICD-10 codes of its Conditions, given or translated.
    pub icd10: BTreeSet<String>,
    /// Age at the encounter; absent without date of birth or of encounter.
    pub age_band: Option<AgeBand>,
    /// Administrative sex.
    pub sex: Sex,
    /// Year of the encounter.
    pub year: Option<i32>,
    /// Kind of the record.
    pub class: RecordClass,
    /// The hospital, as the caller names it.
    pub hospital: String,
}

impl Brief {
    /// The brief of `record` of `hospital`.
    pub fn of(record: &Record, hospital: &str) -> Self {
        let (snomed, icd10) = conditions(record);
        let day = record.started().map(|moment| moment.day);
        let age = record
            .birth_day()
            .zip(day)
            .map(|(birth, day)| birth.age_years_at(day));
        let class = record
            .encounter()
            .and_then(|encounter| encounter.at(&["class", "code"])?.as_str());
        Self {
            snomed,
            icd10,
            age_band: age.map(AgeBand::of_years),
            sex: Sex::from_fhir(record.patient().text("gender")),
            year: day.map(|day| day.year),
            class: RecordClass::from_fhir(class),
            hospital: hospital.to_owned(),
        }
    }

    /// The three-character ICD-10 categories, for counting.
    pub fn icd10_categories(&self) -> BTreeSet<String> {
        self.icd10.iter().map(|code| icd10_category(code)).collect()
    }
}

/// The codes of a record's Conditions, without those that were refuted or entered in error. Only what
/// has the form of a code is taken: a code element may hold anything.
fn conditions(record: &Record) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut snomed = BTreeSet::new();
    let mut icd10 = BTreeSet::new();
    for condition in record
        .resources("Condition")
        .filter(|condition| stands(condition))
    {
        for coding in condition
            .get("code")
            .map_or(&[][..], |code| code.list("coding"))
        {
            let Some(code) = coding.text("code") else {
                continue;
            };
            match coding.text("system") {
                Some(SNOMED) if is_snomed(code) => {
                    icd10.extend(translate(code).iter().map(|row| row.code.clone()));
                    snomed.insert(code.to_owned());
                }
                Some(ICD10 | ICD10_CM) if is_icd10(code) => {
                    icd10.insert(normal_icd10(code));
                }
                _ => {}
            }
        }
    }
    (snomed, icd10)
}

fn stands(condition: &Json) -> bool {
    let status = condition
        .at(&["verificationStatus", "coding", "0", "code"])
        .and_then(Json::as_str);
    !matches!(status, Some("refuted" | "entered-in-error"))
}

/// 6 to 18 digits, the form of a SNOMED CT identifier.
fn is_snomed(code: &str) -> bool {
    (6..=18).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit())
}

/// A letter, a digit, and up to five letters or digits, perhaps with a point.
fn is_icd10(code: &str) -> bool {
    let plain = normal_icd10(code).replace('.', "");
    let bytes = plain.as_bytes();
    (3..=7).contains(&bytes.len()) && bytes[0].is_ascii_alphabetic() && bytes[1].is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Limits;

    #[test]
    fn a_brief_holds_codes_and_bands_only() {
        let text = r#"{"resourceType":"Bundle","type":"collection","entry":[
            {"fullUrl":"urn:p","resource":{"resourceType":"Patient","gender":"female","birthDate":"1920-05-05","name":[{"family":"Kanary"}]}},
            {"fullUrl":"urn:e","resource":{"resourceType":"Encounter","status":"finished","class":{"code":"EMER"},"period":{"start":"2012-05-04"}}},
            {"fullUrl":"urn:c1","resource":{"resourceType":"Condition","subject":{"reference":"urn:p"},
                "code":{"coding":[{"system":"http://snomed.info/sct","code":"40055000"}],"text":"of Kanary"}}},
            {"fullUrl":"urn:c2","resource":{"resourceType":"Condition","subject":{"reference":"urn:p"},
                "code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"i10"},{"system":"http://snomed.info/sct","code":"Kanary"}]}}},
            {"fullUrl":"urn:c3","resource":{"resourceType":"Condition","subject":{"reference":"urn:p"},
                "verificationStatus":{"coding":[{"code":"refuted"}]},
                "code":{"coding":[{"system":"http://snomed.info/sct","code":"38341003"}]}}}]}"#;
        let record = Record::parse(text.as_bytes(), &Limits::default()).unwrap();
        let brief = Brief::of(&record, "h1");
        assert_eq!(brief.snomed, BTreeSet::from(["40055000".to_owned()]));
        assert_eq!(
            brief.icd10,
            BTreeSet::from(["I10".to_owned(), "J32.9".to_owned()])
        );
        assert_eq!(brief.age_band.unwrap().text(), "90+");
        assert_eq!(
            (brief.sex, brief.year, brief.class),
            (Sex::Female, Some(2012), RecordClass::Emergency)
        );
        assert!(!serde_json::to_string(&brief).unwrap().contains("Kanary"));
    }

    #[test]
    fn ages_fall_into_bands_of_ten_years_with_one_for_90_and_over() {
        for (years, text) in [
            (0, "0-9"),
            (9, "0-9"),
            (10, "10-19"),
            (89, "80-89"),
            (90, "90+"),
            (117, "90+"),
        ] {
            assert_eq!(AgeBand::of_years(years).text(), text);
        }
        assert_eq!(AgeBand::from_code(9), Some(AgeBand::of_years(95)));
        assert_eq!(AgeBand::from_code(10), None);
    }
}
