//! Errors between the client and an engine. Each message is one line that begins with the setting and its value.

use crate::address::Address;
use std::error::Error as _;
use tonic::{Code, Status};

/// Longer messages of a server are cut: they are for one line.
const LONGEST: usize = 300;

/// Why something cannot be had of an engine.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RemoteError {
    /// A setting that cannot be meant.
    #[error("{setting}={value}: {what}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// Its value, unless that is a secret.
        value: String,
        /// What is wrong with it.
        what: String,
    },
    /// The engine cannot be reached, does not answer, or answers with an error.
    #[error("{address}: {what}")]
    Engine {
        /// The setting and its value.
        address: String,
        /// What is wrong.
        what: String,
    },
    /// The same engine has failed before, and that was an [`RemoteError::Engine`].
    #[error("{address}: not asked again after its last failure")]
    Closed {
        /// The setting and its value.
        address: String,
    },
}

impl RemoteError {
    /// Whether this has been told to somebody already.
    #[must_use]
    pub fn is_known(&self) -> bool {
        matches!(self, Self::Closed { .. })
    }

    pub(crate) fn engine(address: &Address, what: impl Into<String>) -> Self {
        Self::Engine { address: address.to_string(), what: what.into() }
    }
}

/// A status in one line, its causes included, without any of the `secrets`: a server may repeat what it was sent.
pub(crate) fn describe(call: &str, status: &Status, secrets: &[String]) -> String {
    let mut parts = vec![status.message().to_owned()];
    let mut cause = status.source();
    while let Some(error) = cause {
        parts.push(error.to_string());
        cause = error.source();
    }
    let mut text = join(&parts);
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret.as_str(), "…");
    }
    if text.chars().count() > LONGEST {
        text = text.chars().take(LONGEST).chain(['…']).collect();
    }
    let advice = advice(status.code(), &text);
    let text = if text.is_empty() { status.code().to_string() } else { text };
    format!("{call}: {text}{advice}")
}

/// The causes in a row, without those that only repeat the one before.
fn join(parts: &[String]) -> String {
    let mut text = String::new();
    for part in parts {
        let part = part.split_whitespace().collect::<Vec<_>>().join(" ");
        if part.is_empty() || text.contains(&part) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&part);
    }
    text
}

fn advice(code: Code, text: &str) -> &'static str {
    match code {
        Code::Unimplemented => " (not a Remote Execution API v2 endpoint, or one without this part of it)",
        Code::Unauthenticated | Code::PermissionDenied => " (see remote_header and tls_client_certificate)",
        _ if CUT_SHORT.iter().any(|sign| text.contains(sign)) => {
            " (perhaps the server does not speak HTTP/2, or TLS is on one side only)"
        }
        _ => "",
    }
}

/// What is said of a server that speaks another language. Which of them depends on who is faster.
const CUT_SHORT: &[&str] =
    &["frame", "http2 error", "connection closed", "Broken pipe", "reset by peer", "corrupt message"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_line_without_secrets() {
        let status = Status::unauthenticated("bad token\n  Bearer hunter2");
        let text = describe("GetCapabilities", &status, &["Bearer hunter2".to_owned(), String::new()]);
        assert_eq!(text, "GetCapabilities: bad token … (see remote_header and tls_client_certificate)");
        let text = describe("X", &Status::unavailable("x".repeat(1000)), &[]);
        assert!(text.chars().count() < 310, "{text}");
        assert_eq!(describe("X", &Status::new(Code::Aborted, ""), &[]), "X: The operation was aborted");
    }
}
