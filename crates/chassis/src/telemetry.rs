//! Logs to standard error, spans over OTLP when an endpoint is configured.
//!
//! **Spans carry ids only**: before a span leaves the process, every attribute whose key is not on [`is_exported`]'s list
//! is dropped, as are the log events inside it. Logs have no such filter: whoever writes one puts in ids, heights and
//! numbers, never a name, a clinical value or a payload (the canary test reads all of them).

use std::borrow::Cow;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{KeyValue, Value, global};
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter,
};
use serde::{Deserialize, Serialize};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

/// `[process.telemetry]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// Where spans go: an OTLP collector's gRPC endpoint such as `http://127.0.0.1:4317`. None: nowhere.
    pub endpoint: Option<String>,
    /// Which part of the traces that begin in this process is recorded, from 0 to 1; those that began elsewhere are
    /// recorded where they were there. A system under load needs few.
    pub ratio: f64,
    /// How log lines look.
    pub format: LogFormat,
    /// Which log lines are written, as `tracing`'s env filter reads it (`info,async_nats=warn`). The environment variable
    /// `RUST_LOG` goes before it.
    pub filter: String,
    /// The service's name in traces; the subcommand's when none is given (`replica-1` among several `ordering`).
    pub name: Option<String>,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            ratio: 1.0,
            format: LogFormat::default(),
            filter: "info,async_nats=warn".to_owned(),
            name: None,
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line of text for people.
    #[default]
    Pretty,
    /// One JSON object a line for machines.
    Json,
}

/// Spans that wait to be exported; what comes on top is dropped, so that tracing never holds up work.
const SPANS_QUEUED_MAX: usize = 16_384;
const EXPORTED_EVERY: Duration = Duration::from_secs(1);

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log filter cannot be read.
    #[error("key `process.telemetry.filter`: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The exporter cannot be built from the endpoint.
    #[error("key `process.telemetry.endpoint`: {0}")]
    Endpoint(#[from] opentelemetry_otlp::ExporterBuildError),
    /// Another subscriber is already installed in this process.
    #[error("telemetry is set up twice in one process: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Telemetry of this process; [`Telemetry::flush`] it before the end.
#[derive(Debug)]
#[must_use = "spans still buffered are lost unless it is flushed at the end"]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

/// Sets up logs and spans for the process. Call it once, inside the tokio runtime.
pub fn init(service: &str, config: &TelemetryConfig) -> Result<Telemetry, TelemetryError> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(filter) if !filter.is_empty() => EnvFilter::try_new(filter)?,
        _ => EnvFilter::try_new(&config.filter)?,
    };
    let name = config.name.clone().unwrap_or_else(|| service.to_owned());
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match config.format {
        LogFormat::Pretty => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    global::set_text_map_propagator(TraceContextPropagator::new());
    let provider = match &config.endpoint {
        None => None,
        Some(endpoint) => {
            let exporter = opentelemetry_otlp::SpanExporter::builder()
                .with_tonic()
                .with_endpoint(endpoint)
                .build()?;
            Some(provider(name, config.ratio, exporter))
        }
    };
    if let Some(provider) = &provider {
        // For spans that are made without `tracing`, such as those of the ordering phases.
        global::set_tracer_provider(provider.clone());
    }
    let spans = provider.as_ref().map(|provider| {
        // Spans are exported whatever the log filter says, down to the level of info.
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("medshare"))
            .with_filter(
                tracing_subscriber::filter::Targets::new().with_default(tracing::Level::INFO),
            )
    });
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(spans)
        .try_init()?;
    Ok(Telemetry { provider })
}

fn provider(name: String, ratio: f64, exporter: impl SpanExporter + 'static) -> SdkTracerProvider {
    let resource = Resource::builder()
        .with_service_name(name)
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(SPANS_QUEUED_MAX)
        .with_scheduled_delay(EXPORTED_EVERY)
        .build();
    SdkTracerProvider::builder()
        .with_span_processor(
            BatchSpanProcessor::builder(Redacting(exporter))
                .with_batch_config(batches)
                .build(),
        )
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
            ratio,
        ))))
        .with_resource(resource)
        .build()
}

