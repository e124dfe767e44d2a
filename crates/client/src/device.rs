//! A measuring device: its certificate, and its readings over MQTT until the platform has acknowledged them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use interfaces::Base64;
use interfaces::identity::{
    Authority, CERTIFICATE_REQUEST_DOMAIN, IssuedCertificate, RequestCertificate,
    certificate_request_message,
};
use keys::certificate::{CertificateRequest, LeafKind, request_digest};
use keys::tls::TlsIdentity;
use keys::{MemberKey, SealingPublicKey, device_envelope};
use rumqttc::{
    AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS, TlsConfiguration, Transport,
};
use serde::Deserialize;
use thiserror::Error;

use crate::{Client, ClientError};

const PACKET_BYTES_MAX: usize = 512 * 1024;
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// A pack that is not acknowledged for so long is sent again.
const SENT_AGAIN_AFTER: Duration = Duration::from_secs(3);

/// Why a device got no further.
#[derive(Debug, Error)]
pub enum DeviceError {
    /// The broker turned the device away, or the connection broke.
    #[error("MQTT: {0}")]
    Connection(#[from] rumqttc::ConnectionError),
    /// The MQTT client has ended.
    #[error("MQTT: {0}")]
    Client(#[from] rumqttc::ClientError),
    /// Keys or certificates are unusable.
    #[error("{0}")]
    Keys(String),
    /// The acknowledgement cannot be read.
    #[error("the acknowledgement can't be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// The broker refuses the device its own topic.
    #[error("the broker refuses the device its acknowledgements")]
    NoAcknowledgements,
    /// Nobody acknowledged in time.
    #[error("pack {0} was not acknowledged")]
    Unacknowledged(u64),
}

/// How a device shows who it is.
pub enum Credentials<'a> {
    /// By its certificate, over TLS.
    Certificate(&'a TlsIdentity),
    /// By a password, where there is no TLS.
    Password(String),
}

/// What became of a pack.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Acknowledgement {
    /// The pack's number.
    pub sequence: u64,
    /// Readings that were kept.
    pub accepted: usize,
    /// Place in the pack and reason, for those that were not.
    pub refused: Vec<(usize, String)>,
}

/// Makes a key for TLS and gets a certificate for it: the request is signed with that key, and with the member key that
/// the ledger has of the device.
///
/// # Errors
/// The gateway's problem: 403 while the device is not active on the ledger.
pub async fn request_certificate(
    client: &Client,
    key: &MemberKey,
) -> Result<TlsIdentity, ClientError> {
    let unusable = |reason: String| ClientError::NotSigned(reason);
    let own = CertificateRequest::new(&key.ledger_id().to_string(), LeafKind::Device)
        .map_err(|error| unusable(error.to_string()))?;
    let digest = request_digest(&own.request_pem).map_err(|error| unusable(error.to_string()))?;
    let message =
        certificate_request_message(&client.receipts().chain(), &key.ledger_id(), &digest);
    let request = RequestCertificate {
        member: key.ledger_id(),
        request: own.request_pem,
        signature: Base64(
            key.sign_message(CERTIFICATE_REQUEST_DOMAIN, &message)
                .0
                .to_vec(),
        ),
    };
    let issued: IssuedCertificate = client.post("/v1/certificates/requests", &request).await?;
    let authority: Authority = client.get("/v1/certificates/authority").await?;
    let identity = format!("{}{}", *own.key_pem, issued.chain);
    TlsIdentity::from_pem(&identity, authority.root.as_bytes())
        .map_err(|error| unusable(error.to_string()))
}

/// A device that is connected.
pub struct Device {
    key: MemberKey,
    sealed_to: SealingPublicKey,
    mqtt: AsyncClient,
    events: EventLoop,
}

impl Device {
    /// Connects to a broker, and listens for acknowledgements. `sealed_to` is the platform's key for readings.
    ///
    /// # Errors
    /// [`DeviceError`], also when the broker does not know the device (yet).
    pub async fn connect(
        broker: SocketAddr,
        key: MemberKey,
        sealed_to: SealingPublicKey,
        credentials: &Credentials<'_>,
    ) -> Result<Device, DeviceError> {
        let options = options(broker, &key, credentials)?;
        let (mqtt, mut events) = AsyncClient::new(options, 16);
        loop {
            if let Event::Incoming(Packet::ConnAck(_)) = events.poll().await? {
                break;
            }
        }
        let topic = format!("devices/{}/acknowledgements", key.ledger_id());
        mqtt.subscribe(topic, QoS::AtLeastOnce).await?;
        loop {
            if let Event::Incoming(Packet::SubAck(answer)) = events.poll().await? {
                let refused = rumqttc::SubscribeReasonCode::Failure;
                if answer.return_codes.contains(&refused) {
                    return Err(DeviceError::NoAcknowledgements);
                }
                break;
            }
        }
        Ok(Device {
            key,
            sealed_to,
            mqtt,
            events,
        })
    }

