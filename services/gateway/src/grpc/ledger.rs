//! The ledger service: submissions, receipts, blocks, events.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use ledger::{CertifiedBlock, Digest, Height, SignedTransaction, canonical};
use tokio::sync::OwnedSemaphorePermit;
use tonic::{Request, Response, Status};

use super::proto::get_block_request::Block as AskedBlock;
use super::proto::ledger_server::Ledger;
use super::proto::{
    Block, GetBlockRequest, GetBlockResponse, GetGenesisRequest, GetGenesisResponse,
    GetReceiptRequest, GetReceiptResponse, GetStatusRequest, GetStatusResponse, ListBlocksRequest,
    ListBlocksResponse, StreamEventsRequest, StreamEventsResponse, SubmitTransactionRequest,
    SubmitTransactionResponse,
};
use super::status;
use crate::rest::status_of;
use crate::service::Gateway;
use ledger_view::{EventView, rejection_text};

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

pub(crate) struct LedgerRoom {
    gateway: Arc<Gateway>,
}

impl LedgerRoom {
    pub(crate) fn new(gateway: Arc<Gateway>) -> LedgerRoom {
        LedgerRoom { gateway }
    }

    fn stream_permit(&self) -> Result<OwnedSemaphorePermit, Status> {
        let permit = self.gateway.streams.clone().try_acquire_owned();
        permit.map_err(|_| {
            Status::resource_exhausted("as many streams are open as this gateway serves")
        })
    }

    /// Verified blocks from a height on, until the process stops.
    async fn follow(
        &self,
        from: u64,
    ) -> Result<impl Stream<Item = CertifiedBlock> + Send + use<>, Status> {
        let permit = self.stream_permit()?;
        let follow = self
            .gateway
            .bus
            .follow(Height(from))
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        let shutdown = self.gateway.shutdown.clone();
        let blocks = follow
            .into_stream()
            .take_until(async move { shutdown.requested().await });
        Ok(blocks.inspect(move |_| {
            let _until_the_stream_ends = &permit;
        }))
    }
}

#[tonic::async_trait]
impl Ledger for LedgerRoom {
    type ListBlocksStream = Answers<ListBlocksResponse>;
    type StreamEventsStream = Answers<StreamEventsResponse>;

    async fn submit_transaction(
        &self,
        request: Request<SubmitTransactionRequest>,
    ) -> Result<Response<SubmitTransactionResponse>, Status> {
        let bytes = request.into_inner().transaction;
        let transaction = SignedTransaction::from_bytes(&bytes)
            .map_err(|error| Status::invalid_argument(format!("transaction: {error}")))?;
        let receipt = self
            .gateway
            .bus
            .submit(&transaction)
            .await
            .map_err(|error| status::of_submission(&error))?;
        Ok(Response::new(SubmitTransactionResponse {
            height: receipt.header.height.0,
            accepted: receipt.leaf.outcome.is_accepted(),
            rejection: rejection_text(receipt.leaf.outcome).unwrap_or_default(),
            receipt: receipt.to_bytes(),
        }))
    }

    async fn get_receipt(
        &self,
        request: Request<GetReceiptRequest>,
    ) -> Result<Response<GetReceiptResponse>, Status> {
        let id = digest(&request.get_ref().transaction, "transaction")?;
        let found = self
            .gateway
            .bus
            .receipt(&id)
            .await
            .map_err(|error| status::of_question(&error))?;
        let receipt = found.ok_or_else(|| {
            Status::not_found("no transaction with this id is on the ledger (yet)")
        })?;
        Ok(Response::new(GetReceiptResponse {
            receipt: receipt.to_bytes(),
        }))
    }

    async fn get_block(
        &self,
        request: Request<GetBlockRequest>,
    ) -> Result<Response<GetBlockResponse>, Status> {
        let found = match request.into_inner().block {
            Some(AskedBlock::Height(height)) => self.gateway.bus.block(Height(height)).await,
            Some(AskedBlock::Hash(hash)) => {
                self.gateway.bus.block_by_hash(digest(&hash, "hash")?).await
            }
            None => return Err(Status::invalid_argument("block: give a height or a hash")),
        };
        let found = found.map_err(|error| status::of_question(&error))?;
        let block = found.ok_or_else(|| Status::not_found("there is no such block (yet)"))?;
        Ok(Response::new(GetBlockResponse {
            block: Some(message_of(&block)),
        }))
    }

    async fn list_blocks(
        &self,
        request: Request<ListBlocksRequest>,
    ) -> Result<Response<Self::ListBlocksStream>, Status> {
        let asked = request.into_inner();
        let mut count = if asked.limit == 0 {
            u64::MAX
        } else {
            asked.limit
        };
        if !asked.follow {
            let newest = status_of(&self.gateway).await.height;
            count = count.min((newest + 1).saturating_sub(asked.from_height));
        }
        if count == 0 {
            return Ok(Response::new(Box::pin(futures::stream::empty())));
        }
        let blocks = self
            .follow(asked.from_height)
            .await?
            .take(usize::try_from(count).unwrap_or(usize::MAX));
        Ok(Response::new(Box::pin(blocks.map(|block| {
            Ok(ListBlocksResponse {
                block: Some(message_of(&block)),
            })
        }))))
    }

    async fn stream_events(
        &self,
        request: Request<StreamEventsRequest>,
    ) -> Result<Response<Self::StreamEventsStream>, Status> {
        let asked = request.into_inner();
        let from = match asked.from_height {
            Some(from) => from,
            None => status_of(&self.gateway).await.height.saturating_add(1),
        };
        let blocks = self.follow(from).await?;
        let events = blocks
            .flat_map(move |block| futures::stream::iter(events_of(&block, &asked.contracts)));
        Ok(Response::new(Box::pin(events.map(Ok))))
    }

    async fn get_status(
        &self,
        _request: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        Ok(Response::new(status::of_cluster(
            &status_of(&self.gateway).await,
        )))
    }

    async fn get_genesis(
        &self,
        _request: Request<GetGenesisRequest>,
    ) -> Result<Response<GetGenesisResponse>, Status> {
        Ok(Response::new(GetGenesisResponse {
            json: self.gateway.bus.genesis().to_json(),
        }))
    }
}

fn digest(bytes: &[u8], field: &str) -> Result<Digest, Status> {
    let bytes: [u8; 32] = bytes
        .try_into()
        .map_err(|_| Status::invalid_argument(format!("{field}: expected 32 bytes")))?;
    Ok(Digest(bytes))
}

fn message_of(certified: &CertifiedBlock) -> Block {
    let header = &certified.block.header;
    Block {
        height: header.height.0,
        hash: header.hash().0.to_vec(),
        time_us: header.time.0,
        certified: canonical::encode(certified),
    }
}

fn events_of(certified: &CertifiedBlock, contracts: &[u32]) -> Vec<StreamEventsResponse> {
    let header = &certified.block.header;
    let mut events = Vec::new();
    for leaf in &certified.block.outcomes {
        let of_system = leaf.transaction == Digest::ZERO;
        for (recorded, index) in leaf.events.iter().zip(0..) {
            let contract = u32::from(recorded.contract.0);
            if !contracts.is_empty() && !contracts.contains(&contract) {
                continue;
            }
            events.push(StreamEventsResponse {
                height: header.height.0,
                time_us: header.time.0,
                transaction: if of_system {
                    Vec::new()
                } else {
                    leaf.transaction.0.to_vec()
                },
                index,
                contract,
                event: recorded.bytes.clone(),
                json: EventView::of(recorded).event.to_string(),
            });
        }
    }
    events
}
