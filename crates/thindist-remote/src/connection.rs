//! Calls to one address: a pool of connections, the identity of the client, deadlines and retries.
//!
//! A call that has been repeated as often as it may be, or has had no answer in time, closes the connection for good: a link
//! waits for an engine that is down once, not once a module.

use crate::address::Address;
use crate::error::{RemoteError, describe};
use crate::options::Options;
use crate::pool::{Lease, Pool};
use crate::{api, retry};
use prost::Message as _;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use thindist_core::digest::Digest;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// Calls at a time that are answered at once. Executions are bounded by who starts them.
const CALLS: usize = 320;
/// A host that does not even refuse is not worth the whole deadline.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes a second of a network that is still worth its while: the compiler alone is 200 MB.
const SLOWEST: u64 = 256 << 10;
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// What is received at once: batches are asked for in 3 MiB, results may be inlined.
pub(crate) const MAX_MESSAGE: usize = 16 << 20;

const METADATA: &str = "build.bazel.remote.execution.v2.requestmetadata-bin";

/// Calls to one address. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connection(Arc<Shared>);

struct Shared {
    address: Address,
    pool: Pool,
    calls: Semaphore,
    headers: MetadataMap,
    secrets: Vec<String>,
    instance: String,
    invocation: String,
    timeout: Duration,
    retries: u32,
    closed: AtomicBool,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.0.address).finish()
    }
}

impl Connection {
    /// Connects when the first call is made. To be called inside of the runtime.
    pub(crate) fn new(address: &Address, options: &Options) -> Result<Self, RemoteError> {
        let endpoint = endpoint(address, options)?;
        let mut headers = MetadataMap::new();
        for header in &options.headers {
            headers.append(header.name.clone(), header.value.clone());
        }
        Ok(Self(Arc::new(Shared {
            address: address.clone(),
            pool: Pool::new(endpoint),
            calls: Semaphore::new(CALLS),
            headers,
            secrets: options.headers.iter().flat_map(crate::options::Header::secrets).collect(),
            instance: options.instance_name.clone(),
            invocation: uuid(),
            timeout: options.timeout,
            retries: options.retries,
            closed: AtomicBool::new(false),
        })))
    }

    /// An error of this address.
    pub(crate) fn error(&self, what: impl Into<String>) -> RemoteError {
        RemoteError::engine(&self.0.address, what)
    }

    /// Makes a call, and again while its failures may pass. `attempt` is given a connection and what to send with it.
    pub(crate) async fn call<T, Fut>(
        &self,
        name: &str,
        attempt: impl Fn(Channel, Envelope) -> Fut,
    ) -> Result<T, RemoteError>
    where
        Fut: Future<Output = Result<T, Status>>,
    {
        self.call_up_to(self.0.retries, name, attempt).await
    }

    /// As [`Self::call`], repeated at most so often.
    pub(crate) async fn call_up_to<T, Fut>(
        &self,
        retries: u32,
        name: &str,
        attempt: impl Fn(Channel, Envelope) -> Fut,
    ) -> Result<T, RemoteError>
    where
        Fut: Future<Output = Result<T, Status>>,
    {
        match self.try_call(retries, 0, name, attempt).await? {
            Ok(answer) => Ok(answer),
            Err(status) => Err(self.refused(name, &status)),
        }
    }

    /// The server's answer to this call is no.
    pub(crate) fn refused(&self, name: &str, status: &Status) -> RemoteError {
        self.error(self.describe(name, status))
    }

    /// Servers speak of an instance and do not know which setting of ours that is.
    fn describe(&self, name: &str, status: &Status) -> String {
        let text = describe(name, status, &self.0.secrets);
        let is_instance = text.to_ascii_lowercase().contains("instance");
        if is_instance { format!("{text} (remote_instance_name={})", self.0.instance) } else { text }
    }

