//! A small consortium for this crate's tests: four replicas, made-up members, blocks on demand.
