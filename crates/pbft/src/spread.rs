//! How COMMITs travel: to the primary at once, to the others with what is said next.
//!
//! Only the primary waits for a certificate: it proposes the next batch, and answers for the block. So it hears each
//! COMMIT by itself, as the collector of SBFT does (Gueta et al., DSN 2019, §V-C), and the others hear it together with the next
//! PREPARE or PRE-PREPARE, which go to all of them anyhow, or after [`crate::Limits::commit_spread_us`]; and after
//! [`crate::Limits::commit_spread_quiet_us`] where so little is said that it would be waited for in vain. Nobody depends on the
//! collector: what it hears, everyone hears.

use ledger::Timestamp;

use crate::durable::Outgoing;
use crate::effect::Effect;
use crate::message::{SignedMessage, Vote};
use crate::replica::Replica;

/// Durable COMMITs that not everyone has been told.
#[derive(Debug, Default)]
pub(crate) struct Unspread {
    commits: Vec<SignedMessage>,
    /// How many of them the primary has been told.
    with_primary: usize,
    /// When they are said to all at the latest (monotonic).
    due: Option<Timestamp>,
    /// When something was last said to all (monotonic), and how long nothing had been before.
    said_at: Timestamp,
    quiet_before_us: u64,
}

impl Unspread {
    /// Something is said to all; what is said in one step counts once.
    pub(crate) fn note_said(&mut self, now: Timestamp) {
        if now > self.said_at {
            self.quiet_before_us = now.0 - self.said_at.0;
            self.said_at = now;
        }
    }
}

impl Replica {
    /// A durable COMMIT leaves.
    pub(crate) fn spread_commit(&mut self, vote: Vote, commit: SignedMessage) {
        // Nothing may be said any more once the epoch's last block is certified.
        let epoch_ends = self.last.is_some();
        if self.changing || vote.view != self.view || epoch_ends {
            return self.broadcast(commit);
        }
        let is_quiet = self.unspread.quiet_before_us >= self.limits.commit_spread_us;
        let wait_us = if is_quiet {
            self.limits.commit_spread_quiet_us
        } else {
            self.limits.commit_spread_us
        };
        let due = self.now.monotonic.plus(wait_us);
        self.unspread.due.get_or_insert(due);
        self.unspread.commits.push(commit);
    }

    /// Says to all what waits: something else is said to all as well, or it is time.
    pub(crate) fn say_unspread(&mut self) {
        self.unspread.with_primary = 0;
        self.unspread.due = None;
        let commits = std::mem::take(&mut self.unspread.commits).into_iter();
        let said = commits.map(|commit| Effect::Broadcast(Outgoing(commit)));
        self.effects.extend(said);
    }

    /// At the end of a step: the primary hears what was not said to all in it.
    pub(crate) fn tell_primary(&mut self) {
        if self.changing {
            return self.say_unspread();
        }
        let count = self.unspread.commits.len();
        let known = std::mem::replace(&mut self.unspread.with_primary, count);
        let primary = self.primary();
        if primary == self.me {
            return;
        }
        let untold = &self.unspread.commits[known..];
        let told = untold.iter().map(|commit| Effect::Send {
            to: primary,
            message: Outgoing(commit.clone()),
        });
        self.effects.extend(told);
    }

    /// When COMMITs are said to all at the latest.
    pub(crate) fn spread_at(&self) -> Option<Timestamp> {
        self.unspread.due
    }

    /// Says to all what has waited long enough.
    pub(crate) fn spread_due(&mut self) {
        if self
            .spread_at()
            .is_some_and(|due| due <= self.now.monotonic)
        {
            self.say_unspread();
        }
    }
}
