//! What was changed behind the system's back is found.

use contracts::records::command::TamperingKind;
use contracts::records::event::Event as RecordEvent;
use contracts::{Event, Purpose};
use interfaces::records::*;

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
