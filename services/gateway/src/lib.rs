//! Gateway: REST with OpenAPI and gRPC for partner systems.
