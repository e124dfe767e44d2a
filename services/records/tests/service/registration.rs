//! Records come in: once, in versions, for patients who are enrolled or not yet.

use std::time::Duration;

use contracts::records::event::Event as RecordEvent;
use contracts::{Event, Purpose};
use interfaces::CommandReply;
use interfaces::records::*;
use store::testing::TestDatabase;

use crate::bundles::bundle_text;
use crate::consortium::Consortium;
use crate::support::*;

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
        .ask(&consortium.north, ListWaitingPatients::default())
        .await
        .unwrap();
    assert_eq!(
        waiting.entries,
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
            .ask(&consortium.north, ListWaitingPatients::default())
            .await
            .unwrap()
            .entries,
        vec![]
    );
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
        .ask(&consortium.north, ListWaitingPatients::default())
        .await
        .unwrap();
    assert_eq!(
        waiting.entries,
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
