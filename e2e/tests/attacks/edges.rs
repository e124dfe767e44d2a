//! Members, certificates and what partners send.

use std::time::{Duration, Instant};

use e2e::attacked::{Attacked, eventually};
use keys::MemberKey;
use keys::tls::TlsIdentity;
use ledger::PublicKey;
use serde_json::{Value, json};

use crate::{attacked, patient_at, problem, records_of, still_commits, visible};

/// Fault: a key of small order, whose signatures verify for other messages, is taken at enrolment.
#[tokio::test(flavor = "multi_thread")]
async fn attack_13_a_weak_key_is_enrolled() {
    let system = attacked();
    let identity_point = {
        let mut bytes = [0; 32];
        bytes[0] = 1;
        bytes
    };
    let order_two = {
        let mut bytes = [0xff; 32];
        bytes[0] = 0xec;
        bytes[31] = 0x7f;
        bytes
    };
    for weak in [identity_point, order_two, [0; 32]] {
        let id = MemberKey::random().ledger_id();
        // Under such a key R = identity, s = 0 verifies for every message.
        let mut signature = [0_u8; 64];
        signature[0] = 1;
        let request = json!({ "kind": "ThirdParty", "name": "Weak", "ledger_id": id,
            "public_key": PublicKey(weak),
            "sealing_key": interfaces::Base64(vec![9; 32]),
            "possession": interfaces::Base64(signature.to_vec()) });
        let refusal = problem(
            "a weak key",
            system
                .client
                .post::<_, Value>("/v1/organisations", &request)
                .await,
        );
        assert!(matches!(refusal.status, 400 | 409 | 422), "{refusal}");
        let path = format!("/v1/members/{id}");
        assert!(
            system.client.get::<Value>(&path).await.is_err(),
            "it is a member"
        );
    }
}

/// A member of its own, active, with a certificate for a partner system: it will be stopped.
pub(crate) async fn newcomer(system: &Attacked) -> (MemberKey, TlsIdentity) {
    let key = MemberKey::random();
    let chain = system.client.receipts().chain();
    let possession = contracts::membership::command::possession_message(
        &chain,
        &key.ledger_id(),
        &key.public_key(),
    );
    let domain = contracts::membership::command::POSSESSION_DOMAIN;
    let request = json!({ "kind": "ThirdParty", "name": "To be stopped", "ledger_id": key.ledger_id(),
        "public_key": key.public_key(),
        "sealing_key": interfaces::Base64(key.sealing_public_key().0.to_vec()),
        "possession": interfaces::Base64(key.sign_message(domain, &possession).0.to_vec()) });
    let _: Value = system
        .client
        .post("/v1/organisations", &request)
        .await
        .expect("registered");
    for slug in ["authority", "lakeside", "hillcrest"] {
        let operator = system.organisation(slug, "operator.json").await;
        let path = format!("/v1/members/{}/endorsements", key.ledger_id());
        operator.command(&path, &json!({})).await.expect("endorsed");
    }
    system.until_active(&key.ledger_id()).await;
    let identity = eventually("identity knows the member", async || {
        client::device::request_certificate(&system.client, &key)
            .await
            .ok()
    })
    .await;
    (key, identity)
}

pub(crate) async fn set_status(system: &Attacked, member: &MemberKey, change: &str) {
    let regulator = system.organisation("regulator", "member.json").await;
    let path = format!("/v1/members/{}/status", member.ledger_id());
    regulator
        .command(&path, &json!({ "change": change }))
        .await
        .expect("a regulator changes a status");
}

