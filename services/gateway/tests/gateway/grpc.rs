//! gRPC over a real broker and a real channel.

use crate::support::Running;
use gateway::grpc::proto::get_block_request::Block as Asked;
use gateway::grpc::proto::health::HealthCheckRequest;
use gateway::grpc::proto::health::health_check_response::ServingStatus;
use gateway::grpc::proto::health::health_client::HealthClient;
use gateway::grpc::proto::ledger_client::LedgerClient;
use gateway::grpc::proto::{
    GetBlockRequest, GetGenesisRequest, GetReceiptRequest, GetStatusRequest, ListBlocksRequest,
    StreamEventsRequest, SubmitTransactionRequest,
};
use ledger::{CertifiedBlock, ChainVerifier, GenesisFile, Receipt, canonical};
use serde_json::json;
use tonic::Code;
use tonic::transport::Channel;

async fn channel(running: &Running) -> Channel {
    let endpoint = Channel::from_shared(format!("http://{}", running.grpc)).unwrap();
    for _ in 0..100 {
        if let Ok(channel) = endpoint.connect().await {
            return channel;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("no gRPC at {}", running.grpc);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submitted_transaction_gives_a_receipt_that_verifies_and_is_found_again() {
    let running = Running::start(json!({})).await;
    let mut client = LedgerClient::new(channel(&running).await);
    let signed = running.transaction(1);
    let submitted = client
        .submit_transaction(SubmitTransactionRequest {
            transaction: signed.to_bytes(),
        })
        .await
        .unwrap()
        .into_inner();
    assert!(submitted.accepted);
    let genesis = client
        .get_genesis(GetGenesisRequest {})
        .await
        .unwrap()
        .into_inner()
        .json;
    let genesis = GenesisFile::from_json(&genesis).unwrap();
    let verified = Receipt::from_bytes(&submitted.receipt)
        .unwrap()
        .verify(&genesis)
        .unwrap();
    assert_eq!(
        (verified.transaction(), verified.height().0),
        (signed.id(), submitted.height)
    );
    let found = client
        .get_receipt(GetReceiptRequest {
            transaction: signed.id().0.to_vec(),
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(found.receipt, submitted.receipt);

    let unknown = client
        .get_receipt(GetReceiptRequest {
            transaction: vec![9; 32],
        })
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let malformed = client
        .submit_transaction(SubmitTransactionRequest {
            transaction: vec![1, 2, 3],
        })
        .await
        .unwrap_err();
    assert_eq!(malformed.code(), Code::InvalidArgument);
    let large = client
        .submit_transaction(SubmitTransactionRequest {
            transaction: vec![0; 1_000_000],
        })
        .await
        .unwrap_err();
    assert_eq!(large.code(), Code::OutOfRange);
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_listed_in_order_and_followed_live() {
    let running = Running::start(json!({})).await;
    for _ in 0..5 {
        running.ordering.append(Vec::new()).await;
    }
    let mut client = LedgerClient::new(channel(&running).await);
    let mut listed = client
        .list_blocks(ListBlocksRequest {
            from_height: 0,
            limit: 0,
            follow: false,
        })
        .await
        .unwrap()
        .into_inner();
    let mut chain = ChainVerifier::new(running.broker.genesis()).unwrap();
    let mut heights = Vec::new();
    while let Some(response) = listed.message().await.unwrap() {
        let block = response.block.unwrap();
        let certified: CertifiedBlock = canonical::decode(&block.certified).unwrap();
        chain.next(&certified).unwrap();
        heights.push(block.height);
    }
    assert_eq!(heights, [0, 1, 2, 3, 4, 5, 6]);

    let mut live = client
        .list_blocks(ListBlocksRequest {
            from_height: 6,
            limit: 2,
            follow: true,
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        live.message().await.unwrap().unwrap().block.unwrap().height,
        6
    );
    running.ordering.append(Vec::new()).await;
    assert_eq!(
        live.message().await.unwrap().unwrap().block.unwrap().height,
        7
    );
    assert!(live.message().await.unwrap().is_none());

    let by_height = client
        .get_block(GetBlockRequest {
            block: Some(Asked::Height(3)),
        })
        .await
        .unwrap()
        .into_inner()
        .block
        .unwrap();
    let by_hash = client
        .get_block(GetBlockRequest {
            block: Some(Asked::Hash(by_height.hash.clone())),
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(by_hash.block.unwrap(), by_height);
    let unknown = client
        .get_block(GetBlockRequest {
            block: Some(Asked::Height(99)),
        })
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_stream_with_their_transaction_and_only_of_the_contracts_asked_for() {
    let running = Running::start(json!({})).await;
    let mut client = LedgerClient::new(channel(&running).await);
    let of = |contracts| StreamEventsRequest {
        from_height: Some(0),
        contracts,
    };
    let mut membership = client
        .stream_events(of(vec![1]))
        .await
        .unwrap()
        .into_inner();
    let mut records = client
        .stream_events(of(vec![2]))
        .await
        .unwrap()
        .into_inner();
    let signed = running.transaction(1);
    client
        .submit_transaction(SubmitTransactionRequest {
            transaction: signed.to_bytes(),
        })
        .await
        .unwrap();
    let event = membership.message().await.unwrap().unwrap();
    assert_eq!(
        (event.transaction, event.contract),
        (signed.id().0.to_vec(), 1)
    );
    assert!(event.json.contains("MemberActivated"), "{}", event.json);
    let silent =
        tokio::time::timeout(std::time::Duration::from_millis(300), records.message()).await;
    assert!(
        silent.is_err(),
        "there are no events of the records contract"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_and_the_server_tell_how_they_are() {
    let running = Running::start(json!({})).await;
    let channel = channel(&running).await;
    let status = LedgerClient::new(channel.clone())
        .get_status(GetStatusRequest {})
        .await
        .unwrap()
        .into_inner();
    assert!(status.healthy);
    assert_eq!(
        (status.replicas.len(), status.quorum, status.fault_tolerance),
        (4, 3, 1)
    );
    let mut health = HealthClient::new(channel);
    let asked = |service: &str| HealthCheckRequest {
        service: service.to_owned(),
    };
    for service in ["", "medshare.v1.Ledger"] {
        let answer = health.check(asked(service)).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving);
    }
    assert_eq!(
        health.check(asked("nothing")).await.unwrap_err().code(),
        Code::NotFound
    );
    let mut watched = health.watch(asked("")).await.unwrap().into_inner();
    assert_eq!(
        watched.message().await.unwrap().unwrap().status(),
        ServingStatus::Serving
    );
    running.shutdown.request();
    assert_eq!(
        watched.message().await.unwrap().unwrap().status(),
        ServingStatus::NotServing
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_asks_too_much_is_refused() {
    let running = Running::start(json!({ "requests_per_second": 1, "burst": 3 })).await;
    let mut client = LedgerClient::new(channel(&running).await);
    for _ in 0..3 {
        client.get_genesis(GetGenesisRequest {}).await.unwrap();
    }
    assert_eq!(
        client
            .get_genesis(GetGenesisRequest {})
            .await
            .unwrap_err()
            .code(),
        Code::ResourceExhausted
    );
}
