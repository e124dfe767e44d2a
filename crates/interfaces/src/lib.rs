//! The messages services answer over the bus and the gateway shows over REST: one module a service, one pair of types a use case.
