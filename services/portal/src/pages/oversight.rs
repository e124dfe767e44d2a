//! Members to endorse, suspend and revoke; use of records; integrity sweeps. For node operators and regulators.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use contracts::membership::command::MemberKind;
use interfaces::identity::{
    ChangeMemberStatus, EndorseMember, GetMember, ListMembers, ListPendingMembers,
    MemberStatusChange, MemberSummary,
};
use interfaces::records::{ListViews, SweepIntegrity};
use interfaces::{PageRequest, Problem};
use keys::token::Role;
use ledger::LedgerId;

use super::hospital::integrity::report_of;
use super::receipts::just_done;
use super::{kinds, sign};
use crate::answer::{Answer, Refusal};
use crate::design::Html;
use crate::design::forms::{Control, Field, Form};
use crate::design::lists::{self, Card};
use crate::design::text::{self, Colour};
use crate::service::Portal;
use crate::visit::{Page, Submitted, Visit};
use crate::words::{Words, fill};

pub(crate) fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/members", get(members))
        .route("/members/endorse", post(endorse))
        .route("/members/change", post(change))
        .route("/members/{member}/revoke", get(ask_to_revoke))
        .route("/use", get(usage))
        .route("/sweep", get(ask_to_sweep).post(sweep))
}

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
async fn members(visit: Visit) -> Answer {
    visit.signed_in()?;
    let pending = ListPendingMembers {
        page: PageRequest {
            after: None,
            limit: Some(100),
        },
    };
    let waiting = visit.ask(&pending).await?.entries;
    let words = visit.words.organisations;
    let cards: Vec<Card> = waiting.iter().map(|member| card(&visit, member)).collect();
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
        page: PageRequest {
            after: visit.query("after"),
            limit: Some(25),
        },
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
    let next = page
        .next
        .map(|next| format!("/members?kind={}&after={next}", chosen.name()));
    Ok(Html::join([
        text::section(words.everyone),
        form.html(),
        list,
        lists::paging(
            None,
            next.as_deref().map(|path| (path, visit.words.frame.more)),
        ),
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
        tags.push(text::tag(
            Colour::Grey,
            &fill(words.endorsements, &[("count", &count)]),
        ));
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
async fn endorse(form: Submitted) -> Answer {
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
async fn change(form: Submitted) -> Answer {
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
async fn ask_to_revoke(visit: Visit, Path(member): Path<String>) -> Answer {
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

/// The hospital in the query, else the first.
async fn chosen_hospital(visit: &Visit) -> Result<(LedgerId, Vec<(String, String)>), Refusal> {
    let names = visit.portal.hospitals.names().await?;
    let asked = visit
        .query("hospital")
        .and_then(|text| text.parse().ok())
        .filter(|id| names.contains_key(id));
    let chosen = asked
        .or_else(|| names.keys().next().copied())
        .ok_or_else(|| Problem::not_found("no hospital takes part"))?;
    let choices = names
        .into_iter()
        .map(|(id, name)| (id.to_string(), name))
        .collect();
    Ok((chosen, choices))
}

/// `GET /use`: views at a hospital.
async fn usage(visit: Visit) -> Answer {
    visit.signed_in()?;
    let (hospital, hospitals) = chosen_hospital(&visit).await?;
    let basis = visit.query("basis");
    let asked = ListViews {
        basis: basis.clone(),
        viewer: None,
        page: PageRequest {
            after: visit.query("after"),
            limit: Some(25),
        },
    };
    let page = visit.ask_hospital(hospital, &asked).await?;
    let (words, of_kinds) = (visit.words.organisations, visit.words.kinds);
    let bases = [
        ("", words.any_basis),
        ("emergency", of_kinds.basis_emergency),
        ("own_hospital", of_kinds.basis_own_hospital),
        ("grant", of_kinds.basis_grant),
        ("patient_code", of_kinds.basis_patient_code),
        ("hospital_code", of_kinds.basis_hospital_code),
        ("owner", of_kinds.basis_owner),
    ];
    let bases = bases
        .map(|(value, name)| (value.to_owned(), name.to_owned()))
        .into();
    let form = Form {
        asks: true,
        fields: vec![
            Field::new(
                "hospital",
                words.dimension_hospital,
                Control::Select(hospitals),
            )
            .value(hospital.to_string()),
            Field::new("basis", words.basis, Control::Select(bases))
                .value(basis.clone().unwrap_or_default()),
        ],
        look: " nhsuk-button--secondary",
        ..Form::new("/use", words.show)
    };
    let cards: Vec<Card> = page
        .entries
        .iter()
        .map(|view| {
            let colour = match view.basis.as_str() {
                "emergency" => Colour::Red,
                _ => Colour::Blue,
            };
            let receipt = format!("/receipts/{}", view.transaction);
            let count = view.records.len().to_string();
            Card {
                when: visit.locale.time(&view.time),
                title: fill(visit.words.patient.records_count, &[("count", &count)]),
                tags: vec![text::tag(colour, &kinds::basis(&visit.words, &view.basis))],
                text: Html::join([
                    text::paragraph(kinds::purpose(&visit.words, view.purpose)),
                    text::paragraph_of(text::number(view.viewer)),
                ]),
                side: text::link(&receipt, visit.words.frame.receipt),
                ..Card::default()
            }
        })
        .collect();
    let list = if cards.is_empty() {
        text::empty(words.no_use, words.no_use_text)
    } else {
        lists::cards(&cards)
    };
    let basis = basis.unwrap_or_default();
    let next = page
        .next
        .map(|next| format!("/use?hospital={hospital}&basis={basis}&after={next}"));
    let content = Html::join([
        text::lead(words.use_lead),
        form.html(),
        text::live("use", "records", &visit.path, visit.words.frame.live, list),
        lists::paging(
            None,
            next.as_deref().map(|path| (path, visit.words.frame.more)),
        ),
    ]);
    Ok(visit.page(Page::new(words.use_title, content)))
}

/// `GET /sweep`
async fn ask_to_sweep(visit: Visit) -> Answer {
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
async fn sweep(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let hospital: LedgerId = form.id("hospital")?;
    let report = visit.ask_hospital(hospital, &SweepIntegrity {}).await?;
    let again = sweep_form(visit).await?;
    let content = report_of(visit, &report).and(again);
    Ok(visit.page(Page::new(visit.words.organisations.sweep, content)))
}
