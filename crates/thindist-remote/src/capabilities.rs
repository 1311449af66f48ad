//! What an engine offers, and whether it suffices.

use crate::api;
use crate::connection::Connection;
use crate::error::RemoteError;
use api::capabilities_client::CapabilitiesClient;
use std::fmt;

/// A batch limit is a message size, whatever is advertised: gRPC's own is 4 MiB.
const BATCH_BYTES: u64 = 3 << 20;
/// An engine that cannot be reached now is not waited for: the link goes on without it.
const RETRIES: u32 = 1;

/// What an engine offers.
#[derive(Debug, Clone)]
pub struct Capabilities {
    /// What blobs of one batch may add up to.
    pub(crate) batch_bytes: u64,
    /// zstd in ByteStream and in batches that are read.
    pub(crate) zstd_streams: bool,
    /// zstd in batches that are written.
    pub(crate) zstd_updates: bool,
    /// Whether this client may write results.
    pub may_update: bool,
    /// Whether it executes actions.
    pub(crate) executes: bool,
}

/// As `thindist doctor` shows it.
impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let results = if self.may_update { "takes results" } else { "read only" };
        let zstd = if self.zstd_streams { "zstd" } else { "no compression" };
        write!(f, "{results}, {zstd}, batches of {} KiB", self.batch_bytes >> 10)
    }
}

pub(crate) async fn ask(connection: &Connection, instance: &str) -> Result<Capabilities, RemoteError> {
    let answer = connection
        .call_up_to(RETRIES, "GetCapabilities", |channel, envelope| async move {
            let request = api::GetCapabilitiesRequest { instance_name: instance.to_owned() };
            let answer = CapabilitiesClient::new(channel).get_capabilities(envelope.request(request, None)).await;
            answer.map(tonic::Response::into_inner)
        })
        .await?;
    judge(&answer).map_err(|what| connection.error(what))
}

fn judge(server: &api::ServerCapabilities) -> Result<Capabilities, String> {
    if server.low_api_version.as_ref().is_some_and(|version| version.major > 2)
        || server.high_api_version.as_ref().is_some_and(|version| version.major < 2)
    {
        return Err("it does not speak version 2 of the Remote Execution API".to_owned());
    }
    let Some(cache) = &server.cache_capabilities else {
        return Err("it has no content-addressed store".to_owned());
    };
    if !cache.digest_functions.contains(&api::DIGEST_FUNCTION) {
        return Err(format!("it does not offer SHA256, only {}", functions(&cache.digest_functions)));
    }
    let has = |compressors: &[i32]| compressors.contains(&(api::compressor::Value::Zstd as i32));
    let advertised = u64::try_from(cache.max_batch_total_size_bytes).ok().filter(|bytes| *bytes > 0);
    Ok(Capabilities {
        batch_bytes: advertised.map_or(BATCH_BYTES, |bytes| bytes.min(BATCH_BYTES)),
        zstd_streams: has(&cache.supported_compressors),
        zstd_updates: has(&cache.supported_batch_update_compressors),
        may_update: cache.action_cache_update_capabilities.as_ref().is_some_and(|updates| updates.update_enabled),
        executes: server.execution_capabilities.as_ref().is_some_and(|execution| execution.exec_enabled),
    })
}

fn functions(offered: &[i32]) -> String {
    let name = |function: &i32| {
        api::digest_function::Value::try_from(*function)
            .map_or_else(|_| function.to_string(), |function| function.as_str_name().to_owned())
    };
    let names: Vec<String> = offered.iter().map(name).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offering(functions: &[i32], batch: i64) -> api::ServerCapabilities {
        let cache = api::CacheCapabilities {
            digest_functions: functions.to_vec(),
            max_batch_total_size_bytes: batch,
            ..api::CacheCapabilities::default()
        };
        api::ServerCapabilities { cache_capabilities: Some(cache), ..api::ServerCapabilities::default() }
    }

    #[test]
    fn a_batch_is_never_larger_than_a_message() {
        for (advertised, expect) in [(0, 3 << 20), (-1, 3 << 20), (65536, 65536), (1 << 30, 3 << 20)] {
            let judged = judge(&offering(&[api::DIGEST_FUNCTION], advertised)).unwrap();
            assert_eq!(judged.batch_bytes, expect, "{advertised}");
        }
    }

    #[test]
    fn an_engine_that_will_not_do_is_told_why() {
        let check = |server: &api::ServerCapabilities, expect: &str| {
            assert!(judge(server).unwrap_err().contains(expect), "{expect}");
        };
        check(&offering(&[3, 9], 0), "SHA256, only MD5, BLAKE3");
        check(&offering(&[], 0), "only nothing");
        check(&api::ServerCapabilities::default(), "no content-addressed store");
    }
}
