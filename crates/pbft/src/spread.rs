//! How COMMITs travel: to the primary at once, to the others with what is said next.
//!
//! Only the primary waits for a certificate: it proposes the next batch, and answers for the block. So it hears each
//! COMMIT by itself, as the collector of SBFT does (Gueta et al., DSN 2019, §V-C), and the others hear it together with the next
//! PREPARE or PRE-PREPARE, which go to all of them anyhow, or after [`crate::Limits::commit_spread_us`]. Nobody depends on the
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
}

impl Replica {
    /// A durable COMMIT leaves.
    pub(crate) fn spread_commit(&mut self, vote: Vote, commit: SignedMessage) {
        // Nothing may be said any more once the epoch's last block is certified.
        let epoch_ends = self.last.is_some();
        if self.changing || vote.view != self.view || epoch_ends {
            return self.broadcast(commit);
        }
        let due = self.now.monotonic.plus(self.limits.commit_spread_us);
        self.unspread.due.get_or_insert(due);
        self.unspread.commits.push(commit);
    }

    /// Says to all what waits: something else is said to all as well, or it is time.
    pub(crate) fn say_unspread(&mut self) {
        let commits = std::mem::take(&mut self.unspread).commits.into_iter();
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
