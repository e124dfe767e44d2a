//! What a hospital's clerk does for it, and what not.

use contracts::{ApplicationId, ItemId, Purpose};
use interfaces::records::*;

use crate::bundles::bundle_text;
use crate::support::{affiliation, start, status, view, with_records};

#[tokio::test(flavor = "multi_thread")]
async fn a_clerk_imports_sees_who_waits_and_finds_by_number_without_what_a_record_is_about() {
    let consortium = start("a").await;
    let bundle = bundle_text("p1", "1.00");
    let asked = ImportBundle { bundle };
    let report = consortium.ask(&consortium.clerk, asked.clone()).await;
    assert_eq!(report.unwrap().waiting, 2);
    let refused = consortium.ask(&consortium.other_clerk, asked).await;
    assert_eq!(status(refused), 403);
    let waiting = consortium
        .ask(&consortium.clerk, ListWaitingPatients::default())
        .await;
    assert_eq!(waiting.unwrap().entries.len(), 1);
    let find = |change: fn(&mut FindRecords)| {
        let mut request = FindRecords::default();
        change(&mut request);
        consortium.ask(&consortium.clerk, request)
    };
    let found = find(|asked| asked.patient = Some("MR-p1".into())).await;
    let found = found.unwrap().entries;
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|entry| entry.title.is_empty()));
    let staff = consortium
        .ask(&consortium.north, FindRecords::default())
        .await;
    let staff = staff.unwrap().entries;
    assert!(staff.iter().all(|entry| !entry.title.is_empty()));
    let by_disease = find(|asked| asked.disease = Some("40055000".into())).await;
    assert_eq!(status(by_disease), 403);
    let checked = consortium.ask(&consortium.clerk, SweepIntegrity {}).await;
    assert_eq!(checked.unwrap().tampered.len(), 0);
}

/// Every use case that opens content, hands out a code, or decides who may do so, and the clerk of another hospital with all.
#[tokio::test(flavor = "multi_thread")]
async fn a_clerk_opens_nothing_and_lets_nobody_open_anything() {
    let (consortium, records) = with_records("a").await;
    let record = records[0];
    macro_rules! refused {
        ($who:ident: $($request:expr),+ $(,)?) => {
            $(
                let answer = consortium.ask(&consortium.$who, $request).await;
                let refused = status(answer);
                assert!(matches!(refused, 403 | 404), "{refused}: {}", stringify!($request));
            )+
        };
    }
    refused!(clerk:
        view(&records[..1], Purpose::Treatment),
        ListOwnRecords::default(),
        ListViews::default(),
        ListAnomalies::default(),
        ListEmergencies::default(),
        ShowCode { record },
        ChangeCode { record, uses: None, hours: None },
        WithdrawCode { record },
        affiliation(consortium.doctor.key.ledger_id()),
        UndoPatientMatch { patient_number: "MR-p1".into() },
        EraseRecord { record },
    );
    let item = ItemId {
        application: ApplicationId([0; 16]),
        index: 0,
    };
    refused!(other_clerk:
        FindRecords::default(),
        ListWaitingPatients::default(),
        SweepIntegrity {},
        WriteRecord { bundle: bundle_text("p2", "1.00") },
        AmendRecord { record, version: 1, bundle: bundle_text("p1", "2.00") },
        DecideItemAsHospital { item, refuse: None },
    );
}