/// Fault: certificates are looked at when a connection begins and never again.
#[tokio::test(flavor = "multi_thread")]
async fn attack_29_a_revoked_certificate_goes_on_over_an_open_connection() {
    let system = attacked();
    let (key, identity) = newcomer(&system).await;
    let address = system.address("gateway", "rest");
    // An event stream: one request that never ends, on a connection that is never idle.
    let http = reqwest::Client::builder()
        .tls_backend_preconfigured(identity.client_config().unwrap())
        .build()
        .unwrap();
    let base = format!("https://{address}");
    let mut stream = http
        .get(format!("{base}/v1/events"))
        .send()
        .await
        .expect("a stream");
    assert!(stream.status().is_success());
    let idle = reqwest::Client::builder()
        .tls_backend_preconfigured(identity.client_config().unwrap())
        .build()
        .unwrap();
    idle.get(format!("{base}/v1/status"))
        .send()
        .await
        .expect("an answer");

    set_status(&system, &key, "revoke").await;
    let committed = Instant::now();
    while stream.chunk().await.is_ok_and(|chunk| chunk.is_some()) {}
    let took = committed.elapsed();
    println!("REST: an open stream was cut {took:?} after the revocation was committed");
    let refused = eventually("a new connection is refused", async || {
        idle.get(format!("{base}/v1/status")).send().await.err()
    })
    .await;
    assert!(refused.is_request() || refused.is_connect(), "{refused}");
    // The consortium's own go on.
    still_commits(&system).await;
}

/// Fault: a revocation counts for new sign-ins and not for sessions.
#[tokio::test(flavor = "multi_thread")]
async fn attack_29_a_suspended_members_session_goes_on() {
    let system = attacked();
    let (key, _) = newcomer(&system).await;
    let member = system
        .client
        .sign_in_with_key(key.clone())
        .await
        .expect("a session");
    let _: Value = member.get("/v1/balances").await.expect("an answer");
    set_status(&system, &key, "suspend").await;
    let refusal = eventually("the session is refused", async || {
        member.get::<Value>("/v1/balances").await.err()
    })
    .await;
    assert!(
        refusal.is_status(401) || refusal.is_status(403),
        "{refusal}"
    );
    set_status(&system, &key, "reinstate").await;
    eventually("the member may go on", async || {
        system.client.sign_in_with_key(key.clone()).await.ok()
    })
    .await;
}

/// Fault: an identifier opens something to whoever knows it, or a refusal tells whether it exists.
#[tokio::test(flavor = "multi_thread")]
async fn attack_31_a_patient_walks_through_others_identifiers() {
    let system = attacked();
    let (number, victim, record) = patient_at(&system, "lakeside", 0).await;
    let (_, attacker, _) = patient_at(&system, "lakeside", number + 1).await;
    let hospital = system.hospital("lakeside");
    let unknown = "ab".repeat(16);
    let view = |record: &str| json!({ "records": [record], "purpose": "PatientRequest" });
    let views = format!("/v1/hospitals/{hospital}/records/views");
    let theirs = problem(
        "another's record",
        attacker
            .member
            .post::<_, Value>(&views, &view(&record))
            .await,
    );
    let nobodys = problem(
        "nobody's record",
        attacker
            .member
            .post::<_, Value>(&views, &view(&unknown))
            .await,
    );
    assert_eq!(visible(&theirs), visible(&nobodys));

    for (method, path) in [
        ("GET", "/v1/hospitals/{h}/records/{r}/code"),
        ("POST", "/v1/hospitals/{h}/records/{r}/code"),
        ("DELETE", "/v1/hospitals/{h}/records/{r}/code"),
        ("DELETE", "/v1/hospitals/{h}/records/{r}"),
        ("POST", "/v1/warnings/{r}/acknowledgement"),
        ("POST", "/v1/grants/{r}/withdrawal"),
        ("DELETE", "/v1/devices/{r}"),
        ("GET", "/v1/releases/{r}{r}"),
        ("GET", "/v1/hospitals/{h}/records/views/{r}{r}"),
    ] {
        let at = |record: &str| {
            path.replace("{h}", &hospital.to_string())
                .replace("{r}", record)
        };
        let mut refusals = Vec::new();
        for record in [record.as_str(), unknown.as_str()] {
            let path = at(record);
            let member = &attacker.member;
            let answer = match method {
                "GET" => member.get::<Value>(&path).await,
                "DELETE" => member.delete::<Value>(&path).await,
                _ => match member.command(&path, &json!({})).await {
                    Ok(_) => Ok(Value::Null),
                    Err(error) => Err(error),
                },
            };
            refusals.push(problem(&format!("{method} {path}"), answer));
        }
        assert!(
            matches!(refusals[0].status, 403 | 404 | 409),
            "{method} {path}: {}",
            refusals[0]
        );
        assert_eq!(
            visible(&refusals[0]),
            visible(&refusals[1]),
            "{method} {path}"
        );
    }
    // The lists are the attacker's own, whatever the query asks for.
    let own = records_of(&attacker.member, hospital).await;
    assert!(!own.contains(&record));
    for path in [
        "/v1/items",
        "/v1/warnings",
        "/v1/readings",
        "/v1/notices",
        "/v1/claims",
        "/v1/statement",
    ] {
        let listed: Value = attacker
            .member
            .get(&format!("{path}?limit=500"))
            .await
            .expect(path);
        assert!(
            !listed.to_string().contains(&record),
            "{path} shows {record}"
        );
    }
    // The explorer: no list by patient, and no history can be put together from a pseudonym of another's.
    let me: Value = victim.member.get("/v1/me").await.expect("own ids");
    for id in me["ledger_ids"].as_object().expect("ids").values() {
        let id = id.as_str().expect("an id");
        for path in [
            format!("/v1/blocks?patient={id}"),
            format!("/v1/blocks/{id}"),
        ] {
            let answer = system.client.get::<Value>(&path).await;
            let shown = answer.map(|value| value.to_string()).unwrap_or_default();
            assert!(!shown.contains(&record), "{path} leads to {record}");
        }
    }
}

