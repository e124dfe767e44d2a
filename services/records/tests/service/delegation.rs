//! Guardians: what they see, that it is traced as theirs, and that it ends.

use contracts::Purpose;
use contracts::records::command::DelegationScope;
use interfaces::records::*;

use crate::consortium::Consortium;
use crate::support::*;

fn named(scope: DelegationScope) -> NameGuardian {
    NameGuardian {
        patient_id: "GUARDIAN".into(),
        name: "the guardian".into(),
        scope,
        days: 30,
    }
}

fn own_records_of(consortium: &Consortium) -> ListOwnRecords {
    ListOwnRecords {
        acting_for: Some(consortium.patient.key.ledger_id()),
        ..ListOwnRecords::default()
    }
}

fn views_of(consortium: &Consortium) -> ListViewsOfOwnRecords {
    ListViewsOfOwnRecords {
        acting_for: Some(consortium.patient.key.ledger_id()),
        ..ListViewsOfOwnRecords::default()
    }
}

/// What the guardian is answered who asks for the list, the log and the content.
async fn answers(consortium: &Consortium, records: &[contracts::RecordNumber]) -> [u16; 3] {
    let guardian = &consortium.guardian;
    let asked = view(records, Purpose::PatientRequest);
    [
        status(consortium.ask(guardian, own_records_of(consortium)).await),
        status(consortium.ask(guardian, views_of(consortium)).await),
        status(consortium.ask(guardian, asked).await),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guardian_reads_what_the_patient_reads_traced_by_name_until_the_delegation_ends() {
    let (consortium, records) = with_records("a").await;
    let (patient, guardian) = (&consortium.patient, &consortium.guardian);
    assert_eq!(answers(&consortium, &records).await, [403; 3]);
    let committed = consortium.ask(patient, named(DelegationScope::Read)).await;
    committed.unwrap();

    let list = consortium.ask(guardian, own_records_of(&consortium)).await;
    let own = consortium.ask(patient, ListOwnRecords::default()).await;
    assert_eq!(list.unwrap().entries, own.unwrap().entries);
    let asked = view(&records, Purpose::PatientRequest);
    let viewed = consortium.ask(guardian, asked.clone()).await.unwrap();
    assert!(viewed.records.iter().all(|one| one.content.is_some()));
    // Asked for again by its transaction, it does not leave: the delegation may have ended since.
    let collected = CollectView {
        transaction: viewed.committed.transaction,
    };
    assert_eq!(status(consortium.ask(guardian, collected).await), 403);

    let log = consortium
        .ask(patient, ListViewsOfOwnRecords::default())
        .await
        .unwrap();
    let trace = &log.entries[0];
    assert_eq!(trace.basis, "delegation");
    assert_eq!(trace.viewer, guardian.key.ledger_id());
    assert_eq!(trace.viewer_name.as_deref(), Some("name of guardian"));
    // The guardian reads the same log; names in it are sealed to the patient.
    let read = consortium.ask(guardian, views_of(&consortium)).await;
    let read = read.unwrap();
    assert_eq!(read.entries.len(), log.entries.len());
    assert!(read.entries.iter().all(|view| view.viewer_name.is_none()));

    let given = consortium.ask(patient, ListDelegations {}).await.unwrap();
    let held = consortium.ask(guardian, ListDelegations {}).await.unwrap();
    assert_eq!((given.held.len(), held.given.len()), (0, 0));
    assert_eq!(given.given[0].name.as_deref(), Some("the guardian"));
    assert_eq!(held.held[0].name.as_deref(), Some("name of patient"));
    assert_eq!(given.given[0].state, "holds");

    let end = EndDelegation {
        patient: patient.key.ledger_id(),
        guardian: guardian.key.ledger_id(),
    };
    assert_eq!(
        status(consortium.ask(&consortium.stranger, end.clone()).await),
        403
    );
    consortium.ask(patient, end).await.unwrap();
    assert_eq!(answers(&consortium, &records).await, [403; 3]);
    let given = consortium.ask(patient, ListDelegations {}).await.unwrap();
    let held = consortium.ask(guardian, ListDelegations {}).await.unwrap();
    assert_eq!(given.given[0].state, "ended");
    assert!(held.held.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guardian_reads_nothing_beyond_the_scope_and_nothing_of_other_patients() {
    let (consortium, records) = with_records("a").await;
    let (patient, guardian) = (&consortium.patient, &consortium.guardian);
    let decide = named(DelegationScope::Decide);
    consortium.ask(patient, decide).await.unwrap();
    assert_eq!(answers(&consortium, &records).await, [403; 3]);

    let both = named(DelegationScope::ReadAndDecide);
    consortium.ask(patient, both).await.unwrap();
    assert_eq!(answers(&consortium, &records).await, [200; 3]);
    let another = ListOwnRecords {
        acting_for: Some(consortium.stranger.key.ledger_id()),
        ..ListOwnRecords::default()
    };
    assert_eq!(status(consortium.ask(guardian, another).await), 403);
    // What is the patient's alone stays so: code, consent, erasure.
    let record = records[0];
    assert_eq!(
        status(consortium.ask(guardian, ShowCode { record }).await),
        403
    );
    assert_eq!(
        status(consortium.ask(guardian, EraseRecord { record }).await),
        403
    );
    assert_eq!(status(consortium.ask(guardian, GetConsent {}).await), 403);
    // Nor is somebody a guardian because they say so.
    let doctor = consortium.ask(&consortium.doctor, own_records_of(&consortium));
    assert_eq!(status(doctor.await), 403);
    // The guardian gives it back.
    let end = EndDelegation {
        patient: patient.key.ledger_id(),
        guardian: guardian.key.ledger_id(),
    };
    consortium.ask(guardian, end).await.unwrap();
    assert_eq!(answers(&consortium, &records).await, [403; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guardian_is_named_for_some_days_and_only_if_enrolled() {
    let (consortium, _) = with_records("a").await;
    for change in [
        |asked: &mut NameGuardian| asked.days = 0,
        |asked: &mut NameGuardian| asked.days = 100_000,
        |asked: &mut NameGuardian| asked.patient_id = "NOBODY".into(),
    ] {
        let mut asked = named(DelegationScope::Read);
        change(&mut asked);
        assert_eq!(
            status(consortium.ask(&consortium.patient, asked).await),
            400
        );
    }
    let by_doctor = consortium.ask(&consortium.doctor, named(DelegationScope::Read));
    assert_eq!(status(by_doctor.await), 403);
}
