//! The address at which the engine listens: it starts, stops, and starts again on the same port.

use super::services::Service;
use super::store::Store;
use bazel_remote_apis::build::bazel::remote::execution::v2 as api;
use bazel_remote_apis::google::bytestream::byte_stream_server::ByteStreamServer;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Server, ServerTlsConfig};

/// What a message may have.
const MAX_MESSAGE: usize = 4 << 20;

/// Streams of one connection, as most servers have it.
const STREAMS: u32 = 100;

#[derive(Debug)]
pub(super) struct Host {
    pub(super) address: SocketAddr,
    store: Arc<Store>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// `None` once it has been stopped.
    runtime: Option<Runtime>,
    tls: Option<ServerTlsConfig>,
    /// The test is over: nothing is begun again.
    is_over: bool,
}

impl Host {
    pub(super) fn start(store: Arc<Store>, tls: Option<ServerTlsConfig>) -> Arc<Self> {
        let runtime = runtime();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap_or_else(|error| panic!("{error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("{error}"));
        let state = Mutex::new(State { runtime: None, tls: tls.clone(), is_over: false });
        let host = Arc::new(Self { address, store, state });
        host.serve(&runtime, listener, tls);
        host.lock().runtime = Some(runtime);
        host
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it presents when it is begun the next time.
    pub(super) fn set_tls(&self, tls: ServerTlsConfig) {
        self.lock().tls = Some(tls);
    }

    fn serve(self: &Arc<Self>, runtime: &Runtime, listener: TcpListener, tls: Option<ServerTlsConfig>) {
        let service = Service { store: Arc::clone(&self.store), host: Arc::downgrade(self) };
        let mut builder = Server::builder().max_concurrent_streams(STREAMS);
        if let Some(tls) = tls {
            builder = builder.tls_config(tls).unwrap_or_else(|error| panic!("{error}"));
        }
        let store = api::content_addressable_storage_server::ContentAddressableStorageServer::new(service.clone());
        let router = builder
            .add_service(api::capabilities_server::CapabilitiesServer::new(service.clone()))
            .add_service(api::action_cache_server::ActionCacheServer::new(service.clone()))
            .add_service(store.max_decoding_message_size(MAX_MESSAGE))
            .add_service(api::execution_server::ExecutionServer::new(service.clone()))
            .add_service(ByteStreamServer::new(service).max_decoding_message_size(MAX_MESSAGE));
        // Otherwise the end of each answer waits 40 ms for the client's acknowledgement.
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        runtime.spawn(router.serve_with_incoming(incoming));
    }

    /// Ends the runtime and with it every connection, at once. From a thread of its own, as a runtime cannot end itself.
    pub(super) fn stop(&self) {
        if let Some(runtime) = self.lock().runtime.take() {
            std::thread::spawn(move || runtime.shutdown_background());
        }
    }

    /// Stops for good.
    pub(super) fn end(&self) {
        self.lock().is_over = true;
        self.stop();
    }

    /// The same from a thread of its own, and begins again on the same port as soon as that is free.
    pub(super) fn restart(self: &Arc<Self>) {
        let host = Arc::clone(self);
        std::thread::spawn(move || {
            host.stop();
            let runtime = runtime();
            while !host.begin_again(&runtime) {
                std::thread::yield_now();
            }
            let mut state = host.lock();
            if state.is_over { runtime.shutdown_background() } else { state.runtime = Some(runtime) }
        });
    }

    /// Whether there is nothing left to do.
    fn begin_again(self: &Arc<Self>, runtime: &Runtime) -> bool {
        let (tls, is_over) = {
            let state = self.lock();
            (state.tls.clone(), state.is_over)
        };
        if is_over {
            return true;
        }
        let Ok(listener) = runtime.block_on(TcpListener::bind(self.address)) else { return false };
        self.serve(runtime, listener, tls);
        true
    }
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap_or_else(|error| panic!("no runtime: {error}"))
}
