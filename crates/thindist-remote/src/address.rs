//! The address of an engine, as a setting gives it.

use crate::error::RemoteError;
use std::fmt;
use tonic::codegen::http::Uri;

/// `grpc://HOST:PORT` or `grpcs://HOST:PORT`; without a scheme it is the latter, as Bazel has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// The setting that it comes from, for messages.
    setting: &'static str,
    shown: String,
    uri: Uri,
    tls: bool,
}

impl Address {
    /// Reads the value of a setting.
    pub fn parse(setting: &'static str, value: &str) -> Result<Self, RemoteError> {
        let bad = |what: &str| RemoteError::Setting { setting, value: without_user(value), what: what.to_owned() };
        let (scheme, rest) = value.split_once("://").unwrap_or(("grpcs", value));
        let tls = match scheme {
            "grpc" => false,
            "grpcs" => true,
            _ => return Err(bad("expected grpc://HOST:PORT, or grpcs://HOST:PORT for TLS")),
        };
        if rest.contains('@') {
            return Err(bad("no user and password here; give credentials as remote_header"));
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let web = if tls { "https" } else { "http" };
        let uri: Uri = format!("{web}://{rest}").parse().map_err(|_| bad("not a host and a port"))?;
        if uri.host().is_none_or(str::is_empty) || uri.path() != "/" || uri.query().is_some() {
            return Err(bad("expected a host and a port, and nothing after them"));
        }
        Ok(Self { setting, shown: format!("{scheme}://{rest}"), uri, tls })
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls
    }
}

/// A password in an address has no place in a message.
fn without_user(value: &str) -> String {
    match value.rsplit_once('@') {
        Some((before, host)) => {
            let scheme = before.split_once("://").map_or(String::new(), |(scheme, _)| format!("{scheme}://"));
            format!("{scheme}…@{host}")
        }
        None => value.to_owned(),
    }
}

/// The setting and its value.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.setting, self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expect: &str) {
        let text = match Address::parse("remote_cache", value) {
            Ok(address) => format!("{address} {}", address.uri()),
            Err(error) => error.to_string(),
        };
        assert!(text.contains(expect), "{value}: {text}");
        assert!(text.starts_with("remote_cache="), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }

    #[test]
    fn addresses_as_bazel_has_them() {
        check("grpc://localhost:8980", "remote_cache=grpc://localhost:8980 http://localhost:8980/");
        check("cache.example.org", "remote_cache=grpcs://cache.example.org https://cache.example.org/");
        check("grpcs://[::1]:443/", "https://[::1]:443/");
    }

    #[test]
    fn what_is_no_address_is_named_without_its_password() {
        check("http://localhost:80", "remote_cache=http://localhost:80: expected grpc://");
        check("grpc://", "host and a port");
        check("grpc://host:1/path", "nothing after them");
        check("grpcs://user:secret@host:1", "give credentials as remote_header");
        check("ftp://user:secret@host:1", "…@host:1: expected grpc://");
    }
}
