//! REST over a real broker: requests reach the right service with the caller's session, and bad ones are told why.

use crate::support::{NORTH, Running, SOUTH, hospital_key};
use bus::{Bus, Call, Router};
use contracts::RecordNumber;
use contracts::membership::command::MemberKind;
use interfaces::identity::{
    GetMember, GetOwnAccount, ListMembers, MemberSummary, OwnAccount, Session, SignIn,
};
use interfaces::index::{LocateCode, LocatedCode};
use interfaces::records::{
    ImportBundle, ImportReport, ListOwnRecords, RecordSummary, RedeemCode, RedeemReply,
};
use interfaces::settlement::{Balance, GetBalances};
use interfaces::{Base64, Committed, Page, Problem, SubmitSignature};
use ledger::{Digest, LedgerId, Receipt};
use serde_json::{Value, json};

fn member(hospital: LedgerId) -> MemberSummary {
    MemberSummary {
        member: hospital,
        kind: MemberKind::Hospital,
        status: "active".into(),
        name: Some("Hospital".into()),
        public_key: hospital_key(hospital),
        sealing_key: Base64(vec![0; 32]),
        endorsements: 3,
        endorsed_by_me: false,
    }
}

/// Whoever shows the token `session` is the patient of these tests.
fn signed_in(call: &Call) -> Result<(), Problem> {
    match call.authorization.as_deref() {
        Some("session") => Ok(()),
        _ => Err(Problem::unauthenticated("not signed in")),
    }
}

async fn serve_identity(running: &Running) {
    let bus = running.broker.connect("identity").await;
    let router = Router::new(&bus)
        .on::<GetMember, _, _>(|_, asked: GetMember| async move {
            match asked.member {
                NORTH | SOUTH => Ok(member(asked.member)),
                _ => Err(Problem::not_found("no such member")),
            }
        })
        .on::<ListMembers, _, _>(|_, _| async {
            Ok(Page {
                entries: vec![member(NORTH), member(SOUTH)],
                next: None,
            })
        })
        .on::<SignIn, _, _>(|_, asked: SignIn| async move {
            match asked.password == "correct horse battery" {
                true => Ok(Session {
                    token: "session".into(),
                    expires: "2030-01-01T00:00:00Z".into(),
                    device: None,
                }),
                false => Err(Problem::unauthenticated("wrong login or password")),
            }
        })
        .on::<GetOwnAccount, _, _>(|call: Call, _| async move {
            signed_in(&call)?;
            let context = |hospital: LedgerId| (format!("hospital:{hospital}"), LedgerId([9; 16]));
            Ok(OwnAccount {
                account: "account".into(),
                kind: MemberKind::Patient,
                patient_id: None,
                ledger_ids: [
                    context(NORTH),
                    context(SOUTH),
                    ("insurance".into(), LedgerId([8; 16])),
                ]
                .into(),
            })
        });
    start(&bus, router);
}

fn start(bus: &Bus, router: Router) {
    let bus = bus.clone();
    tokio::spawn(async move {
        router
            .serve(chassis::Shutdown::detached("test"))
            .await
            .unwrap();
        drop(bus);
    });
}

fn record(hospital: LedgerId, number: u8, start: &str) -> RecordSummary {
    RecordSummary {
        record: Some(RecordNumber([number; 16])),
        version: 1,
        hospital,
        patient: Some(LedgerId([9; 16])),
        patient_number: None,
        doctor: None,
        start: start.into(),
        class: "AMB".into(),
        title: "Check-up".into(),
        transaction: None,
    }
}

