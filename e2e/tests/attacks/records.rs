//! Records, authorization and money.

use std::process::Command;

use client::{ClientError, Member};
use contracts::authorization::command::Command as Authorization;
use contracts::settlement::command::Command as Settlement;
use contracts::settlement::event::{Event as Settled, PostingReason};
use contracts::{ApplicationId, Contract, ItemId, Rejection};
use e2e::attacked::{Attacked, eventually};
use e2e::story::PATIENTS;
use interfaces::authorization::{
    ApplicationItem, ApplicationPrepared, ApplyForRecords, ItemSummary,
};
use interfaces::index::DiseaseSearchResult;
use interfaces::{Base64, Page};
use keys::{MemberKey, SealingKey};
use ledger::{Digest, LedgerId, Receipt, Timestamp, TransactionBody};
use serde_json::{Value, json};

use crate::{attacked, patient_at, problem, still_commits, tampered};

const SINUSITIS: &str = "40055000";

/// Submits a command signed with an own key, past every service: only the contracts stand in the way.
pub(crate) async fn submit(
    system: &Attacked,
    key: &MemberKey,
    command: impl Into<contracts::Command>,
) -> (Digest, Option<Rejection>) {
    let command: contracts::Command = command.into();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_micros() as u64;
    let body = TransactionBody {
        chain: system.client.receipts().chain(),
        submitter: key.ledger_id(),
        public_key: key.public_key(),
        nonce: u64::from_be_bytes(keys::secret::random()),
        valid_until: Timestamp(now + 30_000_000),
        contract: command.contract().id(),
        command: command.to_bytes(),
    };
    let id = body.id();
    let signed = ledger::canonical::encode(&key.sign(body));
    let request = json!({ "transaction": Base64(signed) });
    let _: Value = system
        .client
        .post("/v1/transactions", &request)
        .await
        .expect("the transaction is ordered");
    let receipt = receipt(system, &id).await;
    (id, Rejection::from_outcome(receipt.leaf.outcome))
}

async fn receipt(system: &Attacked, id: &Digest) -> Receipt {
    eventually("the receipt is there", async || {
        system.client.receipt(id).await.ok()
    })
    .await
    .receipt
}

/// The institute applies for records that the search finds; none of them twice.
async fn apply(system: &Attacked, count: usize) -> (Member, ApplicationId, Vec<ItemSummary>) {
    still_commits(system).await;
    let institute = system.organisation("institute", "member.json").await;
    let search = json!({ "disease": SINUSITIS, "page": { "limit": 500 } });
    let found: DiseaseSearchResult = institute
        .post("/v1/searches", &search)
        .await
        .expect("a search");
    let items = found
        .records
        .iter()
        .take(count)
        .map(|record| ApplicationItem {
            handle: record.handle,
            price: 500,
            item_key: Base64(SealingKey::random().public_key().0.to_vec()),
        });
    let request = ApplyForRecords {
        purpose: contracts::Purpose::Research,
        statement: "An attack".to_owned(),
        days: 30,
        items: items.collect(),
    };
    let prepared: ApplicationPrepared = institute
        .post("/v1/applications", &request)
        .await
        .expect("an application");
    institute.sign(&prepared.unsigned).await.expect("applied");
    let application = prepared.application;
    let items = eventually("the items wait for their hospitals", async || {
        let items = items_of(&institute, application).await;
        let waiting = items.iter().all(|item| item.state == "hospital_pending");
        (items.len() == count && waiting).then_some(items)
    })
    .await;
    (institute, application, items)
}

async fn items_of(member: &Member, application: ApplicationId) -> Vec<ItemSummary> {
    let path = format!("/v1/items?application={application}&limit=500");
    let page: Page<ItemSummary> = member.get(&path).await.expect("a list of items");
    page.entries
}

fn slug_of(system: &Attacked, hospital: LedgerId) -> &'static str {
    ["lakeside", "hillcrest"]
        .into_iter()
        .find(|slug| system.hospital(slug) == hospital)
        .expect("one of the story's hospitals")
}

