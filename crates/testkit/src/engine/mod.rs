//! A small engine that speaks the Remote Execution API in this process, keeps all in memory, runs
//! what it is given, and fails as it is told.
//!
//! It is strict where servers are: a blob must have the content of its digest, a result must name blobs that it has.

mod certificates;
mod execution;
mod services;
mod simulation;
mod store;

pub use certificates::Certificates;
pub use simulation::{Simulated, Simulation, object_of};
pub use store::{Fault, Offer};
pub use tonic::Code;

use bazel_remote_apis::build::bazel::remote::execution::v2 as api;
use bazel_remote_apis::google::bytestream::byte_stream_server::ByteStreamServer;
use services::Service;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use store::Store;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Server, ServerTlsConfig};

/// What a message may have.
const MAX_MESSAGE: usize = 4 << 20;

/// Streams of one connection, as most servers have it.
const STREAMS: u32 = 100;

/// A running engine; it ends when dropped.
#[derive(Debug)]
pub struct FakeEngine {
    address: SocketAddr,
    tls: bool,
    store: Arc<Store>,
    runtime: Arc<Mutex<Option<Runtime>>>,
}

impl FakeEngine {
    /// Starts one that offers what most do.
    #[must_use]
    pub fn start() -> Self {
        Self::offering(Offer::default())
    }

    /// Starts one that offers this.
    #[must_use]
    pub fn offering(offer: Offer) -> Self {
        Self::serve(offer, None)
    }

    /// Starts one with TLS. It demands a certificate of clients if these have one.
    #[must_use]
    pub fn with_tls(tls: ServerTlsConfig) -> Self {
        Self::serve(Offer::default(), Some(tls))
    }

    fn serve(offer: Offer, tls: Option<ServerTlsConfig>) -> Self {
        let runtime = Runtime::new().unwrap_or_else(|error| panic!("no runtime: {error}"));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap_or_else(|error| panic!("{error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("{error}"));
        let store = Arc::new(Store::new(offer));
        let (with_tls, runtime) = (tls.is_some(), Arc::new(Mutex::new(Some(runtime))));
        let service = Service { store: Arc::clone(&store), runtime: Arc::downgrade(&runtime) };
        let mut builder = Server::builder().max_concurrent_streams(STREAMS);
        if let Some(tls) = tls {
            builder = builder.tls_config(tls).unwrap_or_else(|error| panic!("{error}"));
        }
        let router = builder
            .add_service(api::capabilities_server::CapabilitiesServer::new(service.clone()))
            .add_service(api::action_cache_server::ActionCacheServer::new(service.clone()))
            .add_service(
                api::content_addressable_storage_server::ContentAddressableStorageServer::new(service.clone())
                    .max_decoding_message_size(MAX_MESSAGE),
            )
            .add_service(api::execution_server::ExecutionServer::new(service.clone()))
            .add_service(ByteStreamServer::new(service).max_decoding_message_size(MAX_MESSAGE));
        if let Some(runtime) = &*runtime.lock().unwrap_or_else(PoisonError::into_inner) {
            runtime.spawn(router.serve_with_incoming(TcpListenerStream::new(listener)));
        }
        Self { address, tls: with_tls, store, runtime }
    }

    /// As a setting names it.
    #[must_use]
    pub fn address(&self) -> String {
        let scheme = if self.tls { "grpcs" } else { "grpc" };
        format!("{scheme}://localhost:{}", self.address.port())
    }

    /// From now on it fails like this.
    pub fn fail(&self, fault: Fault) {
        self.store.set_fault(fault);
    }

    /// Loses every blob and keeps the results.
    pub fn forget_blobs(&self) {
        self.store.forget_blobs();
    }

    /// How often a method has been called.
    #[must_use]
    pub fn calls(&self, method: &str) -> usize {
        self.store.calls(method)
    }

    /// What simulated workers have done.
    #[must_use]
    pub fn simulated(&self) -> Simulated {
        self.store.workers.as_ref().map(|workers| workers.seen().clone()).unwrap_or_default()
    }

    /// Bytes of blobs that came in and went out, since this was last asked.
    #[must_use]
    pub fn take_traffic(&self) -> (usize, usize) {
        self.store.take_traffic()
    }

    /// Bytes of all different blobs that came in.
    #[must_use]
    pub fn distinct_bytes(&self) -> usize {
        self.store.distinct_bytes()
    }

    /// The number of blobs and of results.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        self.store.size()
    }

    /// Headers of the last call, as text.
    #[must_use]
    pub fn last_headers(&self) -> String {
        self.store.last_headers()
    }
}

impl Drop for FakeEngine {
    fn drop(&mut self) {
        services::stop(&Arc::downgrade(&self.runtime));
    }
}
