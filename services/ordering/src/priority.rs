//! Work that nobody waits for: it gives way to threads on whose work an answer depends.

/// How much less of a busy processor a thread gets that keeps up with the others: about a third of another's share.
const KEEPS_UP: i32 = 5;

/// The same for what may be late: a thirtieth. Replicas that store the same merge it at the same time; with a third of a share each
/// they took a fifth of two busy processors for ten seconds.
const MAY_BE_LATE: i32 = 15;

/// Lowers the priority of the calling thread (on Linux each thread has its own), and of those that it starts. Where the system
/// refuses, all is as before.
pub fn give_way() {
    lower_to(KEEPS_UP);
}

/// Starts something whose threads may be late, and gives it. They have the priority of the one that starts them, which is another than
/// the calling thread.
pub fn start_late<T: Send>(start: impl FnOnce() -> T + Send) -> T {
    let late = || {
        lower_to(MAY_BE_LATE);
        start()
    };
    std::thread::scope(|scope| match scope.spawn(late).join() {
        Ok(started) => started,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

fn lower_to(nice: i32) {
    if let Err(error) = rustix::process::setpriority_process(None, nice) {
        tracing::debug!(%error, "a thread keeps its priority");
    }
}
