//! Having a hospital re-hash its records.

use interfaces::records::SweepIntegrity;
use ledger::LedgerId;

use super::chosen_hospital;
use crate::answer::{Answer, Refusal};
use crate::design::Html;
use crate::design::forms::{Control, Field, Form};
use crate::design::text;
use crate::pages::hospital::integrity::report_of;
use crate::visit::{Page, Submitted, Visit};

/// `GET /sweep`
pub(super) async fn ask_to_sweep(visit: Visit) -> Answer {
    visit.signed_in()?;
    let form = sweep_form(&visit).await?;
    let words = visit.words.organisations;
    let content = text::lead(words.sweep_lead).and(form);
    Ok(visit.page(Page::new(words.sweep, content)))
}

async fn sweep_form(visit: &Visit) -> Result<Html, Refusal> {
    let (hospital, hospitals) = chosen_hospital(visit).await?;
    let words = visit.words.organisations;
    let form = Form {
        hidden: visit.hidden(),
        fields: vec![
            Field::new(
                "hospital",
                words.dimension_hospital,
                Control::Select(hospitals),
            )
            .value(hospital.to_string()),
        ],
        busy: visit.words.staff.sweeping,
        ..Form::new("/sweep", words.sweep_button)
    };
    Ok(form.html())
}

/// `POST /sweep`: the report is the answer; sweeping again harms nothing.
pub(super) async fn sweep(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let hospital: LedgerId = form.id("hospital")?;
    let report = visit.ask_hospital(hospital, &SweepIntegrity {}).await?;
    let again = sweep_form(visit).await?;
    let content = report_of(visit, &report).and(again);
    Ok(visit.page(Page::new(visit.words.organisations.sweep, content)))
}
