//! An account: balance, bills to settle, statement, withdrawal. Of patients and of organisations.

use axum::response::Response;
use contracts::settlement::command::ClaimReference;
use interfaces::settlement::{
    Balance, ClaimSummary, GetBalances, GetStatement, ListClaims, PayShare, StatementLine, Withdraw,
};
use interfaces::{PageRequest, Problem};
use keys::token::Role;
use ledger::LedgerId;

use super::form_page::FormPage;
use super::receipts::just_done;
use super::sign;
use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::{Field, Form};
use crate::design::lists::{self, Card};
use crate::design::text::{self, Colour};
use crate::visit::{Page, Submitted, Visit};
use crate::words::fill;

/// `GET /account`
pub(crate) async fn show(visit: Visit) -> Answer {
    visit.signed_in()?;
    let after = visit.query("after");
    let asked = GetStatement {
        page: PageRequest {
            after: after.clone(),
            limit: Some(25),
        },
    };
    let asked_claims = ListClaims {
        state: Some("adjudicated".to_owned()),
        page: PageRequest::default(),
    };
    let (balances, statement, claims) = tokio::join!(
        visit.ask(&GetBalances {}),
        visit.ask(&asked),
        bills_of(&visit, &asked_claims)
    );
    let (balances, statement, claims) = (balances?, statement?, claims?);
    let words = visit.words.patient;
    let total: i64 = balances.iter().map(|balance| balance.balance).sum();
    let figure = Html::join([
        text::span("medshare-figure", &visit.locale.money(total)),
        match total > 0 {
            true => text::paragraph_of(text::link("/account/withdraw", words.withdraw)),
            false => Html::none(),
        },
    ]);
    let movements: Vec<Vec<Html>> = statement
        .entries
        .iter()
        .map(|line| movement(&visit, line))
        .collect();
    let list = if movements.is_empty() {
        text::empty(words.no_statement, words.no_statement_text)
    } else {
        let head = [
            visit.words.frame.time,
            words.statement,
            words.withdraw_amount,
            words.balance,
            visit.words.frame.receipt,
        ];
        lists::table(words.statement, &head, &movements)
    };
    let next = statement.next.map(|next| format!("/account?after={next}"));
    let living = Html::join([
        lists::panels(&[(words.balance, figure)]),
        bills(&visit, &claims),
        list,
        lists::paging(
            after
                .is_some()
                .then_some(("/account", visit.words.frame.first)),
            next.as_deref().map(|path| (path, visit.words.frame.more)),
        ),
    ]);
    let content = Html::join([
        just_done(&visit, visit.words.authorization.decided),
        text::lead(match visit.is(Role::Patient) {
            true => words.account_lead,
            false => visit.words.organisations.account_lead,
        }),
        text::live(
            "account",
            "settlement authorization",
            &visit.path,
            visit.words.frame.live,
            living,
        ),
    ]);
    Ok(visit.page(Page::new(words.account, content)))
}

async fn bills_of(visit: &Visit, asked: &ListClaims) -> Result<Vec<ClaimSummary>, Problem> {
    if !visit.is(Role::Patient) {
        return Ok(Vec::new());
    }
    let mut bills = visit.ask(asked).await?.entries;
    // Where the insurer pays all of it, nothing is left to settle.
    bills.retain(|bill| bill.share > 0);
    Ok(bills)
}

fn movement(visit: &Visit, line: &StatementLine) -> Vec<Html> {
    let class = match line.amount >= 0 {
        true => "medshare-amount medshare-amount--in",
        false => "medshare-amount",
    };
    let receipt = format!("/receipts/{}", line.transaction);
    vec![
        text::span("medshare-time", &visit.locale.time(&line.time)),
        Html::text(reason(visit, &line.reason)),
        text::span(class, &visit.locale.money(line.amount)),
        text::span("medshare-amount", &visit.locale.money(line.balance)),
        text::link(&receipt, visit.words.frame.receipt),
    ]
}

fn reason(visit: &Visit, reason: &str) -> String {
    let kinds = visit.words.kinds;
    match reason {
        "deposit" => kinds.reason_deposit,
        "withdrawal" => kinds.reason_withdrawal,
        "escrow_held" => kinds.reason_escrow_held,
        "item_paid" => kinds.reason_item_paid,
        "escrow_returned" => kinds.reason_escrow_returned,
        "item_reversed" => kinds.reason_item_reversed,
        "benefit" => kinds.reason_benefit,
        "share" => kinds.reason_share,
        other => other,
    }
    .to_owned()
}

