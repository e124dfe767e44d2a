//! A seeded cluster in one thread: network, clock, disk, Byzantine replicas, checkers.
