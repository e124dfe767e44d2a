//! The story of `medshare demo`, played once on made-up patients, and what it proves. Each test names the requirements
//! (A-numbers) it shows, and after "Fault:" the one-line fault that would make it fail.

use std::collections::{BTreeMap, BTreeSet};

use contracts::Event;
use contracts::authorization::event::Event as Authorization;
use contracts::membership::command::MemberKind;
use contracts::membership::event::Event as Membership;
use contracts::records::event::Event as Records;
use contracts::settlement::event::{Account, Event as Settlement, PostingReason};
use contracts::telemetry::event::Event as Telemetry;
use e2e::canary::{Search, canaries, files};
use e2e::chain::{Decided, blocks, events, recount};
use e2e::story::{PATIENTS, medshare, play_again, story};
use serde_json::Value;

fn decided() -> Vec<Decided> {
    events(&story().blocks(0))
}

/// A50, A60, A98. Fault: the report counts what was asked for instead of what was committed.
#[test]
fn the_story_ends_without_failure_and_every_figure_equals_an_independent_recount() {
    let story = story();
    assert!(
        story.success,
        "failed: {}\n{}",
        story.report["failed"], story.told
    );
    let recounted = recount(&story.blocks(0), &story.genesis()).expect("the chain verifies");
    for figure in [
        "records",
        "blocks",
        "transactions",
        "applications",
        "paid",
        "adjudicated",
        "views",
        "warnings",
        "tampering_detected",
    ] {
        assert_eq!(story.report[figure], recounted[figure], "{figure}");
    }
    assert_eq!(
        story.figure("receipts_verified"),
        story.figure("transactions")
    );
    assert!(
        story.figure("records") > 100 && story.figure("adjudicated") >= story.figure("records")
    );
    assert_eq!(
        recounted["money_inside"].as_i64().map(|money| money > 0),
        Some(true)
    );
}

/// A01, A03, A06, A08, A12, A16, A17, A100. Fault: a replica that was away never catches up, or executes differently.
#[test]
fn every_replica_holds_the_same_certified_chain_although_one_was_killed_and_came_back() {
    let story = story();
    story.tells("sabotage: replica-3 is killed");
    let chains: Vec<_> = (0..4)
        .map(|replica| blocks(&story.blocks(replica)))
        .collect();
    let common = chains.iter().map(Vec::len).min().expect("four replicas");
    // Only blocks at the very end may not have reached everybody when all of it was stopped.
    assert!(
        common as u64 + 5 >= story.figure("blocks"),
        "a replica has only {common} blocks"
    );
    for chain in &chains {
        assert_eq!(
            chain[common - 1].block.hash(),
            chains[0][common - 1].block.hash()
        );
    }
    for block in &chains[0][1..] {
        assert!(
            block.certificate.votes.len() >= 3,
            "a block without a quorum of votes"
        );
    }
    for replica in 0..4 {
        recount(&story.blocks(replica), &story.genesis())
            .expect("each replica's chain verifies by itself");
    }
}