async fn approve(system: &Attacked, item: &ItemSummary) -> Result<Value, ClientError> {
    let hospital = system
        .organisation(slug_of(system, item.hospital), "member.json")
        .await;
    decide(&hospital, item.hospital, item.item).await
}

async fn decide(who: &Member, hospital: LedgerId, item: ItemId) -> Result<Value, ClientError> {
    let path = format!(
        "/v1/hospitals/{hospital}/applications/{}/items/{}/decision",
        item.application, item.index
    );
    who.post(&path, &json!({})).await
}

/// All of the story's patients, each signed in once: an item may be anybody's.
async fn patients(system: &Attacked) -> Vec<Member> {
    let mut patients = Vec::new();
    for number in 0..PATIENTS {
        patients.push(system.patient(number).await.member);
    }
    patients
}

/// The patient of an item, found by who is shown it once the hospital has approved.
async fn patient_of(patients: &[Member], item: ItemId) -> Member {
    eventually("the patient is shown the item", async || {
        for patient in patients {
            let items = items_of(patient, item.application).await;
            if items.iter().any(|shown| shown.item == item) {
                return Some(patient.clone());
            }
        }
        None
    })
    .await
}

/// Fault: an item's state machine takes the patient's answer, or the release, before the hospital's.
#[tokio::test(flavor = "multi_thread")]
async fn attack_14_a_buyer_skips_the_hospital_and_a_patient_answers_first() {
    let system = attacked();
    let (institute, application, items) = apply(&system, 1).await;
    let item = items[0].item;
    // Nobody but the hospital is shown it, so the patient answers blindly.
    let path = format!(
        "/v1/applications/{application}/items/{}/decision",
        item.index
    );
    for patient in patients(&system).await {
        let refusal = problem(
            "a patient's early answer",
            patient.command(&path, &json!({})).await,
        );
        assert!(matches!(refusal.status, 403 | 404 | 409), "{refusal}");
    }
    // The buyer says by itself that both approved and that the key is handed over.
    let buyer = system.key("institute", "member.json");
    for command in [
        Authorization::ApproveAsPatient { item },
        Authorization::ReleaseKey {
            item,
            sealed_key: contracts::Sealed(vec![1; 80]),
        },
    ] {
        let (id, rejection) = submit(&system, &buyer, command).await;
        let rejection = rejection.expect("rejected");
        assert_eq!(rejection.contract(), Contract::Authorization.id());
        // It is recorded: anybody finds the attempt on the ledger.
        let shown: Value = system
            .client
            .get(&format!("/v1/transactions/{id}"))
            .await
            .expect("the transaction");
        assert_eq!(shown["outcome"], "rejected", "{shown}");
    }
    let items = items_of(&institute, application).await;
    assert_eq!(items[0].state, "hospital_pending");
}

/// Fault: any hospital may decide, not the one that holds the record.
#[tokio::test(flavor = "multi_thread")]
async fn attack_16_another_hospital_approves() {
    let system = attacked();
    let (institute, application, items) = apply(&system, 1).await;
    let item = &items[0];
    let other = match slug_of(&system, item.hospital) {
        "lakeside" => "hillcrest",
        _ => "lakeside",
    };
    let attacker = system.organisation(other, "member.json").await;
    // At the owner's service, and at its own.
    for hospital in [item.hospital, system.hospital(other)] {
        let refusal = problem(
            "another hospital's approval",
            decide(&attacker, hospital, item.item).await,
        );
        assert!(matches!(refusal.status, 403 | 404 | 409), "{refusal}");
    }
    // And past the services, with a commitment of its own making.
    let command = Authorization::ApproveAsHospital {
        item: item.item,
        ciphertext: Digest([7; 32]),
        ciphertext_bytes: 100,
        release: ledger::Commitment::new(ledger::DigestAlgorithm::Sha256, &[1; 32], &[b"x"]),
        version: 1,
    };
    let (_, rejection) = submit(&system, &system.key(other, "member.json"), command).await;
    assert_eq!(
        rejection.expect("rejected").contract(),
        Contract::Authorization.id()
    );
    assert_eq!(
        items_of(&institute, application).await[0].state,
        "hospital_pending"
    );
}