/// The records service of a hospital; two pages of own records, and one code that opens.
async fn serve_records(running: &Running, name: &'static str, hospital: LedgerId, years: [u16; 2]) {
    let bus = running.broker.connect(name).await;
    let router = Router::new(&bus)
        .on::<ListOwnRecords, _, _>(move |call: Call, asked: ListOwnRecords| async move {
            signed_in(&call)?;
            let second = asked.page.after.is_some();
            let year = years[usize::from(second)];
            let entries = vec![record(
                hospital,
                year as u8,
                &format!("{year}-05-01T08:00:00Z"),
            )];
            Ok(Page {
                entries,
                next: (!second).then(|| "more".to_owned()),
            })
        })
        .on::<ImportBundle, _, _>(|call: Call, asked: ImportBundle| async move {
            signed_in(&call)?;
            let waiting = u32::try_from(asked.bundle.len()).unwrap();
            Ok(ImportReport {
                waiting,
                ..ImportReport::default()
            })
        })
        .on::<SubmitSignature, _, _>(|call: Call, asked: SubmitSignature| async move {
            signed_in(&call)?;
            Ok(Committed {
                transaction: asked.transaction,
                height: 7,
                receipt: asked.signature,
            })
        })
        .on::<RedeemCode, _, _>(|_, asked: RedeemCode| async move {
            match asked.patient_id == "right" {
                true => {
                    Err::<RedeemReply, _>(Problem::conflict("opened, as far as this test goes"))
                }
                false => Err(Problem::forbidden("the patient ID is wrong")),
            }
        });
    start(&bus, router);
}