/// Fault: a body is parsed before it is measured, references are followed, or a narrative is passed on as it came.
#[tokio::test(flavor = "multi_thread")]
async fn attack_35_bundles_that_are_too_large_too_deep_or_reach_out() {
    let system = attacked();
    let lakeside = system.organisation("lakeside", "member.json").await;
    let path = format!(
        "/v1/hospitals/{}/records/import",
        system.hospital("lakeside")
    );
    let import = async |body: Vec<u8>| lakeside.post_fhir::<Value>(&path, body).await;

    let mut large = br#"{"resourceType":"Bundle","type":"collection","note":""#.to_vec();
    large.resize(50 * 1024 * 1024, b'x');
    large.extend_from_slice(br#""}"#);
    // Refused by its length; the connection may be closed while it is still being sent.
    assert!(import(large).await.is_err());

    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep = format!(r#"{{"resourceType":"Bundle","type":"collection","entry":{deep}}}"#);
    let refusal = problem("a deep Bundle", import(deep.into_bytes()).await);
    assert!(matches!(refusal.status, 400 | 422), "{refusal}");

    // A reference to a listener of ours: nobody may call.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = format!("http://{}/Patient/1", listener.local_addr().unwrap());
    let mut bundle = a_bundle();
    let text = bundle.to_string();
    let patient = bundle["entry"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["resource"]["resourceType"] == "Patient")
        .and_then(|entry| entry["fullUrl"].as_str())
        .unwrap()
        .to_owned();
    let reaching = text.replace(
        &format!("\"reference\":\"{patient}\""),
        &format!("\"reference\":\"{own}\""),
    );
    assert_ne!(reaching, text, "the Bundle refers to its patient");
    let answer = import(reaching.into_bytes()).await;
    if let Ok(report) = &answer {
        assert_eq!(
            report["registered"].as_array().map(Vec::len),
            Some(0),
            "{report}"
        );
    }
    let called = tokio::time::timeout(Duration::from_secs(3), listener.accept()).await;
    assert!(called.is_err(), "somebody followed the reference");

    // A narrative with a script is not stored as it came, or not at all.
    for entry in bundle["entry"].as_array_mut().unwrap() {
        entry["resource"]["text"] = json!({ "status": "generated",
            "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\"><script>alert(1)</script></div>" });
    }
    match import(bundle.to_string().into_bytes()).await {
        Err(error) => assert!(error.problem().is_some(), "{error}"),
        Ok(report) => assert_eq!(
            report["registered"].as_array().map(Vec::len),
            Some(0),
            "{report}"
        ),
    }
    still_commits(&system).await;
}

/// A patient nobody has, of another seed than the story's.
fn a_bundle() -> Value {
    let plan = clinical::generator::Plan {
        patients: 1,
        seed: 4_711,
        ..clinical::generator::Plan::default()
    };
    let bundle = clinical::generator::patients(&plan)
        .next()
        .expect("a patient");
    serde_json::from_str(&bundle.to_string()).expect("a Bundle is JSON")
}
