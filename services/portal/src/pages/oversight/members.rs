//! Members to endorse, suspend, reinstate and revoke.

use axum::extract::Path;
use contracts::membership::command::MemberKind;
use interfaces::identity::{
    ChangeMemberStatus, EndorseMember, GetMember, ListMembers, ListPendingMembers,
    MemberStatusChange, MemberSummary,
};
use interfaces::{PageRequest, Problem};
use keys::token::Role;
use ledger::LedgerId;

use crate::answer::{Answer, Refusal};
use crate::design::Html;
use crate::design::forms::{Control, Field, Form};
use crate::design::lists::{self, Card};
use crate::design::text::{self, Colour};
use crate::pages::listing::{Listing, PAGE};
use crate::pages::receipts::just_done;
use crate::pages::sign;
use crate::visit::{Page, Submitted, Visit};
use crate::words::{Words, fill};

const KINDS: [MemberKind; 9] = [
    MemberKind::Hospital,
    MemberKind::ThirdParty,
    MemberKind::Insurer,
    MemberKind::Doctor,
    MemberKind::Patient,
    MemberKind::Device,
    MemberKind::Regulator,
    MemberKind::NodeOperator,
    MemberKind::Treasurer,
];

fn kind_name(words: &Words, kind: MemberKind) -> &'static str {
    let kinds = words.kinds;
    match kind {
        MemberKind::Patient => kinds.role_patient,
        MemberKind::Doctor => kinds.role_doctor,
        MemberKind::Hospital => kinds.role_hospital,
        MemberKind::ThirdParty => kinds.role_third_party,
        MemberKind::Insurer => kinds.role_insurer,
        MemberKind::Regulator => kinds.role_regulator,
        MemberKind::Treasurer => kinds.role_treasurer,
        MemberKind::Device => kinds.role_device,
        MemberKind::NodeOperator => kinds.role_operator,
        MemberKind::Service => kinds.role_service,
    }
}

/// `GET /members`: those that wait, and, for regulators, all of a kind.
pub(super) async fn members(visit: Visit) -> Answer {
    visit.signed_in()?;
    // The list below has places of its own.
    let after = visit.query("waiting");
    let pending = ListPendingMembers {
        page: PageRequest {
            after: after.clone(),
            limit: Some(PAGE),
        },
    };
    let waiting = visit.ask(&pending).await?;
    let words = visit.words.organisations;
    let cards: Vec<Card> = waiting
        .entries
        .iter()
        .map(|member| card(&visit, member))
        .collect();
    let next = waiting.next.map(|next| format!("/members?waiting={next}"));
    let paging = lists::paging(
        after.map(|_| ("/members", visit.words.frame.first)),
        next.as_deref().map(|path| (path, visit.words.frame.more)),
    );
    let list = if cards.is_empty() {
        text::empty(words.no_pending, words.no_pending_text)
    } else {
        lists::cards_in_section(&cards)
    };
    let everyone = match visit.is(Role::Regulator) {
        true => everyone(&visit).await?,
        false => Html::none(),
    };
    let content = Html::join([
        just_done(&visit, words.done),
        text::lead(words.members_lead),
        text::section(words.pending),
        text::live(
            "pending",
            "membership",
            &visit.path,
            visit.words.frame.live,
            list,
        ),
        paging,
        everyone,
    ]);
    Ok(visit.page(Page::new(words.members, content)))
}

async fn everyone(visit: &Visit) -> Result<Html, Problem> {
    let words = visit.words.organisations;
    let chosen = visit
        .query("kind")
        .and_then(|name| MemberKind::from_name(&name))
        .unwrap_or(MemberKind::Hospital);
    let asked = ListMembers {
        kind: Some(chosen),
        page: visit.part(),
    };
    let page = visit.ask(&asked).await?;
    let choices = KINDS
        .map(|kind| {
            (
                kind.name().to_owned(),
                kind_name(&visit.words, kind).to_owned(),
            )
        })
        .into();
    let form = Form {
        asks: true,
        fields: vec![Field::new("kind", words.kind, Control::Select(choices)).value(chosen.name())],
        look: " nhsuk-button--secondary",
        ..Form::new("/members", words.show)
    };
    let cards: Vec<Card> = page
        .entries
        .iter()
        .map(|member| card(visit, member))
        .collect();
    let list = if cards.is_empty() {
        text::empty(words.nobody, words.nobody_text)
    } else {
        lists::cards_in_section(&cards)
    };
    let path = format!("/members?kind={}", chosen.name());
    let listing = Listing {
        id: "everyone",
        contracts: "membership",
        path: &path,
        empty: (words.nobody, words.nobody_text),
    };
    Ok(Html::join([
        text::section(words.everyone),
        form.html(),
        list,
        listing.paging(visit, page.next),
    ]))
}

fn name_of(visit: &Visit, member: &MemberSummary) -> String {
    let person = matches!(member.kind, MemberKind::Patient | MemberKind::Doctor);
    match &member.name {
        Some(name) if !name.is_empty() => name.clone(),
        _ if person => visit.words.organisations.person.to_owned(),
        _ => kind_name(&visit.words, member.kind).to_owned(),
    }
}

