//! Checkpoints of the history log, for witnesses outside (C2SP tlog-checkpoint), and what connects two of them.

use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use ledger_view::ConsistencyView;
use utoipa::openapi::{ContentBuilder, ObjectBuilder, ResponseBuilder, schema::Schema};

use super::answer::{Answer, Refusal};
use super::api::{Api, Route, Shared, answer, take_apart};
use super::document::{json_response, own_operation, query_parameter};
use super::input::Kind;
use super::ledger::number;
use interfaces::Problem;

const TAG: &str = "ledger";
const CHECKPOINT: Route = Route::get(
    "/v1/checkpoint",
    "The history log's checkpoint, signed by a quorum of replicas (C2SP tlog-checkpoint)",
)
.tag(TAG)
.by_anyone();
const CONSISTENCY: Route = Route::get(
    "/v1/checkpoint/consistency",
    "The proof that the log of one checkpoint is a prefix of another's",
)
.tag(TAG)
.by_anyone();

pub(crate) fn routes(api: Api) -> Api {
    let note = Schema::Object(
        ObjectBuilder::new()
            .description(Some("A signed note (docs/ledger-format.md)."))
            .build(),
    );
    let note = ContentBuilder::new().schema(Some(note)).build();
    let checkpoint = own_operation(&CHECKPOINT, "get_checkpoint")
        .parameter(query_parameter(
            "size",
            Kind::Integer,
            "Over how many blocks; the newest unless told.",
        ))
        .response(
            "200",
            ResponseBuilder::new()
                .description("The checkpoint.")
                .content("text/plain", note),
        );
    let consistency = own_operation(&CONSISTENCY, "get_consistency")
        .parameter(query_parameter(
            "first",
            Kind::Integer,
            "Blocks in the older checkpoint.",
        ))
        .parameter(query_parameter(
            "second",
            Kind::Integer,
            "Blocks in the newer checkpoint; the newest unless told.",
        ))
        .response("200", json_response::<ConsistencyView>("The proof."));
    api.schema::<ConsistencyView>()
        .own(CHECKPOINT, checkpoint, get_checkpoint)
        .own(CONSISTENCY, consistency, get_consistency)
}

async fn get_checkpoint(
    State(gateway): State<Shared>,
    request: Request,
) -> Result<Response, Refusal> {
    let parts = take_apart(&gateway, &CHECKPOINT, request).await?;
    let signed = ledger_view::checkpoint_note(&gateway.bus, number(&parts, "size")?).await?;
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((kind, signed.note()).into_response())
}

async fn get_consistency(
    State(gateway): State<Shared>,
    request: Request,
) -> Answer<ConsistencyView> {
    let parts = take_apart(&gateway, &CONSISTENCY, request).await?;
    let first = number(&parts, "first")?
        .ok_or_else(|| Problem::bad_input("first", "how many blocks the older one has"))?;
    let second = number(&parts, "second")?;
    answer(ledger_view::consistency(&gateway.bus, first, second).await?)
}
