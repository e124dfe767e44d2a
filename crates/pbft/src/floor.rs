//! A floor under the primary's performance, after Aardvark (Clement et al., NSDI 2009, §4.2 and §6): a primary that
//! stays just within the timers of §4.5.2 could slow the whole cluster down for ever. So each backup measures it.
//!
//! A primary is slack while a request is in no proposal for longer than the grace, although there was room for another
//! proposal all that time and the backup is not behind. (A fair primary proposes what came first; that it proposes
//! something else meanwhile is no excuse.) Each time it had something to do for a window
//! of time, the slack part of it is compared with the allowed part, and with twice the least of the last n
//! primaries: on a machine that is slow for everybody nobody is demoted twice.
//!
//! Primaries also take turns (`Limits::view_blocks_max`), so that even one that stays above the floor does not stay.

use std::collections::VecDeque;

use ledger::Timestamp;

use crate::number::Sequence;
use crate::replica::Replica;

/// The part of a turn that a primary has at least when somebody waits for its end: whoever only says so gains nothing.
const SHORT_TURN: u64 = 64;

/// What a backup has seen of the primary.
#[derive(Debug, Default)]
pub(crate) struct Floor {
    looked_at: Timestamp,
    demand_us: u64,
    slack_us: u64,
    /// When there was last no room, or nothing to do.
    excused_at: Timestamp,
    /// The latest judgement of this primary, in thousandths.
    current: Option<u64>,
    /// Those of the primaries before it, at most one for each replica.
    past: VecDeque<u64>,
    /// The stable checkpoint at which the view was entered.
    pub(crate) entered_at: Sequence,
}

impl Replica {
    /// Adds what passed since the last step. Steps are at most a status interval apart; more is our own pause.
    pub(crate) fn observe_primary(&mut self) {
        let now = self.now.monotonic;
        let passed = now
            .0
            .saturating_sub(self.floor.looked_at.0)
            .min(self.limits.status_interval_us);
        self.floor.looked_at = now;
        if !self.active() || self.is_primary() || self.is_behind() || !self.may_sign() {
            self.floor.excused_at = now;
            return;
        }
        let in_flight = self.in_flight();
        let oldest = self.pool.oldest_unproposed();
        if oldest.is_none() && in_flight == 0 {
            self.floor.excused_at = now;
            return;
        }
        self.floor.demand_us = self.floor.demand_us.saturating_add(passed);
        if in_flight >= self.limits.pipeline_depth {
            self.floor.excused_at = now;
            return;
        }
        let Some(arrived) = oldest else { return };
        let since = arrived
            .max(self.floor.excused_at)
            .max(self.clocks.requests_from);
        if since.plus(self.limits.floor_grace_us) < now {
            self.floor.slack_us = self.floor.slack_us.saturating_add(passed);
        }
    }

    /// Whether the primary fell below the floor, now that it had something to do for a whole window.
    pub(crate) fn is_too_slow(&mut self) -> bool {
        if self.floor.demand_us < self.limits.floor_window_us {
            return false;
        }
        let slack = 1_000 * self.floor.slack_us / self.floor.demand_us;
        (self.floor.demand_us, self.floor.slack_us) = (0, 0);
        self.floor.current = Some(slack);
        let best = self.floor.past.iter().min().copied().unwrap_or_default();
        slack > self.limits.floor_slack_permille && slack > 2 * best
    }

    /// Whether the primary has had its turn. It is a shorter one while another replica waits in a later view: that one was cut
    /// off and has given this view up, so it votes no more until the others leave it as well.
    pub(crate) fn is_turn_over(&self) -> bool {
        let turn = self.limits.view_blocks_max;
        let served = self.chain.stable.sequence.since(self.floor.entered_at);
        let short = (turn / SHORT_TURN).max(self.limits.window);
        turn > 0 && (served >= turn || served >= short && self.is_awaited())
    }

    /// Whether another replica waits in a later view.
    fn is_awaited(&self) -> bool {
        let mut statuses = self.peers.values().filter_map(|peer| peer.status);
        statuses.any(|status| status.changing && status.view > self.view)
    }

    /// Another view is entered: its primary is measured anew.
    pub(crate) fn restart_floor(&mut self) {
        let members = self.quorum.members().len();
        self.floor.past.extend(self.floor.current.take());
        while self.floor.past.len() > members {
            self.floor.past.pop_front();
        }
        (self.floor.demand_us, self.floor.slack_us) = (0, 0);
        self.floor.excused_at = self.now.monotonic;
        self.floor.looked_at = self.now.monotonic;
        self.floor.entered_at = self.chain.stable.sequence;
    }
}
