//! When the latest blocks went through the phases at this replica, for whoever wants to see where time went.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bus::ordering_wire::PhaseTimes;
use ledger::{Height, Timestamp, byte_string};

use crate::recent::RecentBlock;

/// How many transactions' times are kept, at 20 bytes each.
const TRANSACTIONS_KEPT: usize = 262_144;
/// How many blocks' times are kept.
const BLOCKS_KEPT: usize = 16_384;

/// Times of the latest blocks.
#[derive(Debug, Default)]
pub struct Phases {
    log: Mutex<Log>,
}

#[derive(Debug, Default)]
struct Log {
    blocks: BTreeMap<u64, BlockTimes>,
    transactions: usize,
}

#[derive(Debug)]
struct BlockTimes {
    /// `received` and `trace` aside.
    times: PhaseTimes,
    /// In the order of the block: how long before the certificate each transaction came, in microseconds, and the trace
    /// it belongs to (zero: none).
    transactions: Vec<(u32, [u8; 16])>,
}

impl Phases {
    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block has its certificate.
    pub fn certified(&self, height: Height, block: &RecentBlock, now: Instant, now_us: u64) {
        let before_us = |at: Instant| now.saturating_duration_since(at).as_micros() as u64;
        let wall = |at: Instant| Timestamp(now_us.saturating_sub(before_us(at)));
        let bodies = block.bodies.iter();
        let transactions: Vec<_> = bodies
            .map(|body| {
                let before_us = u32::try_from(before_us(body.received)).unwrap_or(u32::MAX);
                let traceparent = body.origin().and_then(|it| it.traceparent.as_deref());
                (
                    before_us,
                    traceparent.and_then(trace_of).unwrap_or_default(),
                )
            })
            .collect();
        let ordered = &block.phases.ordered;
        let times = PhaseTimes {
            received: None,
            proposed: ordered.proposed.map(wall),
            prepared: ordered.prepared.map(wall),
            executed: wall(block.phases.executed),
            certified: Timestamp(now_us),
            trace: None,
        };
        let mut log = self.lock();
        log.transactions += transactions.len();
        let kept = BlockTimes {
            times,
            transactions,
        };
        log.blocks.insert(height.0, kept);
        while (log.transactions > TRANSACTIONS_KEPT || log.blocks.len() > BLOCKS_KEPT)
            && let Some((_, oldest)) = log.blocks.pop_first()
        {
            log.transactions -= oldest.transactions.len();
        }
    }

    /// The times of a transaction, by its place; `None` if they are no longer (or were never) known.
    pub fn of(&self, height: Height, index: u32) -> Option<PhaseTimes> {
        let log = self.lock();
        let block = log.blocks.get(&height.0)?;
        let known = block.transactions.get(index as usize);
        let certified = block.times.certified.0;
        Some(PhaseTimes {
            received: known.map(|(us, _)| Timestamp(certified.saturating_sub(u64::from(*us)))),
            trace: known
                .map(|(_, trace)| *trace)
                .filter(|trace| *trace != [0; 16]),
            ..block.times
        })
    }
}

/// The trace id in a W3C trace context.
fn trace_of(traceparent: &str) -> Option<[u8; 16]> {
    byte_string::from_hex(traceparent.split('-').nth(1)?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ledger::Digest;

    use super::*;
    use crate::recent::Ordered;

    fn block(ordered: Ordered, executed: Instant) -> RecentBlock {
        RecentBlock {
            block: None,
            hash: Digest([1; 32]),
            bodies: Vec::new(),
            wires: Vec::new(),
            phases: crate::recent::Phases {
                ordered,
                started: executed,
                executed,
            },
        }
    }

    #[test]
    fn times_are_in_the_order_of_the_phases_and_count_back_from_the_certificate() {
        let phases = Phases::default();
        let proposed = Instant::now();
        let after = |us| proposed + Duration::from_micros(us);
        let ordered = Ordered {
            proposed: Some(proposed),
            prepared: Some(after(200)),
        };
        let of_block = block(ordered, after(300));
        phases.certified(Height(7), &of_block, after(800), 1_000_000_000);
        let times = phases.of(Height(7), 0).unwrap();
        assert_eq!(times.proposed, Some(Timestamp(1_000_000_000 - 800)));
        assert_eq!(times.prepared, Some(Timestamp(1_000_000_000 - 600)));
        assert_eq!(times.executed, Timestamp(1_000_000_000 - 500));
        assert_eq!(times.received, None);
        assert_eq!(phases.of(Height(8), 0), None);
    }

    #[test]
    fn a_trace_is_read_from_its_context() {
        let context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(trace_of(context).unwrap()[..2], [0x0a, 0xf7]);
        assert_eq!(trace_of("00-zz-b7ad6b7169203331-01"), None);
    }

    #[test]
    fn only_the_latest_blocks_are_kept() {
        let phases = Phases::default();
        let now = Instant::now();
        for height in 0..BLOCKS_KEPT as u64 + 3 {
            phases.certified(Height(height), &block(Ordered::default(), now), now, 1);
        }
        assert_eq!(phases.of(Height(2), 0), None);
        assert!(phases.of(Height(3), 0).is_some());
    }
}
