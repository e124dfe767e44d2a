//! Authorization codes.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use client::{ClientError, Member};
use contracts::RecordNumber;
use contracts::records::command::{Code, CodeHolder, Command};
use e2e::attacked::Attacked;
use interfaces::identity::Session;
use keys::AuthorizationCode;
use serde_json::{Value, json};

use crate::records::submit;
use crate::{attacked, patient_at, problem, visible};

/// Seldom enough that nobody is turned down for the rate.
const TRIED_EVERY: Duration = Duration::from_secs(1);

async fn code_of(system: &Attacked, member: &Member, record: &str) -> Value {
    let path = code_path(system, record);
    member.get(&path).await.expect("the patient's own code")
}

fn code_path(system: &Attacked, record: &str) -> String {
    format!(
        "/v1/hospitals/{}/records/{record}/code",
        system.hospital("lakeside")
    )
}

/// A new code for the record, with so many uses.
async fn fresh(system: &Attacked, member: &Member, record: &str, uses: Option<u32>) -> String {
    let changed: Value = member
        .post(&code_path(system, record), &json!({ "uses": uses }))
        .await
        .expect("the patient changes the code");
    changed["code"].as_str().expect("a code").to_owned()
}

async fn redeem(who: &Member, code: &str, patient_id: &str) -> Result<Value, ClientError> {
    let shown = json!({ "code": code, "patient_id": patient_id, "purpose": "Treatment" });
    who.post("/v1/codes/redeem", &shown).await
}

/// Waits until a code that is right opens the record: index and projection have to hear of a change.
async fn opens(who: &Member, code: &str, patient_id: &str) {
    e2e::attacked::eventually("the code opens the record", async || {
        redeem(who, code, patient_id).await.ok()
    })
    .await;
}

/// Fault: an answer tells a wrong code from a right one with a wrong patient ID, or from one shown by the wrong organisation.
#[tokio::test(flavor = "multi_thread")]
async fn attack_26_a_stolen_code_with_a_wrong_patient_or_by_a_wrong_organisation() {
    let system = attacked();
    let (number, patient, record) = patient_at(&system, "lakeside", 0).await;
    let (_, other, _) = patient_at(&system, "lakeside", number + 1).await;
    let thief = system.doctor("hillcrest").await.member;
    let code = fresh(&system, &patient.member, &record, None).await;
    opens(&thief, &code, &patient.patient_id).await;

    let unknown = AuthorizationCode::random().expose_text().to_string();
    let refusals = [
        problem(
            "a code nobody has",
            redeem(&thief, &unknown, &patient.patient_id).await,
        ),
        problem(
            "another patient's ID",
            redeem(&thief, &code, &other.patient_id).await,
        ),
        problem(
            "an ID nobody has",
            redeem(&thief, &code, "0000-0000-0000").await,
        ),
    ];
    for refusal in &refusals {
        assert_eq!(visible(refusal), visible(&refusals[0]));
        assert_eq!(refusal.status, 403);
    }
    // The hospital's code is for doctors of other hospitals: with the right ID it tells nobody else that it is right.
    let lakeside = system.organisation("lakeside", "member.json").await;
    let hospitals = code_of(&system, &lakeside, &record).await;
    let hospitals = hospitals["code"].as_str().expect("the hospital's code");
    opens(&thief, hospitals, &patient.patient_id).await;
    for slug in ["institute", "mutual", "hillcrest"] {
        let organisation = system.organisation(slug, "member.json").await;
        let with_right_id = redeem(&organisation, hospitals, &patient.patient_id).await;
        let with_right_id = problem(slug, with_right_id);
        assert_eq!(visible(&with_right_id), visible(&refusals[0]), "{slug}");
    }
    // A patient may not redeem at all, and is told nothing about the code.
    let by_patient = [
        problem(
            "by a patient",
            redeem(&other.member, &code, &patient.patient_id).await,
        ),
        problem(
            "by a patient, unknown",
            redeem(&other.member, &unknown, &patient.patient_id).await,
        ),
    ];
    assert_eq!(visible(&by_patient[0]), visible(&by_patient[1]));
    // The patient is told that somebody tried.
    let shown = code_of(&system, &patient.member, &record).await;
    assert_eq!(shown["wrong_patient_ids"], 2);
}

/// Fault: patient IDs can be tried without limit by whoever has a code; or guesses of codes ever hit.
#[tokio::test(flavor = "multi_thread")]
async fn attack_27_thousands_of_guesses_from_many_addresses() {
    let system = attacked();
    let (_, patient, record) = patient_at(&system, "lakeside", 0).await;
    let thief = system.doctor("hillcrest").await.member;
    let code = fresh(&system, &patient.member, &record, None).await;
    opens(&thief, &code, &patient.patient_id).await;

    // With the code in hand: ten patient IDs, then the right one opens nothing either.
    for number in 0..10 {
        let guess = format!("{number:04}-0000-0000");
        assert_eq!(
            problem("a guess", redeem(&thief, &code, &guess).await).status,
            403
        );
    }
    let locked = problem(
        "the right ID",
        redeem(&thief, &code, &patient.patient_id).await,
    );
    assert_eq!(locked.status, 403);
    // Its holder changes it, and nobody is locked out for good.
    let changed = fresh(&system, &patient.member, &record, None).await;
    opens(&thief, &changed, &patient.patient_id).await;

    // Without one: guesses from two hundred addresses, each signed in as the same doctor.
    let base = format!("https://{}", system.address("gateway", "rest"));
    let session: Session = sign_in(&system).await;
    let (mut tried, mut hits, mut limited) = (0, 0, 0);
    for source in 1..=200_u8 {
        let http = guesser(&system, source);
        for _ in 0..50 {
            let guess = AuthorizationCode::random().expose_text().to_string();
            let body =
                json!({ "code": guess, "patient_id": patient.patient_id, "purpose": "Treatment" });
            let answer = http
                .post(format!("{base}/v1/codes/redeem"))
                .bearer_auth(&session.token)
                .json(&body)
                .send()
                .await
                .expect("an answer");
            tried += 1;
            match answer.status().as_u16() {
                200 => hits += 1,
                403 => {}
                429 => limited += 1,
                other => panic!("a guess was answered with {other}"),
            }
        }
    }
    assert_eq!((tried, hits), (10_000, 0));
    println!("10,000 guesses from 200 addresses: no hit, {limited} turned down for their rate");
}

