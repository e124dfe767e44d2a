//! What was changed behind the system's back is found.

use std::time::Duration;

use contracts::records::command::TamperingKind;
use contracts::records::event::Event as RecordEvent;
use contracts::{Event, Purpose, RecordNumber};
use interfaces::records::*;

use crate::consortium::Consortium;
use crate::support::*;

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

/// What was reported of a record, once there is anything.
async fn reported(consortium: &Consortium, record: RecordNumber) -> Vec<TamperingKind> {
    loop {
        let of_it = |event| match event {
            Event::Records(RecordEvent::TamperingReported {
                record: reported,
                kind,
                ..
            }) if reported == record => Some(kind),
            _ => None,
        };
        let kinds: Vec<_> = consortium.events().into_iter().filter_map(of_it).collect();
        if !kinds.is_empty() {
            return kinds;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_reads_is_found_on_schedule_and_amending_and_erasing_are_no_tampering() {
    let (mut consortium, records) = with_records("a").await;
    consortium.kill_service();
    consortium.sweep_seconds = 1;
    consortium.start_service().await;
    // The owner's own changes, while sweeps go on.
    import(&consortium, "2.00").await;
    let erase = EraseRecord { record: records[1] };
    consortium.ask(&consortium.patient, erase).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let is_report =
        |event: &Event| matches!(event, Event::Records(RecordEvent::TamperingReported { .. }));
    assert!(!consortium.events().iter().any(is_report));

    edit(
        &consortium,
        "UPDATE resource SET body = replace(body, '2.00', '9.00')",
    )
    .await;
    assert_eq!(
        reported(&consortium, records[0]).await,
        [TamperingKind::Edited]
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        reported(&consortium, records[0]).await,
        [TamperingKind::Edited],
        "once"
    );
}
