//! Passwords and sessions.

use std::time::Instant;

use e2e::attacked::{Attacked, eventually};
use interfaces::Problem;
use interfaces::identity::{OpenSession, Session};
use serde_json::{Value, json};

use crate::attacked;
use crate::codes::guesser;

const LOGIN: &str = "doctor-hillcrest";

/// Asks for a session.
async fn sign_in(http: &reqwest::Client, base: &str, access: &Value) -> Result<Session, Problem> {
    let answer = http.post(format!("{base}/v1/sessions")).json(access);
    let answer = answer.send().await.expect("an answer");
    match answer.status().is_success() {
        true => Ok(answer.json().await.expect("a session")),
        false => Err(answer.json().await.expect("a problem")),
    }
}

/// Fault: wrong passwords are counted by login alone, so that whoever knows a login locks its owner out; or not by login, so
/// that many addresses guess without end.
#[tokio::test(flavor = "multi_thread")]
async fn attack_36_passwords_are_guessed_from_many_addresses_and_the_owner_signs_in_meanwhile() {
    let system = attacked();
    let base = format!("https://{}", system.address("gateway", "rest"));
    let right = system.credentials(LOGIN);
    // The owner has signed in on this device before, at the address that the attacker uses as well.
    let own = sign_in(&guesser(&system, 1), &base, &right)
        .await
        .expect("the owner signs in");
    let device = own.device.expect("a mark of the device");

    let guesses = (1..=10_u8).map(|source| {
        let (http, base, right) = (guesser(&system, source), &base, &right);
        async move {
            let mut statuses = Vec::new();
            for number in 0..12 {
                // The last guess is right, and comes too late.
                let guess = match number {
                    11 => right.clone(),
                    _ => {
                        json!({ "login": LOGIN, "password": format!("not the password {number}") })
                    }
                };
                let answer = sign_in(&http, base, &guess).await;
                let refusal = answer.err().expect("a guess is refused");
                statuses.push((refusal.status, refusal.kind));
            }
            statuses
        }
    });
    for statuses in futures::future::join_all(guesses).await {
        let looked_at = statuses.iter().filter(|(status, _)| *status == 401);
        assert!(looked_at.count() <= 10, "{statuses:?}");
        assert_eq!(statuses.last().expect("guesses").0, 429, "{statuses:?}");
    }

    // The owner: on the known device where the attacker sits, and on a new one elsewhere.
    let mut known = right.clone();
    known["device"] = json!(device);
    let began = Instant::now();
    sign_in_patiently(&system, &base, 1, &known).await;
    let (on_known, began) = (began.elapsed(), Instant::now());
    sign_in_patiently(&system, &base, 201, &right).await;
    println!(
        "after 100 wrong passwords the owner signed in within {on_known:?} on a known device, {:?} on a new one",
        began.elapsed()
    );
}

/// As a person would whom the gateway tells that their address asks too much at once: what identity says counts.
async fn sign_in_patiently(system: &Attacked, base: &str, source: u8, access: &Value) -> Session {
    let http = guesser(system, source);
    eventually("the owner signs in", async || {
        match sign_in(&http, base, access).await {
            Ok(session) => Some(session),
            Err(problem) if problem.kind == "too-many-requests" => None,
            Err(problem) => panic!("the owner is locked out: {problem}"),
        }
    })
    .await
}

