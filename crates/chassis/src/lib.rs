//! What every service process has: configuration, telemetry, health, metrics, shutdown.
//!
//! A service is a library with a `Config` (serde, `deny_unknown_fields`) and
//! `async fn run(config: Config, shutdown: chassis::Shutdown) -> anyhow::Result<()>`. The `medshare` command hands both
//! to [`run_service`], which reads the configuration, sets up telemetry, serves health, listens for signals and turns
//! the end of `run` into an exit code. The service calls [`Shutdown::ready`] once it can do its work, and returns
//! soon after [`Shutdown::requested`].
//!
//! Exit codes: 0 stopped as asked, 1 failed, 2 bad configuration, 70 a panic (a broken invariant).

pub mod clock;
pub mod configuration;
pub mod health;
pub mod metrics;
pub mod process;
pub mod shutdown;
pub mod telemetry;
pub mod unread;

pub use configuration::{ConfigurationError, InvalidKey};
pub use process::{ProcessConfig, ProcessOptions, run_service};
pub use shutdown::Shutdown;