    /// Seals, numbers and signs a SenML pack.
    ///
    /// # Errors
    /// [`DeviceError::Keys`].
    pub fn envelope(&self, sequence: u64, senml: &[u8]) -> Result<Vec<u8>, DeviceError> {
        device_envelope::seal(&self.key, &self.sealed_to, sequence, senml)
            .map_err(|error| DeviceError::Keys(error.to_string()))
    }

    /// Publishes on any topic: the broker's acknowledgement says nothing about whether it was permitted.
    ///
    /// # Errors
    /// [`DeviceError::Client`].
    pub async fn publish(&self, topic: &str, payload: Vec<u8>) -> Result<(), DeviceError> {
        Ok(self
            .mqtt
            .publish(topic, QoS::AtLeastOnce, false, payload)
            .await?)
    }

    /// Subscribes to any topic; whether the broker permits it.
    ///
    /// # Errors
    /// [`DeviceError`] if the connection breaks.
    pub async fn subscribe(&mut self, topic: &str) -> Result<bool, DeviceError> {
        self.mqtt.subscribe(topic, QoS::AtLeastOnce).await?;
        loop {
            if let Event::Incoming(Packet::SubAck(answer)) = self.events.poll().await? {
                let refused = rumqttc::SubscribeReasonCode::Failure;
                return Ok(!answer.return_codes.contains(&refused));
            }
        }
    }

    /// The next message that arrives. Cancel-safe.
    ///
    /// # Errors
    /// [`DeviceError::Connection`] if the connection breaks.
    pub async fn message(&mut self) -> Result<(String, Vec<u8>), DeviceError> {
        loop {
            if let Event::Incoming(Packet::Publish(message)) = self.events.poll().await? {
                return Ok((message.topic, message.payload.to_vec()));
            }
        }
    }

    /// Publishes a pack until the platform has acknowledged it (the broker's own acknowledgement proves nothing), for at
    /// most `within`.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub async fn deliver(
        &mut self,
        sequence: u64,
        senml: &[u8],
        within: Duration,
    ) -> Result<Acknowledgement, DeviceError> {
        let envelope = self.envelope(sequence, senml)?;
        self.deliver_envelope(sequence, envelope, within).await
    }

    /// As [`Device::deliver`], for bytes that were sealed before.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub async fn deliver_envelope(
        &mut self,
        sequence: u64,
        envelope: Vec<u8>,
        within: Duration,
    ) -> Result<Acknowledgement, DeviceError> {
        let topic = format!("devices/{}/readings", self.key.ledger_id());
        let began = std::time::Instant::now();
        while began.elapsed() < within {
            self.publish(&topic, envelope.clone()).await?;
            let again = tokio::time::sleep(SENT_AGAIN_AFTER.min(within));
            tokio::pin!(again);
            loop {
                let (_, payload) = tokio::select! {
                    message = self.message() => message?,
                    () = &mut again => break,
                };
                let acknowledged: Acknowledgement = serde_json::from_slice(&payload)?;
                if acknowledged.sequence == sequence {
                    return Ok(acknowledged);
                }
            }
        }
        Err(DeviceError::Unacknowledged(sequence))
    }

    /// Ends the connection in order.
    ///
    /// # Errors
    /// [`DeviceError::Client`].
    pub async fn disconnect(mut self) -> Result<(), DeviceError> {
        self.mqtt.disconnect().await?;
        // The broker closes; whatever way that looks, it is over.
        while self.events.poll().await.is_ok() {}
        Ok(())
    }
}

fn options(
    broker: SocketAddr,
    key: &MemberKey,
    credentials: &Credentials<'_>,
) -> Result<MqttOptions, DeviceError> {
    // Whoever knows a client id can take its session's place: it is drawn anew, and told nobody.
    let session = keys::Secret::random().expose_hex()[..32].to_owned();
    let mut options = MqttOptions::new(session, broker.ip().to_string(), broker.port());
    options.set_keep_alive(KEEP_ALIVE);
    options.set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
    match credentials {
        Credentials::Certificate(identity) => {
            let config = identity
                .client_config()
                .map_err(|error| DeviceError::Keys(error.to_string()))?;
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(
                Arc::new(config),
            )));
        }
        Credentials::Password(password) => {
            options.set_credentials(key.ledger_id().to_string(), password);
        }
    }
    Ok(options)
}
