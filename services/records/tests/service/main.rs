//! The whole service over a real broker, the real contracts, its own database and the hospital's: only its neighbours
//! (identity, index, authorization) are doubles.

mod bundles;
mod consortium;

use std::time::Duration;

use bundles::bundle_text;
use consortium::Consortium;
use contracts::authorization::command::{Command as Ask, ItemOffer};
use contracts::authorization::event::Event as Workflow;
use contracts::records::command::{CodeHolder, TamperingKind};
use contracts::records::event::Event as RecordEvent;
use contracts::settlement::command::Command as Money;
use contracts::settlement::event::Event as Settled;
use contracts::{ApplicationId, Event, ItemId, PaymentReference, Purpose, RecordNumber};
use interfaces::records::*;
use interfaces::{CommandReply, Problem};
use keys::SealingKey;
use ledger::{Commitment, DigestAlgorithm, Timestamp};
use sqlx::{AssertSqlSafe, Connection, Executor};
use store::testing::TestDatabase;

const IDENTITY_ID: &str = "999-00-p1";

async fn start(mapping: &str) -> Consortium {
    Consortium::start(mapping, TestDatabase::sqlite()).await
}

async fn import(consortium: &Consortium, value: &str) -> ImportReport {
    let bundle = bundle_text("p1", value);
    consortium
        .ask(&consortium.north, ImportBundle { bundle })
        .await
        .unwrap()
}

/// An enrolled patient with two registered records; the one with the measured value first.
async fn with_records(mapping: &str) -> (Consortium, Vec<RecordNumber>) {
    let consortium = start(mapping).await;
    let records = fill(&consortium).await;
    (consortium, records)
}

async fn fill(consortium: &Consortium) -> Vec<RecordNumber> {
    consortium.enrol(IDENTITY_ID, &consortium.patient);
    let report = import(consortium, "1.00").await;
    assert_eq!(
        (
            report.registered.len(),
            report.waiting,
            report.refused.len()
        ),
        (2, 0, 0)
    );
    consortium
        .ask(
            &consortium.north,
            affiliation(consortium.doctor.key.ledger_id()),
        )
        .await
        .unwrap();
    let found = consortium
        .ask(&consortium.north, FindRecords::default())
        .await
        .unwrap();
    let mut records: Vec<_> = found
        .entries
        .into_iter()
        .map(|entry| (entry.start, entry.record.unwrap()))
        .collect();
    records.sort();
    records.into_iter().map(|(_, record)| record).collect()
}

fn affiliation(doctor: ledger::LedgerId) -> AffiliateDoctor {
    AffiliateDoctor { doctor, days: 30 }
}

fn view(records: &[RecordNumber], purpose: Purpose) -> ViewRecords {
    ViewRecords {
        records: records.to_vec(),
        purpose,
        emergency: None,
    }
}

async fn edit(consortium: &Consortium, statement: &str) {
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(&consortium.hospital_url())
        .await
        .unwrap();
    connection
        .execute(sqlx::raw_sql("PRAGMA busy_timeout = 10000"))
        .await
        .unwrap();
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(statement.to_owned())))
        .await
        .unwrap();
}

fn status<T>(answer: Result<T, Problem>) -> u16 {
    answer.map_or_else(|problem| problem.status, |_| 200)
}

fn is_registered(event: &Event) -> bool {
    matches!(event, Event::Records(RecordEvent::RecordRegistered { .. }))
}

fn is_claim(event: &Event) -> bool {
    matches!(
        event,
        Event::Settlement(Settled::ClaimAdjudicated { .. } | Settled::ClaimPended { .. })
    )
}

