//! The ledger, to read for anyone: blocks, replicas, genesis, and what is new as it comes.

use std::convert::Infallible;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use bus::ordering_wire::StatusReply;
use futures::{Stream, StreamExt};
use interfaces::Problem;
use ledger::{CertifiedBlock, Digest, Height};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::{ContentBuilder, ObjectBuilder, RefOr, ResponseBuilder, schema::Schema};

use super::answer::{Answer, Refusal, too_many_streams};
use super::api::{Api, Route, Shared, answer, take_apart};
use super::document::{json_response, own_operation, query_parameter};
use super::input::Kind;
use super::parts::RequestParts;
use crate::service::Gateway;
use ledger_view::{BlockSummary, BlockView, EventView, StatusView, TransactionView};

const TAG: &str = "ledger";
const STATUS: Route = Route::get(
    "/v1/status",
    "How the ordering cluster is, replica by replica",
)
.tag(TAG)
.by_anyone();
const GENESIS: Route = Route::get(
    "/v1/genesis",
    "The genesis file, with which receipts are verified",
)
.tag(TAG)
.by_anyone();
const BLOCKS: Route = Route::get("/v1/blocks", "Blocks, newest first")
    .tag(TAG)
    .by_anyone();
const BLOCK: Route = Route::get(
    "/v1/blocks/{block}",
    "A block with everything recorded in it, by height or hash",
)
.tag(TAG)
.by_anyone();
const EVENTS: Route = Route::get("/v1/events", "New blocks as they come (server-sent events)")
    .tag(TAG)
    .by_anyone();
const DOCUMENT: Route = Route::get("/v1/openapi.json", "This document")
    .tag(TAG)
    .by_anyone();

const BLOCKS_DEFAULT: u64 = 20;
const BLOCKS_MAX: u64 = 100;
/// Replicas asked for blocks at a time.
const ASKED_AT_ONCE: usize = 8;

/// Blocks, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BlockList {
    /// The blocks.
    blocks: Vec<BlockSummary>,
    /// Give it back as `before` for older ones; none at the beginning of the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<u64>,
}

pub(crate) fn routes(api: Api) -> Api {
    let anything = |text: &str| {
        RefOr::T(Schema::Object(
            ObjectBuilder::new().description(Some(text)).build(),
        ))
    };
    let json = |text: &str| {
        ResponseBuilder::new().description(text).content(
            "application/json",
            ContentBuilder::new().schema(Some(anything(text))).build(),
        )
    };
    let status = own_operation(&STATUS, "get_status")
        .response("200", json_response::<StatusView>("The cluster."));
    let genesis = own_operation(&GENESIS, "get_genesis")
        .response("200", json("The genesis file (docs/ledger-format.md)."));
    let blocks = own_operation(&BLOCKS, "list_blocks")
        .parameter(query_parameter(
            "before",
            Kind::Integer,
            "Only blocks below this height.",
        ))
        .parameter(query_parameter(
            "limit",
            Kind::Integer,
            "At most how many, 1 to 100; 20 unless told.",
        ))
        .response("200", json_response::<BlockList>("The blocks."));
    let block = own_operation(&BLOCK, "get_block")
        .response("200", json_response::<BlockView>("The block."));
    let stream = ContentBuilder::new()
        .schema(Some(super::document::schema_of::<BlockView>()))
        .build();
    let events = own_operation(&EVENTS, "stream_blocks")
        .parameter(query_parameter("from", Kind::Integer, "First height; the next block unless told. A header `Last-Event-ID` goes on after that height."))
        .parameter(query_parameter("contract", Kind::Text, "Only blocks with events of this contract, and only these events."))
        .response("200", ResponseBuilder::new().description("Events named `block`, each with its height as id and a block as data.").content("text/event-stream", stream));
    let document =
        own_operation(&DOCUMENT, "get_openapi").response("200", json("The OpenAPI 3.1 document."));
    api.schema::<StatusView>()
        .schema::<BlockList>()
        .schema::<BlockView>()
        .own(STATUS, status, get_status)
        .own(GENESIS, genesis, get_genesis)
        .own(BLOCKS, blocks, list_blocks)
        .own(BLOCK, block, get_block)
        .own(EVENTS, events, stream_blocks)
        .own(DOCUMENT, document, get_document)
}

async fn get_status(State(gateway): State<Shared>) -> Answer<StatusView> {
    answer(status_of(&gateway).await)
}

/// How the cluster is.
pub(crate) async fn status_of(gateway: &Gateway) -> StatusView {
    let mut answers = gateway.bus.status().await;
    let known = gateway.bus.epoch().epoch;
    let is_later = |said: &StatusReply| said.epoch > known;
    let mut said = answers
        .iter()
        .filter_map(|(_, answer)| answer.as_ref().ok());
    // Nothing here follows the ledger: a later epoch is heard of by the replicas' word, and believed by its links.
    if said.any(is_later) && gateway.bus.refresh_epochs().await.is_ok() {
        answers = gateway.bus.status().await;
    }
    StatusView::of(&gateway.bus, &gateway.bus.epoch(), &answers)
}

async fn get_genesis(State(gateway): State<Shared>) -> Response {
    (
        [(header::CONTENT_TYPE, "application/json")],
        gateway.bus.genesis().to_json(),
    )
        .into_response()
}