/// A01, A04, A05, A07, A39. Fault: `verify chain` or the verifier trusts a block's stored hash instead of recomputing it.
#[test]
fn one_altered_byte_in_one_copy_of_the_ledger_is_detected() {
    let story = story();
    let copy = story
        .folder
        .with_file_name(format!("altered-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&copy);
    std::fs::create_dir_all(copy.join("blocks")).unwrap();
    for file in files(&story.blocks(1)) {
        std::fs::copy(&file, copy.join("blocks").join(file.file_name().unwrap())).unwrap();
    }
    let genesis = story.genesis();
    let verify = || {
        medshare(&[
            "verify",
            "chain",
            copy.to_str().unwrap(),
            "--genesis",
            genesis.to_str().unwrap(),
        ])
    };
    assert!(
        verify().status.success(),
        "{}",
        String::from_utf8_lossy(&verify().stderr)
    );
    let file = files(&copy.join("blocks")).remove(0);
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    assert!(
        !verify().status.success(),
        "medshare verify chain accepts an altered block"
    );
    assert!(
        recount(&copy.join("blocks"), &genesis).is_err(),
        "the independent verifier accepts an altered block"
    );
    std::fs::remove_dir_all(&copy).unwrap();
}

/// A02, A41, A50. Fault: a receipt is taken for true without checking the certificate against the genesis file.
#[test]
fn every_receipt_verifies_offline_and_a_forged_one_is_refused() {
    let story = story();
    let receipts = files(&story.folder.join("receipts"));
    assert_eq!(receipts.len() as u64, story.figure("transactions"));
    let genesis = story.genesis();
    let verify = |file: &str| {
        medshare(&[
            "verify",
            "receipt",
            file,
            "--genesis",
            genesis.to_str().unwrap(),
            "--json",
        ])
    };
    for file in receipts.iter().step_by(receipts.len() / 5) {
        let output = verify(file.to_str().unwrap());
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["verified"], true);
    }
    let text = std::fs::read_to_string(&receipts[0]).unwrap();
    let mut file: Value = serde_json::from_str(&text).unwrap();
    let bytes = file["bytes"].as_str().unwrap();
    let middle = bytes.len() / 2;
    let other = if bytes.as_bytes()[middle] == b'A' {
        "B"
    } else {
        "A"
    };
    let forged = format!("{}{other}{}", &bytes[..middle], &bytes[middle + 1..]);
    file["bytes"] = forged.into();
    let forged = story
        .folder
        .with_file_name(format!("forged-{}.json", std::process::id()));
    std::fs::write(&forged, file.to_string()).unwrap();
    assert!(
        !verify(forged.to_str().unwrap()).status.success(),
        "a forged receipt verifies"
    );
    std::fs::remove_file(&forged).unwrap();
}

/// A10, A11, A15, A24, A25, A27, A28, A87. Fault: sign-in does not ask whether the member is active.
#[test]
fn members_register_and_act_only_after_node_operators_have_endorsed_them() {
    let story = story();
    story.tells("without endorsement its sign-in is refused with 403");
    let mut kinds = BTreeMap::new();
    let (mut endorsements, mut active) = (BTreeMap::<_, u32>::new(), BTreeSet::new());
    let mut operators = BTreeSet::new();
    for Decided { event, .. } in decided() {
        match event {
            Event::Membership(Membership::FounderNamed {
                member,
                operator: true,
                ..
            }) => {
                operators.insert(member);
            }
            Event::Membership(Membership::MemberRegistered { member, kind, .. }) => {
                kinds.insert(member, kind);
            }
            Event::Membership(Membership::MemberEndorsed {
                member, operator, ..
            }) => {
                assert!(
                    operators.contains(&operator),
                    "{operator} endorsed and is no node operator"
                );
                *endorsements.entry(member).or_default() += 1;
            }
            Event::Membership(Membership::MemberActivated { member }) => {
                let needed = match kinds[&member] {
                    MemberKind::Patient | MemberKind::Doctor | MemberKind::Device => 1,
                    _ => 3,
                };
                assert!(
                    endorsements[&member] >= needed,
                    "{member} is active without a quorum"
                );
                active.insert(member);
            }
            _ => {}
        }
    }
    let of = |kind| {
        kinds
            .iter()
            .filter(|(member, found)| **found == kind && active.contains(*member))
            .count()
    };
    // Insurance and devices, and one for each hospital that treated them.
    assert!(
        of(MemberKind::Patient) >= 3 * PATIENTS,
        "{} ids of patients",
        of(MemberKind::Patient)
    );
    let organisations = (
        of(MemberKind::ThirdParty),
        of(MemberKind::Insurer),
        of(MemberKind::Hospital),
    );
    assert_eq!(
        (
            of(MemberKind::Doctor),
            of(MemberKind::Device),
            organisations
        ),
        (3, 1, (1, 1, 1))
    );
    let never = kinds
        .keys()
        .filter(|member| !active.contains(*member))
        .count();
    assert_eq!(never, 1, "the stranger alone stays pending");
}

/// A26, A30, A31, A32, A36, A38, A40, A42, A76, A77, A78, A84. Fault: an import registers a record twice, or at one hospital only.
#[test]
fn two_hospitals_with_different_tables_register_every_record_once() {
    let story = story();
    story.tells("none doubled");
    let mut by_hospital: BTreeMap<_, u64> = BTreeMap::new();
    let mut records = BTreeSet::new();
    for Decided { event, .. } in decided() {
        if let Event::Records(Records::RecordRegistered {
            record, hospital, ..
        }) = event
        {
            assert!(records.insert(record), "{record} was registered twice");
            *by_hospital.entry(hospital).or_default() += 1;
        }
    }
    assert_eq!(by_hospital.len(), 2);
    assert_eq!(by_hospital.values().sum::<u64>(), story.figure("records"));
    let database =
        |name: &str| std::fs::read(story.process(name).join("data/hospital.db")).unwrap();
    let holds = |bytes: &[u8], text: &str| {
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    assert!(holds(
        &database("records-lakeside"),
        "resource (encounter_id"
    ));
    assert!(holds(&database("records-hillcrest"), "document (visit_no"));
}

/// A43, A44, A45, A46, A47, A49, A63, A64, A97. Fault: content is shown before its AccessLogged is committed, or to a doctor of another hospital.
#[test]
fn patients_read_everything_doctors_only_their_own_hospitals_and_every_view_is_on_the_ledger() {
    let story = story();
    story.tells("records from lakeside: transaction");
    story.tells("records from hillcrest: transaction");
    story.tells("a doctor of lakeside read a record without applying");
    story.tells("of hillcrest the same doctor's view is refused with 403");
    story.tells("the patient sees who viewed: Dr. Canary 0, own_hospital");
    let viewed = decided().into_iter().filter(|decided| {
        matches!(
            decided.event,
            Event::Records(Records::AccessLogged { .. } | Records::CodeRedeemed { .. })
        )
    });
    assert_eq!(viewed.count() as u64, story.figure("views"));
}

/// A53, A82. Fault: a count below the threshold is shown.
#[test]
fn a_disease_that_enough_patients_have_is_found_and_a_rarer_one_is_suppressed() {
    let story = story();
    story.tells("chronic sinusitis: ");
    story.tells("records to apply for");
    story.tells("is suppressed: too few");
}

/// A18, A51, A52, A54, A55, A56, A57, A59, A65, A66, A70. Fault: the key is released in another transaction than the payment.
#[test]
fn a_record_is_released_if_and_only_if_both_approved_and_it_is_paid_in_the_same_transaction() {
    let (mut hospital, mut patient) = (BTreeSet::new(), BTreeSet::new());
    let (mut released, mut paid) = (BTreeMap::new(), BTreeMap::new());
    for Decided { transaction, event } in decided() {
        match event {
            Event::Authorization(Authorization::HospitalApproved { item, .. }) => {
                assert!(!patient.contains(&item));
                hospital.insert(item);
            }
            Event::Authorization(Authorization::PatientApproved { item }) => {
                assert!(
                    hospital.contains(&item),
                    "the patient approved before the hospital"
                );
                patient.insert(item);
            }
            Event::Authorization(Authorization::ItemReleased {
                item,
                patient: owner,
                price,
                ..
            }) => {
                assert!(
                    patient.contains(&item),
                    "released without the patient's approval"
                );
                released.insert(item, (transaction, owner, price));
            }
            Event::Settlement(Settlement::Posted {
                reason: PostingReason::ItemPaid(item),
                lines,
            }) => {
                let line = lines.iter().find_map(|line| match line.account {
                    Account::Member(member) => Some((member, line.amount)),
                    _ => None,
                });
                let (member, amount) = line.expect("a payment reaches a member");
                paid.insert(item, (transaction, member, amount));
            }
            _ => {}
        }
    }
    assert_eq!(released.len(), 4);
    assert_eq!(released, paid, "released and paid differ");
    story().tells("as committed: transaction");
    story().tells("cents reached the patients' accounts for 4 released items");
}

/// A58. Fault: a refusal leaves the escrow where it is.
#[test]
fn a_refusal_by_hospital_or_patient_ends_the_item_and_returns_its_escrow_in_the_same_transaction() {
    let (mut refused, mut returned) = (BTreeMap::new(), BTreeMap::new());
    for Decided { transaction, event } in decided() {
        match event {
            Event::Authorization(Authorization::ItemRefused { item, .. }) => {
                refused.insert(item, transaction);
            }
            Event::Settlement(Settlement::Posted {
                reason: PostingReason::EscrowReturned(item),
                ..
            }) => {
                returned.insert(item, transaction);
            }
            _ => {}
        }
    }
    assert_eq!(refused.len(), 2);
    assert_eq!(refused, returned);
    let applications = &story().report["applications"];
    assert_eq!(
        (
            &applications["refused_by_hospital"],
            &applications["refused_by_patient"]
        ),
        (&1.into(), &1.into())
    );
}

/// A64. Fault: a withdrawn grant still lets its holder read.
#[test]
fn after_a_grant_is_withdrawn_the_next_read_is_refused() {
    story().tells("the institution's next read is re");
    let withdrawn = decided().into_iter().filter(|decided| {
        matches!(
            decided.event,
            Event::Authorization(Authorization::GrantWithdrawn { .. })
        )
    });
    assert_eq!(withdrawn.count(), 1);
}

/// A33, A34, A35, A61, A62. Fault: a changed code's predecessor still opens the record.
#[test]
fn an_authorization_code_opens_one_record_elsewhere_and_stops_working_when_it_is_changed() {
    let story = story();
    story.tells("the patient's code opened one record of lakeside to a doctor of hillcrest");
    story.tells("with another patient ID it is refused with 403");
    story.tells("the old code is re");
    story.tells("the new code opened it");
    let redeemed = decided()
        .into_iter()
        .filter(|decided| matches!(decided.event, Event::Records(Records::CodeRedeemed { .. })));
    assert_eq!(redeemed.count(), 3);
}

/// A23, A67, A68, A69, A71. Fault: a claim is lost when its record waits for the patient's enrolment.
#[test]
fn every_claim_is_adjudicated_when_its_record_is_registered_and_a_patient_pays_the_own_share() {
    let (mut claims, mut paid) = (BTreeMap::new(), 0);
    for Decided { event, .. } in decided() {
        match event {
            Event::Settlement(Settlement::ClaimAdjudicated {
                claim,
                charged,
                benefit,
                share,
                ..
            }) => {
                assert_eq!(charged, benefit + share);
                assert!(
                    claims.insert(claim, share).is_none(),
                    "a claim was adjudicated twice"
                );
            }
            Event::Settlement(Settlement::ClaimPended { claim, .. }) => {
                panic!("{claim:?} is pended")
            }
            Event::Settlement(Settlement::SharePaid { claim, share, .. }) => {
                assert_eq!(claims[&claim], share);
                paid += 1;
            }
            _ => {}
        }
    }
    assert_eq!(claims.len() as u64, story().figure("adjudicated"));
    assert_eq!(paid, 1);
}

/// A24, A72, A73, A74. Fault: readings are anchored, but nobody assesses them.
#[test]
fn a_registered_devices_readings_are_anchored_and_raise_a_warning_that_the_patient_acknowledges() {
    let story = story();
    story.tells("0 refused");
    let (mut bound, mut anchored, mut warned, mut acknowledged) = (0, 0, 0, 0);
    for Decided { event, .. } in decided() {
        match event {
            Event::Telemetry(Telemetry::DeviceRegistered { .. }) => bound += 1,
            Event::Telemetry(Telemetry::ReadingsAnchored { readings, .. }) => anchored += readings,
            Event::Telemetry(Telemetry::WarningRaised { .. }) => warned += 1,
            Event::Telemetry(Telemetry::WarningAcknowledged { .. }) => acknowledged += 1,
            _ => {}
        }
    }
    assert_eq!((bound, acknowledged), (1, 1));
    assert!(
        anchored > 0 && warned > 0,
        "{anchored} readings anchored, {warned} warnings"
    );
    assert_eq!(warned, story.figure("warnings"));
}

/// A37, A48, A99. Fault: a read trusts the hospital's row without re-hashing it.
#[test]
fn an_edited_row_of_a_hospital_is_found_at_the_next_read_withheld_and_reported() {
    let story = story();
    story.tells("the next read finds it Edited and shows nothing");
    assert_eq!(story.figure("tampering_detected"), 1);
}

/// A30. Fault: the gateway learns of hospitals at its start only.
#[test]
fn a_third_hospital_joins_and_takes_part_without_any_restart() {
    let story = story();
    story.tells("Riverside Hospital registered");
    story.tells("opened a record of hillcrest by the patient's code");
    story.tells("no process was started anew");
}

/// A09, A79, A80, A81. Fault: a name is put into an event, a message, a log line or an unsealed column.
#[test]
fn no_personal_string_of_the_input_is_anywhere_but_in_the_hospitals_own_databases() {
    let story = story();
    let mut strings = canaries(PATIENTS);
    strings.extend(["Dr. Canary 0", "Dr. Canary 1", "D-doctor-lakeside"].map(str::to_owned));
    assert!(
        strings.len() > 10 * PATIENTS,
        "only {} canaries",
        strings.len()
    );
    let search = Search::new(strings);
    let hospital_file = |name: &str| name.starts_with("hospital.db");
    let (mut in_hospitals, mut searched, mut leaks) = (0, 0_u64, Vec::new());
    for file in files(&story.folder) {
        let bytes = std::fs::read(&file).unwrap();
        let found = search.find(&bytes);
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if hospital_file(name) {
            in_hospitals += found.len();
            continue;
        }
        searched += bytes.len() as u64;
        if !found.is_empty() {
            leaks.push(format!(
                "{}: {} strings",
                file.strip_prefix(&story.folder).unwrap().display(),
                found.len()
            ));
        }
    }
    assert!(
        in_hospitals > 10 * PATIENTS,
        "the search finds {in_hospitals} strings where they are"
    );
    assert!(searched > 1_000_000, "only {searched} bytes were searched");
    assert!(
        leaks.is_empty(),
        "personal strings in:\n{}",
        leaks.join("\n")
    );
}

/// A12. Fault: a statement that SQLite takes and PostgreSQL does not, or a process that knows one broker only.
#[test]
fn the_same_story_ends_without_failure_on_postgresql_with_three_brokers() {
    let Ok(server) = std::env::var("MEDSHARE_TEST_POSTGRES") else {
        e2e::story::skipped(
            "the_same_story_on_postgresql",
            "no PostgreSQL server (MEDSHARE_TEST_POSTGRES)",
        );
        return;
    };
    let server = server.strip_suffix("/postgres").unwrap_or(&server);
    let (report, told) = play_again(&["--nats-servers", "3", "--database", server]);
    assert_eq!(
        report["failed"].as_array().map(Vec::len),
        Some(0),
        "{}\n{told}",
        report["failed"]
    );
    for figure in [
        "records",
        "adjudicated",
        "paid",
        "applications",
        "tampering_detected",
    ] {
        assert_eq!(report[figure], story().report[figure], "{figure}");
    }
}
