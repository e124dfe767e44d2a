//! Requests between services over a real broker with the real permissions.

use std::time::Duration;

use bus::testing::TestBroker;
use bus::{Bus, Call, Router, Target, subjects};
use chassis::Shutdown;
use futures::StreamExt;
use interfaces::{Problem, UseCase};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Reverse {
    text: String,
}

#[derive(Serialize, Deserialize)]
struct Reversed {
    text: String,
    caller: String,
    authorization: Option<String>,
}

impl UseCase for Reverse {
    const SERVICE: &'static str = "index";
    const NAME: &'static str = "reverse";
    type Reply = Reversed;
}

#[derive(Serialize, Deserialize)]
struct Refuse {}

impl UseCase for Refuse {
    const SERVICE: &'static str = "index";
    const NAME: &'static str = "refuse";
    type Reply = ();
}

async fn serve(bus: &Bus) -> Shutdown {
    let shutdown = Shutdown::detached("test");
    let router = Router::new(bus)
        .on::<Reverse, _, _>(|call: Call, request: Reverse| async move {
            Ok(Reversed {
                text: request.text.chars().rev().collect(),
                caller: call.caller,
                authorization: call.authorization,
            })
        })
        .on::<Refuse, _, _>(|_, _| async { Err(Problem::conflict("not now")) });
    let listening = router.listen().await.unwrap();
    tokio::spawn(listening.run(shutdown.clone()));
    shutdown
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_answered_and_its_caller_is_known_by_its_key() {
    let broker = TestBroker::start(&["gateway", "index"]).await;
    let _serving = serve(&broker.connect("index").await).await;
    let gateway = broker.connect("gateway").await;
    let target = Target::of::<Reverse>();
    let reply = gateway
        .request(&target, Some("token"), &Reverse { text: "abc".into() })
        .await
        .unwrap();
    assert_eq!(
        (reply.text.as_str(), reply.caller.as_str()),
        ("cba", "gateway")
    );
    assert_eq!(reply.authorization.as_deref(), Some("token"));
    let problem = gateway
        .request(&target, None, &Refuse {})
        .await
        .unwrap_err();
    assert_eq!((problem.status, problem.detail.as_str()), (409, "not now"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_has_not_read_what_its_caller_has_seen_does_not_answer_from_what_it_has() {
    let broker = TestBroker::start(&["gateway", "index"]).await;
    let shutdown = Shutdown::detached("test");
    let index = broker.connect("index").await;
    let router = Router::new(&index)
        .keep_up(|_| async { false })
        .on::<Refuse, _, _>(|_, _| async { Ok(()) });
    let listening = router.listen().await.unwrap();
    tokio::spawn(listening.run(shutdown));
    let gateway = broker.connect("gateway").await;
    let target = Target::of::<Refuse>();
    let answer = gateway.request(&target, None, &Refuse {}).await;
    let problem = answer.unwrap_err();
    assert_eq!(
        (problem.status, problem.kind.as_str()),
        (503, "urn:medshare:problem:busy"),
        "{problem}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_several_megabytes_travel_in_parts() {
    let broker = TestBroker::start(&["gateway", "index"]).await;
    let _serving = serve(&broker.connect("index").await).await;
    let gateway = broker.connect("gateway").await;
    let text = "x".repeat(3_000_000) + "y";
    let reply = gateway
        .request(
            &Target::service("index"),
            None,
            &Reverse { text: text.clone() },
        )
        .await
        .unwrap();
    assert_eq!(reply.text.len(), text.len());
    assert!(reply.text.starts_with('y'));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bus_sees_nothing_of_what_is_said() {
    // Another process with the permissions of the same service sees all that its subjects carry.
    let broker = TestBroker::start(&["gateway", "index"]).await;
    let index = broker.connect("index").await;
    let gateway = broker.connect("gateway").await;
    let mut requests = index
        .client()
        .subscribe(subjects::all_of_service("index"))
        .await
        .unwrap();
    let mut replies = gateway
        .client()
        .subscribe("reply.index.gateway.*")
        .await
        .unwrap();
    index.settle_subscriptions().await.unwrap();
    gateway.settle_subscriptions().await.unwrap();
    let _serving = serve(&index).await;
    let request = Reverse {
        text: "Canary Testperson".into(),
    };
    gateway
        .request(&Target::service("index"), Some("secret-token"), &request)
        .await
        .unwrap();
    for message in [
        requests.next().await.unwrap(),
        replies.next().await.unwrap(),
    ] {
        let seen = [
            message.payload.as_ref(),
            message.subject.as_bytes(),
            format!("{:?}", message.headers).as_bytes(),
        ]
        .concat();
        for canary in ["Canary", "yranaC", "secret-token"] {
            assert!(
                !seen
                    .windows(canary.len())
                    .any(|window| window == canary.as_bytes()),
                "{canary}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_request_is_not_answered_again() {
    let broker = TestBroker::start(&["gateway", "index"]).await;
    let index = broker.connect("index").await;
    let gateway = broker.connect("gateway").await;
    let mut seen = index
        .client()
        .subscribe(subjects::all_of_service("index"))
        .await
        .unwrap();
    index.settle_subscriptions().await.unwrap();
    let _serving = serve(&index).await;
    gateway
        .request(
            &Target::service("index"),
            None,
            &Reverse { text: "abc".into() },
        )
        .await
        .unwrap();
    let recorded = seen.next().await.unwrap();
    let reply = recorded.reply.clone().unwrap();
    let mut replies = gateway.client().subscribe(reply.clone()).await.unwrap();
    gateway.settle_subscriptions().await.unwrap();
    gateway
        .client()
        .publish_with_reply(recorded.subject, reply, recorded.payload)
        .await
        .unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(10), replies.next())
        .await
        .unwrap()
        .unwrap();
    assert!(
        answer.payload.len() < 8,
        "a replay gets a short refusal, no sealed reply"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_cannot_ask_in_another_ones_name() {
    let broker = TestBroker::start(&["gateway", "index", "portal"]).await;
    let _serving = serve(&broker.connect("index").await).await;
    // The portal's connection with the gateway's sealing key missing: it seals with its own, claims the gateway's name.
    let portal = broker.connect("portal").await;
    let gateway = broker.connect("gateway").await;
    let mut replies = gateway
        .client()
        .subscribe("reply.index.gateway.*")
        .await
        .unwrap();
    gateway.settle_subscriptions().await.unwrap();
    let index = broker.connect("index").await;
    let mut recorder = index.client().subscribe("service.index.*").await.unwrap();
    index.settle_subscriptions().await.unwrap();
    portal
        .request(
            &Target::service("index"),
            None,
            &Reverse { text: "abc".into() },
        )
        .await
        .unwrap();
    let recorded = recorder.next().await.unwrap();
    let claimed = subjects::reply("index", "gateway", "0123456789abcdef");
    portal
        .client()
        .publish_with_reply(recorded.subject, claimed, recorded.payload)
        .await
        .unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(10), replies.next())
        .await
        .unwrap()
        .unwrap();
    assert!(answer.payload.len() < 8, "refused unopened");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_starts_late_still_gets_the_request() {
    let broker = TestBroker::start(&["gateway", "index"]).await;
    let gateway = broker.connect("gateway").await;
    let asking = tokio::spawn(async move {
        gateway
            .request(
                &Target::service("index"),
                None,
                &Reverse { text: "abc".into() },
            )
            .await
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let _serving = serve(&broker.connect("index").await).await;
    assert_eq!(asking.await.unwrap().unwrap().text, "cba");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_service_and_an_unknown_use_case_are_named() {
    let broker = TestBroker::start(&["gateway", "index"]).await;
    let gateway = broker.connect("gateway").await;
    let problem = gateway
        .request(
            &Target::service("nobody"),
            None,
            &Reverse {
                text: String::new(),
            },
        )
        .await
        .err()
        .unwrap();
    assert_eq!(problem.kind, "urn:medshare:problem:unknown-service");
    let shutdown = Shutdown::detached("test");
    tokio::spawn(Router::new(&broker.connect("index").await).serve(shutdown));
    let problem = gateway
        .request(
            &Target::service("index"),
            None,
            &Reverse {
                text: String::new(),
            },
        )
        .await
        .err()
        .unwrap();
    assert_eq!(problem.status, 404);
}

#[derive(Serialize, Deserialize)]
struct Ponder {
    seconds: u64,
}

impl UseCase for Ponder {
    const SERVICE: &'static str = "index";
    const NAME: &'static str = "ponder";
    type Reply = ();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_call_is_waited_for_and_one_whose_service_died_is_given_up_soon() {
    const LONG: Duration = Duration::from_secs(600);
    let broker = TestBroker::start(&["gateway", "index", "settlement"]).await;
    let index = broker.connect("index").await;
    let router = Router::new(&index).on::<Ponder, _, _>(|_, asked: Ponder| async move {
        tokio::time::sleep(Duration::from_secs(asked.seconds)).await;
        Ok(())
    });
    let listening = router.listen().await.unwrap();
    tokio::spawn(listening.run(Shutdown::detached("test")));
    // Takes what it is asked, and is never heard of again.
    let dying = broker.connect("settlement").await;
    let _taken = dying
        .client()
        .subscribe(subjects::all_of_service("settlement"))
        .await
        .unwrap();
    dying.settle_subscriptions().await.unwrap();
    let gateway = broker.connect("gateway").await;
    let (alive, dead) = (Target::service("index"), Target::service("settlement"));
    let (long, short) = (Ponder { seconds: 17 }, Ponder { seconds: 1 });
    let (answered, lost) = tokio::join!(
        gateway.request_within(&alive, None, &long, LONG),
        gateway.request_within(&dead, None, &short, LONG),
    );
    answered.unwrap();
    assert_eq!(lost.unwrap_err().status, 504);
}