/// Fault: release and payment are two transactions, or a withdrawal after the release takes the money back.
#[tokio::test(flavor = "multi_thread")]
async fn attack_17_an_item_is_withdrawn_while_it_is_released() {
    let system = attacked();
    let (institute, application, items) = apply(&system, 3).await;
    for item in &items {
        eventually("the hospital approves", async || {
            approve(&system, item).await.ok()
        })
        .await;
    }
    let mut raced = Vec::new();
    let patients = patients(&system).await;
    for item in &items {
        let patient = patient_of(&patients, item.item).await;
        let path = format!("/v1/applications/{application}/items/{}", item.item.index);
        let (decision, withdrawal) = (format!("{path}/decision"), format!("{path}/withdrawal"));
        let institute = institute.clone();
        // Both at once: the release follows the patient's answer by itself.
        raced.push(tokio::spawn(async move {
            let nothing = json!({});
            tokio::join!(
                patient.command(&decision, &nothing),
                institute.command(&withdrawal, &nothing)
            )
        }));
    }
    for race in raced {
        let (approved, withdrawn) = race.await.unwrap();
        assert!(approved.is_ok() || withdrawn.is_ok());
    }
    let done = eventually("every item has come to an end", async || {
        let items = items_of(&institute, application).await;
        let ended = |item: &ItemSummary| matches!(item.state.as_str(), "released" | "withdrawn");
        items.iter().all(ended).then_some(items)
    })
    .await;
    // Released if and only if paid, item by item, as the ledger tells it.
    let events = e2e::chain::events(&system.process("replica-0").join("data/blocks"));
    let postings = |wanted: PostingReason| {
        let of_it = events.iter().filter(|decided| {
            matches!(&decided.event, contracts::Event::Settlement(Settled::Posted { reason, .. })
                if *reason == wanted)
        });
        of_it.count()
    };
    for item in done {
        let paid = postings(PostingReason::ItemPaid(item.item));
        let returned = postings(PostingReason::EscrowReturned(item.item));
        let expected = if item.state == "released" {
            (1, 0)
        } else {
            (0, 1)
        };
        assert_eq!((paid, returned), expected, "{}", item.state);
    }
}

/// Fault: content is shown without being hashed against the ledger, or nobody looks unless somebody reads.
#[tokio::test(flavor = "multi_thread")]
async fn attack_21_and_23_rows_are_edited_and_swapped_in_a_hospitals_database() {
    let system = attacked();
    let hospital = system.hospital("lakeside");
    let (first, one, edited) = patient_at(&system, "lakeside", 0).await;
    let (_, other, swapped) = patient_at(&system, "lakeside", first + 1).await;
    let file = system.process("records-lakeside").join("data/hospital.db");
    let reports = || {
        let reported = tampered(&system);
        let are_ours = |record: &&String| [&edited, &swapped].contains(record);
        reported.iter().filter(are_ours).count()
    };
    let before = reports();

    let edited_url = encounter_of(&one.member, hospital, &edited).await;
    let swapped_url = encounter_of(&other.member, hospital, &swapped).await;
    database(
        &file,
        &[
            "UPDATE resource SET body = replace(body, '\"finished\"', '\"cancelled\"') WHERE kind = 'Encounter' AND full_url = ?1",
            &edited_url,
        ],
    );
    let shown = view(&one.member, hospital, &edited).await;
    assert_ne!(shown["integrity"], "verified", "{shown}");
    assert!(shown["content"].is_null(), "edited content was shown");
    let untouched = view(&other.member, hospital, &swapped).await;
    assert!(
        untouched["content"].is_string(),
        "another's record is whole"
    );

    // Two patients' encounters change places.
    database(
        &file,
        &[
            "UPDATE resource SET body = (SELECT body FROM resource WHERE kind = 'Encounter' AND full_url = ?1) WHERE kind = 'Encounter' AND full_url = ?2",
            &edited_url,
            &swapped_url,
        ],
    );
    let shown = view(&other.member, hospital, &swapped).await;
    assert_ne!(shown["integrity"], "verified", "{shown}");
    assert!(shown["content"].is_null(), "swapped content was shown");
    eventually("both are reported on the ledger", async || {
        (reports() >= before + 2).then_some(())
    })
    .await;
}