async fn sign_in(system: &Attacked) -> Session {
    let request = system.credentials("doctor-hillcrest");
    system
        .client
        .post("/v1/sessions", &request)
        .await
        .expect("a session")
}

/// A client that comes from 127.0.1.`source`.
pub(crate) fn guesser(system: &Attacked, source: u8) -> reqwest::Client {
    let tls = system.identity("organisations/authority/tls.pem");
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls.client_config().unwrap())
        .local_address(IpAddr::V4(Ipv4Addr::new(127, 0, 1, source)))
        .build()
        .unwrap()
}

/// Fault: uses are counted by the service and not by the contract, or an old code's key stays on the ledger.
#[tokio::test(flavor = "multi_thread")]
async fn attack_28_a_code_is_used_again_after_its_use_its_change_and_twice_at_once() {
    let system = attacked();
    let (_, patient, record) = patient_at(&system, "lakeside", 0).await;
    let doctor = system.doctor("hillcrest").await.member;
    let once = fresh(&system, &patient.member, &record, Some(1)).await;
    let id = patient.patient_id.as_str();
    // Until index and projection know the code, nobody can use it; then eight try at once.
    let mut opened = 0;
    while opened == 0 {
        let tries = (0..8).map(|_| redeem(&doctor, &once, id));
        let answers = futures::future::join_all(tries).await;
        opened = answers.iter().filter(|answer| answer.is_ok()).count();
    }
    assert_eq!(
        opened, 1,
        "a code for one use opened the record {opened} times"
    );
    assert_eq!(
        problem("used up", redeem(&doctor, &once, id).await).status,
        403
    );

    let old = fresh(&system, &patient.member, &record, None).await;
    opens(&doctor, &old, id).await;
    let new = fresh(&system, &patient.member, &record, None).await;
    assert_eq!(
        problem("the old code", redeem(&doctor, &old, id).await).status,
        403
    );
    opens(&doctor, &new, id).await;

    let path = code_path(&system, &record);
    let _: Value = patient
        .member
        .delete(&path)
        .await
        .expect("the code is withdrawn");
    let withdrawn = problem("the withdrawn code", redeem(&doctor, &new, id).await);
    assert_eq!(withdrawn.status, 403);
    fresh(&system, &patient.member, &record, None).await;
}

/// Fault: a code's end is looked at when it is set, or by nobody.
#[tokio::test(flavor = "multi_thread")]
async fn attack_28_a_code_is_used_after_its_end() {
    let system = attacked();
    let (_, patient, record) = patient_at(&system, "lakeside", 2).await;
    let thief = system.doctor("hillcrest").await.member;
    let lakeside = system.key("lakeside", "member.json");
    let path = format!(
        "/v1/hospitals/{}/records/redemptions",
        system.hospital("lakeside")
    );
    // The hospital's own key sets ends that no page offers; one too soon to be seen in time is set anew, later.
    let mut seconds = 10;
    let ended = loop {
        let code = AuthorizationCode::random();
        let number: RecordNumber = record.parse().expect("a record number");
        let until = chassis::clock::now() + seconds * 1_000_000;
        let command = Command::SetCode {
            record: number,
            holder: CodeHolder::Hospital,
            code: Code {
                key: code.key(&number.0).public_key(),
                uses: u32::MAX,
                until: ledger::Timestamp(until),
            },
        };
        let (_, rejection) = submit(&system, &lakeside, command).await;
        assert_eq!(rejection, None);
        let code = code.expose_text().to_string();
        let shown = json!({ "record": record, "code": code, "patient_id": patient.patient_id,
            "purpose": "Treatment" });
        let mut opened = false;
        while chassis::clock::now() < until {
            opened |= thief.post::<_, Value>(&path, &shown).await.is_ok();
            tokio::time::sleep(TRIED_EVERY).await;
        }
        if opened {
            break shown;
        }
        seconds *= 2;
    };
    let after = problem("an old code", thief.post::<_, Value>(&path, &ended).await);
    let mut unknown = ended;
    unknown["code"] = AuthorizationCode::random().expose_text().to_string().into();
    let never = problem("no code", thief.post::<_, Value>(&path, &unknown).await);
    assert_eq!((after.status, visible(&after)), (403, visible(&never)));
    let hospital = system.organisation("lakeside", "member.json").await;
    fresh(&system, &hospital, &record, None).await;
}
