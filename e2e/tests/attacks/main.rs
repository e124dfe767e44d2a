//! One test a case of the threat model, by its number, through the interfaces that an attacker has, against a running
//! system with mutual TLS. Each says after "Fault:" what would let the attack succeed. `docs/security.md` lists them.

mod access;
mod anchoring;
mod broker;
mod censorship;
mod certificates;
mod codes;
mod delegation;
mod devices;
mod edges;
mod ordering;
mod records;
mod searches;
mod sign_in;
mod target;
mod withholding;

use client::{ClientError, Member};
use contracts::Event;
use contracts::records::event::Event as Records;
use e2e::attacked::Attacked;
use interfaces::Problem;
use serde_json::{Value, json};

/// The system of this run.
fn attacked() -> Attacked {
    Attacked::system(env!("CARGO_BIN_EXE_keeper"))
}

/// The problem that an attack ran into.
///
/// # Panics
/// If it succeeded, or failed in another way.
#[track_caller]
fn problem<T>(what: &str, answer: Result<T, ClientError>) -> Problem {
    match answer {
        Ok(_) => panic!("{what} succeeded"),
        Err(ClientError::Problem(problem)) => *problem,
        Err(error) => panic!("{what} failed in another way: {error}"),
    }
}

/// What an outsider can tell two refusals apart by.
fn visible(problem: &Problem) -> (u16, String, String) {
    (
        problem.status,
        problem.title.clone(),
        problem.detail.clone(),
    )
}

/// Money comes in by the treasurer's signature: a command that shows that the system still commits.
async fn still_commits(system: &Attacked) -> client::VerifiedCommit {
    let treasurer = system.organisation("treasury", "member.json").await;
    let reference = data_encoding::HEXLOWER.encode(&keys::secret::random::<16>());
    let account = system.key("institute", "member.json").ledger_id();
    let request = json!({ "reference": reference, "account": account, "amount": 100_000 });
    let committed = treasurer.command("/v1/deposits", &request).await;
    committed.expect("the system commits")
}

/// The record numbers that a patient has at a hospital.
async fn records_of(member: &Member, hospital: ledger::LedgerId) -> Vec<String> {
    let own: Value = member.get("/v1/me/records").await.expect("own records");
    let entries = own["entries"].as_array().expect("entries");
    entries
        .iter()
        .filter(|entry| entry["hospital"] == hospital.to_string())
        .filter_map(|entry| entry["record"].as_str().map(str::to_owned))
        .collect()
}

/// Lets one person act for another at a hospital, endorses the guardian's id, and waits until they may. Both ids of the
/// delegation, the patient's first.
async fn name_guardian(
    system: &Attacked,
    patient: &e2e::attacked::Person,
    guardian: &e2e::attacked::Person,
    hospital: ledger::LedgerId,
    scope: &str,
) -> (String, String) {
    let path = format!("/v1/hospitals/{hospital}/delegations");
    let request = json!({
        "patient_id": guardian.patient_id, "name": guardian.name, "scope": scope, "days": 30,
    });
    let named = patient.member.commit(&path, &request).await;
    named.expect("a guardian is named");
    let me: Value = patient.member.get("/v1/me").await.expect("the patient");
    let own = me["ledger_ids"][format!("hospital:{hospital}")].clone();
    let context = format!("guardian:{hospital}:{}", own.as_str().expect("an id"));
    let me: Value = guardian.member.get("/v1/me").await.expect("the guardian");
    let id = me["ledger_ids"][context]
        .as_str()
        .expect("an id")
        .to_owned();
    let operator = system.organisation("authority", "operator.json").await;
    // Whoever was named before is endorsed already: that is a rejection, and fine.
    let path_of_id = format!("/v1/members/{id}/endorsements");
    let _ = operator.command(&path_of_id, &json!({})).await;
    e2e::attacked::eventually("the guardian may act", async || {
        let listed: Value = guardian.member.get(&path).await.ok()?;
        let held = listed["held"].as_array()?;
        let held = held.iter().find(|held| held["patient"] == own)?;
        let text = |name: &str| Some(held[name].as_str()?.to_owned());
        (held["scope"] == scope).then_some((text("patient")?, text("guardian")?))
    })
    .await
}

/// The records that were reported as tampered with on the ledger, each as often as it was.
fn tampered(system: &Attacked) -> Vec<String> {
    let blocks = system.process("replica-0").join("data/blocks");
    let reported = |decided: e2e::chain::Decided| match decided.event {
        Event::Records(Records::TamperingReported { record, .. }) => Some(record.to_string()),
        _ => None,
    };
    let events = e2e::chain::events(&blocks).into_iter();
    events.filter_map(reported).collect()
}

/// The first patient of the story with a record at the hospital, from a number on; and that record. It is a whole one: the
/// story has edited another.
async fn patient_at(
    system: &Attacked,
    hospital: &str,
    from: usize,
) -> (usize, e2e::attacked::Person, String) {
    let id = system.hospital(hospital);
    let tampered = tampered(system);
    for number in from..6 {
        let patient = system.patient(number).await;
        let records = records_of(&patient.member, id).await;
        let mut whole = records
            .into_iter()
            .filter(|record| !tampered.contains(record));
        if let Some(record) = whole.next() {
            return (number, patient, record);
        }
    }
    panic!("no patient from {from} on has a record at {hospital}");
}
