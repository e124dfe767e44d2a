//! Ordering: intake, consensus driver, durable log, execution, delivery.
