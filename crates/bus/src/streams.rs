//! The one JetStream stream: blocks as a rebuildable cache. The replicas are the truth.

use std::time::Duration;

use async_nats::jetstream::{self, stream};

use crate::subjects::{BLOCKS_STREAM, BLOCKS_SUBJECTS};

/// The stream is missing or not as it must be.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The server refused or did not answer.
    #[error("stream BLOCKS: {0}")]
    Server(String),
    /// Somebody configured it otherwise.
    #[error("stream BLOCKS: {0} is not as expected; remove the stream, it is a cache")]
    Unexpected(&'static str),
}

/// How blocks are kept: a bounded file, oldest out first, read one by one with direct get.
pub fn blocks_stream(servers: usize) -> stream::Config {
    stream::Config {
        name: BLOCKS_STREAM.into(),
        subjects: vec![BLOCKS_SUBJECTS.into()],
        retention: stream::RetentionPolicy::Limits,
        discard: stream::DiscardPolicy::Old,
        storage: stream::StorageType::File,
        max_bytes: 512 * 1024 * 1024,
        max_age: Duration::from_secs(7 * 24 * 3600),
        max_messages_per_subject: 1,
        num_replicas: if servers >= 3 { 3 } else { 1 },
        allow_direct: true,
        no_ack: true,
        deny_purge: true,
        ..stream::Config::default()
    }
}

/// Creates the stream, or checks that it is as expected. By the administrator, before the replicas start.
pub async fn ensure_blocks_stream(
    client: &async_nats::Client,
    servers: usize,
) -> Result<(), StreamError> {
    let failed = |error: &dyn std::fmt::Display| StreamError::Server(error.to_string());
    let expected = blocks_stream(servers);
    let stream = jetstream::new(client.clone())
        .get_or_create_stream(expected.clone())
        .await
        .map_err(|error| failed(&error))?;
    let found = &stream.cached_info().config;
    if found.subjects != expected.subjects {
        return Err(StreamError::Unexpected("subjects"));
    }
    if found.storage != expected.storage || found.retention != expected.retention {
        return Err(StreamError::Unexpected("storage or retention"));
    }
    if !found.allow_direct {
        return Err(StreamError::Unexpected("allow_direct"));
    }
    Ok(())
}
