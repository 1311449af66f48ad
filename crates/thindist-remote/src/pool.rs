//! Connections to one address, as many as its streams need.
//!
//! Servers allow about 100 streams a connection; one more waits until another has ended, and an execution may take minutes.
//! It does not know what is said on a stream.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tonic::transport::{Channel, Endpoint};

/// Streams of one connection, with some room below the usual limit.
const STREAMS: usize = 80;
/// So many connections are used in turn before any has two streams: one TCP connection is not the whole network.
const FIRST: usize = 4;

#[derive(Clone)]
pub(crate) struct Pool(Arc<Shared>);

struct Shared {
    endpoint: Endpoint,
    connections: Mutex<Vec<Shareable>>,
}

struct Shareable {
    channel: Channel,
    streams: usize,
}

/// The right to one stream; given back when dropped.
pub(crate) struct Lease {
    pool: Pool,
    number: usize,
    channel: Channel,
}

impl Pool {
    /// Connects when the first stream is opened. To be used inside of a runtime.
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self(Arc::new(Shared { endpoint, connections: Mutex::default() }))
    }

    /// A stream of the connection that has the fewest; of a new one where all are full.
    pub(crate) fn lease(&self) -> Lease {
        let mut connections = self.0.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let counts: Vec<usize> = connections.iter().map(|connection| connection.streams).collect();
        let number = choose(&counts);
        if number == connections.len() {
            connections.push(Shareable { channel: self.0.endpoint.connect_lazy(), streams: 0 });
        }
        let channel = connections.get_mut(number).map(|connection| {
            connection.streams += 1;
            connection.channel.clone()
        });
        // It was pushed above if it was not there.
        Lease { pool: self.clone(), number, channel: channel.unwrap_or_else(|| self.0.endpoint.connect_lazy()) }
    }

    fn give_back(&self, number: usize) {
        let mut connections = self.0.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = connections.get_mut(number) {
            connection.streams = connection.streams.saturating_sub(1);
        }
    }
}

/// The connection for the next stream where these have so many; one more than there are is a new one.
fn choose(streams: &[usize]) -> usize {
    let fewest = streams.iter().enumerate().min_by_key(|(_, streams)| **streams);
    match fewest {
        Some((number, 0)) => number,
        Some((number, streams_of)) if streams.len() >= FIRST && *streams_of < STREAMS => number,
        _ => streams.len(),
    }
}

impl Lease {
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.give_back(self.number);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("number", &self.number).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_connection_has_more_streams_than_servers_allow() {
        assert_eq!(choose(&[]), 0);
        assert_eq!(choose(&[0]), 0);
        assert_eq!(choose(&[1]), 1, "the first few are used in turn");
        assert_eq!(choose(&[7, 6, 5, 7]), 2);
        assert_eq!(choose(&[STREAMS; FIRST]), FIRST, "all are full");
        assert_eq!(choose(&[STREAMS, STREAMS, STREAMS, STREAMS, 3]), 4);
    }
}