async fn view(member: &Member, hospital: LedgerId, record: &str) -> Value {
    let path = format!("/v1/hospitals/{hospital}/records/views");
    let request = json!({ "records": [record], "purpose": "PatientRequest" });
    let viewed: Value = member.post(&path, &request).await.expect("a view");
    viewed["records"][0].clone()
}

async fn encounter_of(member: &Member, hospital: LedgerId, record: &str) -> String {
    let shown = view(member, hospital, record).await;
    let content = shown["content"].as_str().expect("whole before the attack");
    let bundle: Value = serde_json::from_str(content).unwrap();
    let entries = bundle["entry"].as_array().unwrap();
    let encounter = entries
        .iter()
        .find(|entry| entry["resource"]["resourceType"] == "Encounter")
        .expect("an Encounter");
    encounter["fullUrl"].as_str().unwrap().to_owned()
}

/// One statement with its parameters, past every service, as an administrator of the database could.
fn database(file: &std::path::Path, statement: &[&str]) {
    let script = "import sqlite3, sys\n\
                  connection = sqlite3.connect(sys.argv[1], timeout=10)\n\
                  rows = connection.execute(sys.argv[2], sys.argv[3:]).rowcount\n\
                  connection.commit()\n\
                  sys.exit(0 if rows == 1 else f'{rows} rows')";
    let run = Command::new("python3")
        .arg("-c")
        .arg(script)
        .arg(file)
        .args(statement)
        .output();
    let run = run.expect("python3 runs");
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
}

/// Fault: adjudication is keyed by the submission and not by the claim, or a claim may be changed after it was paid.
#[tokio::test(flavor = "multi_thread")]
async fn attack_24_a_claim_is_submitted_again_and_inflated() {
    let system = attacked();
    let blocks = system.process("replica-0").join("data/blocks");
    let submitted = |events: &[e2e::chain::Decided]| {
        let payments = events.iter().filter(|decided| {
            matches!(
                &decided.event,
                contracts::Event::Settlement(Settled::ClaimAdjudicated { .. })
            )
        });
        payments.count()
    };
    // A claim of lakeside's that was paid, found in what anyone can read.
    let hospital = system.hospital("lakeside");
    let (mut found, mut adjudicated) = (None, 0);
    for block in e2e::chain::blocks(&blocks) {
        for (transaction, leaf) in block
            .block
            .transactions
            .iter()
            .zip(&block.block.outcomes[1..])
        {
            let body = &transaction.body;
            if body.submitter == hospital && leaf.outcome == ledger::Outcome::Accepted {
                let command = contracts::Command::from_bytes(body.contract, &body.command);
                if let Ok(contracts::Command::Settlement(Settlement::SubmitClaim {
                    claim,
                    insured,
                    plan,
                    category,
                    charged,
                    service_year,
                })) = command
                {
                    found = Some((claim, insured, plan, category, charged, service_year));
                }
            }
        }
    }
    adjudicated += submitted(&e2e::chain::events(&blocks));
    let (claim, insured, plan, category, charged, service_year) = found.expect("a claim");
    let key = system.key("lakeside", "member.json");
    for inflated in [charged, charged * 10] {
        let command = Settlement::SubmitClaim {
            claim,
            insured,
            plan,
            category,
            charged: inflated,
            service_year,
        };
        let (_, rejection) = submit(&system, &key, command).await;
        assert_eq!(
            rejection.expect("rejected").contract(),
            Contract::Settlement.id()
        );
    }
    let other = system.key("hillcrest", "member.json");
    let command = Settlement::SubmitClaim {
        claim,
        insured,
        plan,
        category,
        charged,
        service_year,
    };
    assert!(submit(&system, &other, command).await.1.is_some());
    assert_eq!(
        submitted(&e2e::chain::events(&blocks)),
        adjudicated,
        "one payout a claim"
    );
}
