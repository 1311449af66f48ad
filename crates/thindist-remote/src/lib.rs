//! Backend actions and the Remote Execution API v2: results from a shared cache, and backends on other machines.
//!
//! [`Options`] say where and how, a [`Client`] speaks the API, a [`RemoteCache`] brings what it finds into the local
//! stores, a [`RemoteExecutor`] what it has made.
//! The async runtime lives in [`Client`] and is not seen outside: whoever calls gets an answer or an error, and waits no
//! longer than its deadline. Nothing here knows of linking.

mod address;
mod api;
mod asked;
mod blobs;
mod cache;
mod capabilities;
mod client;
mod connection;
mod error;
mod examine;
mod execute;
mod options;
mod pool;
mod results;
mod retry;

pub use address::Address;
pub use cache::{Found, RemoteCache};
pub use capabilities::Capabilities;
pub use client::Client;
pub use error::RemoteError;
pub use examine::Broken;
pub use execute::{
    Ended, Flight, Hybrid, IN_FLIGHT, Policy, RemoteExecutor, There, ToolFile, Toolchain, WAITING, Worker,
};
pub use options::{Header, Options, Tls};
