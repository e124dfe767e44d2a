//! Timers: what is due, and when to wake up.

use ledger::Timestamp;

use crate::replica::Replica;

impl Replica {
    /// Does what is due. Called at the end of every step, so a late wakeup is made good by any input.
    pub(crate) fn on_time(&mut self) {
        self.observe_primary();
        self.check_suspicion();
        self.forward_requests();
        self.ask_for_missing();
        self.give_up_fetch();
        self.spread_due();
        if self.clocks.status_at <= self.now.monotonic {
            self.drop_expired_requests();
            self.consider_fetch();
            self.tell_status();
        }
    }

    pub(crate) fn earliest_timer(&self) -> Timestamp {
        let suspicion = if !self.may_sign() {
            None
        } else if self.changing {
            self.clocks.new_view_deadline
        } else {
            Some(self.suspicion().0)
        };
        let forward = (self.active() && !self.is_primary())
            .then(|| self.pool.forward_at(self.limits.forward_after_us))
            .flatten();
        let missing = self
            .incomplete
            .iter()
            .map(|sequence| self.ask_at(*sequence))
            .min();
        let fetch = self.fetch.as_ref().map(|fetch| fetch.deadline);
        [
            suspicion,
            forward,
            missing,
            fetch,
            self.proposal_at(),
            self.spread_at(),
        ]
        .into_iter()
        .flatten()
        .fold(self.clocks.status_at, Timestamp::min)
        .max(self.now.monotonic.plus(1))
    }
}
