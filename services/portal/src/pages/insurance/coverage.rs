//! Covering an insured person.

use contracts::settlement::command::PlanId;
use interfaces::settlement::RegisterCoverage;
use ledger::LedgerId;

use crate::answer::Answer;
use crate::design::forms::{Field, Form};
use crate::pages::form_page::{FormPage, mistakes};
use crate::pages::sign;
use crate::visit::{Submitted, Visit};
use crate::words::fill;

/// `GET /insurance/coverage`
pub(super) async fn ask_coverage(visit: Visit) -> Answer {
    visit.signed_in()?;
    Ok(coverage_page(&visit, &|_| String::new(), &[]).answer(&visit))
}

fn coverage_page<'a>(
    visit: &Visit,
    value: &dyn Fn(&str) -> String,
    errors: &'a [(&'a str, &'a str)],
) -> FormPage<'a> {
    let words = visit.words.organisations;
    let field = |name: &'static str, label: &'static str, width: u8| {
        Field::line(name, label)
            .width(width)
            .value(value(name))
            .error(errors)
    };
    let form = Form {
        hidden: visit.hidden(),
        fields: vec![
            field("insured", words.insured, 30),
            field("plan", words.plan, 5),
            field("from", words.from_year, 4),
            field("until", words.until_year, 4),
        ],
        ..Form::new("/insurance/coverage", words.cover)
    };
    FormPage {
        done: words.done,
        errors,
        ..FormPage::new(words.coverage, words.coverage_lead, form)
    }
}

/// `POST /insurance/coverage`
pub(super) async fn cover(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let words = visit.words.organisations;
    let insured = form.get("insured").parse::<LedgerId>().ok();
    let number = |name: &str| form.get(name).parse::<u16>().ok();
    let (plan, from, until) = (number("plan"), number("from"), number("until"));
    let errors = mistakes(&[
        ("insured", insured.is_none(), words.insured_bad),
        ("plan", plan.is_none(), words.number_bad),
        ("from", from.is_none(), words.number_bad),
        ("until", until.is_none(), words.number_bad),
    ]);
    let (Some(insured), Some(plan), Some(from_year), Some(until_year)) =
        (insured, plan, from, until)
    else {
        let page = coverage_page(visit, &|name| form.get(name).to_owned(), &errors);
        return Ok(page.answer(visit));
    };
    form.once(async {
        let question = RegisterCoverage {
            insured,
            plan: PlanId(plan),
            from_year,
            until_year,
        };
        let reply = visit.ask(&question).await?;
        let what = fill(words.cover_what, &[("plan", &plan.to_string())]);
        let here = "/insurance/coverage";
        sign::committed_or_sign(visit, reply, &what, here, here)
    })
    .await
}
