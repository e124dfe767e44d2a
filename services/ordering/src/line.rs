//! The core's thread from outside: a runtime of its own, with the connection on which replicas talk to each other. What
//! comes in and what goes out passes no other thread.

use bus::{Bus, BusConfig, subjects};
use futures::{Stream, StreamExt};
use ledger::ReplicaId;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;

use crate::core::{AT_HAND_MAX, Core, CoreError, Heard};
use crate::outbound::Outbound;

/// Runs the core that `make` gives until it is told to stop, on the calling thread. `connected` hears of the connection
/// once other replicas' messages arrive on it.
///
/// # Errors
/// [`CoreError`]: the process ends unhealthy.
pub fn run(
    config: &BusConfig,
    me: ReplicaId,
    make: impl FnOnce(Outbound) -> Core,
    inbox: UnboundedReceiver<Heard>,
    connected: oneshot::Sender<anyhow::Result<Outbound>>,
) -> Result<(), CoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CoreError::Failed(format!("the core's runtime: {error}")))?;
    runtime.block_on(async {
        let (bus, messages) = match connect(config, me).await {
            Ok(connection) => connection,
            Err(error) => {
                // Whoever waits for it says why.
                let _ = connected.send(Err(error));
                return Ok(());
            }
        };
        let outbound = Outbound::start(bus.client().clone());
        let core = make(outbound.clone());
        let _ = connected.send(Ok(outbound));
        // A task of its own: to wake what `block_on` waits for, tokio writes to a file descriptor, even from the same thread.
        let core = tokio::spawn(core.run(inbox, messages));
        let result = core.await;
        bus.close().await;
        result.unwrap_or_else(|error| Err(CoreError::Failed(format!("the core: {error}"))))
    })
}

async fn connect(
    config: &BusConfig,
    me: ReplicaId,
) -> anyhow::Result<(
    Bus,
    impl Stream<Item = Vec<async_nats::Message>> + Unpin + use<>,
)> {
    let bus = Bus::connect(config).await?;
    let to_all = bus.client().subscribe(subjects::PBFT_TO_ALL).await?;
    let to_me = bus.client().subscribe(subjects::pbft_to_me(me)).await?;
    bus.settle_subscriptions().await?;
    let messages = futures::stream::select(to_all, to_me).ready_chunks(AT_HAND_MAX);
    Ok((bus, messages))
}
