//! Re-hashing every record of the hospital.

use interfaces::records::{SweepIntegrity, SweepReport};
use ledger::LedgerId;

use super::{nowhere, workplaces};
use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::Form;
use crate::design::lists;
use crate::design::text;
use crate::pages::kinds;
use crate::visit::{Page, Submitted, Visit};

/// `GET /hospital/integrity`
pub(crate) async fn show(visit: Visit) -> Answer {
    let Some((hospital, _)) = workplaces(&visit).await?.into_iter().next() else {
        return nowhere(&visit);
    };
    let words = visit.words.staff;
    let content = text::lead(words.integrity_lead).and(button(&visit, hospital));
    Ok(visit.page(Page::new(words.integrity, content)))
}

fn button(visit: &Visit, hospital: LedgerId) -> Html {
    let mut hidden = visit.hidden();
    hidden.push(("hospital", hospital.to_string()));
    Form {
        hidden,
        busy: visit.words.staff.sweeping,
        ..Form::new("/hospital/integrity", visit.words.staff.sweep)
    }
    .html()
}

/// `POST /hospital/integrity`: the report is the answer. Sweeping again harms nothing: what was reported is not reported twice.
pub(crate) async fn sweep(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let hospital: LedgerId = form.id("hospital")?;
    let report = visit.ask_hospital(hospital, &SweepIntegrity {}).await?;
    let words = visit.words.staff;
    let content = report_of(visit, &report).and(button(visit, hospital));
    Ok(visit.page(Page::new(words.integrity, content)))
}

/// What a sweep found.
pub(crate) fn report_of(visit: &Visit, report: &SweepReport) -> Html {
    let words = visit.words.staff;
    let figures = lists::panels(&[
        (
            words.checked,
            text::span("medshare-figure", &visit.locale.number(report.checked)),
        ),
        (
            words.tampered,
            text::span(
                "medshare-figure",
                &visit.locale.number(report.tampered.len() as u64),
            ),
        ),
    ]);
    if report.tampered.is_empty() {
        return figures.and(text::inset(
            visit.words.frame.information,
            text::paragraph(words.all_well),
        ));
    }
    let rows: Vec<Vec<Html>> = report
        .tampered
        .iter()
        .map(|tampered| {
            let receipt = tampered.transaction.map_or_else(Html::none, |transaction| {
                let path = format!("/receipts/{transaction}");
                text::link(&path, visit.words.frame.receipt)
            });
            vec![
                text::number(tampered.record),
                kinds::integrity(&visit.words, tampered.integrity),
                receipt,
            ]
        })
        .collect();
    let head = [
        visit.words.patient.record_number,
        words.result,
        visit.words.frame.receipt,
    ];
    figures.and(lists::table(words.tampered, &head, &rows))
}
