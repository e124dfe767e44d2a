//! Warnings that came of readings, in the reader's language.

use contracts::WarningId;
use contracts::telemetry::command::WarningLevel;
use interfaces::iot::{AcknowledgeWarning, WarningReason, WarningSummary};

use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::Form;
use crate::design::lists::{self, Card};
use crate::design::text::{self, Colour};
use crate::pages::sign;
use crate::visit::{Submitted, Visit};
use crate::words::clinical::Clinical;
use crate::words::fill;

/// The newest warnings, each with what it is about in the reader's language.
pub(crate) fn warnings(visit: &Visit, warnings: &[WarningSummary]) -> Html {
    let words = visit.words.patient;
    let heading = text::section(words.warnings);
    if warnings.is_empty() {
        return heading.and(text::empty(words.no_warnings, words.no_warnings_text));
    }
    let cards: Vec<Card> = warnings
        .iter()
        .map(|warning| {
            let kinds = visit.words.kinds;
            let about = about(visit, warning);
            let (colour, level) = match warning.level {
                WarningLevel::Low => (Colour::Yellow, kinds.level_low),
                WarningLevel::LowMedium => (Colour::Orange, kinds.level_low_medium),
                WarningLevel::Medium => (Colour::Orange, kinds.level_medium),
                WarningLevel::High => (Colour::Red, kinds.level_high),
            };
            let side = if warning.acknowledged {
                text::tag(Colour::Grey, words.acknowledged)
            } else {
                let mut hidden = visit.hidden();
                hidden.push(("warning", warning.warning.to_string()));
                Form {
                    hidden,
                    look: " nhsuk-button--secondary nhsuk-button--small",
                    busy: visit.words.authorization.approving,
                    about: &about,
                    ..Form::new("/devices/acknowledge", words.acknowledge)
                }
                .html()
            };
            Card {
                when: visit.locale.time(&warning.time),
                title: about,
                tags: vec![text::tag(colour, level)],
                side,
                ..Card::default()
            }
        })
        .collect();
    heading.and(lists::cards_in_section(&cards))
}

/// What a warning is about.
fn about(visit: &Visit, warning: &WarningSummary) -> String {
    let words = visit.words.clinical;
    let reasons: Vec<String> = warning
        .reasons
        .iter()
        .map(|reason| reason_text(words, reason))
        .collect();
    match reasons.is_empty() {
        true => warning.message.clone(),
        false => reasons.join(words.and),
    }
}

fn reason_text(words: &Clinical, reason: &WarningReason) -> String {
    let of = |text: &str, sign: &str| fill(text, &[("sign", sign_name(words, sign))]);
    match reason {
        WarningReason::Score(total) => fill(words.warning_score, &[("total", &total.to_string())]),
        WarningReason::Parameter(sign) => of(words.warning_parameter, sign),
        WarningReason::BelowLimit(sign) => of(words.warning_below, sign),
        WarningReason::AboveLimit(sign) => of(words.warning_above, sign),
        WarningReason::Falling(sign) => of(words.warning_falling, sign),
        WarningReason::Rising(sign) => of(words.warning_rising, sign),
        WarningReason::Silence => words.warning_silence.to_owned(),
    }
}

/// A sign by the name that the iot service gives it.
fn sign_name<'a>(words: &Clinical, name: &'a str) -> &'a str {
    match name {
        "pulse" => words.pulse,
        "spo2" => words.oxygen,
        "respiration" => words.respiration,
        "temperature" => words.temperature,
        "systolic" => words.systolic,
        "diastolic" => words.diastolic,
        "oxygen-flow" | "oxygen-concentration" => words.oxygen_given,
        "consciousness" => words.consciousness,
        other => other,
    }
}

/// `POST /devices/acknowledge`
pub(crate) async fn acknowledge(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let warning: WarningId = form.id("warning")?;
    form.once(async {
        let reply = visit.ask(&AcknowledgeWarning { warning }).await?;
        sign::committed_or_sign(
            visit,
            reply,
            visit.words.patient.acknowledge,
            "/devices",
            "/devices",
        )
    })
    .await
}

#[cfg(test)]
mod tests {
    use clinical::vitals::VitalSign;

    use super::*;
    use crate::language::Language;

    #[test]
    fn every_sign_that_a_warning_can_name_has_a_word_in_both_languages() {
        for code in 1..=9 {
            let name = VitalSign::from_code(code).unwrap().coding().name;
            for language in [Language::English, Language::Chinese] {
                let words = Clinical::of(language);
                let reason = WarningReason::Falling(name.to_owned());
                let shown = reason_text(words, &reason);
                assert!(!shown.contains(&format!("{name} ")), "{shown}");
                assert_ne!(sign_name(words, name), name, "{name}");
            }
        }
    }
}
