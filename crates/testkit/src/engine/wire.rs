//! A connection between a client and an engine that goes bad after a number of bytes.

use super::FakeEngine;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How a wire goes bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadWire {
    /// Every connection over it ends, and new ones are taken and end.
    Cut,
    /// Nothing arrives any more, and nobody is told.
    Stall,
    /// A byte arrives in each such time: a slow loris.
    Drip(Duration),
}

/// A wire; who holds it can ask whether it has gone bad.
#[derive(Debug, Clone)]
pub struct Wire {
    address: SocketAddr,
    engine: SocketAddr,
    tls: bool,
    bad: BadWire,
    /// Bytes that still pass, in both directions and over all connections.
    left: Arc<AtomicUsize>,
}

impl Wire {
    /// A wire to this engine that goes bad after so many bytes.
    #[must_use]
    pub fn new(engine: &FakeEngine, bytes: usize, bad: BadWire) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("{error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("{error}"));
        let (engine, tls) = (engine.host.address, engine.tls);
        let wire = Self { address, engine, tls, bad, left: Arc::new(AtomicUsize::new(bytes)) };
        let ours = wire.clone();
        // Ends with the test's process: nobody waits for it.
        std::thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(|client| ours.connect(client)));
        wire
    }

    /// As a setting names it.
    #[must_use]
    pub fn address(&self) -> String {
        super::address(self.tls, self.address)
    }

    /// Whether it has gone bad.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    fn connect(&self, client: TcpStream) {
        let Ok(engine) = TcpStream::connect(self.engine) else { return };
        let (Ok(client_too), Ok(engine_too)) = (client.try_clone(), engine.try_clone()) else { return };
        for (from, to) in [(client, engine), (engine_too, client_too)] {
            let wire = self.clone();
            std::thread::spawn(move || wire.carry(from, to));
        }
    }

    /// Until one of the two ends the connection, which ends it for the other.
    fn carry(&self, mut from: TcpStream, mut to: TcpStream) {
        let _ = to.set_nodelay(true);
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if !self.pass(bytes.get(..count).unwrap_or_default(), &mut to) {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }

    fn pass(&self, bytes: &[u8], to: &mut TcpStream) -> bool {
        let take = |left: usize| Some(left.saturating_sub(bytes.len()));
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).unwrap_or(0);
        let (good, rest) = bytes.split_at(left.min(bytes.len()));
        if to.write_all(good).is_err() {
            return false;
        }
        match self.bad {
            _ if rest.is_empty() => true,
            BadWire::Cut => false,
            BadWire::Stall => true,
            BadWire::Drip(time) => rest.iter().all(|byte| {
                std::thread::sleep(time);
                to.write_all(&[*byte]).is_ok()
            }),
        }
    }
}
