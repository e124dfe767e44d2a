//! Guardians who were, of others, and beyond what they were given.

use ledger::LedgerId;
use serde_json::{Value, json};

use crate::{attacked, name_guardian, patient_at, problem, visible};

/// What a guardian may ask of a patient's records.
async fn answers(
    member: &client::Member,
    hospital: LedgerId,
    patient: &str,
    record: &str,
) -> Vec<u16> {
    let base = format!("/v1/hospitals/{hospital}/records");
    let view = json!({ "records": [record], "purpose": "PatientRequest" });
    let asked: [Result<Value, _>; 4] = [
        member
            .get(&format!("{base}/own?acting_for={patient}"))
            .await,
        member
            .get(&format!("{base}/views/own?acting_for={patient}"))
            .await,
        member.post(&format!("{base}/views"), &view).await,
        member.get(&format!("/v1/items?acting_for={patient}")).await,
    ];
    let status = |answer: Result<Value, client::ClientError>| match answer {
        Ok(_) => 200,
        Err(error) => error.problem().map_or(0, |problem| problem.status),
    };
    asked.map(status).to_vec()
}

/// Fault: a delegation is looked at when it is given and not when it is used; or for somebody, and not for this patient; or
/// without its scope; or a guardian hands on what they were given.
#[tokio::test(flavor = "multi_thread")]
async fn an_attack_by_a_former_guardian_a_guardian_of_another_and_one_beyond_the_scope() {
    let system = attacked();
    let hospital = system.hospital("hillcrest");
    let (first, patient, record) = patient_at(&system, "hillcrest", 0).await;
    let (second, other, _) = patient_at(&system, "hillcrest", first + 1).await;
    let third = (0..e2e::story::PATIENTS).find(|number| ![first, second].contains(number));
    let guardian = system.patient(third.expect("a third patient")).await;

    // Of another patient: nothing of this one's is theirs.
    let (others_id, _) = name_guardian(&system, &other, &guardian, hospital, "ReadAndDecide").await;
    let me: Value = patient.member.get("/v1/me").await.expect("the patient");
    let own = me["ledger_ids"][format!("hospital:{hospital}")].as_str();
    let own = own.expect("an id").to_owned();
    let refused = vec![403; 4];
    assert_eq!(
        answers(&guardian.member, hospital, &own, &record).await,
        refused
    );

    // Beyond the scope: a guardian who decides reads nothing, one who reads decides nothing.
    name_guardian(&system, &patient, &guardian, hospital, "Decide").await;
    let decides = answers(&guardian.member, hospital, &own, &record).await;
    assert_eq!(decides, [403, 403, 403, 200]);
    let (_, guardian_id) = name_guardian(&system, &patient, &guardian, hospital, "Read").await;
    let reads = answers(&guardian.member, hospital, &own, &record).await;
    assert_eq!(reads, [200, 200, 200, 403]);
    let base = format!("/v1/hospitals/{hospital}");
    for (what, answer) in [
        (
            "a guardian's look at the code",
            guardian
                .member
                .get::<Value>(&format!("{base}/records/{record}/code"))
                .await,
        ),
        (
            "a guardian's emergency",
            guardian
                .member
                .post(
                    &format!("{base}/emergencies"),
                    &json!({ "patient": own, "reason": "x" }),
                )
                .await,
        ),
    ] {
        assert!(matches!(problem(what, answer).status, 403 | 404));
    }
    // Not handed on: whoever the guardian names acts for the guardian.
    let request = json!({
        "patient_id": other.patient_id, "name": other.name, "scope": "Read", "days": 30,
    });
    let _ = guardian
        .member
        .command(&format!("{base}/delegations"), &request)
        .await;
    assert_eq!(
        answers(&other.member, hospital, &own, &record).await,
        refused
    );
    // A stranger ends nothing.
    let end = format!("{base}/delegations/end");
    let delegation = json!({ "patient": own, "guardian": guardian_id });
    let ended = other.member.commit(&end, &delegation).await;
    assert_eq!(problem("a stranger's end", ended).status, 403);

    // What the guardian saw is in the patient's log, with the name.
    let log: Value = patient
        .member
        .get(&format!("{base}/records/views/own"))
        .await
        .expect("the log");
    let traced = log["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .any(|view| {
            view["basis"] == "delegation"
                && view["viewer"] == guardian_id
                && view["viewer_name"] == guardian.name
        });
    assert!(traced, "{log}");

    // A former guardian, whose session is still open.
    let ended = patient.member.commit(&end, &delegation).await;
    ended.expect("the patient ends it");
    assert_eq!(
        answers(&guardian.member, hospital, &own, &record).await,
        refused
    );
    let held: Value = guardian
        .member
        .get(&format!("{base}/delegations"))
        .await
        .expect("what the guardian holds");
    let held = held["held"].as_array().expect("a list");
    assert!(held.iter().all(|held| held["patient"] != own), "{held:?}");
    assert!(held.iter().any(|held| held["patient"] == others_id));

    // Who somebody is cannot be found out by naming: a wrong name is answered as a wrong ID is. (Tries are counted, too:
    // the tests of identity.)
    let wrong = async |patient_id: &str, name: &str| {
        let request =
            json!({ "patient_id": patient_id, "name": name, "scope": "Read", "days": 30 });
        let path = format!("{base}/delegations");
        problem("a guess", other.member.commit(&path, &request).await)
    };
    let wrong_name = wrong(&guardian.patient_id, "Somebody Else").await;
    let wrong_id = wrong("000-000-0000", &guardian.name).await;
    assert_eq!(visible(&wrong_name), visible(&wrong_id));
}
