//! How far a projection is, and callers that wait for it.

use std::time::Duration;

use bus::Router;
use ledger::Height;
use tokio::sync::watch;

use crate::stopped::StoppedMembers;

/// A caller's height is waited for when it is at most so far ahead, and so long.
const BEHIND_BLOCKS_MAX: u64 = 1_000;
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(5);

/// How far a projection is.
#[derive(Debug, Clone)]
pub struct Progress {
    pub(super) next: watch::Receiver<Height>,
    pub(super) stopped: StoppedMembers,
}

impl Progress {
    /// The height that is due: all below are in the rows.
    pub fn next_height(&self) -> Height {
        *self.next.borrow()
    }

    /// Members that may not act, as of the blocks that are in the rows.
    pub fn stopped(&self) -> &StoppedMembers {
        &self.stopped
    }

    /// Waits until the block of this height is in the rows, so that a reply can read what its command did.
    /// Gives `false` if that takes longer than `within`, or the projection has ended.
    pub async fn wait_for(&self, height: Height, within: Duration) -> bool {
        let mut next = self.next.clone();
        let reached = next.wait_for(|next| *next > height);
        matches!(tokio::time::timeout(within, reached).await, Ok(Ok(_)))
    }

    /// Whether the rows have what somebody has seen, or get it within the time that callers wait. A projection that is far
    /// behind is being rebuilt, which takes longer.
    async fn keeps_up_with(&self, seen: Height, within: Duration) -> bool {
        let due = self.next_height();
        let is_near = seen.0.saturating_sub(due.0) <= BEHIND_BLOCKS_MAX;
        seen < due || is_near && self.wait_for(seen, within).await
    }
}

/// A router whose handlers read the rows of a projection: each waits, for a while, until the rows have what its caller has
/// seen of the ledger. Nobody is answered from older ones (503): what was granted or withdrawn since would not count.
#[must_use]
pub fn keeping_up(router: Router, progress: &Progress) -> Router {
    let progress = progress.clone();
    router.keep_up(move |seen| {
        let progress = progress.clone();
        async move {
            let is_kept_up = progress.keeps_up_with(seen, CAUGHT_UP_WITHIN).await;
            if !is_kept_up {
                tracing::warn!(
                    height = seen.0,
                    due = progress.next_height().0,
                    "the projection is behind what a caller has seen"
                );
            }
            is_kept_up
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_is_answered_from_rows_that_are_older_than_what_was_seen() {
        let (tell, next) = watch::channel(Height(5));
        let stopped = StoppedMembers::default();
        let progress = Progress { next, stopped };
        let (short, long) = (Duration::from_millis(1), Duration::from_secs(600));
        assert!(progress.keeps_up_with(Height(4), short).await);
        assert!(
            !progress.keeps_up_with(Height(5), short).await,
            "it never comes"
        );
        assert!(
            !progress.keeps_up_with(Height(u64::MAX), long).await,
            "nobody waits for so much"
        );
        let (kept_up, sent) = tokio::join!(progress.keeps_up_with(Height(5), long), async {
            tell.send(Height(6))
        });
        assert!(kept_up && sent.is_ok());
    }
}
