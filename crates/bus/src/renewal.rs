//! Keeps a process's certificate current: asks identity for the next one when two thirds of its life are over, with a
//! new key that is made here and leaves this process in no message.
//!
//! The broker and the process's own listeners take up the replaced file; connections that stand are not cut.

use std::sync::{OnceLock, Weak};
use std::time::Duration;

use chassis::metrics::{Gauge, gauge};
use interfaces::identity::RenewCertificate;
use keys::certificate::CertificateRequest;
use keys::tls::{TlsFiles, TlsIdentity};

use crate::connection::Inner;
use crate::{Bus, Target};

/// The longest and the shortest pause between two looks at the file.
const LOOK_EVERY: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Renews until the connection is gone.
pub(crate) async fn keep_current(connection: Weak<Inner>, files: TlsFiles) {
    loop {
        let pause = match files.load() {
            Ok(identity) => {
                let left = left(&identity);
                expiry().set(i64::try_from(left.as_secs()).unwrap_or(i64::MAX));
                match left.checked_sub(life(&identity) / 3) {
                    Some(until_due) if !until_due.is_zero() => until_due.min(LOOK_EVERY),
                    _ => {
                        let Some(inner) = connection.upgrade() else {
                            return;
                        };
                        match renew(&Bus { inner }, &files, &identity).await {
                            Ok(()) => tracing::info!("the process's certificate was renewed"),
                            Err(error) => {
                                tracing::warn!(%error, "the process's certificate could not be renewed; it is tried again");
                            }
                        }
                        LOOK_AGAIN
                    }
                }
            }
            Err(error) => {
                tracing::error!(%error, "the process's certificate cannot be read");
                LOOK_EVERY
            }
        };
        tokio::time::sleep(pause).await;
        if connection.strong_count() == 0 {
            return;
        }
    }
}

async fn renew(bus: &Bus, files: &TlsFiles, current: &TlsIdentity) -> Result<(), String> {
    let leaf = current.leaf();
    let request = CertificateRequest::new(&leaf.subject, leaf.kind).map_err(text)?;
    let question = RenewCertificate {
        request: request.request_pem,
        current: current.chain_pem(),
    };
    let target = Target::of::<RenewCertificate>();
    let renewed = bus.request(&target, None, &question).await.map_err(text)?;
    // Nothing is replaced by what this process could not use.
    let root = std::fs::read(&files.root_file).map_err(text)?;
    let replacement = format!("{}{}", *request.key_pem, renewed.chain);
    let read = TlsIdentity::from_pem(&replacement, &root).map_err(text)?;
    read.client_config().map_err(text)?;
    files.save(&request.key_pem, &renewed.chain).map_err(text)
}

fn life(identity: &TlsIdentity) -> Duration {
    let leaf = identity.leaf();
    Duration::from_micros(leaf.not_after.0.saturating_sub(leaf.not_before.0))
}

fn left(identity: &TlsIdentity) -> Duration {
    Duration::from_micros(
        identity
            .leaf()
            .not_after
            .0
            .saturating_sub(chassis::clock::now()),
    )
}

fn expiry() -> &'static Gauge {
    static GAUGE: OnceLock<Gauge> = OnceLock::new();
    GAUGE.get_or_init(|| {
        gauge(
            "certificate_expires_seconds",
            "Until the process's certificate ends",
        )
    })
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
