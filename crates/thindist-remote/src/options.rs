//! The user's settings for engines, checked as far as possible without a connection.

use crate::address::Address;
use crate::error::RemoteError;
use std::fmt;
use std::path::Path;
use std::time::Duration;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

/// Everything that a [`crate::Client`] needs to be told.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where blobs and results are.
    pub cache: Address,
    /// Who executes; the same place or another.
    pub executor: Option<Address>,
    /// What a worker must be.
    pub exec_properties: Vec<(String, String)>,
    /// Whether what fails there runs here.
    pub local_fallback: bool,
    /// The instance name; may be empty.
    pub instance_name: String,
    /// Sent with each call.
    pub headers: Vec<Header>,
    /// For addresses with TLS.
    pub tls: Tls,
    /// How long one call may take, its repetitions included.
    pub timeout: Duration,
    /// How often a call that failed for reasons of the world is repeated.
    pub retries: u32,
    /// Whether results that others have left may be taken.
    pub accept_cached: bool,
    /// Whether results of this machine may be left for others.
    pub upload_local_results: bool,
}

/// Shorter words are in too many others, and keep nothing secret.
const SECRET_WORD: usize = 4;

/// A header; its value is a secret.
#[derive(Clone)]
pub struct Header {
    pub(crate) name: AsciiMetadataKey,
    pub(crate) value: AsciiMetadataValue,
}

impl Header {
    /// Reads `NAME=VALUE`.
    pub fn parse(setting: &'static str, text: &str) -> Result<Self, RemoteError> {
        let bad =
            |value: &str, what: &str| RemoteError::Setting { setting, value: value.to_owned(), what: what.to_owned() };
        // What has no `=` may be a value all the same.
        let (name, value) = text.split_once('=').ok_or_else(|| bad("…", "expected NAME=VALUE"))?;
        let shown = format!("{name}=…");
        let key = name.trim().to_ascii_lowercase().parse();
        let name = key.map_err(|_| bad(&shown, "not the name of a header"))?;
        let mut value: AsciiMetadataValue =
            value.trim().parse().map_err(|_| bad(&shown, "its value has characters that a header cannot have"))?;
        value.set_sensitive(true);
        Ok(Self { name, value })
    }

    /// The value, and each word of it: of `Bearer TOKEN` a server may repeat the token alone.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let value = self.value.to_str().unwrap_or_default();
        let words = value.split_whitespace().filter(|word| word.len() >= SECRET_WORD);
        [value].into_iter().chain(words).map(str::to_owned).collect()
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=…", self.name)
    }
}

/// What secures a connection: content of the files, so that each is read once and early.
#[derive(Clone, Default)]
pub struct Tls {
    authority: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl Tls {
    /// Reads the files. Without an authority's certificate, those of the system are trusted.
    pub fn read(
        authority: Option<&Path>,
        client_certificate: Option<&Path>,
        client_key: Option<&Path>,
    ) -> Result<Self, RemoteError> {
        let authority = authority.map(|path| pem("tls_certificate", path)).transpose()?;
        let identity = match (client_certificate, client_key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => {
                Some((pem("tls_client_certificate", certificate)?, pem("tls_client_key", key)?))
            }
            (Some(path), None) => return Err(lonely("tls_client_certificate", path, "tls_client_key")),
            (None, Some(path)) => return Err(lonely("tls_client_key", path, "tls_client_certificate")),
        };
        Ok(Self { authority, identity })
    }

    pub(crate) fn config(&self) -> ClientTlsConfig {
        let mut config = ClientTlsConfig::new();
        config = match &self.authority {
            Some(pem) => config.ca_certificate(Certificate::from_pem(pem)),
            None => config.with_native_roots(),
        };
        match &self.identity {
            Some((certificate, key)) => config.identity(Identity::from_pem(certificate, key)),
            None => config,
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (authority, identity) = (self.authority.is_some(), self.identity.is_some());
        f.debug_struct("Tls").field("authority", &authority).field("identity", &identity).finish()
    }
}

fn lonely(setting: &'static str, path: &Path, other: &str) -> RemoteError {
    RemoteError::Setting { setting, value: path.display().to_string(), what: format!("{other} is not set") }
}

fn pem(setting: &'static str, path: &Path) -> Result<Vec<u8>, RemoteError> {
    let bad = |what: String| RemoteError::Setting { setting, value: path.display().to_string(), what };
    let bytes = std::fs::read(path).map_err(|error| bad(format!("cannot read it: {error}")))?;
    let marked = bytes.windows(11).any(|window| window == b"-----BEGIN ");
    if marked { Ok(bytes) } else { Err(bad("not a PEM file".to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_shows_its_name_only() {
        let header = Header::parse("remote_header", "Authorization=Bearer hunter2").unwrap();
        assert_eq!(format!("{header:?}"), "authorization=…");
        for bad in ["hunter2", "a b=hunter2", "name=hunter2\n"] {
            let shown =
                Header::parse("remote_header", bad).map_or_else(|error| error.to_string(), |ok| format!("{ok:?}"));
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn a_certificate_that_is_none_is_named() {
        let check = |authority: Option<&str>, certificate: Option<&str>, key: Option<&str>, expect: &str| {
            let error =
                Tls::read(authority.map(Path::new), certificate.map(Path::new), key.map(Path::new)).unwrap_err();
            assert!(error.to_string().starts_with(expect), "{error}");
        };
        check(Some("/nowhere"), None, None, "tls_certificate=/nowhere: cannot read it: No such file");
        check(Some("/etc/hostname"), None, None, "tls_certificate=/etc/hostname: not a PEM file");
        check(None, Some("/x"), None, "tls_client_certificate=/x: tls_client_key is not set");
        check(None, None, Some("/x"), "tls_client_key=/x: tls_client_certificate is not set");
    }
}
