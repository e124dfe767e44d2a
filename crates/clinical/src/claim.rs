//! What insurance needs to know of a record: coarse benefit categories and amounts, no diagnoses.

use crate::json::Json;
use crate::record::Record;
use crate::refusal::{Fault, Place, Refusal};

/// Coarse benefit category of a claim: all that the ledger learns of what was done. The numbers are
/// part of the ledger's format and are never reused.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum BenefitCategory {
    /// A stay in hospital: encounter class IMP, ACUTE, NONAC, OBSENC, SS.
    Inpatient = 1,
    /// A visit: encounter class AMB, HH, VR, FLD, PRENC and every other.
    Outpatient = 2,
    /// Encounter class EMER.
    Emergency = 3,
    /// A claim of type pharmacy.
    Pharmacy = 4,
    /// An ambulatory check-up, screening, prenatal visit or vaccination.
    Preventive = 5,
    /// A claim of type oral or vision.
    DentalVision = 6,
}

impl BenefitCategory {
    /// Every category, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Inpatient,
        Self::Outpatient,
        Self::Emergency,
        Self::Pharmacy,
        Self::Preventive,
        Self::DentalVision,
    ];

    /// The number in the ledger's format.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The category with this number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|category| category.code() == code)
    }

    /// Name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inpatient => "inpatient",
            Self::Outpatient => "outpatient",
            Self::Emergency => "emergency",
            Self::Pharmacy => "pharmacy",
            Self::Preventive => "preventive",
            Self::DentalVision => "dental and vision",
        }
    }
}

/// SNOMED CT codes of encounter types that are preventive care.
const PREVENTIVE_VISITS: &[&str] = &[
    "185349003", // encounter for check up
    "410620009", // well child visit
    "162673000", // general examination of patient
    "424441002", // prenatal initial visit
    "424619006", // prenatal visit
    "169762003", // postnatal visit
];

/// One Claim of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The Claim's full URL within the record.
    pub claim_url: String,
    /// The Claim's logical id.
    pub claim_id: String,
    /// Coarse category.
    pub category: BenefitCategory,
    /// `Claim.total`, else the sum of `Claim.item.net`, in cents.
    pub amount_cents: i64,
    /// ISO 4217 code of the amount; `USD` if the Claim gives none.
    pub currency: String,
    /// The payer as the Claim gives it (`private`, `medicare`, `medicaid`, `no_insurance`); empty if
    /// it names none.
    pub payer: String,
    /// Of the items, the net amounts in cents, in order; an item without amount is left out.
    pub item_cents: Vec<i64>,
}

/// The Claims of a record, ordered by full URL.
///
/// # Errors
/// An amount that is no whole number of cents, or items in another currency than the total.
pub fn charges(record: &Record) -> Result<Vec<Charge>, Refusal> {
    let root = Place::root("Bundle");
    let list = root.name("entry");
    let mut found = Vec::new();
    for (index, entry) in record.entries().iter().enumerate() {
        if entry.kind() == "Claim" {
            let here = list.index(index);
            found.push(read_charge(
                record,
                &entry.full_url,
                &entry.resource,
                &here.name("resource"),
            )?);
        }
    }
    Ok(found)
}

fn read_charge(
    record: &Record,
    url: &str,
    claim: &Json,
    place: &Place<'_>,
) -> Result<Charge, Refusal> {
    let mut currency = claim
        .at(&["total", "currency"])
        .and_then(Json::as_str)
        .map(str::to_owned);
    let mut item_cents = Vec::new();
    let items = place.name("item");
    for (index, item) in claim.list("item").iter().enumerate() {
        let Some(net) = item.get("net") else { continue };
        let here = items.index(index);
        let here = here.name("net");
        if let Some(own) = net.text("currency") {
            let expected = currency.get_or_insert_with(|| own.to_owned());
            if expected != own {
                return Err(here.refuse(Fault::OtherCurrency {
                    expected: expected.clone(),
                }));
            }
        }
        item_cents.extend(cents(net, &here)?);
    }
    let total = match claim.get("total") {
        Some(total) => cents(total, &place.name("total"))?,
        None => None,
    };
    let amount_cents = match total {
        Some(amount) => amount,
        None => item_cents
            .iter()
            .try_fold(0i64, |sum, amount| sum.checked_add(*amount))
            .ok_or_else(|| items.refuse(Fault::NotCents))?,
    };
    Ok(Charge {
        claim_url: url.to_owned(),
        claim_id: claim.text("id").unwrap_or_default().to_owned(),
        category: category(record, claim),
        amount_cents,
        currency: currency.unwrap_or_else(|| "USD".to_owned()),
        payer: payer(record, claim),
        item_cents,
    })
}

/// A FHIR Money in cents; `None` if it has no value.
fn cents(money: &Json, place: &Place<'_>) -> Result<Option<i64>, Refusal> {
    let Some(value) = money.get("value") else {
        return Ok(None);
    };
    let amount = value.as_number().and_then(|number| number.scaled(2));
    amount
        .map(Some)
        .ok_or_else(|| place.name("value").refuse(Fault::NotCents))
}