async fn problem(response: reqwest::Response, status: u16) -> Value {
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    assert_eq!(response.status(), status);
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["status"], status);
    assert!(
        problem["type"]
            .as_str()
            .unwrap()
            .starts_with("urn:medshare:problem:"),
        "{problem}"
    );
    problem
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_reaches_its_service_with_the_callers_session() {
    let running = Running::start(json!({})).await;
    serve_identity(&running).await;
    let body = json!({ "login": "jane", "password": "correct horse battery" });
    let session: Value = running
        .post("/v1/sessions", body)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(session["token"], "session");
    let wrong = json!({ "login": "jane", "password": "wrong" });
    problem(running.post("/v1/sessions", wrong).await, 401).await;

    let response = running
        .http
        .get(running.url("/v1/me"))
        .bearer_auth("session")
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let account: Value = response.json().await.unwrap();
    assert_eq!(account["kind"], "Patient");
    let response = running.get("/v1/me").await;
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    problem(response, 401).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_trace_goes_on_and_its_id_comes_back() {
    let running = Running::start(json!({})).await;
    let id = "0af7651916cd43dd8448eb211c80319c";
    let request = running
        .http
        .get(running.url("/v1/genesis"))
        .header("traceparent", format!("00-{id}-b7ad6b7169203331-01"));
    assert_eq!(request.send().await.unwrap().headers()["x-trace-id"], id);
    let own = running.get("/v1/genesis").await.headers()["x-trace-id"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(own.len(), 32);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hospital_is_found_by_its_ledger_id_and_an_unknown_one_is_not() {
    let running = Running::start(json!({})).await;
    serve_identity(&running).await;
    serve_records(&running, "records-north", NORTH, [2020, 2010]).await;
    let hospitals: Value = running.get("/v1/hospitals").await.json().await.unwrap();
    assert_eq!(hospitals.as_array().unwrap().len(), 2);
    assert_eq!(hospitals[0]["service"], "records-north");

    let report: Value = running
        .post(
            &format!("/v1/hospitals/{NORTH}/records/import"),
            json!({ "bundle": "{}" }),
        )
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(report["waiting"], 2);
    let unknown = LedgerId([7; 16]);
    let refused = running
        .post(
            &format!("/v1/hospitals/{unknown}/records/import"),
            json!({ "bundle": "{}" }),
        )
        .await;
    assert_eq!(
        problem(refused, 404).await["type"],
        "urn:medshare:problem:unknown-hospital"
    );
    let refused = running
        .post(
            "/v1/hospitals/nonsense/records/import",
            json!({ "bundle": "{}" }),
        )
        .await;
    assert_eq!(problem(refused, 400).await["field"], "hospital");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_may_come_as_the_body_itself_and_may_be_larger_than_other_bodies() {
    let running = Running::start(json!({ "body_bytes": 1000, "bundle_bytes": 100_000 })).await;
    serve_identity(&running).await;
    serve_records(&running, "records-north", NORTH, [2020, 2010]).await;
    let path = running.url(&format!("/v1/hospitals/{NORTH}/records/import"));
    let send = |bundle: String| {
        running
            .http
            .post(&path)
            .bearer_auth("session")
            .header("content-type", "application/fhir+json")
            .body(bundle)
            .send()
    };
    let bundle = format!(
        "{{\"resourceType\":\"Bundle\",\"x\":\"{}\"}}",
        "y".repeat(5_000)
    );
    let report: Value = send(bundle.clone()).await.unwrap().json().await.unwrap();
    assert_eq!(report["waiting"], bundle.len());
    // Refused by what it announces, before it has come: the answer is read all the same.
    problem(send("z".repeat(100_001)).await.unwrap(), 413).await;
    problem(send("z".repeat(20_000_000)).await.unwrap(), 413).await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(
        problem(send(deep).await.unwrap(), 400).await["detail"]
            .as_str()
            .unwrap()
            .contains("deeper")
    );
    let large = json!({ "login": "x".repeat(2_000), "password": "" });
    problem(running.post("/v1/sessions", large).await, 413).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_names_the_field_and_is_not_repeated() {
    let running = Running::start(json!({})).await;
    let refused = running
        .post("/v1/sessions", json!({ "login": "jane" }))
        .await;
    assert_eq!(problem(refused, 400).await["field"], "/password");
    let refused = running
        .post(
            "/v1/sessions",
            json!({ "login": ["Canary"], "password": "x" }),
        )
        .await;
    let told = problem(refused, 400).await;
    assert_eq!(told["field"], "/login");
    assert!(!told.to_string().contains("Canary"));
    let refused = running
        .post(
            "/v1/sessions",
            json!({ "login": "a", "password": "b", "extra": 1 }),
        )
        .await;
    assert_eq!(problem(refused, 400).await["field"], "/extra");
    let refused = running
        .post(
            &format!("/v1/members/{NORTH}/endorsements"),
            json!({ "member": NORTH }),
        )
        .await;
    assert_eq!(problem(refused, 400).await["field"], "/member");
    let refused = running
        .http
        .post(running.url("/v1/sessions"))
        .body("a=b")
        .header("content-type", "text/plain");
    problem(refused.send().await.unwrap(), 415).await;
    let refused = running
        .http
        .post(running.url("/v1/sessions"))
        .body("{")
        .header("content-type", "application/json");
    problem(refused.send().await.unwrap(), 400).await;
    problem(running.get("/v1/notices?limit=many").await, 400).await;
    assert_eq!(
        problem(running.get("/v1/notices?unknown=1").await, 400).await["field"],
        "unknown"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_and_methods_are_problems_too() {
    let running = Running::start(json!({})).await;
    problem(running.get("/v1/nothing").await, 404).await;
    problem(running.get("/").await, 404).await;
    let response = running
        .http
        .delete(running.url("/v1/genesis"))
        .send()
        .await
        .unwrap();
    assert!(response.headers().contains_key("allow"));
    problem(response, 405).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_asks_too_much_is_told_to_wait() {
    let running = Running::start(json!({ "requests_per_second": 1, "burst": 5 })).await;
    for _ in 0..5 {
        assert_eq!(running.get("/v1/genesis").await.status(), 200);
    }
    let response = running.get("/v1/genesis").await;
    assert!(response.headers().contains_key("retry-after"));
    problem(response, 429).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_is_refused() {
    let running = Running::start(json!({ "head_bytes": 8192 })).await;
    let request = running
        .http
        .get(running.url("/v1/genesis"))
        .header("x-large", "y".repeat(20_000));
    let status = request
        .send()
        .await
        .map(|response| response.status().as_u16());
    assert!(matches!(status, Ok(431) | Err(_)), "{status:?}");
    assert_eq!(running.get("/v1/genesis").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn own_records_of_all_hospitals_appear_together_and_a_missing_hospital_is_named() {
    let running = Running::start(json!({})).await;
    serve_identity(&running).await;
    serve_records(&running, "records-north", NORTH, [2020, 2010]).await;
    let ask = || async {
        let request = running
            .http
            .get(running.url("/v1/me/records"))
            .bearer_auth("session");
        request.send().await.unwrap().json::<Value>().await.unwrap()
    };
    let alone = ask().await;
    assert_eq!(alone["entries"].as_array().unwrap().len(), 2);
    assert_eq!(alone["unavailable"][0]["hospital"], SOUTH.to_string());

    serve_records(&running, "records-south", SOUTH, [2015, 2005]).await;
    crate::support::eventually(|| async {
        ask().await["unavailable"].as_array().unwrap().is_empty()
    })
    .await;
    let together = ask().await;
    let years: Vec<&str> = together["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["start"].as_str().unwrap()[..4])
        .collect();
    assert_eq!(years, ["2020", "2015", "2010", "2005"]);

    // A page at a time: every entry once, in the same order.
    let mut paged = Vec::new();
    let mut after = String::new();
    loop {
        let path = format!("/v1/me/records?limit=3&after={after}");
        let request = running.http.get(running.url(&path)).bearer_auth("session");
        let page: Value = request.send().await.unwrap().json().await.unwrap();
        let entries = page["entries"].as_array().unwrap();
        assert!(entries.len() <= 3, "{entries:?}");
        paged.extend(
            entries
                .iter()
                .map(|entry| entry["start"].as_str().unwrap()[..4].to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(paged, years);
    let wrong = running
        .http
        .get(running.url("/v1/me/records?after=nonsense"))
        .bearer_auth("session");
    problem(wrong.send().await.unwrap(), 400).await;
    problem(running.get("/v1/me/records").await, 401).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_combination_of_code_and_patient_id_gives_the_same_answer() {
    let running = Running::start(json!({})).await;
    serve_identity(&running).await;
    serve_records(&running, "records-north", NORTH, [2020, 2010]).await;
    let code = keys::code::AuthorizationCode::random();
    let known = code.locator();
    let index = running.broker.connect("index").await;
    let router =
        Router::new(&index).on::<LocateCode, _, _>(move |_, asked: LocateCode| async move {
            match asked.locator == known {
                true => Ok(LocatedCode {
                    record: RecordNumber([5; 16]),
                    service: "records-north".into(),
                }),
                false => Err(Problem::not_found("no such code")),
            }
        });
    start(&index, router);
    let redeem = |code: &str, patient: &str| {
        running.post(
            "/v1/codes/redeem",
            json!({ "code": code, "patient_id": patient, "purpose": "Treatment" }),
        )
    };
    let right = code.expose_text().to_string();
    let other = keys::code::AuthorizationCode::random()
        .expose_text()
        .to_string();
    let wrong_patient = problem(redeem(&right, "wrong").await, 403).await;
    let wrong_code = problem(redeem(&other, "right").await, 403).await;
    let both_wrong = problem(redeem(&other, "wrong").await, 403).await;
    assert_eq!(wrong_patient, wrong_code);
    assert_eq!(wrong_code, both_wrong);
    problem(redeem(&right, "right").await, 409).await;
    // Without a session nobody learns whether a code exists.
    for code in [&right, &other] {
        let body = json!({ "code": code, "patient_id": "right", "purpose": "Treatment" });
        let request = running
            .http
            .post(running.url("/v1/codes/redeem"))
            .bearer_auth("stolen")
            .json(&body);
        problem(request.send().await.unwrap(), 401).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_goes_to_the_service_that_waits_and_to_no_other_process() {
    let running = Running::start(json!({})).await;
    serve_records(&running, "records-north", NORTH, [2020, 2010]).await;
    let id = Digest([3; 32]);
    let path = format!("/v1/transactions/{id}/signature");
    let signature = Base64(vec![4; 64]);
    let committed: Value = running
        .post(
            &path,
            json!({ "service": "records-north", "signature": signature }),
        )
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(committed["transaction"], id.to_string());
    for service in ["replica-0", "gateway", "records-nowhere", "index"] {
        let refused = running
            .post(&path, json!({ "service": service, "signature": signature }))
            .await;
        assert_eq!(problem(refused, 400).await["field"], "/service");
    }
    let refused = running
        .post(
            &path,
            json!({ "service": "records-north", "signature": Base64(vec![4; 63]) }),
        )
        .await;
    assert_eq!(problem(refused, 400).await["field"], "/signature");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_transaction_gives_a_receipt_that_is_found_and_verifies() {
    let running = Running::start(json!({})).await;
    let signed = running.transaction(1);
    let request = running
        .http
        .post(running.url("/v1/transactions"))
        .header("content-type", "application/octet-stream");
    let submitted: Value = request
        .body(signed.to_bytes())
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(submitted["outcome"], "accepted");
    assert_eq!(submitted["transaction"], signed.id().to_string());
    let again = running
        .post(
            "/v1/transactions",
            json!({ "transaction": Base64(signed.to_bytes()) }),
        )
        .await;
    assert_eq!(
        again.json::<Value>().await.unwrap()["receipt"],
        submitted["receipt"]
    );

    let file = running
        .get(&format!("/v1/receipts/{}", signed.id()))
        .await
        .text()
        .await
        .unwrap();
    let receipt = Receipt::from_file(&file).unwrap();
    assert_eq!(
        receipt
            .verify(running.broker.genesis())
            .unwrap()
            .transaction(),
        signed.id()
    );
    let found: Value = running
        .get(&format!("/v1/transactions/{}", signed.id()))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(found["events"][0]["contract"], "membership");
    assert_eq!(
        found["events"][0]["event"]["MemberActivated"]["member"],
        signed.body.submitter.to_string()
    );
    problem(
        running
            .get(&format!("/v1/receipts/{}", Digest([1; 32])))
            .await,
        404,
    )
    .await;
    let refused = running
        .post("/v1/transactions", json!({ "transaction": "AAAA" }))
        .await;
    assert_eq!(problem(refused, 400).await["field"], "/transaction");
    let mut forged = signed;
    forged.body.nonce = 2;
    problem(
        running
            .post(
                "/v1/transactions",
                json!({ "transaction": Base64(forged.to_bytes()) }),
            )
            .await,
        400,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_listed_newest_first_and_found_by_height_and_hash() {
    let running = Running::start(json!({})).await;
    for _ in 0..8 {
        running.ordering.append(Vec::new()).await;
    }
    let list: Value = running
        .get("/v1/blocks?limit=3")
        .await
        .json()
        .await
        .unwrap();
    let heights: Vec<u64> = list["blocks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| block["height"].as_u64().unwrap())
        .collect();
    assert_eq!(heights, [9, 8, 7]);
    assert_eq!(list["before"], 7);
    let older: Value = running
        .get("/v1/blocks?before=2")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(older["blocks"].as_array().unwrap().len(), 2);
    assert!(older["before"].is_null());
    let by_height: Value = running.get("/v1/blocks/5").await.json().await.unwrap();
    let by_hash: Value = running
        .get(&format!(
            "/v1/blocks/{}",
            by_height["hash"].as_str().unwrap()
        ))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(by_height, by_hash);
    problem(running.get("/v1/blocks/999").await, 404).await;
    problem(running.get("/v1/blocks/newest").await, 400).await;
    let status: Value = running.get("/v1/status").await.json().await.unwrap();
    assert_eq!(
        (status["healthy"].as_bool(), status["height"].as_u64()),
        (Some(true), Some(9))
    );
    assert_eq!(status["replicas"].as_array().unwrap().len(), 4);
    let genesis = running.get("/v1/genesis").await.text().await.unwrap();
    assert_eq!(
        ledger::GenesisFile::from_json(&genesis).unwrap().chain_id(),
        running.broker.genesis().chain_id()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_are_signed_by_a_quorum_and_any_two_are_connected_by_a_proof() {
    let running = Running::start(json!({})).await;
    for _ in 0..11 {
        running.ordering.append(Vec::new()).await;
    }
    let note = running.get("/v1/checkpoint").await.text().await.unwrap();
    let (text, lines) = note.split_once("\n\n").unwrap();
    let newest = ledger::tlog::Checkpoint::parse(&format!("{text}\n")).unwrap();
    assert_eq!(newest.size, 13);
    let epoch = &running.broker.genesis().epoch;
    let signed = epoch.replicas.iter().filter(|replica| {
        lines.lines().any(|line| {
            let (line, name) = (format!("{line}\n"), newest.origin());
            newest.verify(&line, &name, &replica.public_key).is_ok()
        })
    });
    assert!(signed.count() >= epoch.quorum());
    for first in 0..=newest.size {
        let path = format!("/v1/checkpoint/consistency?first={first}");
        let found: Value = running.get(&path).await.json().await.unwrap();
        let digest = |value: &Value| value.as_str().unwrap().parse::<ledger::Digest>().unwrap();
        let proof: Vec<_> = found["proof"]
            .as_array()
            .unwrap()
            .iter()
            .map(digest)
            .collect();
        assert_eq!(digest(&found["second_root"]), newest.root);
        assert!(ledger::merkle::verify_consistency(
            &digest(&found["first_root"]),
            first,
            &newest.root,
            newest.size,
            &proof
        ));
    }
    problem(running.get("/v1/checkpoint?size=999").await, 404).await;
    problem(running.get("/v1/checkpoint/consistency").await, 400).await;
    let backwards = "/v1/checkpoint/consistency?first=9&second=4";
    problem(running.get(backwards).await, 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_stream_from_a_height_and_then_as_they_come() {
    let running = Running::start(json!({ "streams": 1 })).await;
    let mut stream = running.get("/v1/events?from=1").await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    async fn until(stream: &mut reqwest::Response, text: &mut String, wanted: &str) {
        while !text.contains(wanted) {
            let chunk = stream.chunk().await.unwrap().expect("the stream goes on");
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
    until(&mut stream, &mut text, "id: 1\n").await;
    running.ordering.append(Vec::new()).await;
    until(&mut stream, &mut text, "id: 2\n").await;
    problem(running.get("/v1/events").await, 503).await;
    drop(stream);
    crate::support::eventually(|| async {
        let resumed = running
            .http
            .get(running.url("/v1/events"))
            .header("last-event-id", "1")
            .send()
            .await
            .unwrap();
        resumed.status() == 200
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_away_is_a_problem_and_not_a_hang() {
    let running = Running::start(json!({ "request_seconds": 2 })).await;
    let settlement = running.broker.connect("settlement").await;
    let request = running
        .http
        .get(running.url("/v1/balances"))
        .bearer_auth("session");
    let refused = request.send().await.unwrap();
    assert!(matches!(refused.status().as_u16(), 503 | 504));
    let router = Router::new(&settlement).on::<GetBalances, _, _>(|_, _| async {
        Ok(vec![Balance {
            account: NORTH,
            balance: 12,
        }])
    });
    start(&settlement, router);
    crate::support::eventually(|| async {
        let request = running
            .http
            .get(running.url("/v1/balances"))
            .bearer_auth("session");
        request.send().await.unwrap().status() == 200
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_when_told_and_ends_open_streams() {
    let running = Running::start(json!({})).await;
    let mut stream = running.get("/v1/events?from=1").await;
    running.shutdown.request();
    while let Ok(Some(_)) = stream.chunk().await {}
    crate::support::eventually(|| async {
        running
            .http
            .get(running.url("/v1/genesis"))
            .send()
            .await
            .is_err()
    })
    .await;
}
