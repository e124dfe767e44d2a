//! Seeded defects, which the simulator must find. The feature `mutants` compiles them in, for the simulator's
//! own tests; without it [`mutant!`] is its right-hand side and nothing else (a test reads from `cargo metadata` that no
//! shipped program has the feature).

/// `mutant!(Name, wrong, right)`: `right`, or `wrong` while the mutant of that name is active on this thread.
#[cfg(feature = "mutants")]
macro_rules! mutant {
    ($name:ident, $wrong:expr, $right:expr) => {
        if $crate::mutants::Mutant::$name.is_active() {
            $wrong
        } else {
            $right
        }
    };
}
#[cfg(not(feature = "mutants"))]
macro_rules! mutant {
    ($name:ident, $wrong:expr, $right:expr) => {
        $right
    };
}
pub(crate) use mutant;

#[cfg(feature = "mutants")]
mod selection {
    use std::cell::Cell;

    /// A defect.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Mutant {
        /// A quorum has 2f members.
        QuorumOfTwoF,
        /// A PREPARE leaves before it is durable.
        VoteBeforeSync,
        /// Signatures do not cover the epoch.
        UnsignedEpoch,
        /// The primary's own PREPARE counts beside its pre-prepare.
        PrimaryPrepareCounted,
        /// A VIEW-CHANGE leaves out the highest place that was prepared.
        HighestPreparedDropped,
        /// The proposals of a NEW-VIEW are taken as they stand.
        NewViewNotRecomputed,
        /// A new view proposes nothing for a gap.
        NullGapSkipped,
        /// A signer that stands twice in a proof counts twice.
        DuplicateSignerCounted,
        /// A snapshot of the state lacks what was executed (this one sits in the simulator's state machine).
        DedupAbsentFromSnapshot,
        /// Every certified block starts the timers of all waiting requests anew.
        TimerResetByProgress,
        /// COMMITs of several views count together.
        CommitsOfAnyView,
        /// What was executed stays, whatever the next view orders in its place.
        ExecutedKept,
        /// The order above the last block of an epoch is passed over: the new core knows no order below it (this one sits in
        /// the simulator's executor).
        FirstOrderPassedOver,
        /// The end of the epoch is known, and votes go on past it.
        VotesPastEpochEnd,
        /// The next epoch begins on a block that is executed and not certified.
        EpochEndsUncertified,
        /// The next epoch begins with the vote log of the one before.
        EarlierLogKept,
    }

    thread_local! {
        static ACTIVE: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    impl Mutant {
        /// All of them.
        pub const ALL: [Mutant; 16] = [
            Mutant::QuorumOfTwoF,
            Mutant::VoteBeforeSync,
            Mutant::UnsignedEpoch,
            Mutant::PrimaryPrepareCounted,
            Mutant::HighestPreparedDropped,
            Mutant::NewViewNotRecomputed,
            Mutant::NullGapSkipped,
            Mutant::DuplicateSignerCounted,
            Mutant::DedupAbsentFromSnapshot,
            Mutant::TimerResetByProgress,
            Mutant::CommitsOfAnyView,
            Mutant::ExecutedKept,
            Mutant::FirstOrderPassedOver,
            Mutant::VotesPastEpochEnd,
            Mutant::EpochEndsUncertified,
            Mutant::EarlierLogKept,
        ];

        /// Whether this defect is switched on here and now.
        pub fn is_active(self) -> bool {
            ACTIVE.get() == Some(self)
        }

        /// Runs `work` with this defect, on this thread.
        pub fn during<R>(self, work: impl FnOnce() -> R) -> R {
            let before = ACTIVE.replace(Some(self));
            let result = work();
            ACTIVE.set(before);
            result
        }
    }
}

#[cfg(feature = "mutants")]
pub use selection::Mutant;