impl Telemetry {
    /// Sends what is buffered, waiting at most five seconds.
    pub fn flush(&self) {
        if let Some(provider) = &self.provider
            && let Err(error) = provider.shutdown_with_timeout(Duration::from_secs(5))
        {
            tracing::warn!(%error, "spans could not be sent at the end");
        }
    }
}

/// Whether a span's attribute of this key leaves the process: ids, positions, counts and the protocol's own words.
pub fn is_exported(key: &str) -> bool {
    const WORDS: [&str; 32] = [
        "attempt",
        "batch",
        "block",
        "bytes",
        "caller",
        "code",
        "contract",
        "count",
        "device",
        "digest",
        "duration_us",
        "epoch",
        "events",
        "height",
        "id",
        "item",
        "operation",
        "outcome",
        "parts",
        "position",
        "projection",
        "replica",
        "sequence",
        "service",
        "status",
        "subject",
        "target",
        "transaction",
        "transactions",
        "use_case",
        "version",
        "view",
    ];
    const PREFIXES: [&str; 9] = [
        "busy_ns",
        "code.",
        "http.",
        "idle_ns",
        "messaging.",
        "otel.",
        "rpc.",
        "server.",
        "thread.",
    ];
    const NEVER: [&str; 3] = ["http.url", "http.target", "http.request.header"];
    WORDS.contains(&key)
        || key.ends_with("_id")
        || key.ends_with(".id")
        || PREFIXES.iter().any(|prefix| key.starts_with(prefix))
            && !NEVER.iter().any(|never| key.starts_with(never))
}

/// Strings longer than an identifier are not identifiers.
const EXPORTED_TEXT_MAX_BYTES: usize = 128;

#[derive(Debug)]
struct Redacting<E>(E);

impl<E: SpanExporter> SpanExporter for Redacting<E> {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        for span in &mut batch {
            redact(span);
        }
        self.0.export(batch).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn redact(span: &mut SpanData) {
    span.attributes.retain(|attribute| {
        is_exported(attribute.key.as_str())
            && !matches!(&attribute.value, Value::String(text) if text.as_str().len() > EXPORTED_TEXT_MAX_BYTES)
    });
    span.events.events.clear();
    if let opentelemetry::trace::Status::Error { description } = &mut span.status {
        *description = Cow::Borrowed("");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::{Span as _, Tracer as _};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Debug, Default)]
    struct Captured(Arc<Mutex<Vec<SpanData>>>);

    impl SpanExporter for Captured {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().unwrap().extend(batch);
            Ok(())
        }
    }

    #[test]
    fn only_ids_and_the_protocols_own_words_leave_the_process() {
        let exporter = Captured::default();
        let provider = provider("test".to_owned(), 1.0, exporter.clone());
        let mut span = provider.tracer("test").start("register_record");
        span.set_attribute(KeyValue::new("transaction_id", "abc"));
        span.set_attribute(KeyValue::new("height", 7));
        span.set_attribute(KeyValue::new("patient_name", "CANARY"));
        span.set_attribute(KeyValue::new("http.url", "/patients?name=CANARY"));
        span.set_attribute(KeyValue::new("subject", "CANARY".repeat(100)));
        span.add_event("CANARY", vec![]);
        span.set_status(opentelemetry::trace::Status::error("CANARY"));
        span.end();
        provider.force_flush().unwrap();
        let spans = exporter.0.lock().unwrap();
        assert!(!format!("{spans:?}").contains("CANARY"));
        let keys: Vec<&str> = spans[0]
            .attributes
            .iter()
            .map(|attribute| attribute.key.as_str())
            .collect();
        assert_eq!(keys, ["transaction_id", "height"]);
    }
}