/// Fault: the end of a session is known to identity alone, and its token goes on at every other service, or on a connection
/// that is open.
#[tokio::test(flavor = "multi_thread")]
async fn attack_29_a_stolen_session_that_its_owner_ended_goes_on_elsewhere() {
    let system = attacked();
    let (stolen, owner) = (system.patient(0).await, system.patient(0).await);
    let (institute_stolen, institute) = (
        system.organisation("institute", "member.json").await,
        system.organisation("institute", "member.json").await,
    );
    let hospital = system.hospital("lakeside");
    let own_records = format!("/v1/hospitals/{hospital}/records/own");
    // One of each service.
    let paths = [
        "/v1/me",
        "/v1/balances",
        "/v1/items",
        "/v1/warnings",
        &own_records,
    ];
    for path in paths {
        stolen.member.get::<Value>(path).await.expect(path);
    }
    let search = json!({ "disease": "40055000" });
    let searched = async || {
        institute_stolen
            .post::<_, Value>("/v1/searches", &search)
            .await
    };
    searched().await.expect("a search");

    // The owner finds the session that is not this one, and ends it; the institute ends all others.
    let token = stolen.member.token();
    let claims = session_of(token);
    let own: Vec<OpenSession> = owner
        .member
        .get("/v1/sessions")
        .await
        .expect("own sessions");
    assert!(own.iter().any(|one| one.session == claims && !one.current));
    let _: Value = owner
        .member
        .delete(&format!("/v1/sessions/{claims}"))
        .await
        .expect("the session is ended");
    let _: Value = institute
        .delete("/v1/sessions")
        .await
        .expect("others are ended");
    let began = Instant::now();
    for path in paths {
        eventually("the session is refused", async || {
            let refusal = stolen.member.get::<Value>(path).await.err()?;
            assert!(refusal.is_status(401), "{path}: {refusal}");
            Some(())
        })
        .await;
    }
    eventually("the search is refused", async || {
        searched()
            .await
            .err()
            .filter(|refusal| refusal.is_status(401))
    })
    .await;
    println!(
        "a session that was ended was refused by every service after {:?}",
        began.elapsed()
    );
    // The owner's goes on.
    let _: Value = owner
        .member
        .get("/v1/me")
        .await
        .expect("the owner is signed in");
    let _: Value = institute
        .get("/v1/me")
        .await
        .expect("the institute is signed in");
}

/// The session's name: a token can be read by whoever has it, and changed by nobody.
fn session_of(token: &str) -> String {
    let body = token.split('.').nth(2).expect("a v4.public token");
    let bytes = data_encoding::BASE64URL_NOPAD
        .decode(body.as_bytes())
        .expect("base64url");
    let claims: Value = serde_json::from_slice(&bytes[..bytes.len() - 64]).expect("claims");
    claims["session"].as_str().expect("a session").to_owned()
}

/// Fault: the portal believes a cookie until its token ends, or an open page goes on hearing of the ledger.
#[tokio::test(flavor = "multi_thread")]
async fn attack_29_a_stolen_cookie_of_an_ended_session_goes_on_at_the_portal() {
    let system = attacked();
    let portal = format!("https://{}", system.address("portal", "web"));
    // As a browser: it trusts the root, and shows no certificate.
    let root = std::fs::read(system.folder.join("root.pem")).expect("the root certificate");
    let http = reqwest::Client::builder()
        .tls_backend_preconfigured(keys::tls::trusting(&root).unwrap())
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let access = system.credentials("patient-1");
    let fields =
        ["login", "password"].map(|name| (name, access[name].as_str().unwrap_or_default()));
    let form = reqwest::Url::parse_with_params(&portal, fields).expect("a form");
    let answer = http
        .post(format!("{portal}/sign-in"))
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.query().unwrap_or_default().to_owned())
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status().as_u16(), 303, "signed in");
    let cookies: Vec<String> = answer
        .headers()
        .get_all("set-cookie")
        .iter()
        .filter_map(|cookie| Some(cookie.to_str().ok()?.split(';').next()?.to_owned()))
        .collect();
    for cookie in answer.headers().get_all("set-cookie") {
        let cookie = cookie.to_str().expect("text");
        let parts: Vec<&str> = cookie.split("; ").collect();
        assert!(cookie.starts_with("__Host-"), "{cookie}");
        for part in ["Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(parts.contains(&part), "{cookie} lacks {part}");
        }
    }
    let hsts = answer.headers()["strict-transport-security"].to_str();
    assert_eq!(hsts.unwrap(), "max-age=31536000; includeSubDomains");
    let cookies = cookies.join("; ");
    let look = async |path: &str| {
        let asked = http
            .get(format!("{portal}{path}"))
            .header("cookie", &cookies);
        asked.send().await.expect("an answer")
    };
    assert_eq!(look("/records").await.status().as_u16(), 200);
    let mut stream = look("/live?contracts=records").await;
    assert_eq!(stream.status().as_u16(), 200);

    let owner = system.patient(1).await;
    let _: Value = owner
        .member
        .delete("/v1/sessions")
        .await
        .expect("all other sessions are ended");
    let began = Instant::now();
    while stream.chunk().await.is_ok_and(|chunk| chunk.is_some()) {}
    println!(
        "an open page was cut {:?} after its session was ended",
        began.elapsed()
    );
    let refused = look("/records").await;
    assert_eq!(refused.status().as_u16(), 303);
    let place = refused.headers()["location"].to_str().unwrap_or_default();
    assert!(place.starts_with("/sign-in"), "{place}");
}
