//! The key to which devices seal their readings. For anyone.

use std::sync::Arc;

use bus::Call;
use interfaces::iot::{GetReadingsKey, ReadingsKey};
use interfaces::{Base64, Problem};

use crate::service::Iot;

pub(crate) async fn get_readings_key(
    iot: Arc<Iot>,
    _call: Call,
    _request: GetReadingsKey,
) -> Result<ReadingsKey, Problem> {
    Ok(ReadingsKey {
        sealing_key: Base64(iot.devices.public_key().0.to_vec()),
    })
}
