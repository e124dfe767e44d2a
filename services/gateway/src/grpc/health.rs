//! Whether the gateway serves: until it is told to stop.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use tonic::{Request, Response, Status};

use super::proto::health::health_check_response::ServingStatus;
use super::proto::health::health_server::Health;
use super::proto::health::{HealthCheckRequest, HealthCheckResponse};
use crate::service::Gateway;

/// Services that this server has; the empty name stands for all.
const SERVICES: [&str; 3] = ["", "medshare.v1.Ledger", "grpc.health.v1.Health"];

pub(crate) struct HealthRoom {
    gateway: Arc<Gateway>,
}

impl HealthRoom {
    pub(crate) fn new(gateway: Arc<Gateway>) -> HealthRoom {
        HealthRoom { gateway }
    }

    fn serving(&self) -> ServingStatus {
        if self.gateway.shutdown.is_requested() {
            ServingStatus::NotServing
        } else {
            ServingStatus::Serving
        }
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}

#[tonic::async_trait]
impl Health for HealthRoom {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if !SERVICES.contains(&request.get_ref().service.as_str()) {
            return Err(Status::not_found("there is no such service here"));
        }
        Ok(Response::new(response(self.serving())))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let known = SERVICES.contains(&request.get_ref().service.as_str());
        let first = if known {
            self.serving()
        } else {
            ServingStatus::ServiceUnknown
        };
        let permit = self.gateway.streams.clone().try_acquire_owned();
        let permit = permit.map_err(|_| {
            Status::resource_exhausted("as many streams are open as this gateway serves")
        })?;
        let shutdown = self.gateway.shutdown.clone();
        let end = futures::stream::once(async move {
            let _until_the_stream_ends = permit;
            shutdown.requested().await;
            Ok(response(ServingStatus::NotServing))
        });
        Ok(Response::new(Box::pin(
            futures::stream::iter([Ok(response(first))]).chain(end),
        )))
    }
}