async fn registers_once_and_amends(consortium: Consortium) {
    let records = fill(&consortium).await;
    let again = import(&consortium, "1.00").await;
    assert_eq!(
        (again.registered.len(), again.unchanged.len(), again.waiting),
        (0, 2, 0)
    );
    let changed = import(&consortium, "1.0").await;
    assert_eq!((changed.registered.len(), changed.unchanged.len()), (1, 1));
    assert_eq!(changed.registered[0].record, records[0]);
    let viewed = consortium
        .ask(&consortium.patient, view(&records, Purpose::PatientRequest))
        .await
        .unwrap();
    let first = viewed
        .records
        .iter()
        .find(|viewed| viewed.record == records[0])
        .unwrap();
    assert_eq!((first.version, first.integrity), (2, Integrity::Verified));
    assert!(
        first.content.as_ref().unwrap().contains("\"value\":1.0}")
            || first.content.as_ref().unwrap().contains("\"value\":1.0,")
    );
    consortium.wait_for_events(1, is_claim).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(
        consortium
            .events()
            .iter()
            .filter(|event| is_claim(event))
            .count(),
        1,
        "a claim is adjudicated once"
    );
    let rows = consortium.outside.rows.lock().unwrap().clone();
    let commitment = consortium.events().iter().find_map(|event| match event {
        Event::Records(RecordEvent::RecordRegistered { record, index, .. })
            if *record == records[0] =>
        {
            Some(*index)
        }
        _ => None,
    });
    let row = rows
        .iter()
        .find(|row| row.record == records[0] && row.version == 1)
        .unwrap();
    assert!(
        row.opens(&commitment.unwrap()),
        "the index row opens its commitment on the ledger"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_registered_once_and_changed_content_becomes_a_version() {
    registers_once_and_amends(start("a").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_registered_once_and_changed_content_becomes_a_version_on_postgresql() {
    let Some(database) = TestDatabase::postgres("records on postgresql").await else {
        return;
    };
    registers_once_and_amends(Consortium::start("b", database).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_wait_for_their_patient_and_register_themselves() {
    let consortium = start("a").await;
    let report = import(&consortium, "1.00").await;
    assert_eq!((report.registered.len(), report.waiting), (0, 2));
    let waiting = consortium
        .ask(&consortium.north, ListWaitingPatients {})
        .await
        .unwrap();
    assert_eq!(
        waiting,
        vec![WaitingPatient {
            patient_number: "MR-p1".into(),
            records: 2
        }]
    );
    consortium.enrol(IDENTITY_ID, &consortium.patient);
    let activated = contracts::membership::Event::MemberActivated {
        member: consortium.patient.key.ledger_id(),
    };
    consortium
        .ordering
        .append(vec![Event::from(activated).recorded()])
        .await;
    consortium.wait_for_events(2, is_registered).await;
    let own = consortium
        .ask(&consortium.patient, ListOwnRecords::default())
        .await
        .unwrap();
    assert_eq!(own.entries.len(), 2);
    assert_eq!(
        consortium
            .ask(&consortium.north, ListWaitingPatients {})
            .await
            .unwrap(),
        vec![]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_view_does_and_is_traced_and_everybody_else_is_refused_alike() {
    let (consortium, records) = with_records("b").await;
    let by_doctor = consortium
        .ask(&consortium.doctor, view(&records[..1], Purpose::Treatment))
        .await
        .unwrap();
    assert_eq!(by_doctor.records[0].integrity, Integrity::Verified);
    assert!(
        by_doctor.records[0]
            .content
            .as_ref()
            .unwrap()
            .contains("Canary")
    );
    for (who, records) in [
        (&consortium.visitor, &records[..1]),
        (&consortium.stranger, &records[..1]),
        (&consortium.doctor, &[RecordNumber([7; 16])][..]),
        (&consortium.institute, &records[..1]),
        (&consortium.south, &records[..1]),
    ] {
        assert_eq!(
            status(consortium.ask(who, view(records, Purpose::Treatment)).await),
            403
        );
    }
    let traces = consortium
        .ask(&consortium.patient, ListViewsOfOwnRecords::default())
        .await
        .unwrap();
    assert_eq!(traces.entries.len(), 1);
    assert_eq!(
        traces.entries[0].viewer_name.as_deref(),
        Some("name of doctor")
    );
    assert_eq!(traces.entries[0].basis, "own_hospital");
    assert_eq!(
        status(
            consortium
                .ask(&consortium.stranger, ListOwnRecords::default())
                .await
                .map(|page| assert!(page.entries.is_empty()))
        ),
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emergency_opens_the_records_of_its_patient_alone() {
    let (consortium, records) = with_records("a").await;
    consortium
        .submit(&consortium.south, south_affiliation(&consortium))
        .await;
    let request = OpenEmergency {
        patient: consortium.patient.key.ledger_id(),
        reason: "unconscious".into(),
    };
    let opened = loop {
        // The affiliation reaches the service's projection a moment later.
        match consortium.ask(&consortium.visitor, request.clone()).await {
            Ok(opened) => break opened,
            Err(problem) => assert_eq!(problem.status, 403),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let asked = ViewRecords {
        records: records.clone(),
        purpose: Purpose::EmergencyTreatment,
        emergency: Some(opened.emergency),
    };
    let viewed = consortium
        .ask(&consortium.visitor, asked.clone())
        .await
        .unwrap();
    assert_eq!(viewed.records.len(), 2);
    assert_eq!(status(consortium.ask(&consortium.doctor, asked).await), 403);
    let traces = consortium
        .ask(&consortium.patient, ListViewsOfOwnRecords::default())
        .await
        .unwrap();
    assert_eq!(traces.entries[0].basis, "emergency");
}

fn south_affiliation(consortium: &Consortium) -> contracts::membership::Command {
    let now = chassis::clock::now();
    contracts::membership::Command::AffiliateDoctor {
        doctor: consortium.visitor.key.ledger_id(),
        from: Timestamp(now - 1_000_000),
        until: Timestamp(now + 3_600_000_000),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_changed_behind_the_back_are_withheld_named_and_reported_once() {
    for (statement, expected) in [
        (
            "UPDATE resource SET body = replace(body, '1.00', '9.00')",
            Integrity::Edited,
        ),
        ("DELETE FROM resource", Integrity::Deleted),
    ] {
        let (consortium, records) = with_records("a").await;
        edit(&consortium, statement).await;
        let viewed = consortium
            .ask(
                &consortium.patient,
                view(&records[..1], Purpose::PatientRequest),
            )
            .await
            .unwrap();
        assert_eq!(viewed.records[0].integrity, expected, "{statement}");
        assert_eq!(viewed.records[0].content, None);
        let sweep = consortium
            .ask(&consortium.north, SweepIntegrity {})
            .await
            .unwrap();
        let tampered = sweep
            .tampered
            .iter()
            .find(|tampered| tampered.record == records[0])
            .unwrap();
        assert_eq!((sweep.checked, tampered.integrity), (2, expected));
        assert!(tampered.transaction.is_some());
        let reports = consortium.events().into_iter().filter(|event| {
            matches!(event, Event::Records(RecordEvent::TamperingReported { record, .. }) if *record == records[0])
        });
        assert_eq!(reports.count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn swapped_and_rolled_back_rows_are_told_apart() {
    let (consortium, records) = with_records("a").await;
    edit(
        &consortium,
        "CREATE TABLE before_change AS SELECT * FROM resource",
    )
    .await;
    import(&consortium, "2.00").await;
    edit(
        &consortium,
        "DELETE FROM resource; INSERT INTO resource SELECT * FROM before_change",
    )
    .await;
    let sweep = consortium
        .ask(&consortium.north, SweepIntegrity {})
        .await
        .unwrap();
    assert_eq!(sweep.tampered.len(), 1);
    assert_eq!(
        (sweep.tampered[0].record, sweep.tampered[0].integrity),
        (records[0], Integrity::RolledBack)
    );
    edit(
        &consortium,
        "CREATE TABLE keys AS SELECT min(encounter_id) AS low, max(encounter_id) AS high FROM encounter; \
         UPDATE resource SET encounter_id = 'x' WHERE encounter_id = (SELECT low FROM keys); \
         UPDATE resource SET encounter_id = (SELECT low FROM keys) WHERE encounter_id = (SELECT high FROM keys); \
         UPDATE resource SET encounter_id = (SELECT high FROM keys) WHERE encounter_id = 'x';",
    )
    .await;
    let sweep = consortium
        .ask(&consortium.north, SweepIntegrity {})
        .await
        .unwrap();
    assert!(
        sweep
            .tampered
            .iter()
            .all(|tampered| tampered.integrity == Integrity::Swapped),
        "{:?}",
        sweep.tampered
    );
    assert_eq!(sweep.tampered.len(), 2);
    let kinds = consortium
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Records(RecordEvent::TamperingReported { kind, .. }) => Some(kind),
            _ => None,
        });
    assert_eq!(
        kinds.collect::<Vec<_>>(),
        [
            TamperingKind::RolledBack,
            TamperingKind::Swapped,
            TamperingKind::Swapped
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_opens_one_record_until_it_is_changed_or_withdrawn() {
    let (consortium, records) = with_records("a").await;
    consortium
        .submit(&consortium.south, south_affiliation(&consortium))
        .await;
    let record = records[0];
    let shown = consortium
        .ask(&consortium.patient, ShowCode { record })
        .await
        .unwrap();
    assert_eq!(shown.holder, CodeHolder::Patient);
    let patient_id = format!("PID-{}", consortium.patient.key.ledger_id());
    let redeem = |record, code: &str, patient_id: &str| RedeemCode {
        record,
        code: code.to_owned(),
        patient_id: patient_id.to_owned(),
        purpose: Purpose::Treatment,
    };
    for wrong in [
        redeem(record, "0000-0000-0000-0000-0000-0000", &patient_id),
        redeem(record, "nonsense", &patient_id),
        redeem(record, &shown.code, "PID-wrong"),
        redeem(records[1], &shown.code, &patient_id),
    ] {
        let refused = consortium
            .ask(&consortium.visitor, wrong)
            .await
            .map(|_| ())
            .unwrap_err();
        assert_eq!(
            (refused.status, refused.detail.as_str()),
            (403, "this code and patient ID open no record to you")
        );
    }
    let reply = consortium
        .ask(
            &consortium.visitor,
            redeem(record, &shown.code.to_lowercase(), &patient_id),
        )
        .await
        .unwrap();
    let RedeemReply::Viewed(viewed) = reply else {
        panic!("a doctor's key is in custody")
    };
    assert_eq!(viewed.records[0].integrity, Integrity::Verified);
    let hospital_code = consortium
        .ask(&consortium.north, ShowCode { record })
        .await
        .unwrap();
    let reply = consortium
        .ask(
            &consortium.visitor,
            redeem(record, &hospital_code.code, &patient_id),
        )
        .await;
    assert!(
        matches!(reply, Ok(RedeemReply::Viewed(_))),
        "the hospital's code opens while the patient shares"
    );
    let changed = consortium
        .ask(
            &consortium.patient,
            ChangeCode {
                record,
                uses: Some(1),
                hours: None,
            },
        )
        .await
        .unwrap();
    assert_ne!(changed.code, shown.code);
    assert_eq!(
        status(
            consortium
                .ask(
                    &consortium.visitor,
                    redeem(record, &shown.code, &patient_id)
                )
                .await
        ),
        403
    );
    let locators = consortium.outside.locators.lock().unwrap().clone();
    let new_locator = changed
        .code
        .parse::<keys::AuthorizationCode>()
        .unwrap()
        .locator();
    assert!(
        locators
            .iter()
            .any(|locator| locator.locator == new_locator && locator.service == "records-north")
    );
    assert_eq!(
        status(
            consortium
                .ask(
                    &consortium.visitor,
                    redeem(record, &changed.code, &patient_id)
                )
                .await
        ),
        200
    );
    assert_eq!(
        status(
            consortium
                .ask(
                    &consortium.visitor,
                    redeem(record, &changed.code, &patient_id)
                )
                .await
        ),
        403
    );
    consortium
        .ask(&consortium.north, WithdrawCode { record })
        .await
        .unwrap();
    assert_eq!(
        status(
            consortium
                .ask(
                    &consortium.visitor,
                    redeem(record, &hospital_code.code, &patient_id)
                )
                .await
        ),
        403
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_party_signs_its_redemption_and_collects_the_view_once_it_is_committed() {
    let (consortium, records) = with_records("a").await;
    let record = records[0];
    let shown = consortium
        .ask(&consortium.patient, ShowCode { record })
        .await
        .unwrap();
    let patient_id = format!("PID-{}", consortium.patient.key.ledger_id());
    let request = RedeemCode {
        record,
        code: shown.code,
        patient_id,
        purpose: Purpose::Payment,
    };
    let RedeemReply::SignatureNeeded(unsigned) = consortium
        .ask(&consortium.institute, request)
        .await
        .unwrap()
    else {
        panic!("a third party holds the own key")
    };
    assert_eq!(unsigned.service, "records-north");
    let collect = CollectView {
        transaction: unsigned.transaction,
    };
    assert_eq!(
        status(consortium.ask(&consortium.institute, collect.clone()).await),
        403,
        "not committed yet"
    );
    let body = ledger::canonical::decode(&unsigned.unsigned.0).unwrap();
    let signature = interfaces::Base64(consortium.institute.key.sign(body).signature.0.to_vec());
    let submit = interfaces::SubmitSignature {
        transaction: unsigned.transaction,
        signature,
    };
    consortium.ask(&consortium.institute, submit).await.unwrap();
    let viewed = consortium
        .ask(&consortium.institute, collect.clone())
        .await
        .unwrap();
    assert_eq!(viewed.records[0].integrity, Integrity::Verified);
    assert_eq!(
        status(consortium.ask(&consortium.visitor, collect).await),
        403,
        "only for the one who viewed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_item_is_delivered_sealed_and_its_key_released_after_the_patient() {
    let (consortium, records) = with_records("b").await;
    let consent = SetConsent {
        share_for_treatment: true,
        research: true,
    };
    consortium.ask(&consortium.patient, consent).await.unwrap();
    let shown = consortium.ask(&consortium.patient, GetConsent {}).await;
    assert!(shown.unwrap().research);
    let deposit = Money::Deposit {
        reference: PaymentReference([1; 16]),
        account: consortium.institute.key.ledger_id(),
        amount: 100_000,
    };
    consortium.submit(&consortium.treasurer, deposit).await;
    let item_key = SealingKey::random();
    let application = ApplicationId([5; 16]);
    let statement = Commitment::new(DigestAlgorithm::Sha256, &[0; 32], &[b"why"]);
    let offers = records.iter().map(|record| ItemOffer {
        record: *record,
        price: 500,
        item_key: item_key.public_key().0,
    });
    let until = Timestamp(chassis::clock::now() + 86_400_000_000);
    let apply = Ask::ApplyForRecords {
        application,
        purpose: Purpose::Research,
        until,
        statement,
        items: offers.collect(),
    };
    consortium.submit(&consortium.institute, apply).await;
    let (first, second) = (
        ItemId {
            application,
            index: 0,
        },
        ItemId {
            application,
            index: 1,
        },
    );
    let decide = |item, refuse| DecideItemAsHospital { item, refuse };
    assert_eq!(
        status(consortium.ask(&consortium.south, decide(first, None)).await),
        403
    );
    let approved = loop {
        match consortium.ask(&consortium.north, decide(first, None)).await {
            Ok(committed) => break committed,
            Err(problem) => assert_eq!(problem.status, 403, "{problem}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let reason = contracts::authorization::command::RefusalReason::Sensitive;
    consortium
        .ask(&consortium.north, decide(second, Some(reason)))
        .await
        .unwrap();
    assert_eq!(
        status(
            consortium
                .ask(&consortium.north, decide(second, None))
                .await
        ),
        409
    );
    assert!(approved.height > 0);
    let released =
        |event: &Event| matches!(event, Event::Authorization(Workflow::ItemReleased { .. }));
    assert_eq!(
        consortium
            .events()
            .iter()
            .filter(|event| released(event))
            .count(),
        0
    );
    consortium
        .submit(&consortium.patient, Ask::ApproveAsPatient { item: first })
        .await;
    consortium.wait_for_events(1, released).await;
    let ciphertext = consortium.outside.deliveries.lock().unwrap()[&first].clone();
    let (mut sealed, mut commitment) = (None, None);
    for event in consortium.events() {
        match event {
            Event::Authorization(Workflow::ItemReleased { sealed_key, .. }) => {
                sealed = Some(sealed_key.0)
            }
            Event::Authorization(Workflow::HospitalApproved { release, .. }) => {
                commitment = Some(release)
            }
            _ => {}
        }
    }
    let named = keys::delivery::item_data(&application.0, 0);
    let package = keys::delivery::open(&item_key, &named, &sealed.unwrap(), &ciphertext).unwrap();
    assert!(
        commitment
            .unwrap()
            .opens(&package.salt, &[&package.content])
    );
    assert!(
        !String::from_utf8(package.content)
            .unwrap()
            .contains("Canary")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_record_leaves_nothing_behind_and_is_certified() {
    let (consortium, records) = with_records("a").await;
    assert_eq!(
        status(
            consortium
                .ask(&consortium.doctor, EraseRecord { record: records[0] })
                .await
        ),
        403
    );
    consortium
        .ask(&consortium.patient, EraseRecord { record: records[0] })
        .await
        .unwrap();
    consortium
        .wait_for_events(1, |event| {
            matches!(event, Event::Records(RecordEvent::ErasureCertified { .. }))
        })
        .await;
    assert_eq!(
        status(
            consortium
                .ask(
                    &consortium.patient,
                    view(&records[..1], Purpose::PatientRequest)
                )
                .await
        ),
        403
    );
    assert_eq!(
        status(
            consortium
                .ask(
                    &consortium.patient,
                    view(&records[1..], Purpose::PatientRequest)
                )
                .await
        ),
        200
    );
    let own = consortium
        .ask(&consortium.patient, ListOwnRecords::default())
        .await
        .unwrap();
    assert_eq!(own.entries.len(), 1);
    let sweep = consortium
        .ask(&consortium.north, SweepIntegrity {})
        .await
        .unwrap();
    assert_eq!((sweep.checked, sweep.tampered.len()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_match_is_undone_and_the_records_wait_under_new_numbers() {
    let (consortium, records) = with_records("b").await;
    consortium
        .ask(
            &consortium.north,
            UndoPatientMatch {
                patient_number: "MR-p1".into(),
            },
        )
        .await
        .unwrap();
    assert_eq!(
        status(
            consortium
                .ask(&consortium.patient, view(&records, Purpose::PatientRequest))
                .await
        ),
        403
    );
    let waiting = consortium
        .ask(&consortium.north, ListWaitingPatients {})
        .await
        .unwrap();
    assert_eq!(
        waiting,
        vec![WaitingPatient {
            patient_number: "MR-p1".into(),
            records: 2
        }]
    );
    consortium.enrol(IDENTITY_ID, &consortium.stranger);
    let report = import(&consortium, "1.00").await;
    assert_eq!(report.registered.len(), 2);
    assert!(
        report
            .registered
            .iter()
            .all(|registered| !records.contains(&registered.record))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_moment_of_an_import_loses_nothing_and_doubles_nothing() {
    for pause_ms in [5, 20, 40, 80, 150] {
        let mut consortium = start("a").await;
        consortium.enrol(IDENTITY_ID, &consortium.patient);
        let importing =
            tokio::time::timeout(Duration::from_millis(pause_ms), import(&consortium, "1.00"));
        let _ = importing.await;
        consortium.kill_service();
        consortium.start_service().await;
        import(&consortium, "1.00").await;
        consortium.wait_for_events(2, is_registered).await;
        consortium.wait_for_events(1, is_claim).await;
        let sweep = consortium
            .ask(&consortium.north, SweepIntegrity {})
            .await
            .unwrap();
        assert_eq!(
            (sweep.checked, sweep.tampered.len()),
            (2, 0),
            "killed after {pause_ms} ms"
        );
        assert_eq!(
            consortium
                .events()
                .iter()
                .filter(|event| is_registered(event))
                .count(),
            2
        );
        assert_eq!(
            consortium
                .events()
                .iter()
                .filter(|event| is_claim(event))
                .count(),
            1
        );
        let found = consortium
            .ask(&consortium.north, FindRecords::default())
            .await
            .unwrap();
        assert_eq!(found.entries.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_found_by_doctor_patient_date_class_and_disease() {
    let (consortium, records) = with_records("a").await;
    let find = |change: fn(&mut FindRecords)| {
        let mut request = FindRecords::default();
        change(&mut request);
        consortium.ask(&consortium.doctor, request)
    };
    let numbers = |page: interfaces::Page<RecordSummary>| {
        page.entries
            .iter()
            .filter_map(|entry| entry.record)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        numbers(find(|it| it.doctor = Some("D-7".into())).await.unwrap()),
        records[..1]
    );
    assert_eq!(
        numbers(find(|it| it.patient = Some("MR-p1".into())).await.unwrap()).len(),
        2
    );
    assert_eq!(
        numbers(find(|it| it.patient = Some("MR-p2".into())).await.unwrap()).len(),
        0
    );
    assert_eq!(
        numbers(
            find(|it| it.from = Some("2016-01-01".into()))
                .await
                .unwrap()
        ),
        records[1..]
    );
    assert_eq!(
        numbers(
            find(|it| it.until = Some("2016-01-01".into()))
                .await
                .unwrap()
        ),
        records[..1]
    );
    assert_eq!(
        numbers(find(|it| it.class = Some("EMER".into())).await.unwrap()),
        records[1..]
    );
    assert_eq!(
        numbers(
            find(|it| it.disease = Some("40055000".into()))
                .await
                .unwrap()
        ),
        records[..1]
    );
    assert_eq!(
        numbers(find(|it| it.disease = Some("J32.9".into())).await.unwrap()),
        records[..1]
    );
    let first = find(|it| it.page.limit = Some(1)).await.unwrap();
    assert_eq!(
        (numbers(first.clone()), first.next.is_some()),
        (records[1..].to_vec(), true)
    );
    let request = FindRecords {
        page: interfaces::PageRequest {
            after: first.next,
            limit: Some(1),
        },
        ..FindRecords::default()
    };
    let second = consortium.ask(&consortium.doctor, request).await.unwrap();
    assert_eq!(
        (numbers(second.clone()), second.next),
        (records[..1].to_vec(), None)
    );
    assert_eq!(
        status(find(|it| it.from = Some("yesterday".into())).await),
        400
    );
    assert_eq!(
        status(
            consortium
                .ask(&consortium.patient, FindRecords::default())
                .await
        ),
        403
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amendment_names_the_current_version_and_the_same_patient() {
    let (consortium, records) = with_records("b").await;
    let mine = consortium
        .ask(
            &consortium.patient,
            view(&records[..1], Purpose::PatientRequest),
        )
        .await
        .unwrap();
    let content = mine.records[0].content.clone().unwrap();
    let amend = |version, bundle: String| AmendRecord {
        record: records[0],
        version,
        bundle,
    };
    let changed = content.replace("1.00", "1.25");
    assert_eq!(
        status(
            consortium
                .ask(&consortium.doctor, amend(2, changed.clone()))
                .await
        ),
        409
    );
    assert_eq!(
        status(
            consortium
                .ask(&consortium.visitor, amend(1, changed.clone()))
                .await
        ),
        403
    );
    assert_eq!(
        status(
            consortium
                .ask(
                    &consortium.doctor,
                    amend(1, changed.replace("MR-p1", "MR-p2"))
                )
                .await
        ),
        400
    );
    let reply = consortium
        .ask(&consortium.doctor, amend(1, changed.clone()))
        .await
        .unwrap();
    assert!(matches!(reply, CommandReply::Committed(_)));
    let mine = consortium
        .ask(
            &consortium.patient,
            view(&records[..1], Purpose::PatientRequest),
        )
        .await
        .unwrap();
    assert_eq!(
        (mine.records[0].version, mine.records[0].content.as_deref()),
        (2, Some(changed.as_str()))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_bundles_are_refused_with_the_element_and_leave_nothing_half_done() {
    let consortium = start("a").await;
    consortium.enrol(IDENTITY_ID, &consortium.patient);
    let refused = consortium
        .ask(&consortium.north, ImportBundle { bundle: "{".into() })
        .await
        .unwrap_err();
    assert_eq!(
        (refused.status, refused.field.as_deref()),
        (400, Some("Bundle"))
    );
    let bundle = bundle_text("p1", "1.00").replace("129.16", "129.161");
    let report = consortium
        .ask(&consortium.north, ImportBundle { bundle })
        .await
        .unwrap();
    assert_eq!((report.registered.len(), report.refused.len()), (1, 1));
    assert!(report.refused[0].element.contains("claim-1"));
    let report = import(&consortium, "1.00").await;
    assert_eq!((report.registered.len(), report.unchanged.len()), (1, 1));
    let doctor = consortium
        .ask(
            &consortium.doctor,
            ImportBundle {
                bundle: bundle_text("p1", "1.00"),
            },
        )
        .await;
    assert_eq!(status(doctor), 403);
}
