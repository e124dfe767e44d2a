//! The gateway over a real broker, with small services behind it.

mod grpc;
mod rest;
mod support;
