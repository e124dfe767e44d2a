//! Insurers: claims and their adjudication, coverage; and the treasury's deposits.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use contracts::settlement::command::{ClaimReference, PlanId};
use interfaces::PageRequest;
use interfaces::settlement::{ClaimSummary, Deposit, ListClaims, RegisterCoverage, ResolveClaim};
use ledger::LedgerId;

use super::account::minor_units;
use super::receipts::just_done;
use super::{sign, sign_in};
use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::{Field, Form, error_summary};
use crate::design::lists::{self, Card};
use crate::design::text::{self, Colour};
use crate::service::Portal;
use crate::visit::{Page, Submitted, Visit};
use crate::words::fill;

pub(crate) fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/insurance/claims", get(claims).post(resolve))
        .route("/insurance/coverage", get(ask_coverage).post(cover))
        .route("/treasury", get(ask_deposit).post(deposit))
}

/// `GET /insurance/claims`
async fn claims(visit: Visit) -> Answer {
    visit.signed_in()?;
    let pended = visit.query("pended").is_some();
    let asked = ListClaims {
        state: pended.then(|| "pended".to_owned()),
        page: PageRequest {
            after: visit.query("after"),
            limit: Some(25),
        },
    };
    let page = visit.ask(&asked).await?;
    let words = visit.words.organisations;
    let names = visit.hospital_names().await;
    let cards: Vec<Card> = page
        .entries
        .iter()
        .map(|claim| card(&visit, claim, names.get(&claim.hospital)))
        .collect();
    let list = if cards.is_empty() {
        text::empty(words.no_claims, words.no_claims_text)
    } else {
        lists::cards(&cards)
    };
    let filter = match pended {
        true => text::link("/insurance/claims", words.all),
        false => text::link("/insurance/claims?pended=yes", words.only_pended),
    };
    let query = if pended { "pended=yes&" } else { "" };
    let next = page
        .next
        .map(|next| format!("/insurance/claims?{query}after={next}"));
    let content = Html::join([
        just_done(&visit, words.done),
        text::lead(words.claims_lead),
        text::paragraph_of(filter),
        text::live(
            "claims",
            "settlement",
            &visit.path,
            visit.words.frame.live,
            list,
        ),
        lists::paging(
            None,
            next.as_deref().map(|path| (path, visit.words.frame.more)),
        ),
    ]);
    Ok(visit.page(Page::new(words.claims, content)))
}

fn card(visit: &Visit, claim: &ClaimSummary, hospital: Option<&String>) -> Card {
    let (words, kinds, of_patient) = (
        visit.words.organisations,
        visit.words.kinds,
        visit.words.patient,
    );
    let (colour, state) = match claim.state.as_str() {
        "pended" => (Colour::Yellow, kinds.claim_pended),
        "adjudicated" => (Colour::Blue, kinds.claim_adjudicated),
        _ => (Colour::Green, kinds.claim_share_paid),
    };
    let rules = match claim.rules_version {
        0 => words.by_hand.to_owned(),
        version => version.to_string(),
    };
    let side = if claim.state == "pended" {
        let mut hidden = visit.hidden();
        hidden.push(("claim", claim.claim.0.to_string()));
        Form {
            hidden,
            fields: vec![
                Field::line("benefit", words.benefit)
                    .width(10)
                    .value(plain(claim.charged)),
            ],
            look: " nhsuk-button--small",
            ..Form::new("/insurance/claims", words.resolve)
        }
        .html()
    } else {
        text::span("medshare-amount", &visit.locale.money(claim.benefit))
    };
    Card {
        when: hospital.cloned().unwrap_or_default(),
        title: format!(
            "{} {}",
            of_patient.charged,
            visit.locale.money(claim.charged)
        ),
        tags: vec![text::tag(colour, state)],
        text: text::paragraph(&format!(
            "{} {} · {} {} · {} {rules}",
            of_patient.benefit,
            visit.locale.money(claim.benefit),
            of_patient.share,
            visit.locale.money(claim.share),
            words.rules_version,
        )),
        side,
        ..Card::default()
    }
}

/// An amount as a field takes it.
fn plain(minor: i64) -> String {
    format!("{}.{:02}", minor / 100, minor % 100)
}

/// `POST /insurance/claims`: decides a pended claim.
async fn resolve(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let claim = ClaimReference(form.id("claim")?);
    let words = visit.words.organisations;
    let Some(benefit) = minor_units(form.get("benefit")) else {
        return Err(interfaces::Problem::bad_input("benefit", words.price_bad).into());
    };
    let amount = visit.locale.money(benefit);
    form.once(async {
        let reply = visit.ask(&ResolveClaim { claim, benefit }).await?;
        let what = fill(words.resolve_what, &[("amount", &amount)]);
        let list = "/insurance/claims";
        sign::committed_or_sign(visit, reply, &what, list, list)
    })
    .await
}

/// `GET /insurance/coverage`
async fn ask_coverage(visit: Visit) -> Answer {
    visit.signed_in()?;
    Ok(visit.page(coverage_page(&visit, &|_| String::new(), &[])))
}

fn coverage_page(visit: &Visit, value: &dyn Fn(&str) -> String, errors: &[(&str, &str)]) -> Page {
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
    Page {
        title: words.coverage.to_owned(),
        content: Html::join([
            error_summary(visit.words.problems.check, errors),
            just_done(visit, words.done),
            text::title(words.coverage),
            text::lead(words.coverage_lead),
            form.html(),
        ]),
        ..Page::default()
    }
}

/// `POST /insurance/coverage`
async fn cover(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let words = visit.words.organisations;
    let insured = form.get("insured").parse::<LedgerId>().ok();
    let number = |name: &str| form.get(name).parse::<u16>().ok();
    let (plan, from, until) = (number("plan"), number("from"), number("until"));
    let checks = [
        ("insured", insured.is_none(), words.insured_bad),
        ("plan", plan.is_none(), words.number_bad),
        ("from", from.is_none(), words.number_bad),
        ("until", until.is_none(), words.number_bad),
    ];
    let errors: Vec<(&str, &str)> = checks
        .iter()
        .filter(|(_, wrong, _)| *wrong)
        .map(|(name, _, text)| (*name, *text))
        .collect();
    let (Some(insured), Some(plan), Some(from_year), Some(until_year)) =
        (insured, plan, from, until)
    else {
        let page = coverage_page(visit, &|name| form.get(name).to_owned(), &errors);
        return Ok(visit.page_with(sign_in::BAD_INPUT, page));
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

/// `GET /treasury`
async fn ask_deposit(visit: Visit) -> Answer {
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
async fn deposit(form: Submitted) -> Answer {
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
