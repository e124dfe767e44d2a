//! The gateway's gRPC interface, as `proto/` describes it.
#![allow(missing_docs, clippy::all)]

tonic::include_proto!("medshare.v1");