    /// The answer, or the status with which the server refuses; errors are what keeps it from answering at all.
    ///
    /// A call that carries so many `bytes` may take longer than others.
    pub(crate) async fn try_call<T, Fut>(
        &self,
        retries: u32,
        bytes: u64,
        name: &str,
        attempt: impl Fn(Channel, Envelope) -> Fut,
    ) -> Result<Result<T, Status>, RemoteError>
    where
        Fut: Future<Output = Result<T, Status>>,
    {
        let allowed = self.0.timeout.saturating_add(Duration::from_secs(bytes / SLOWEST));
        let deadline = Instant::now() + allowed;
        let mut number = 0;
        loop {
            if self.is_closed() {
                return Err(RemoteError::Closed { address: self.0.address.to_string() });
            }
            let status = match timeout_at(deadline, self.attempt(&attempt, deadline)).await {
                Ok(Ok(answer)) => return Ok(Ok(answer)),
                Ok(Err(status)) => status,
                Err(_) => return Err(self.close(format!("{name}: no answer within {allowed:?}"))),
            };
            if !retry::may_pass(status.code()) {
                return Ok(Err(status));
            }
            let delay = retry::delay(number);
            if number >= retries.min(self.0.retries) || Instant::now() + delay >= deadline {
                return Err(self.close(self.describe(name, &status)));
            }
            number += 1;
            tracing::debug!(call = name, number, ?delay, code = ?status.code(), "again");
            sleep(delay).await;
        }
    }

    async fn attempt<T, Fut>(&self, attempt: impl Fn(Channel, Envelope) -> Fut, deadline: Instant) -> Result<T, Status>
    where
        Fut: Future<Output = Result<T, Status>>,
    {
        let _call = self.0.calls.acquire().await.map_err(|_| Status::cancelled("ended"))?;
        let lease = self.0.pool.lease();
        attempt(lease.channel(), Envelope { connection: self.clone(), deadline: Some(deadline) }).await
    }

    /// For a stream that lasts as long as it must, and as long as its lease: its caller bounds it.
    pub(crate) fn stream(&self) -> (Lease, Envelope) {
        (self.0.pool.lease(), Envelope { connection: self.clone(), deadline: None })
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.0.timeout
    }

    pub(crate) fn retries(&self) -> u32 {
        self.0.retries
    }

    /// Nothing more is asked of this address.
    pub(crate) fn close(&self, what: String) -> RemoteError {
        self.0.closed.store(true, Ordering::Relaxed);
        self.error(what)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Relaxed)
    }
}

/// What is sent around each message.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    connection: Connection,
    deadline: Option<Instant>,
}

impl Envelope {
    /// A request that concerns `action`, if any.
    pub(crate) fn request<T>(&self, message: T, action: Option<&Digest>) -> Request<T> {
        let shared = &self.connection.0;
        let mut request = Request::new(message);
        *request.metadata_mut() = shared.headers.clone();
        let metadata = api::RequestMetadata {
            tool_details: Some(api::ToolDetails {
                tool_name: "thindist".to_owned(),
                tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            }),
            action_id: action.map(Digest::hex).unwrap_or_default(),
            tool_invocation_id: shared.invocation.clone(),
            action_mnemonic: "ThinLtoBackend".to_owned(),
            ..api::RequestMetadata::default()
        };
        request.metadata_mut().insert_bin(METADATA, MetadataValue::from_bytes(&metadata.encode_to_vec()));
        if let Some(deadline) = self.deadline {
            request.set_timeout(deadline.saturating_duration_since(Instant::now()));
        }
        request
    }
}

fn endpoint(address: &Address, options: &Options) -> Result<Endpoint, RemoteError> {
    let bad = |error: tonic::transport::Error| {
        RemoteError::engine(address, describe("TLS", &Status::from_error(error.into()), &[]))
    };
    let endpoint = Endpoint::from(address.uri().clone())
        .connect_timeout(CONNECT_TIMEOUT.min(options.timeout))
        .tcp_nodelay(true)
        .http2_adaptive_window(true)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .user_agent(concat!("thindist/", env!("CARGO_PKG_VERSION")))
        .map_err(bad)?;
    if address.is_tls() { endpoint.tls_config(options.tls.config()).map_err(bad) } else { Ok(endpoint) }
}

/// A random UUID, version 4.
pub(crate) fn uuid() -> String {
    let (high, low) = (retry::random(), retry::random());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invocations_have_uuids() {
        let uuid = uuid();
        let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{uuid}");
        assert!(uuid.chars().nth(14) == Some('4') && super::uuid() != uuid, "{uuid}");
    }
}
