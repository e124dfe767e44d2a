//! Every record is re-hashed on a schedule, whether anybody reads it or not.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use chassis::Shutdown;
use chassis::metrics::{Gauge, gauge};
use contracts::RecordNumber;

use crate::failure::Failure;
use crate::projections::{self, OnLedger};
use crate::service::Records;

/// Few, so that a sweep never keeps the hospital's database from others for long.
const RECORDS_AT_ONCE: i64 = 50;

struct Metrics {
    swept: Gauge,
    records: Gauge,
    tampered: Gauge,
}

fn metrics() -> &'static Metrics {
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    METRICS.get_or_init(|| Metrics {
        swept: gauge(
            "integrity_swept_unix_seconds",
            "When all records had last been re-hashed",
        ),
        records: gauge("integrity_records", "Records of the last sweep"),
        tampered: gauge(
            "integrity_tampered_records",
            "Records of the last sweep that do not match the ledger",
        ),
    })
}

/// Sweeps until `shutdown`; never for an interval of zero.
pub(crate) async fn run(records: Arc<Records>, every: Duration, shutdown: Shutdown) {
    if every.is_zero() {
        return;
    }
    loop {
        tokio::select! {
            () = shutdown.requested() => return,
            () = tokio::time::sleep(every) => {}
        }
        tokio::select! {
            () = shutdown.requested() => return,
            swept = records.sweep_gently() => {
                if let Err(failure) = swept {
                    tracing::warn!(reason = %failure, "a sweep ended early; the next begins anew");
                }
            }
        }
    }
}

impl Records {
    async fn sweep_gently(&self) -> Result<(), Failure> {
        let (mut swept, mut tampered) = (0, 0);
        let mut after: Option<RecordNumber> = None;
        loop {
            let began = Instant::now();
            let part =
                projections::own_records_after(self.reader(), after.as_ref(), RECORDS_AT_ONCE)
                    .await?;
            let Some(last) = part.last() else {
                break;
            };
            after = Some(last.record);
            swept += part.len() as i64;
            for on_ledger in part {
                tampered += i64::from(self.is_tampered(&on_ledger).await?);
            }
            tokio::time::sleep(began.elapsed()).await;
        }
        metrics().records.set(swept);
        metrics().tampered.set(tampered);
        metrics()
            .swept
            .set((chassis::clock::now() / 1_000_000) as i64);
        Ok(())
    }

    /// Looks at a record, and reports what is wrong with it. What does not match is looked at once more while nobody writes
    /// this patient's records: it may have been amended or erased in between.
    async fn is_tampered(&self, on_ledger: &OnLedger) -> Result<bool, Failure> {
        if self.looks_right(on_ledger).await? {
            return Ok(false);
        }
        let found = crate::facts::records::find(self.reader(), &self.vault, &on_ledger.record);
        let Some(stored) = found.await? else {
            return Ok(false);
        };
        let _lock = self.patients.lock(&stored.patient_token).await;
        let now = projections::own_record(self.reader(), &on_ledger.record).await?;
        let Some(now) = now.filter(|now| !now.erased) else {
            return Ok(false);
        };
        match self.read_checked(&now).await {
            Ok(checked) => match checked.content {
                Ok(_) => Ok(false),
                Err(kind) => {
                    self.report_tampering(&now.record, checked.version, kind)
                        .await?;
                    Ok(true)
                }
            },
            Err(Failure::Refused(_)) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    async fn looks_right(&self, on_ledger: &OnLedger) -> Result<bool, Failure> {
        match self.read_checked(on_ledger).await {
            Ok(checked) => Ok(checked.content.is_ok()),
            // Given up after a wrong match, or a new version is on its way: nothing to say about it.
            Err(Failure::Refused(_)) => Ok(true),
            Err(failure) => Err(failure),
        }
    }
}
