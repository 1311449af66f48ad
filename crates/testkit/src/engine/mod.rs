//! A small engine that speaks the Remote Execution API in the test process, keeps everything in memory, runs the
//! actions that it gets, and fails on demand.
//!
//! It is strict where servers are: a blob must have the content of its digest, a result must name blobs that it has.

mod certificates;
mod execution;
mod host;
mod services;
mod simulation;
mod store;
mod wire;

pub use certificates::Certificates;
pub use simulation::{Simulated, Simulation, object_of};
pub use store::{Fault, Offer};
pub use tonic::Code;
pub use wire::{BadWire, Wire};

use crate::Random;
use host::Host;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use store::Store;
use tonic::transport::ServerTlsConfig;

/// A running engine; it ends when dropped.
#[derive(Debug)]
pub struct FakeEngine {
    tls: bool,
    store: Arc<Store>,
    host: Arc<Host>,
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

    /// Starts one that runs nothing: every action has this object, at once. For measuring what is around it.
    #[must_use]
    pub fn answering_at_once(object: Vec<u8>) -> Self {
        let engine = Self::start();
        engine.store.set_answer(execution::answer(&engine.store, object));
        engine
    }

    /// Starts one with TLS. It demands a certificate of clients if these have one.
    #[must_use]
    pub fn with_tls(tls: ServerTlsConfig) -> Self {
        Self::serve(Offer::default(), Some(tls))
    }

    /// Another one that has what this one has.
    #[must_use]
    pub fn copy(&self) -> Self {
        let engine = Self::serve(self.store.offer.clone(), None);
        engine.store.take_over(&self.store);
        engine
    }

    /// The same with TLS.
    #[must_use]
    pub fn copy_with_tls(&self, tls: ServerTlsConfig) -> Self {
        let engine = Self::with_tls(tls);
        engine.store.take_over(&self.store);
        engine
    }

    fn serve(offer: Offer, tls: Option<ServerTlsConfig>) -> Self {
        let (with_tls, store) = (tls.is_some(), Arc::new(Store::new(offer)));
        let host = Host::start(Arc::clone(&store), tls);
        Self { tls: with_tls, store, host }
    }

    /// As a setting names it.
    #[must_use]
    pub fn address(&self) -> String {
        address(self.tls, self.host.address)
    }

    /// During these of its calls, counted from 0, it fails like this.
    pub fn fail_during(&self, calls: Range<usize>, fault: Fault) {
        self.store.plan(calls, fault);
    }

    /// Whether the calls have come at which it was to fail.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.store.has_failed()
    }

    /// What it presents after it has been restarted.
    pub fn present_after_restart(&self, tls: ServerTlsConfig) {
        self.host.set_tls(tls);
    }

    /// From now on it fails like this.
    pub fn fail(&self, fault: Fault) {
        self.store.set_fault(fault);
    }

    /// Loses every blob and keeps the results.
    pub fn forget_blobs(&self) {
        self.store.forget_blobs();
    }

    /// Loses about half of its blobs, and keeps the results.
    pub fn forget_some_blobs(&self, random: &mut Random) {
        self.store.retain_blobs(|| random.below(2) == 0);
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
        self.host.end();
    }
}

fn address(tls: bool, address: SocketAddr) -> String {
    let scheme = if tls { "grpcs" } else { "grpc" };
    format!("{scheme}://localhost:{}", address.port())
}
