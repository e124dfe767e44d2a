//! The treasury's deposits.

use interfaces::settlement::Deposit;
use ledger::LedgerId;

use super::account::minor_units;
use super::receipts::just_done;
use super::{sign, sign_in};
use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::{Field, Form, error_summary};
use crate::design::text;
use crate::visit::{Page, Submitted, Visit};
use crate::words::fill;

/// `GET /treasury`
pub(crate) async fn ask_deposit(visit: Visit) -> Answer {
    visit.signed_in()?;
    Ok(visit.page(deposit_page(&visit, &|_| String::new(), &[])))
}

fn deposit_page(visit: &Visit, value: &dyn Fn(&str) -> String, errors: &[(&str, &str)]) -> Page {
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
    Page {
        title: words.deposits.to_owned(),
        content: Html::join([
            error_summary(visit.words.problems.check, errors),
            just_done(visit, words.done),
            text::title(words.deposits),
            text::lead(words.deposits_lead),
            form.html(),
        ]),
        ..Page::default()
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
    let checks = [
        ("reference", !well_formed, words.reference_hint),
        ("account", account.is_none(), words.insured_bad),
        ("amount", amount.is_none(), words.price_bad),
    ];
    let errors: Vec<(&str, &str)> = checks
        .iter()
        .filter(|(_, wrong, _)| *wrong)
        .map(|(name, _, text)| (*name, *text))
        .collect();
    let (true, Some(account), Some(amount)) = (well_formed, account, amount) else {
        let page = deposit_page(visit, &|name| form.get(name).to_owned(), &errors);
        return Ok(visit.page_with(sign_in::BAD_INPUT, page));
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
