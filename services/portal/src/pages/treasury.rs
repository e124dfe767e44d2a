//! The treasury's deposits.

use interfaces::settlement::Deposit;
use ledger::LedgerId;

use super::account::minor_units;
use super::form_page::{FormPage, mistakes};
use super::sign;
use crate::answer::Answer;
use crate::design::forms::{Field, Form};
use crate::visit::{Submitted, Visit};
use crate::words::fill;

/// `GET /treasury`
pub(crate) async fn ask_deposit(visit: Visit) -> Answer {
    visit.signed_in()?;
    Ok(deposit_page(&visit, &|_| String::new(), &[]).answer(&visit))
}

fn deposit_page<'a>(
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
            field("reference", words.reference, 30).hint(words.reference_hint),
            field("account", words.deposit_account, 30),
            field("amount", visit.words.patient.withdraw_amount, 10).hint(words.price_hint),
        ],
        ..Form::new("/treasury", words.deposit)
    };
    FormPage {
        done: words.done,
        errors,
        ..FormPage::new(words.deposits, words.deposits_lead, form)
    }
}

/// `POST /treasury`
pub(crate) async fn deposit(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let words = visit.words.organisations;
    let reference = form.get("reference").to_ascii_lowercase();
    let well_formed =
        reference.len() == 32 && reference.bytes().all(|byte| byte.is_ascii_hexdigit());
    let account = form.get("account").parse::<LedgerId>().ok();
    let amount = minor_units(form.get("amount")).filter(|amount| *amount > 0);
    let errors = mistakes(&[
        ("reference", !well_formed, words.reference_hint),
        ("account", account.is_none(), words.insured_bad),
        ("amount", amount.is_none(), words.price_bad),
    ]);
    let (true, Some(account), Some(amount)) = (well_formed, account, amount) else {
        let page = deposit_page(visit, &|name| form.get(name).to_owned(), &errors);
        return Ok(page.answer(visit));
    };
    form.once(async {
        let question = Deposit {
            reference,
            account,
            amount,
        };
        let reply = visit.ask(&question).await?;
        let what = fill(
            words.deposit_what,
            &[("amount", &visit.locale.money(amount))],
        );
        sign::committed_or_sign(visit, reply, &what, "/treasury", "/treasury")
    })
    .await
}
