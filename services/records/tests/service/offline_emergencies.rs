//! Emergencies while the ledger cannot be reached.

use std::time::Duration;

use contracts::records::command::Basis;
use contracts::records::event::Event as RecordEvent;
use contracts::{Event, RecordNumber};
use interfaces::Problem;
use interfaces::records::*;

use crate::consortium::Consortium;
use crate::support::*;

fn emergency(consortium: &Consortium, records: &[RecordNumber]) -> ViewInOfflineEmergency {
    ViewInOfflineEmergency {
        patient: consortium.patient.key.ledger_id(),
        records: records.to_vec(),
        reason: "unconscious".into(),
    }
}

fn is_answered_by_the_ledger<T>(answer: &Result<T, Problem>) -> bool {
    matches!(answer, Err(problem) if problem.kind.ends_with("ledger-answers"))
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_ledger_answers_no_emergency_goes_round_it() {
    let (consortium, records) = with_records("a").await;
    let answer = consortium
        .ask(&consortium.doctor, emergency(&consortium, &records))
        .await;
    assert!(is_answered_by_the_ledger(&answer));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emergency_without_the_ledger_is_journaled_shown_and_told_once_the_ledger_is_back() {
    let (mut consortium, mut records) = with_records("a").await;
    // The journal has them in this order.
    records.sort_unstable();
    consortium
        .submit(&consortium.south, south_affiliation(&consortium))
        .await;
    consortium.ordering.set_deaf(true);
    consortium.kill_service();
    consortium.ledger_silent_seconds = 1;
    consortium.start_service().await;
    let viewed = loop {
        let answer = consortium
            .ask(&consortium.visitor, emergency(&consortium, &records))
            .await;
        if !is_answered_by_the_ledger(&answer) {
            break answer.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(viewed.records.len(), 2);
    let shown = &viewed.records[0];
    assert_eq!(shown.integrity, Integrity::Verified);
    assert!(shown.content.as_ref().unwrap().contains("Canary"));
    let refused = [
        &consortium.stranger,
        &consortium.patient,
        &consortium.institute,
        &consortium.north,
    ];
    for who in refused {
        let asked = emergency(&consortium, &records);
        assert_eq!(status(consortium.ask(who, asked).await), 403);
    }
    let mut of_another = emergency(&consortium, &records);
    of_another.patient = consortium.stranger.key.ledger_id();
    assert_eq!(
        status(consortium.ask(&consortium.visitor, of_another).await),
        403
    );

    let own = ListOfflineEmergencies {
        emergency: Some(viewed.emergency),
        ..Default::default()
    };
    let journaled = consortium
        .ask(&consortium.visitor, own.clone())
        .await
        .unwrap();
    let entry = &journaled.entries[0];
    assert_eq!(entry.records, records);
    assert_eq!(entry.reason, "unconscious");
    assert_eq!(entry.journaled, viewed.journaled);
    assert_eq!((entry.transaction, entry.justified), (None, None));
    // Another doctor has no entry; whoever is neither doctor, hospital nor regulator asks in vain.
    let of_another = consortium.ask(&consortium.doctor, own.clone()).await;
    assert!(of_another.unwrap().entries.is_empty());
    for who in [&consortium.patient, &consortium.institute] {
        assert_eq!(status(consortium.ask(who, own.clone()).await), 403);
    }

    // What was journaled outlives the process, and is told once.
    consortium.kill_service();
    consortium.ordering.set_deaf(false);
    consortium.start_service().await;
    let is_told = |event: &Event| {
        matches!(event, Event::Records(RecordEvent::AccessLogged { viewer, basis: Basis::OfflineEmergency { emergency, .. }, records: told, .. })
            if *viewer == consortium.visitor.key.ledger_id() && *emergency == viewed.emergency && told.len() == 2)
    };
    consortium.wait_for_events(1, is_told).await;
    let views = consortium
        .ask(&consortium.patient, ListViewsOfOwnRecords::default())
        .await
        .unwrap();
    let trace = &views.entries[0];
    assert_eq!(trace.basis, "offline_emergency");
    assert_eq!(trace.time, viewed.journaled);
    assert_eq!(
        trace.viewer_name.as_deref(),
        Some("name of visitor: unconscious")
    );
    let told = consortium.ask(&consortium.visitor, own).await.unwrap();
    assert_eq!(told.entries[0].transaction, Some(trace.transaction));
    let emergencies = consortium
        .ask(&consortium.north, ListEmergencies::default())
        .await
        .unwrap();
    let emergency = &emergencies.entries[0];
    assert!(emergency.without_ledger);
    assert_eq!(emergency.until, viewed.journaled);
    assert_eq!(emergency.justified, None);
}
