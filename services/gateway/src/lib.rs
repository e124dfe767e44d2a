//! Gateway: REST with OpenAPI (and gRPC, on a port of its own) for partner systems, portals and programs.
//!
//! The gateway decides nothing about permissions: it hands the caller's session token on inside a sealed request, and
//! the service that answers decides. What it does by itself is to refuse what no service should have to look at (too
//! large, too deep, too fast, not understood), to find a hospital's records service, and to show the ledger.
//!
//! | module | what |
//! |---|---|
//! | [`rest`] | every use case over HTTP: one file a service, the document at `/v1/openapi.json` |
//! | [`grpc`] | `proto/medshare/v1/ledger.proto` |
//! | crate `ledger_view` | blocks, transactions and replicas as people read them |
//! | `tls` | mutual TLS with partner systems |
//! | `rate` | how much one address may ask |

pub mod grpc;
mod rate;
pub mod rest;
mod service;
mod tls;

pub use service::{Config, Limits, Listener, Prepared, run};
