//! Ledger ids under which persons act for patients.

use contracts::membership::command::MemberKind;
use interfaces::Problem;
use interfaces::identity::*;
use ledger::LedgerId;

use crate::consortium::Consortium;
use crate::matching::matched;

/// A patient of the hospital North; their token and their ledger id there.
async fn patient(consortium: &Consortium) -> (String, LedgerId) {
    let north = consortium.hospital.ledger_id();
    let (_, token) = consortium.enrol(MemberKind::Patient, "P-1").await;
    let found = matched(consortium, &consortium.north, north, &token, "MR-1", "P-1").await;
    (token, found.patient)
}

fn asked(
    consortium: &Consortium,
    patient: LedgerId,
    patient_id: &str,
    name: &str,
) -> MakeGuardianId {
    MakeGuardianId {
        hospital: consortium.hospital.ledger_id(),
        patient,
        patient_id: patient_id.to_owned(),
        name: name.to_owned(),
    }
}

async fn ask(
    consortium: &Consortium,
    token: &str,
    request: MakeGuardianId,
) -> Result<GuardianId, Problem> {
    consortium
        .ask_by(&consortium.north, Some(token), request)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guardian_has_a_ledger_id_for_each_patient_that_is_made_once_and_in_no_token() {
    let consortium = Consortium::start().await;
    let (token, own) = patient(&consortium).await;
    let (guardian, guardians_token) = consortium.enrol(MemberKind::Patient, "P-2").await;
    let patient_id = guardian.patient_id.clone().expect("a patient ID");
    let request = || asked(&consortium, own, &patient_id, "canary  p-2");
    let first = ask(&consortium, &token, request()).await.unwrap();
    let again = ask(&consortium, &token, request()).await.unwrap();
    assert_eq!(first.guardian, again.guardian);
    assert_eq!(first.name, "Canary P-2");
    let member = consortium
        .ask(
            None,
            GetMember {
                member: first.guardian,
            },
        )
        .await;
    assert_eq!(
        member.unwrap().status,
        "pending",
        "nodes authorise before any use"
    );

    let account = consortium
        .ask(Some(&guardians_token), GetOwnAccount {})
        .await;
    let north = consortium.hospital.ledger_id();
    let context = format!("guardian:{north}:{own}");
    assert_eq!(account.unwrap().ledger_ids[&context], first.guardian);
    let token = consortium.sign_in("P-2").await.unwrap();
    let now = ledger::Timestamp(chassis::clock::now());
    let claims = keys::token::verify(&consortium.token_key, &token, now).unwrap();
    assert!(!claims.owns(&first.guardian));
    assert!(!guardian.ledger_ids.values().any(|id| *id == first.guardian));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_hospital_of_the_patient_asks_with_the_patients_token_for_somebody_enrolled() {
    let consortium = Consortium::start().await;
    let (token, own) = patient(&consortium).await;
    let (guardian, guardians_token) = consortium.enrol(MemberKind::Patient, "P-2").await;
    let pending = consortium
        .register(MemberKind::Patient, "P-3")
        .await
        .unwrap();
    let patient_id = guardian.patient_id.clone().expect("a patient ID");
    let request = || asked(&consortium, own, &patient_id, "Canary P-2");
    for process in [
        &consortium.south,
        &consortium.gateway,
        &consortium.authorization,
    ] {
        let refused = consortium.ask_by(process, Some(&token), request()).await;
        assert_eq!(refused.err().unwrap().status, 403);
    }
    let by_another = ask(&consortium, &guardians_token, request()).await;
    assert_eq!(by_another.err().unwrap().status, 403);

    let account = consortium
        .ask(Some(&token), GetOwnAccount {})
        .await
        .unwrap();
    let own_id = account.patient_id.expect("a patient ID");
    let pending_id = pending.patient_id.expect("a patient ID");
    let refused = [
        (patient_id.as_str(), "Canary P-1"),
        ("000-000-0000", "Canary P-2"),
        // Not endorsed: nobody yet.
        (pending_id.as_str(), "Canary P-3"),
    ];
    let mut told = Vec::new();
    for (patient_id, name) in refused {
        let refused = ask(
            &consortium,
            &token,
            asked(&consortium, own, patient_id, name),
        )
        .await;
        let refused = refused.err().unwrap();
        told.push((refused.status, refused.detail));
    }
    assert!(
        told.iter().all(|one| one.0 == 400 && *one == told[0]),
        "{told:?}"
    );
    let themselves = asked(&consortium, own, &own_id, "Canary P-1");
    assert_eq!(
        ask(&consortium, &token, themselves)
            .await
            .err()
            .unwrap()
            .status,
        400
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_who_could_be_a_guardian_is_stopped_after_ten() {
    let consortium = Consortium::start().await;
    let (token, own) = patient(&consortium).await;
    let mut statuses = Vec::new();
    for _ in 0..11 {
        let guess = asked(&consortium, own, "000-000-0000", "x");
        statuses.push(ask(&consortium, &token, guess).await.err().unwrap().status);
    }
    assert_eq!(statuses.pop(), Some(429));
    assert!(statuses.iter().all(|status| *status == 400), "{statuses:?}");
}