/// The coarse category of a Claim: by its own type if that is pharmacy, oral or vision; else by the
/// class and type of the record's encounter.
pub fn category(record: &Record, claim: &Json) -> BenefitCategory {
    match claim
        .at(&["type", "coding", "0", "code"])
        .and_then(Json::as_str)
    {
        Some("pharmacy") => return BenefitCategory::Pharmacy,
        Some("oral" | "vision") => return BenefitCategory::DentalVision,
        _ => {}
    }
    let Some(encounter) = record.encounter() else {
        return BenefitCategory::Outpatient;
    };
    match encounter.at(&["class", "code"]).and_then(Json::as_str) {
        Some("IMP" | "ACUTE" | "NONAC" | "OBSENC" | "SS") => return BenefitCategory::Inpatient,
        Some("EMER") => return BenefitCategory::Emergency,
        _ => {}
    }
    let mut types = encounter
        .list("type")
        .iter()
        .flat_map(|kind| kind.list("coding"));
    if types.any(|coding| {
        coding
            .text("code")
            .is_some_and(|code| PREVENTIVE_VISITS.contains(&code))
    }) {
        BenefitCategory::Preventive
    } else {
        BenefitCategory::Outpatient
    }
}

/// The payer of a Claim as bare text: the coverage's display, else the payor of the Coverage it
/// refers to in the record.
fn payer(record: &Record, claim: &Json) -> String {
    let insurance = claim.list("insurance");
    let focal = insurance
        .iter()
        .find(|one| one.get("focal") == Some(&Json::Bool(true)))
        .or(insurance.first());
    let Some(coverage) = focal.and_then(|insurance| insurance.get("coverage")) else {
        return String::new();
    };
    let referred = || {
        let resource = record.resolve(coverage.text("reference")?)?;
        resource.at(&["payor", "0", "display"])?.as_str()
    };
    coverage
        .text("display")
        .or_else(referred)
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Limits;

    fn record(class: &str, visit: &str, claim: &str) -> Record {
        let text = format!(
            r#"{{"resourceType":"Bundle","type":"collection","entry":[
            {{"fullUrl":"urn:p","resource":{{"resourceType":"Patient"}}}},
            {{"fullUrl":"urn:e","resource":{{"resourceType":"Encounter","status":"finished","class":{{"code":"{class}"}},
                "type":[{{"coding":[{{"code":"{visit}"}}]}}]}}}},
            {{"fullUrl":"urn:c","resource":{{"resourceType":"Claim","id":"c","status":"active","use":"claim",
                "patient":{{"reference":"urn:p"}},"created":"2020","provider":{{"display":"x"}},"priority":{{"text":"x"}},
                "insurance":[{{"sequence":1,"focal":true,"coverage":{{"display":"private"}}}}],{claim}}}}}]}}"#
        );
        Record::parse(text.as_bytes(), &Limits::default()).unwrap()
    }

    const INSTITUTIONAL: &str = r#""type":{"coding":[{"code":"institutional"}]}"#;

    fn item(net: &str) -> String {
        format!(
            r#"{{"sequence":1,"productOrService":{{"text":"x"}},"net":{{"value":{net},"currency":"USD"}}}}"#
        )
    }

    #[test]
    fn the_category_comes_from_the_claim_and_the_encounter_alone() {
        for (class, visit, claim, expected) in [
            (
                "AMB",
                "185345009",
                INSTITUTIONAL,
                BenefitCategory::Outpatient,
            ),
            (
                "AMB",
                "185349003",
                INSTITUTIONAL,
                BenefitCategory::Preventive,
            ),
            (
                "IMP",
                "185349003",
                INSTITUTIONAL,
                BenefitCategory::Inpatient,
            ),
            (
                "EMER",
                "50849002",
                INSTITUTIONAL,
                BenefitCategory::Emergency,
            ),
            (
                "EMER",
                "50849002",
                r#""type":{"coding":[{"code":"pharmacy"}]}"#,
                BenefitCategory::Pharmacy,
            ),
            (
                "AMB",
                "x",
                r#""type":{"coding":[{"code":"vision"}]}"#,
                BenefitCategory::DentalVision,
            ),
        ] {
            let found = charges(&record(class, visit, claim)).unwrap();
            assert_eq!(found[0].category, expected, "{class} {visit} {claim}");
            assert_eq!(found[0].payer, "private");
        }
        for category in BenefitCategory::ALL {
            assert_eq!(BenefitCategory::from_code(category.code()), Some(category));
        }
        assert_eq!(BenefitCategory::from_code(0), None);
    }

    #[test]
    fn amounts_are_exact_cents_of_the_total_or_of_the_items() {
        let total = format!(r#"{INSTITUTIONAL},"total":{{"value":129.16,"currency":"USD"}}"#);
        assert_eq!(
            charges(&record("AMB", "x", &total)).unwrap()[0].amount_cents,
            12_916
        );
        let items = format!(
            r#"{INSTITUTIONAL},"item":[{},{}]"#,
            item("0.1"),
            item("0.20")
        );
        let charge = charges(&record("AMB", "x", &items)).unwrap().remove(0);
        assert_eq!((charge.amount_cents, charge.item_cents), (30, vec![10, 20]));
        assert_eq!(charge.currency, "USD");
    }

    #[test]
    fn an_amount_finer_than_a_cent_and_mixed_currencies_are_refused_by_the_element() {
        let fine = format!(r#"{INSTITUTIONAL},"item":[{}]"#, item("0.001"));
        let refusal = charges(&record("AMB", "x", &fine)).unwrap_err().to_string();
        assert_eq!(
            refusal,
            "Bundle.entry[2].resource.item[0].net.value: is not a whole number of cents"
        );
        let mixed = format!(
            r#"{INSTITUTIONAL},"total":{{"value":1,"currency":"EUR"}},"item":[{}]"#,
            item("1")
        );
        let refusal = charges(&record("AMB", "x", &mixed))
            .unwrap_err()
            .to_string();
        assert_eq!(
            refusal,
            "Bundle.entry[2].resource.item[0].net: is in another currency than EUR"
        );
    }
}
