//! Who sees what, and what is left behind.

use contracts::records::event::Event as RecordEvent;
use contracts::{Event, Purpose, RecordNumber};
use interfaces::records::*;

use crate::support::*;

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
    let opened = consortium.ask(&consortium.visitor, request).await.unwrap();
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
