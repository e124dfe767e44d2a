//! Work that nobody waits for: it gives way to threads on whose work an answer depends.

/// How much less of a busy processor such a thread gets: about a third of another's share.
const NICE: i32 = 5;

/// Lowers the priority of the calling thread (on Linux each thread has its own), and of those that it starts. Where the system
/// refuses, all is as before.
pub fn give_way() {
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "a thread keeps its priority");
    }
}
