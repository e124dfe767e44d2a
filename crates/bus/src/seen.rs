//! What the one who asks has seen of the ledger.
//!
//! A member is given a receipt by one service and then asks another, whose rows may be a moment behind. So every request
//! carries the height that its work has seen, and the one who answers first waits, for a while, until its own rows have
//! that block ([`crate::Router::keep_up`]). The height goes on by itself with whatever the work asks of others, as the
//! trace context does.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ledger::Height;

tokio::task_local! {
    static SEEN: Arc<AtomicU64>;
}

/// Does `work` on behalf of one who has seen the block of this height.
pub async fn having_seen<F: Future>(height: Height, work: F) -> F::Output {
    SEEN.scope(Arc::new(AtomicU64::new(height.0)), work).await
}

/// The height that the present work has seen; 0 when none is known.
pub fn height() -> Height {
    Height(
        SEEN.try_with(|seen| seen.load(Ordering::Relaxed))
            .unwrap_or(0),
    )
}

/// The present work has seen this block, too: it was given a receipt.
pub fn note(height: Height) {
    // Work that nobody asked for (reactions) keeps no account.
    let _ = SEEN.try_with(|seen| seen.fetch_max(height.0, Ordering::Relaxed));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_sees_what_its_asker_saw_and_what_it_was_given_itself() {
        assert_eq!(height(), Height(0));
        having_seen(Height(7), async {
            note(Height(5));
            assert_eq!(height(), Height(7));
            note(Height(9));
            assert_eq!(height(), Height(9));
        })
        .await;
        note(Height(3));
        assert_eq!(height(), Height(0));
    }
}
