//! The ledger for programs: gRPC, POST, and the Rust client.

use contracts::settlement::command::Command;
use e2e::cast::Cast;
use e2e::grpc::ledger_client::LedgerClient;
use e2e::grpc::{
    GetBlockRequest, GetReceiptRequest, GetStatusRequest, ListBlocksRequest, StreamEventsRequest,
    SubmitTransactionRequest, get_block_request::Block,
};
use e2e::load::{deposit, see_through};
use e2e::system::Setup;
use interfaces::settlement::{Balance, StatementLine};
use interfaces::{Base64, Page};
use ledger::{CertifiedBlock, Digest, GenesisFile, Outcome, Receipt, WriteSet, canonical};
use serde_json::{Value, json};

/// A21, A22. Fault: one of the three ways answers before the certificate, or shows another ledger than the others.
#[tokio::test(flavor = "multi_thread")]
async fn grpc_post_and_the_client_crate_all_submit_and_all_query_the_same_ledger() {
    let system = Setup::new().start();
    let cast = Cast::gather(&system).await;
    let genesis = std::fs::read_to_string(system.genesis()).unwrap();
    let genesis = GenesisFile::from_json(&genesis).unwrap();
    let treasurer = cast.treasurer.key().unwrap();
    let account = treasurer.ledger_id();
    let chain = genesis.chain_id();
    let endpoint = format!("http://{}", system.address("gateway", "grpc"));
    let mut grpc = LedgerClient::connect(endpoint).await.unwrap();

    // By gRPC.
    let by_grpc = deposit(chain, treasurer, account);
    let asked = SubmitTransactionRequest {
        transaction: by_grpc.to_bytes(),
    };
    let submitted = grpc.submit_transaction(asked).await.unwrap().into_inner();
    assert!(submitted.accepted);
    let receipt = Receipt::from_bytes(&submitted.receipt).unwrap();
    assert_eq!(
        receipt.verify(&genesis).unwrap().transaction(),
        by_grpc.id()
    );
    // By POST, as JSON.
    let by_post = deposit(chain, treasurer, account);
    see_through(&cast.client, &by_post).await.unwrap();
    // By the client crate: the service prepares, the client checks, signs and verifies.
    let by_client = cast
        .treasurer
        .command(
            "/v1/deposits",
            &json!({ "reference": "07".repeat(16), "account": account, "amount": 1 }),
        )
        .await
        .unwrap();

    // Each is found by each of the three.
    for id in [by_grpc.id(), by_post.id(), by_client.transaction] {
        let transaction = id.0.to_vec();
        let found = grpc.get_receipt(GetReceiptRequest { transaction }).await;
        let found = Receipt::from_bytes(&found.unwrap().into_inner().receipt).unwrap();
        let shown: Value = cast
            .client
            .get(&format!("/v1/transactions/{id}"))
            .await
            .unwrap();
        let shown: Base64 = serde_json::from_value(shown["receipt"].clone()).unwrap();
        let downloaded = cast.client.receipt(&id).await.unwrap().receipt;
        // Each may come of another replica, with other votes in its certificate.
        for other in [Receipt::from_bytes(&shown.0).unwrap(), downloaded] {
            assert_eq!(
                (&found.transaction, &found.leaf, &found.header),
                (&other.transaction, &other.leaf, &other.header)
            );
        }
        let height = found.header.height.0;
        let asked = GetBlockRequest {
            block: Some(Block::Height(height)),
        };
        let block = grpc.get_block(asked).await.unwrap().into_inner().block;
        let block: CertifiedBlock = canonical::decode(&block.unwrap().certified).unwrap();
        assert_eq!(block.block.hash(), found.header.hash());
    }
    let status = grpc.get_status(GetStatusRequest {}).await.unwrap();
    assert_eq!(status.into_inner().replicas.len(), 4);
    blocks_and_events_stream(&mut grpc, by_grpc.id(), receipt.header.height.0).await;

    // State is keys and values, and only what is accepted changes it.
    let balances: Vec<Balance> = cast.treasurer.get("/v1/balances").await.unwrap();
    assert_eq!(balances[0].balance, 3);
    let statement: Page<StatementLine> = cast.treasurer.get("/v1/statement").await.unwrap();
    assert_eq!(statement.entries.len(), 3);
    let again = repeated(&by_grpc, treasurer);
    let refused = see_through(&cast.client, &again).await.unwrap();
    let nothing = WriteSet::default().digest();
    assert!(matches!(
        refused.receipt.leaf.outcome,
        Outcome::Rejected { .. }
    ));
    assert_eq!(refused.receipt.leaf.writes, nothing);
    assert_ne!(receipt.leaf.writes, nothing);
    let balances: Vec<Balance> = cast.treasurer.get("/v1/balances").await.unwrap();
    assert_eq!(balances[0].balance, 3);
}

/// The same deposit, with the same bank reference, in another transaction.
fn repeated(
    signed: &ledger::SignedTransaction,
    key: &keys::MemberKey,
) -> ledger::SignedTransaction {
    let command =
        contracts::Command::from_bytes(signed.body.contract, &signed.body.command).unwrap();
    assert!(matches!(
        command,
        contracts::Command::Settlement(Command::Deposit { .. })
    ));
    key.sign(ledger::TransactionBody {
        nonce: signed.body.nonce + 1,
        ..signed.body.clone()
    })
}

async fn blocks_and_events_stream(
    grpc: &mut LedgerClient<tonic::transport::Channel>,
    transaction: Digest,
    height: u64,
) {
    let asked = ListBlocksRequest {
        from_height: 0,
        limit: height + 1,
        follow: false,
    };
    let mut blocks = grpc.list_blocks(asked).await.unwrap().into_inner();
    let mut next = 0;
    while let Some(block) = blocks.message().await.unwrap() {
        assert_eq!(block.block.unwrap().height, next);
        next += 1;
    }
    assert_eq!(next, height + 1);
    let asked = StreamEventsRequest {
        from_height: Some(height),
        contracts: Vec::new(),
    };
    let mut events = grpc.stream_events(asked).await.unwrap().into_inner();
    let event = events.message().await.unwrap().unwrap();
    assert_eq!(
        (event.height, event.transaction),
        (height, transaction.0.to_vec())
    );
}
