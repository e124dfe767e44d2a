//! Claims as the contract adjudicated them, and those that wait for the insurer.

use contracts::settlement::command::ClaimReference;
use interfaces::settlement::{ClaimSummary, ListClaims, ResolveClaim};

use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::{Field, Form};
use crate::design::lists::Card;
use crate::design::text::{self, Colour};
use crate::pages::account::minor_units;
use crate::pages::listing::Listing;
use crate::pages::receipts::just_done;
use crate::pages::{kinds, sign};
use crate::visit::{Page, Submitted, Visit};
use crate::words::fill;

/// `GET /insurance/claims`
pub(super) async fn list(visit: Visit) -> Answer {
    let words = visit.words.organisations;
    let list = Listing {
        id: "claims",
        contracts: "settlement",
        path: "/insurance/claims",
        empty: (words.no_claims, words.no_claims_text),
    };
    let cards = text::lead(words.claims_lead).and(shown(&visit, &list, None).await?);
    Ok(visit.page(Page::new(words.claims, cards)))
}

/// `GET /insurance/audit`: what the contract could not adjudicate.
pub(super) async fn audit(visit: Visit) -> Answer {
    let words = visit.words.organisations;
    let list = Listing {
        id: "audit",
        contracts: "settlement",
        path: "/insurance/audit",
        empty: (words.no_audit, words.no_audit_text),
    };
    let content = Html::join([
        just_done(&visit, words.done),
        text::lead(words.audit_lead),
        shown(&visit, &list, Some("pended")).await?,
    ]);
    Ok(visit.page(Page::new(words.audit, content)))
}

async fn shown(
    visit: &Visit,
    list: &Listing<'_>,
    state: Option<&str>,
) -> Result<Html, crate::answer::Refusal> {
    visit.signed_in()?;
    let asked = ListClaims {
        state: state.map(str::to_owned),
        page: visit.part(),
    };
    let page = visit.ask(&asked).await?;
    let names = visit.hospital_names().await;
    let cards: Vec<Card> = page
        .entries
        .iter()
        .map(|claim| card(visit, claim, names.get(&claim.hospital)))
        .collect();
    Ok(list.html(visit, &cards, page.next))
}

/// Why a claim waits for the insurer.
fn pended_because<'a>(visit: &Visit, why: &'a str) -> &'a str {
    let words = visit.words.organisations;
    match why {
        "not_covered" => words.pended_not_covered,
        "no_rules" => words.pended_no_rules,
        "insurer_funds" => words.pended_funds,
        other => other,
    }
}

fn card(visit: &Visit, claim: &ClaimSummary, hospital: Option<&String>) -> Card {
    let (words, of_kinds, of_patient) = (
        visit.words.organisations,
        visit.words.kinds,
        visit.words.patient,
    );
    let (colour, state) = match claim.state.as_str() {
        "pended" => (Colour::Yellow, of_kinds.claim_pended),
        "adjudicated" if claim.share == 0 => (Colour::Green, of_kinds.claim_in_full),
        "adjudicated" => (Colour::Blue, words.share_due),
        _ => (Colour::Green, of_kinds.claim_share_paid),
    };
    let mut tags = vec![text::tag(colour, state)];
    if let Some(why) = &claim.pended_because {
        tags.push(text::tag(Colour::Grey, pended_because(visit, why)));
    }
    if claim.twin {
        tags.push(text::tag(Colour::Orange, words.twin));
    }
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
            "{} · {} {}",
            kinds::category(&visit.words, claim.category),
            of_patient.charged,
            visit.locale.money(claim.charged)
        ),
        tags,
        text: text::paragraph(&format!(
            "{} {} · {} {} · {} {rules}",
            words.benefit,
            visit.locale.money(claim.benefit),
            words.charged_share,
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
pub(super) async fn resolve(form: Submitted) -> Answer {
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
        let list = "/insurance/audit";
        sign::committed_or_sign(visit, reply, &what, list, list)
    })
    .await
}
