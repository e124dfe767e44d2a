//! Receiving one record by its authorization code and the patient ID.

use bus::Target;
use contracts::Purpose;
use interfaces::Problem;
use interfaces::index::LocateCode;
use interfaces::records::{RedeemCode, RedeemReply};
use keys::code::AuthorizationCode;
use ledger::LedgerId;

use crate::answer::{Answer, Refusal};
use crate::design::forms::{Field, Form};
use crate::pages::form_page::FormPage;
use crate::pages::viewed;
use crate::visit::{Submitted, Visit};

/// `GET /hospital/receive`
pub(crate) async fn show(visit: Visit) -> Answer {
    visit.signed_in()?;
    Ok(page(&visit, "", "", &[]).answer(&visit))
}

fn page<'a>(
    visit: &Visit,
    code: &str,
    patient_id: &str,
    errors: &'a [(&'a str, &'a str)],
) -> FormPage<'a> {
    let words = visit.words.staff;
    let form = Form {
        hidden: visit.hidden(),
        fields: vec![
            Field::line("code", words.code)
                .hint(words.code_hint)
                .value(code)
                .error(errors),
            Field::line("patient_id", words.patient_id)
                .width(20)
                .value(patient_id)
                .error(errors),
        ],
        busy: visit.words.patient.opening,
        ..Form::new("/hospital/receive", words.receive_button)
    };
    FormPage {
        errors,
        ..FormPage::new(words.receive, words.receive_lead, form)
    }
}

/// `POST /hospital/receive`
pub(crate) async fn submit(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let (typed, patient_id) = (form.get("code"), form.get("patient_id"));
    let words = visit.words.staff;
    let Ok(code) = typed.parse::<AuthorizationCode>() else {
        let errors = [("code", words.code_bad)];
        return Ok(page(visit, typed, patient_id, &errors).answer(visit));
    };
    visit.portal.tries.count(visit.address)?;
    let answer = form
        .once(async { redeem(visit, &code, typed, patient_id).await })
        .await;
    match answer {
        // Whatever is wrong with a code gives the same answer.
        Err(Refusal(problem)) if matches!(problem.status, 403 | 404) => {
            let errors = [("code", words.code_wrong)];
            Ok(page(visit, typed, patient_id, &errors).answer(visit))
        }
        other => other,
    }
}

async fn redeem(
    visit: &Visit,
    code: &AuthorizationCode,
    typed: &str,
    patient_id: &str,
) -> Result<String, Refusal> {
    let locator = code.locator();
    let located = visit.ask(&LocateCode { locator }).await?;
    let hospital = hospital_of(visit, &located.service).await?;
    let question = RedeemCode {
        record: located.record,
        code: typed.to_owned(),
        patient_id: patient_id.to_owned(),
        purpose: Purpose::Treatment,
    };
    let target = Target::records(&located.service);
    match visit.ask_at(&target, &question).await? {
        RedeemReply::Viewed(opened) => viewed::keep(visit, "/hospital/records", hospital, opened),
        RedeemReply::SignatureNeeded(_) => {
            Err(Problem::forbidden("sign in as the doctor who receives the record").into())
        }
    }
}

async fn hospital_of(visit: &Visit, service: &str) -> Result<LedgerId, Refusal> {
    let all = visit.portal.hospitals.all().await?;
    all.iter()
        .find(|(_, hospital)| hospital.service == service)
        .map(|(id, _)| *id)
        .ok_or_else(|| Problem::not_found("no such hospital").into())
}
