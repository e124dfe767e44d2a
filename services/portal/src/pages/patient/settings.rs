//! Settings: standing consents at each hospital, warnings shared with it, who the patient is here.

use interfaces::identity::GetOwnAccount;
use interfaces::iot::ShareWarnings;
use interfaces::records::{Consent, GetConsent, SetConsent};
use ledger::LedgerId;

use super::merged::{missing_part, own_hospitals};
use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::{Control, Field, Form};
use crate::design::lists;
use crate::design::text;
use crate::pages::kinds;
use crate::pages::receipts::just_done;
use crate::pages::sign;
use crate::visit::{Page, Submitted, Visit, done};
use crate::words::fill;

/// How long a hospital receives warnings when it is told to.
const WARNING_DAYS: u32 = 30;

/// `GET /settings`
pub(crate) async fn show(visit: Visit) -> Answer {
    let hospitals = own_hospitals(&visit).await?;
    let names = visit.hospital_names().await;
    let asked = hospitals
        .iter()
        .map(|(hospital, _)| visit.ask_hospital(*hospital, &GetConsent {}));
    let (account, answers) = tokio::join!(
        visit.ask(&GetOwnAccount {}),
        futures::future::join_all(asked)
    );
    let account = account?;
    let words = visit.words.patient;
    let mut away = Vec::new();
    let mut forms = Vec::new();
    for ((hospital, _), answer) in hospitals.iter().zip(answers) {
        let name = names.get(hospital).map_or("", String::as_str);
        match answer {
            Ok(consent) => forms.push(consent_form(&visit, *hospital, name, consent)),
            Err(problem) if problem.status == 401 => return Err(problem.into()),
            Err(problem) => away.push((*hospital, problem)),
        }
    }
    let mut you = vec![(
        words.patient_id,
        text::span(
            "medshare-number",
            &kinds::patient_id(account.patient_id.as_deref().unwrap_or_default()),
        ),
    )];
    let ids: Vec<(String, Html)> = hospitals
        .iter()
        .map(|(hospital, own)| {
            let name = names.get(hospital).cloned().unwrap_or_default();
            let label = format!("{} · {name}", visit.words.frame.your_id);
            (label, text::number(own))
        })
        .collect();
    you.extend(ids.iter().map(|(label, id)| (label.as_str(), id.clone())));
    let content = Html::join([
        just_done(&visit, visit.words.authorization.decided),
        text::lead(words.settings_lead),
        missing_part(&visit, &away).await,
        Html::join(forms),
        text::section(words.you),
        lists::summary(you),
        text::action_link("/guardians", visit.words.delegation.link),
        text::section(words.security),
        text::action_link("/factors", visit.words.factors.title),
        text::action_link("/sessions", visit.words.people.sessions),
        text::action_link("/settings/download", words.download_all),
    ]);
    Ok(visit.page(Page::new(words.settings, content)))
}

fn consent_form(visit: &Visit, hospital: LedgerId, name: &str, consent: Consent) -> Html {
    let words = visit.words.patient;
    let title = fill(words.consent_title, &[("hospital", name)]);
    let chosen = [
        (consent.share_for_treatment, "treatment"),
        (consent.research, "research"),
    ];
    let chosen: Vec<&str> = chosen
        .iter()
        .filter(|(on, _)| *on)
        .map(|(_, value)| *value)
        .collect();
    let choice = |value: &str, text: &str| (value.to_owned(), text.to_owned(), String::new());
    let field_name = format!("consent-{hospital}");
    let hidden = || {
        let mut hidden = visit.hidden();
        hidden.push(("hospital", hospital.to_string()));
        hidden
    };
    let consents = Form {
        hidden: hidden(),
        fields: vec![
            Field::new(
                &field_name,
                &title,
                Control::Checkboxes(vec![
                    choice("treatment", words.consent_treatment),
                    choice("research", words.consent_research),
                ]),
            )
            .value(chosen.join(" ")),
        ],
        busy: visit.words.authorization.approving,
        about: name,
        look: " nhsuk-button--secondary",
        ..Form::new("/settings/consent", words.consent_save)
    };
    let share = fill(words.warnings_share, &[("hospital", name)]);
    let choices = Control::Radios(vec![
        choice("30", words.warnings_days),
        choice("0", words.warnings_stop),
    ]);
    let days_name = format!("days-{hospital}");
    let warnings = Form {
        hidden: hidden(),
        fields: vec![Field::new(&days_name, &share, choices).value("30")],
        busy: visit.words.authorization.approving,
        about: name,
        look: " nhsuk-button--secondary",
        ..Form::new("/settings/warnings", words.consent_save)
    };
    consents.html().and(text::details(&share, warnings.html()))
}

/// `POST /settings/consent`
pub(crate) async fn set_consent(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let hospital: LedgerId = form.id("hospital")?;
    let field = format!("consent-{hospital}");
    let has = |value: &str| form.all(&field).any(|chosen| chosen == value);
    let question = SetConsent {
        share_for_treatment: has("treatment"),
        research: has("research"),
    };
    form.once(async {
        let committed = visit.ask_hospital(hospital, &question).await?;
        Ok(done("/settings", committed.transaction))
    })
    .await
}

/// `POST /settings/warnings`
pub(crate) async fn share_warnings(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let hospital: LedgerId = form.id("hospital")?;
    let stop = form.get(&format!("days-{hospital}")) == "0";
    let question = ShareWarnings {
        hospital,
        days: if stop { 0 } else { WARNING_DAYS },
    };
    form.once(async {
        let reply = visit.ask(&question).await?;
        let what = visit.words.patient.settings;
        sign::committed_or_sign(visit, reply, what, "/settings", "/settings")
    })
    .await
}