fn card(visit: &Visit, member: &MemberSummary) -> Card {
    let (words, kinds) = (visit.words.organisations, visit.words.kinds);
    let (colour, status) = match member.status.as_str() {
        "pending" => (Colour::Yellow, kinds.status_pending),
        "active" => (Colour::Green, kinds.status_active),
        "suspended" => (Colour::Orange, kinds.status_suspended),
        _ => (Colour::Red, kinds.status_revoked),
    };
    let mut tags = vec![text::tag(colour, status)];
    if member.status == "pending" {
        let count = member.endorsements.to_string();
        let so_far = match member.endorsements {
            1 => words.endorsement.to_owned(),
            _ => fill(words.endorsements, &[("count", &count)]),
        };
        tags.push(text::tag(Colour::Grey, &so_far));
        if member.endorsed_by_me {
            tags.push(text::tag(Colour::Green, words.endorsed_by_me));
        }
    }
    Card {
        when: kind_name(&visit.words, member.kind).to_owned(),
        title: name_of(visit, member),
        tags,
        text: text::paragraph_of(text::number(member.member)),
        side: actions(visit, member),
        ..Card::default()
    }
}

/// What the one who is signed in may be offered to do with a member.
fn actions(visit: &Visit, member: &MemberSummary) -> Html {
    let words = visit.words.organisations;
    let name = name_of(visit, member);
    let button = |action: &str, change: &str, text: &str, look: &str| {
        let mut hidden = visit.hidden();
        hidden.push(("member", member.member.to_string()));
        hidden.push(("change", change.to_owned()));
        Form {
            hidden,
            look,
            about: &name,
            ..Form::new(action, text)
        }
        .html()
    };
    let small = " nhsuk-button--secondary nhsuk-button--small";
    if member.endorsed_by_me {
        return Html::none();
    }
    if visit.is(Role::NodeOperator) && member.status == "pending" {
        return button(
            "/members/endorse",
            "",
            words.endorse,
            " nhsuk-button--small",
        );
    }
    if !visit.is(Role::Regulator) || member.kind == MemberKind::NodeOperator {
        return Html::none();
    }
    let revoke = format!("/members/{}/revoke", member.member);
    match member.status.as_str() {
        "active" => button("/members/change", "suspend", words.suspend, small)
            .and(text::link(&revoke, words.revoke)),
        "suspended" => button("/members/change", "reinstate", words.reinstate, small)
            .and(text::link(&revoke, words.revoke)),
        _ => Html::none(),
    }
}

async fn named(visit: &Visit, member: LedgerId) -> Result<String, Refusal> {
    let found = visit.ask(&GetMember { member }).await?;
    Ok(format!("{} ({member})", name_of(visit, &found)))
}

/// `POST /members/endorse`
pub(super) async fn endorse(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let member: LedgerId = form.id("member")?;
    form.once(async {
        let who = named(visit, member).await?;
        let what = fill(visit.words.organisations.endorse_what, &[("who", &who)]);
        let reply = visit.ask(&EndorseMember { member }).await?;
        sign::committed_or_sign(visit, reply, &what, "/members", "/members")
    })
    .await
}

/// `POST /members/change`
pub(super) async fn change(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let member: LedgerId = form.id("member")?;
    let words = visit.words.organisations;
    let (change, what) = match form.get("change") {
        "suspend" => (MemberStatusChange::Suspend, words.suspend_what),
        "reinstate" => (MemberStatusChange::Reinstate, words.reinstate_what),
        "revoke" => (MemberStatusChange::Revoke, words.revoke_what),
        _ => return Err(Problem::bad_input("change", "unknown").into()),
    };
    form.once(async {
        let who = named(visit, member).await?;
        let reply = visit.ask(&ChangeMemberStatus { member, change }).await?;
        let what = fill(what, &[("who", &who)]);
        sign::committed_or_sign(visit, reply, &what, "/members", "/members")
    })
    .await
}

/// `GET /members/{member}/revoke`
pub(super) async fn ask_to_revoke(visit: Visit, Path(member): Path<String>) -> Answer {
    visit.signed_in()?;
    let member: LedgerId = member
        .parse()
        .map_err(|_| Problem::not_found("no such member"))?;
    let who = named(&visit, member).await?;
    let words = visit.words.organisations;
    let mut hidden = visit.hidden();
    hidden.push(("member", member.to_string()));
    hidden.push(("change", "revoke".to_owned()));
    let form = Form {
        hidden,
        look: " nhsuk-button--warning",
        cancel: Some(("/members", visit.words.frame.cancel)),
        ..Form::new("/members/change", words.revoke)
    };
    let content = Html::join([
        text::lead(&who),
        text::paragraph(words.revoke_text),
        form.html(),
    ]);
    Ok(visit.page(Page::new(words.revoke_ask, content).below("/members", words.tab_members)))
}
