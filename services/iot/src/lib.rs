//! IoT: devices over MQTT, readings, early warnings.
//!
//! A device publishes numbered, sealed, signed packs (`keys::device_envelope`) on its own topic and keeps them until this
//! service acknowledges them on its other topic: a broker's PUBACK proves nothing. Rooms: `ingest/` (from message to
//! rows), `anchor` (batches on the ledger), `watch/` (assessment and warnings), `api/` (one file a use case),
//! `projections/` (bindings, shares, warnings as the ledger has them).

mod anchor;
mod api;
mod ingest;
mod migrations;
mod packs;
mod projections;
mod rebuilding;
mod service;
mod watch;

pub use rebuilding::rebuild;
pub use service::{Config, run};
