//! VIEW-CHANGE (§4.4, liveness §4.5.2): leaving a view whose primary does not serve.

use ledger::Timestamp;

use crate::durable::Entry;
use crate::effect::{Effect, Suspicion, Waiter};
use crate::message::{Message, SignedMessage, SignedViewChange, ViewChange};
use crate::mutants::mutant;
use crate::number::View;
use crate::replica::Replica;

impl Replica {
    /// Stops voting in the current view and asks for `view`. The message carries the stable checkpoint and
    /// every prepared certificate above it; it leaves once it is durable.
    pub(crate) fn start_view_change(&mut self, view: View, reason: Suspicion) {
        if view <= self.view || !self.may_sign() {
            return;
        }
        self.effects.push(Effect::LeftView {
            from: self.view,
            primary: self.primary(),
            reason,
        });
        self.view = view;
        self.changing = true;
        self.opening = None;
        self.own_opening = None;
        self.clocks.new_view_deadline = None;
        self.clocks.attempts = self.clocks.attempts.saturating_add(1);
        let stable = self.chain.stable.clone();
        let mut prepared: Vec<_> = self
            .slots
            .range(stable.sequence.next()..)
            .filter_map(|(_, slot)| slot.prepared.clone())
            .collect();
        if mutant!(HighestPreparedDropped, true, false) {
            prepared.pop();
        }
        let Some(message) = self.sign(Message::ViewChange(ViewChange {
            view,
            stable,
            prepared,
        })) else {
            return;
        };
        self.own_view_change = Some((message.clone(), false));
        self.persist(Entry::ViewChange(message), Vec::new());
    }

    /// Our VIEW-CHANGE is durable: it leaves and counts.
    pub(crate) fn on_view_change_durable(&mut self, message: SignedMessage) {
        let wanted =
            matches!(&message.message, Message::ViewChange(change) if change.view == self.view);
        if !wanted || !self.changing {
            return;
        }
        self.own_view_change = Some((message.clone(), true));
        self.broadcast(message.clone());
        self.keep_view_change(message);
        self.check_view_changes();
    }

    /// Another's VIEW-CHANGE.
    pub(crate) fn on_view_change(&mut self, signed: SignedMessage) {
        let Message::ViewChange(change) = &signed.message else {
            return;
        };
        if change.view < self.view || change.view == self.view && !self.changing {
            return;
        }
        self.keep_view_change(signed);
        self.join_view_change();
        self.check_view_changes();
    }

    /// Keeps the latest of each replica.
    fn keep_view_change(&mut self, signed: SignedMessage) {
        let SignedMessage {
            sender,
            message: Message::ViewChange(change),
            signature,
            ..
        } = signed
        else {
            return;
        };
        if self
            .view_changes
            .get(&sender)
            .is_none_or(|known| known.change.view < change.view)
        {
            self.view_changes.insert(
                sender,
                SignedViewChange {
                    sender,
                    change,
                    signature,
                },
            );
        }
    }

    /// §4.5.2: f + 1 replicas want views above ours: one of them is correct, so we join them in the
    /// smallest of those views, even if our timers have not expired.
    pub(crate) fn join_view_change(&mut self) {
        let above: Vec<View> = self
            .view_changes
            .iter()
            .filter(|(replica, known)| **replica != self.me && known.change.view > self.view)
            .map(|(_, known)| known.change.view)
            .collect();
        if above.len() < self.quorum.one_correct() {
            return;
        }
        if let Some(view) = above.into_iter().min() {
            self.start_view_change(view, Suspicion::Others);
        }
    }

    /// A quorum wants our view: the timer of the new view starts (§4.5.2), and its primary opens it.
    ///
    /// For the timer, those that already want a later view count too. We keep only the latest view change
    /// of each replica, and without this two correct replicas could wait for a third that had left
    /// their view because of a vote that only it saw.
    pub(crate) fn check_view_changes(&mut self) {
        if !self.changing || !self.may_sign() {
            return;
        }
        let count = |wants: fn(crate::View, crate::View) -> bool| {
            self.view_changes
                .values()
                .filter(|known| wants(known.change.view, self.view))
                .count()
        };
        let in_view = count(|wanted, view| wanted == view);
        let in_view_or_later = count(|wanted, view| wanted >= view);
        if in_view_or_later >= self.quorum.votes() && self.clocks.new_view_deadline.is_none() {
            let timeout = self.scaled(self.limits.new_view_timeout_us);
            self.clocks.new_view_deadline = Some(self.now.monotonic.plus(timeout));
        }
        if in_view >= self.quorum.votes() && self.is_primary() && self.own_opening.is_none() {
            self.open_view();
        }
    }

    /// Timeouts double with every view change that brings no block (§4.5.2).
    pub(crate) fn scaled(&self, timeout_us: u64) -> u64 {
        let doublings = self.clocks.attempts.saturating_sub(1).min(32);
        timeout_us.saturating_mul((1u64 << doublings).min(self.limits.timeout_factor_max))
    }

    /// Whether a request, an idle cluster or a deadline has waited too long for the primary, or a new view
    /// for its opening; or the primary is below the floor, or has had its turn.
    pub(crate) fn check_suspicion(&mut self) {
        if !self.may_sign() {
            return;
        }
        let now = self.now.monotonic;
        if self.changing {
            if self
                .clocks
                .new_view_deadline
                .is_some_and(|deadline| deadline <= now)
            {
                self.start_view_change(self.view.next(), Suspicion::NotOpened);
            }
            return;
        }
        if self.is_too_slow() {
            return self.start_view_change(self.view.next(), Suspicion::TooSlow);
        }
        if self.is_turn_over() && !self.is_behind() {
            return self.start_view_change(self.view.next(), Suspicion::Turn);
        }
        let (at, waiter) = self.suspicion();
        if at > now {
            return;
        }
        if self.is_behind() {
            // What we wait for may long be done: catch up first.
            self.clocks.requests_from = now;
            return;
        }
        self.start_view_change(self.view.next(), Suspicion::Timeout(waiter));
    }

    /// When the primary is suspected and because of what, if nothing happens until then.
    pub(crate) fn suspicion(&self) -> (Timestamp, Waiter) {
        let timeout = self.scaled(self.limits.request_timeout_us);
        let from = self.clocks.requests_from;
        let certified_at = self.clocks.last_certified_at;
        let since = self.pool.waiting_since(
            certified_at,
            self.limits.pool_requests_max,
            self.limits.passed_over_us,
        );
        let request = mutant!(TimerResetByProgress, since.map(|_| certified_at), since);
        let deadline = self.clocks.deadline.map(|(_, known)| known);
        // Executed and not certified: some correct replica lacks the batch, and a view change brings it.
        let next = self.chain.blocks.get(&self.chain.certified.next());
        let uncertified = next
            .filter(|block| block.block.is_some())
            .map(|block| block.executed_at);
        let idle_after = self.limits.idle_block_after_us;
        let idle = self.clocks.last_block_at.max(from).plus(idle_after);
        let waiting = [
            (request, Waiter::Request),
            (deadline, Waiter::Deadline),
            (uncertified, Waiter::Block),
        ];
        let (since, waiter) = waiting
            .into_iter()
            .filter_map(|(since, waiter)| Some((since?.max(from), waiter)))
            .fold((idle, Waiter::Idle), |first, other| {
                if other.0 < first.0 { other } else { first }
            });
        (since.plus(timeout), waiter)
    }
}
