//! What a service hears from, and tells, the process it runs in: stop, ready, degraded.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::watch;

/// A handle on the process, cheap to clone.
#[derive(Clone, Debug)]
pub struct Shutdown {
    process: Arc<Process>,
}

#[derive(Debug)]
struct Process {
    service: String,
    announces: bool,
    stop: watch::Sender<bool>,
    ready: watch::Sender<bool>,
    health: OnceLock<SocketAddr>,
    degraded: Mutex<BTreeMap<String, String>>,
}

impl Shutdown {
    /// A handle whose readiness is announced on standard output; [`crate::run_service`] makes it.
    pub(crate) fn announcing(service: &str) -> Self {
        Self::of(service, true)
    }

    /// A handle that belongs to no process, for tests that run a service inside themselves.
    pub fn detached(service: &str) -> Self {
        Self::of(service, false)
    }

    fn of(service: &str, announces: bool) -> Self {
        let process = Process {
            service: service.to_owned(),
            announces,
            stop: watch::Sender::new(false),
            ready: watch::Sender::new(false),
            health: OnceLock::new(),
            degraded: Mutex::new(BTreeMap::new()),
        };
        Self {
            process: Arc::new(process),
        }
    }

    /// The service's name, as in its subcommand.
    pub fn service(&self) -> &str {
        &self.process.service
    }

    /// Asks everything that holds this handle to stop.
    pub fn request(&self) {
        self.process.stop.send_replace(true);
    }

    /// Whether stopping was asked for.
    pub fn is_requested(&self) -> bool {
        *self.process.stop.borrow()
    }

    /// Returns once stopping was asked for. Cancel-safe.
    pub async fn requested(&self) {
        let mut stop = self.process.stop.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = stop.wait_for(|asked| *asked).await;
    }

    /// Tells that the service can do its work. The first call prints the process's one line on standard output,
    /// `{"ready":"<service>","health":"127.0.0.1:<port>","addresses":{}}`, and turns `/readyz` to 200.
    pub fn ready(&self) {
        self.ready_at(&[]);
    }

    /// As [`Shutdown::ready`], naming the addresses that the service listens on, such as `("rest", address)`.
    pub fn ready_at(&self, addresses: &[(&str, SocketAddr)]) {
        if self.process.ready.send_replace(true) || !self.process.announces {
            return;
        }
        let addresses: BTreeMap<&str, String> = addresses
            .iter()
            .map(|(name, address)| (*name, address.to_string()))
            .collect();
        let line = serde_json::json!({
            "ready": self.process.service,
            "health": self.process.health.get().map(SocketAddr::to_string),
            "addresses": addresses,
        });
        let mut out = std::io::stdout().lock();
        // A parent that no longer reads is no reason to stop serving.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }

    /// Whether the service has told that it is ready, and is not stopping.
    pub fn is_ready(&self) -> bool {
        *self.process.ready.borrow() && !self.is_requested()
    }

    /// Returns once the service is ready.
    pub async fn became_ready(&self) {
        let mut ready = self.process.ready.subscribe();
        let _ = ready.wait_for(|ready| *ready).await;
    }

    /// Tells that a part works badly (`"projection"`, `"behind by 1200 blocks"`): `/readyz` turns to 503 and names it.
    /// No personal data in either text.
    pub fn degrade(&self, part: &str, reason: impl Into<String>) {
        self.lock_degraded().insert(part.to_owned(), reason.into());
    }

    /// Tells that a part works again.
    pub fn restore(&self, part: &str) {
        self.lock_degraded().remove(part);
    }

    /// The parts that work badly, with reasons.
    pub fn degraded(&self) -> BTreeMap<String, String> {
        self.lock_degraded().clone()
    }

    pub(crate) fn set_health_address(&self, address: SocketAddr) {
        let _ = self.process.health.set(address);
    }

    fn lock_degraded(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.process
            .degraded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everyone_who_waits_hears_of_the_request() {
        let shutdown = Shutdown::detached("test");
        let waiting = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.requested().await }
        });
        assert!(!shutdown.is_requested());
        shutdown.request();
        waiting.await.unwrap();
        shutdown.requested().await;
        assert!(shutdown.is_requested());
    }

    #[tokio::test]
    async fn a_stopping_service_is_no_longer_ready() {
        let shutdown = Shutdown::detached("test");
        shutdown.ready();
        shutdown.became_ready().await;
        assert!(shutdown.is_ready());
        shutdown.request();
        assert!(!shutdown.is_ready());
    }
}
