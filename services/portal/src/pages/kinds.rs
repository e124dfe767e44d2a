//! The contracts' vocabularies, in words and colours.

use contracts::Purpose;
use contracts::authorization::command::RefusalReason;
use contracts::settlement::command::BenefitCategory;
use interfaces::records::Integrity;

use crate::design::Html;
use crate::design::text::{self, Colour};
use crate::words::Words;

/// Why a record is looked at or applied for.
pub(crate) fn purpose(words: &Words, purpose: Purpose) -> &'static str {
    let kinds = words.kinds;
    match purpose {
        Purpose::Treatment => kinds.purpose_treatment,
        Purpose::EmergencyTreatment => kinds.purpose_emergency,
        Purpose::Payment => kinds.purpose_payment,
        Purpose::Research => kinds.purpose_research,
        Purpose::PublicHealth => kinds.purpose_public_health,
        Purpose::PatientRequest => kinds.purpose_patient_request,
        Purpose::Operations => kinds.purpose_operations,
    }
}

/// Where an item is on its way.
pub(crate) fn item_state(words: &Words, state: &str, withdrawn: bool) -> Html {
    let kinds = words.kinds;
    if withdrawn {
        return text::tag(Colour::Grey, kinds.grant_withdrawn);
    }
    let (colour, name) = match state {
        "hospital_pending" => (Colour::Yellow, kinds.state_hospital_pending),
        "patient_pending" => (Colour::Yellow, kinds.state_patient_pending),
        "approved" => (Colour::Blue, kinds.state_approved),
        "released" => (Colour::Green, kinds.state_released),
        "refused_by_hospital" => (Colour::Red, kinds.state_refused_by_hospital),
        "refused_by_patient" => (Colour::Red, kinds.state_refused_by_patient),
        "withdrawn" => (Colour::Grey, kinds.state_withdrawn),
        "expired" => (Colour::Grey, kinds.state_expired),
        "disputed" => (Colour::Orange, kinds.state_disputed),
        "reversed" => (Colour::Red, kinds.state_reversed),
        _ => return text::tag(Colour::Grey, state),
    };
    text::tag(colour, name)
}

/// On what basis a record was viewed.
pub(crate) fn basis(words: &Words, basis: &str) -> String {
    let kinds = words.kinds;
    match basis {
        "owner" => kinds.basis_owner,
        "own_hospital" => kinds.basis_own_hospital,
        "grant" => kinds.basis_grant,
        "emergency" => kinds.basis_emergency,
        "offline_emergency" => kinds.basis_offline_emergency,
        "delegation" => kinds.basis_delegation,
        "patient_code" => kinds.basis_patient_code,
        "hospital_code" => kinds.basis_hospital_code,
        other => other,
    }
    .to_owned()
}

/// As [`basis`], for those whose record it is not.
pub(crate) fn basis_of_others(words: &Words, basis_name: &str) -> String {
    let kinds = words.kinds;
    match basis_name {
        "grant" => kinds.basis_a_grant.to_owned(),
        "delegation" => kinds.basis_a_delegation.to_owned(),
        "patient_code" => kinds.basis_a_patient_code.to_owned(),
        "hospital_code" => kinds.basis_a_hospital_code.to_owned(),
        other => basis(words, other),
    }
}

/// What kind of visit an encounter was (v3 ActCode).
pub(crate) fn class(words: &Words, class: &str) -> &'static str {
    let kinds = words.kinds;
    match class.to_ascii_uppercase().as_str() {
        "AMB" | "AMBULATORY" | "OUTPATIENT" => kinds.class_amb,
        "EMER" | "EMERGENCY" => kinds.class_emer,
        "IMP" | "INPATIENT" | "ACUTE" | "NONAC" => kinds.class_imp,
        "HH" | "HOME" => kinds.class_hh,
        "VR" | "VIRTUAL" => kinds.class_vr,
        "WELLNESS" => kinds.class_wellness,
        "URGENTCARE" => kinds.class_urgent,
        _ => kinds.class_other,
    }
}

/// What a claim is for.
pub(crate) fn category(words: &Words, category: BenefitCategory) -> &'static str {
    let kinds = words.kinds;
    match category {
        BenefitCategory::Inpatient => kinds.category_inpatient,
        BenefitCategory::Outpatient => kinds.category_outpatient,
        BenefitCategory::Emergency => kinds.category_emergency,
        BenefitCategory::Preventive => kinds.category_preventive,
        BenefitCategory::Pharmacy => kinds.category_pharmacy,
        BenefitCategory::Other => kinds.category_other,
    }
}

/// What re-hashing found.
pub(crate) fn integrity(words: &Words, integrity: Integrity) -> Html {
    let kinds = words.kinds;
    match integrity {
        Integrity::Verified => text::tag(Colour::Green, kinds.verified),
        Integrity::Edited => text::tag(Colour::Red, kinds.edited),
        Integrity::Deleted => text::tag(Colour::Red, kinds.deleted),
        Integrity::Swapped => text::tag(Colour::Red, kinds.swapped),
        Integrity::RolledBack => text::tag(Colour::Red, kinds.rolled_back),
    }
}

/// A patient ID in the groups in which it was given: `123-456-7897`.
pub(crate) fn patient_id(digits: &str) -> String {
    match (digits.get(..3), digits.get(3..6), digits.get(6..)) {
        (Some(first), Some(second), Some(rest)) if digits.len() == 10 => {
            format!("{first}-{second}-{rest}")
        }
        _ => digits.to_owned(),
    }
}

/// The reasons for a refusal that a patient may give: value, name, hint.
pub(crate) fn refusal_reasons(words: &Words) -> Vec<(String, String, String)> {
    let kinds = words.kinds;
    [
        ("Unstated", kinds.refuse_unstated),
        ("Purpose", kinds.refuse_purpose),
        ("Price", kinds.refuse_price),
        ("Sensitive", kinds.refuse_sensitive),
        ("Unfit", kinds.refuse_unfit),
    ]
    .map(|(value, name)| (value.to_owned(), name.to_owned(), String::new()))
    .into()
}

/// A refusal's reason by its name.
pub(crate) fn refusal_reason(name: &str) -> RefusalReason {
    match name {
        "Purpose" => RefusalReason::Purpose,
        "Price" => RefusalReason::Price,
        "Sensitive" => RefusalReason::Sensitive,
        "Unfit" => RefusalReason::Unfit,
        _ => RefusalReason::Unstated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patient_id_is_shown_in_the_groups_in_which_it_was_given() {
        assert_eq!(patient_id("1234567897"), "123-456-7897");
        assert_eq!(patient_id(""), "");
    }
}
