//! The only access to the API: synchronous outside, a small runtime inside.

use crate::address::Address;
use crate::blobs::{self, Upload};
use crate::capabilities::{self, Capabilities};
use crate::connection::Connection;
use crate::error::RemoteError;
use crate::execute::Sent;
use crate::options::Options;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Encryption and hashing take processor time; two threads keep up with a gigabit, and backends need the rest.
const THREADS: usize = 2;

/// An engine whose capabilities are known.
pub struct Client {
    engine: Engine,
    /// What the engine has got from us.
    pub(crate) sent: Arc<Sent>,
    /// The last to go: dropping it ends what still runs.
    runtime: Runtime,
}

/// What calls need. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    /// For blobs and results.
    pub(crate) connection: Connection,
    /// For executions.
    executor: Option<Connection>,
    pub(crate) capabilities: Arc<Capabilities>,
    pub(crate) instance: Arc<str>,
}

impl Engine {
    /// Whom to ask for executions.
    pub(crate) fn executor(&self) -> Result<&Connection, RemoteError> {
        self.executor.as_ref().ok_or_else(|| self.connection.error("remote_executor is not set"))
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.connection.timeout()
    }

    pub(crate) fn retries(&self) -> u32 {
        self.connection.retries()
    }

    /// The executor is not asked any more.
    pub(crate) fn close(&self, what: &str) -> RemoteError {
        self.executor.as_ref().unwrap_or(&self.connection).close(what.to_owned())
    }

    pub(crate) fn refused(&self, call: &str, status: &tonic::Status) -> RemoteError {
        self.executor.as_ref().unwrap_or(&self.connection).refused(call, status)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl Client {
    /// Connects to the cache of `options` and asks what it offers.
    pub fn connect(options: &Options) -> Result<Self, RemoteError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("remote")
            .enable_all()
            .build()
            .map_err(|error| RemoteError::engine(&options.cache, format!("cannot start threads: {error}")))?;
        let engine = runtime.block_on(async {
            let connection = Connection::new(&options.cache, options)?;
            let capabilities = capabilities::ask(&connection, &options.instance_name).await?;
            let executor = match &options.executor {
                Some(address) => Some(executor(address, options).await?),
                None => None,
            };
            let (capabilities, instance) = (Arc::new(capabilities), Arc::from(options.instance_name.as_str()));
            Ok::<_, RemoteError>(Engine { connection, executor, capabilities, instance })
        })?;
        Ok(Self { engine, sent: Arc::default(), runtime })
    }

    /// Whether it executes actions.
    #[must_use]
    pub fn executes(&self) -> bool {
        self.engine.executor.is_some()
    }

    /// What the engine offers.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.engine.capabilities
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Begins `work`, which nobody waits for and which ends with this client at the latest.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.runtime.spawn(work));
    }

    /// Uploads what the engine does not have yet.
    pub(crate) fn upload(&self, blobs: Vec<Upload>) -> Result<(), RemoteError> {
        self.block_on(blobs::upload_missing(&self.engine, blobs)).map(drop)
    }
}

/// A connection to whom executes.
async fn executor(address: &Address, options: &Options) -> Result<Connection, RemoteError> {
    let connection = Connection::new(address, options)?;
    let capabilities = capabilities::ask(&connection, &options.instance_name).await?;
    if capabilities.executes { Ok(connection) } else { Err(connection.error("it does not execute actions")) }
}
