//! A certificate authority for tests, and the certificates that it has signed.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use std::path::Path;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

/// An authority.
pub struct Certificates {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

impl Default for Certificates {
    fn default() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = key();
        let certificate = params.self_signed(&key).unwrap_or_else(|error| panic!("{error}")).pem();
        Self { certificate, issuer: Issuer::new(params, key) }
    }
}

impl Certificates {
    /// Writes the authority's certificate.
    pub fn write_authority(&self, path: &Path) {
        write(path, &self.certificate);
    }

    /// Writes a certificate and its key for a client.
    pub fn write_client(&self, certificate: &Path, key: &Path) {
        let (pem, key_pem) = self.sign(None);
        write(certificate, &pem);
        write(key, &key_pem);
    }

    /// A server named localhost.
    #[must_use]
    pub fn server(&self) -> ServerTlsConfig {
        let (pem, key) = self.sign(None);
        ServerTlsConfig::new().identity(Identity::from_pem(pem, key))
    }

    /// One that demands a certificate of this authority from its clients.
    #[must_use]
    pub fn demanding_server(&self) -> ServerTlsConfig {
        self.server().client_ca_root(Certificate::from_pem(&self.certificate))
    }

    /// One whose own certificate has expired.
    #[must_use]
    pub fn expired_server(&self) -> ServerTlsConfig {
        self.server_of((2000, 2001))
    }

    /// One whose certificate is of tomorrow: its clock, or ours, is wrong.
    #[must_use]
    pub fn early_server(&self) -> ServerTlsConfig {
        self.server_of((2200, 2201))
    }

    fn server_of(&self, years: (i32, i32)) -> ServerTlsConfig {
        let (pem, key) = self.sign(Some(years));
        ServerTlsConfig::new().identity(Identity::from_pem(pem, key))
    }

    /// With the years of its beginning and its end, unless it is good.
    fn sign(&self, years: Option<(i32, i32)>) -> (String, String) {
        let names = vec!["localhost".to_owned()];
        let mut params = CertificateParams::new(names).unwrap_or_else(|error| panic!("{error}"));
        if let Some((first, last)) = years {
            params.not_before = date_time_ymd(first, 1, 1);
            params.not_after = date_time_ymd(last, 1, 1);
        }
        let key = key();
        let signed = params.signed_by(&key, &self.issuer).unwrap_or_else(|error| panic!("{error}"));
        (signed.pem(), key.serialize_pem())
    }
}

fn key() -> KeyPair {
    KeyPair::generate().unwrap_or_else(|error| panic!("{error}"))
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