async fn get_document() -> Response {
    static TEXT: std::sync::LazyLock<String> = std::sync::LazyLock::new(super::document_text);
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}

async fn list_blocks(State(gateway): State<Shared>, request: Request) -> Answer<BlockList> {
    let parts = take_apart(&gateway, &BLOCKS, request).await?;
    let limit = number(&parts, "limit")?
        .unwrap_or(BLOCKS_DEFAULT)
        .clamp(1, BLOCKS_MAX);
    let before = match number(&parts, "before")? {
        Some(before) => before,
        None => status_of(&gateway).await.height.saturating_add(1),
    };
    let first = before.saturating_sub(limit);
    let heights = (first..before).rev();
    let asked = futures::stream::iter(heights)
        .map(|height| block(&gateway, Height(height)))
        .buffered(ASKED_AT_ONCE);
    let found: Vec<Result<Option<CertifiedBlock>, Problem>> = asked.collect().await;
    let mut blocks = Vec::new();
    for found in found {
        blocks.extend(found?.as_ref().map(BlockSummary::of));
    }
    answer(BlockList {
        blocks,
        before: (first > 0).then_some(first),
    })
}

async fn get_block(State(gateway): State<Shared>, request: Request) -> Answer<BlockView> {
    let parts = take_apart(&gateway, &BLOCK, request).await?;
    let asked = parts
        .path
        .get("block")
        .map(String::as_str)
        .unwrap_or_default();
    let found = match (asked.parse::<u64>(), asked.parse::<Digest>()) {
        (_, Ok(hash)) => gateway
            .bus
            .block_by_hash(hash)
            .await
            .map_err(|error| Problem::busy(error.to_string()))?,
        (Ok(height), _) => block(&gateway, Height(height)).await?,
        _ => return Err(Problem::bad_input("block", "expected a height or a block's hash").into()),
    };
    match found {
        Some(certified) => answer(BlockView::of(&certified)),
        None => Err(Problem::not_found("there is no such block (yet)").into()),
    }
}

async fn block(gateway: &Gateway, height: Height) -> Result<Option<CertifiedBlock>, Problem> {
    gateway
        .bus
        .block(height)
        .await
        .map_err(|error| Problem::busy(error.to_string()))
}

async fn stream_blocks(
    State(gateway): State<Shared>,
    request: Request,
) -> Result<Response, Refusal> {
    let resumed = last_event(request.headers())?;
    let parts = take_apart(&gateway, &EVENTS, request).await?;
    let contract = text(&parts, "contract").map(str::to_owned);
    let from = match resumed.map_or_else(|| number(&parts, "from"), |height| Ok(Some(height)))? {
        Some(from) => from,
        None => status_of(&gateway).await.height.saturating_add(1),
    };
    let permit = gateway
        .streams
        .clone()
        .try_acquire_owned()
        .map_err(|_| too_many_streams())?;
    let follow = gateway
        .bus
        .follow(Height(from))
        .await
        .map_err(|error| Problem::busy(error.to_string()))?;
    let shutdown = gateway.shutdown.clone();
    let blocks = follow
        .into_stream()
        .take_until(async move { shutdown.requested().await })
        .filter_map(move |certified| {
            let _until_the_stream_ends = &permit;
            std::future::ready(event_of(&certified, contract.as_deref()))
        })
        .map(Ok::<Event, Infallible>);
    Ok(sse(blocks).into_response())
}

fn sse<S: Stream<Item = Result<Event, Infallible>> + Send + 'static>(
    blocks: S,
) -> impl IntoResponse {
    (
        [("x-accel-buffering", "no")],
        Sse::new(blocks).keep_alive(KeepAlive::default()),
    )
}

fn event_of(certified: &CertifiedBlock, contract: Option<&str>) -> Option<Event> {
    let mut view = BlockView::of(certified);
    if let Some(contract) = contract {
        keep_events_of(&mut view, contract);
        if view.transactions.is_empty() && view.system_events.is_empty() {
            return None;
        }
    }
    let data = serde_json::to_string(&view).ok()?;
    Some(
        Event::default()
            .event("block")
            .id(view.height.to_string())
            .data(data),
    )
}

fn keep_events_of(view: &mut BlockView, contract: &str) {
    let is_of = |event: &EventView| event.contract == contract;
    view.system_events.retain(is_of);
    for transaction in &mut view.transactions {
        transaction.events.retain(is_of);
    }
    view.transactions
        .retain(|transaction: &TransactionView| !transaction.events.is_empty());
}

/// The height to go on with after the one a reconnecting client saw last.
fn last_event(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id") else {
        return Ok(None);
    };
    let height = value
        .to_str()
        .ok()
        .and_then(|text| text.parse::<u64>().ok());
    height
        .map(|height| Some(height.saturating_add(1)))
        .ok_or_else(|| Problem::bad_input("Last-Event-ID", "expected a height"))
}

fn text<'a>(parts: &'a RequestParts, name: &str) -> Option<&'a str> {
    parts
        .query
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, text)| text.as_str())
}

pub(super) fn number(parts: &RequestParts, name: &str) -> Result<Option<u64>, Problem> {
    let parsed = text(parts, name).map(str::parse);
    parsed
        .transpose()
        .map_err(|_| Problem::bad_input(name, "expected an integer, 0 or above"))
}
