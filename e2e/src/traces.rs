//! An OTLP receiver: takes the spans of every process of a system, and puts the traces together.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::HEXLOWER;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value;
use prost::Message as _;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// One span.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The trace it belongs to, hex.
    pub trace: String,
    /// Its id, hex.
    pub id: String,
    /// Its parent's id, hex; none for a root.
    pub parent: Option<String>,
    /// What it is of.
    pub name: String,
    /// The process that made it.
    pub process: String,
    /// Its attributes, as text.
    pub attributes: BTreeMap<String, String>,
    /// When it began, nanoseconds since the Unix epoch.
    pub start_ns: u64,
    /// When it ended.
    pub end_ns: u64,
}

type Requests = Arc<Mutex<Vec<ExportTraceServiceRequest>>>;

/// The receiver; it stops with the runtime.
#[derive(Clone)]
pub struct Receiver {
    address: SocketAddr,
    requests: Requests,
}

struct Taking(Requests);

#[tonic::async_trait]
impl TraceService for Taking {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        requests.push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Receiver {
    /// Listens on a free port.
    ///
    /// # Panics
    /// If there is none.
    pub async fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let requests = Requests::default();
        let service = TraceServiceServer::new(Taking(requests.clone()))
            .max_decoding_message_size(64 * 1024 * 1024);
        tokio::spawn(
            Server::builder()
                .add_service(service)
                .serve_with_incoming(TcpIncoming::from(listener)),
        );
        Receiver { address, requests }
    }

    /// What goes into `process.telemetry.endpoint`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that came, as bytes: all names, attributes, resources.
    pub fn bytes(&self) -> Vec<u8> {
        self.lock()
            .iter()
            .flat_map(|request| request.encode_length_delimited_to_vec())
            .collect()
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<Span> {
        self.lock().iter().flat_map(spans_of).collect()
    }

    /// The spans of one trace.
    pub fn trace(&self, id: &str) -> Trace {
        let spans = self.spans().into_iter().filter(|span| span.trace == id);
        Trace {
            spans: spans.map(|span| (span.id.clone(), span)).collect(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<ExportTraceServiceRequest>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn spans_of(request: &ExportTraceServiceRequest) -> Vec<Span> {
    let mut spans = Vec::new();
    for of_process in &request.resource_spans {
        let resource = of_process.resource.iter().flat_map(|it| &it.attributes);
        let process = resource
            .filter(|attribute| attribute.key == "service.name")
            .find_map(|attribute| text_of(attribute.value.as_ref()?.value.as_ref()))
            .unwrap_or_default();
        for span in of_process.scope_spans.iter().flat_map(|scope| &scope.spans) {
            let attributes = span.attributes.iter().filter_map(|attribute| {
                let value = text_of(attribute.value.as_ref()?.value.as_ref())?;
                Some((attribute.key.clone(), value))
            });
            spans.push(Span {
                trace: HEXLOWER.encode(&span.trace_id),
                id: HEXLOWER.encode(&span.span_id),
                parent: (!span.parent_span_id.is_empty())
                    .then(|| HEXLOWER.encode(&span.parent_span_id)),
                name: span.name.clone(),
                process: process.clone(),
                attributes: attributes.collect(),
                start_ns: span.start_time_unix_nano,
                end_ns: span.end_time_unix_nano,
            });
        }
    }
    spans
}

fn text_of(value: Option<&any_value::Value>) -> Option<String> {
    match value? {
        any_value::Value::StringValue(text) => Some(text.clone()),
        any_value::Value::IntValue(number) => Some(number.to_string()),
        any_value::Value::BoolValue(value) => Some(value.to_string()),
        _ => None,
    }
}

/// The spans of one trace, by id.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    spans: BTreeMap<String, Span>,
}

impl Trace {
    /// Its spans.
    pub fn spans(&self) -> impl Iterator<Item = &Span> {
        self.spans.values()
    }

    /// The spans of this name.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Span> {
        self.spans().filter(move |span| span.name == name)
    }

    /// The processes that have a part in it.
    pub fn processes(&self) -> BTreeSet<&str> {
        self.spans().map(|span| span.process.as_str()).collect()
    }

    /// Spans whose parent is neither here nor `outside`: where the trace has a gap.
    pub fn gaps(&self, outside: &str) -> Vec<&Span> {
        let has_parent = |span: &&Span| match span.parent.as_deref() {
            None => false,
            Some(parent) => parent == outside || self.spans.contains_key(parent),
        };
        self.spans().filter(|span| !has_parent(span)).collect()
    }

    /// The way from a span up to the top, its own name first: `<process>/<name>`.
    pub fn way_up(&self, span: &Span) -> Vec<String> {
        let mut way = Vec::new();
        let mut next = Some(span);
        while let Some(span) = next {
            way.push(format!("{}/{}", span.process, span.name));
            next = span.parent.as_ref().and_then(|id| self.spans.get(id));
        }
        way
    }
}
