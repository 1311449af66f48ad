//! An engine that is connected, and what it offers.

use crate::capabilities::Capabilities;
use crate::connection::Connection;
use crate::error::RemoteError;
use std::sync::Arc;
use std::time::Duration;

/// What calls need. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    /// For blobs and results.
    pub(crate) connection: Connection,
    /// For executions.
    pub(crate) executor: Option<Connection>,
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
