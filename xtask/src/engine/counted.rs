//! A proxy in front of an engine that counts the bytes in both directions, whatever their content.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Result;

/// Such a door. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Door {
    port: u16,
    engine: u16,
    up: Arc<AtomicU64>,
    down: Arc<AtomicU64>,
}

impl Door {
    /// It is open until this process ends.
    pub(crate) fn open(engine: u16) -> Result<Self> {
        let no = |error| format!("no free port: {error}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(no)?;
        let door = Self { port: listener.local_addr().map_err(no)?.port(), engine, ..Self::default() };
        let ours = door.clone();
        std::thread::spawn(move || listener.incoming().map_while(|client| client.ok()).for_each(|one| ours.enter(one)));
        Ok(door)
    }

    /// As a setting names it.
    pub(crate) fn address(&self) -> String {
        format!("grpc://127.0.0.1:{}", self.port)
    }

    /// Bytes to the engine and from it since this was last asked.
    pub(crate) fn take(&self) -> (u64, u64) {
        (self.up.swap(0, Ordering::Relaxed), self.down.swap(0, Ordering::Relaxed))
    }

    /// A connection that fails on one side ends on the other, and the client says what that means.
    fn enter(&self, client: TcpStream) {
        let Ok(engine) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.engine)) else { return };
        let (Ok(client_too), Ok(engine_too)) = (client.try_clone(), engine.try_clone()) else { return };
        let (up, down) = (Arc::clone(&self.up), Arc::clone(&self.down));
        std::thread::spawn(move || carry(client, engine, &up));
        std::thread::spawn(move || carry(engine_too, client_too, &down));
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, count: &AtomicU64) {
    // Small waits would be added to each call.
    let _ = to.set_nodelay(true);
    let mut bytes = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        count.fetch_add(length as u64, Ordering::Relaxed);
        if to.write_all(bytes.get(..length).unwrap_or_default()).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_counted_in_both_directions() {
        let engine = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let door = Door::open(engine.local_addr().unwrap().port()).unwrap();
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, door.port)).unwrap();
        client.write_all(b"four").unwrap();
        let (mut server, _) = engine.accept().unwrap();
        let mut word = [0; 4];
        server.read_exact(&mut word).unwrap();
        server.write_all(b"eleven more").unwrap();
        drop(server);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        assert_eq!((word, answer.len(), door.take()), (*b"four", 11, (4, 11)));
    }
}