fn bills(visit: &Visit, claims: &[ClaimSummary]) -> Html {
    if claims.is_empty() {
        return Html::none();
    }
    let words = visit.words.patient;
    let cards: Vec<Card> = claims
        .iter()
        .map(|claim| {
            let pay = fill(words.pay, &[("amount", &visit.locale.money(claim.share))]);
            let mut hidden = visit.hidden();
            hidden.push(("claim", claim.claim.0.to_string()));
            let form = Form {
                hidden,
                look: " nhsuk-button--small",
                busy: visit.words.authorization.approving,
                ..Form::new("/account/pay", &pay)
            }
            .html();
            Card {
                title: format!("{} {}", words.share, visit.locale.money(claim.share)),
                text: text::paragraph(&format!(
                    "{} {} · {} {}",
                    words.charged,
                    visit.locale.money(claim.charged),
                    words.benefit,
                    visit.locale.money(claim.benefit)
                )),
                tags: vec![text::tag(
                    Colour::Yellow,
                    visit.words.kinds.claim_adjudicated,
                )],
                side: form,
                ..Card::default()
            }
        })
        .collect();
    Html::join([
        text::section(words.bills),
        text::paragraph(words.bills_lead),
        lists::cards_in_section(&cards),
    ])
}

/// `POST /account/pay`
pub(crate) async fn pay(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let claim = ClaimReference(form.id("claim")?);
    form.once(async {
        let reply = visit.ask(&PayShare { claim }).await?;
        sign::committed_or_sign(
            visit,
            reply,
            visit.words.patient.bills,
            "/account",
            "/account",
        )
    })
    .await
}

/// `GET /account/withdraw`
pub(crate) async fn ask_to_withdraw(visit: Visit) -> Answer {
    let balances = visit_balances(&visit).await?;
    Ok(withdraw_page(&visit, &balances, "", &[]))
}

async fn visit_balances(visit: &Visit) -> Result<Vec<Balance>, Problem> {
    let mut balances = visit.ask(&GetBalances {}).await?;
    balances.retain(|balance| balance.balance > 0);
    balances.sort_by_key(|balance| std::cmp::Reverse(balance.balance));
    Ok(balances)
}

fn withdraw_page(
    visit: &Visit,
    balances: &[Balance],
    amount: &str,
    errors: &[(&str, &str)],
) -> Response {
    let words = visit.words.patient;
    let largest = balances.first();
    let balance = largest.map_or(0, |balance| balance.balance);
    let mut hidden = visit.hidden();
    if let Some(largest) = largest {
        hidden.push(("account", largest.account.to_string()));
    }
    let form = Form {
        hidden,
        fields: vec![
            Field::line("amount", words.withdraw_amount)
                .hint(words.withdraw_hint)
                .width(10)
                .value(amount)
                .error(errors),
        ],
        busy: visit.words.authorization.approving,
        cancel: Some(("/account", visit.words.frame.cancel)),
        ..Form::new("/account/withdraw", words.withdraw)
    };
    FormPage {
        lead: lists::summary(vec![(
            words.balance,
            Html::text(visit.locale.money(balance)),
        )]),
        errors,
        below: Some(("/account", words.tab_account)),
        ..FormPage::new(words.withdraw, "", form)
    }
    .answer(visit)
}

/// `POST /account/withdraw`
pub(crate) async fn withdraw(form: Submitted) -> Answer {
    let visit = &form.visit;
    let balances = visit_balances(visit).await?;
    let account: LedgerId = form.id("account")?;
    let balance = balances
        .iter()
        .find(|balance| balance.account == account)
        .map_or(0, |balance| balance.balance);
    let amount = minor_units(form.get("amount")).filter(|amount| (1..=balance).contains(amount));
    let Some(amount) = amount else {
        let errors = [("amount", visit.words.patient.withdraw_bad)];
        let typed = form.get("amount");
        return Ok(withdraw_page(visit, &balances, typed, &errors));
    };
    form.once(async {
        let reply = visit.ask(&Withdraw { account, amount }).await?;
        sign::committed_or_sign(
            visit,
            reply,
            visit.words.patient.withdraw,
            "/account",
            "/account",
        )
    })
    .await
}

/// An amount as people write it, in minor units: `12`, `12.5`, `1,250.00`.
pub(crate) fn minor_units(text: &str) -> Option<i64> {
    let text = text.replace([',', ' '], "");
    let (units, cents) = text.split_once('.').unwrap_or((&text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if units.is_empty() || units.len() > 12 || cents.len() > 2 || !digits(units) || !digits(cents) {
        return None;
    }
    let cents: i64 = format!("{cents:0<2}").parse().ok()?;
    Some(units.parse::<i64>().ok()? * 100 + cents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_people_write_them_and_nothing_else() {
        assert_eq!(minor_units("12"), Some(1_200));
        assert_eq!(minor_units("12.5"), Some(1_250));
        assert_eq!(minor_units("1,250.07"), Some(125_007));
        for wrong in [
            "",
            ".5",
            "-1",
            "1.234",
            "1e3",
            "12.5.1",
            "١٢",
            "9999999999999",
        ] {
            assert_eq!(minor_units(wrong), None, "{wrong}");
        }
    }
}
