//! The table of all settings.

use super::kind::Kind::{self, Choice, Count, List, Number, Path, Seconds, Share, Size, Text};

/// One setting. Its flag is `--thindist-NAME`, its variable `THINDIST_NAME`, its key in thindist.toml `name`.
#[derive(Debug)]
pub struct Setting {
    /// The name with underscores.
    pub name: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// Its value is shown to nobody.
    pub(super) is_secret: bool,
    /// One line of help.
    pub help: &'static str,
}

const ON: Kind = Kind::Switch { default_on: true };
const OFF: Kind = Kind::Switch { default_on: false };

const fn row(name: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting { name, kind, is_secret: false, help }
}

const fn secret(name: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting { is_secret: true, ..row(name, kind, help) }
}

/// Every setting.
pub const REGISTRY: &[Setting] = &[
    row(
        "cache_dir",
        Path,
        "directory of the CAS, the action cache and the history (default: $XDG_CACHE_HOME/thindist, else ~/.cache/thindist)",
    ),
    row("cache_size", Size, "size to which the stores are trimmed: bytes, or a number with K, M or G (default: 20G)"),
    row(
        "stats",
        Path,
        "file to which each link appends one JSON object: the way and the reason for it, modules, backends run and reused, seconds",
    ),
    row(
        "fallback",
        Choice(&["warn", "never"]),
        "what happens to a link that cannot be carried: `warn` (default) links in-process after one warning, and `cc` calls the compiler; `never` makes it an error",
    ),
    row(
        "way",
        Choice(&["auto", "in-process", "distributor", "index-only"]),
        "how lld is driven, for the lines that the way carries: `auto` (default, see docs/ways.md), `in-process`, `distributor` or `index-only`",
    ),
    row("unlisted", OFF, "allow index-only for command lines outside its positive list; for thindist's own tests"),
    row(
        "lld",
        Text,
        "the real ld.lld, a path or a name in PATH (default: the newest one in PATH); behind a wrapper script, whole links are not remembered",
    ),
    row(
        "clang",
        Text,
        "the compiler of the backends, or a wrapper script around it (default: the clang of the same LLVM beside lld, or in PATH)",
    ),
    row(
        "promoted_names",
        Choice(&["hash", "stable"]),
        "suffix of promoted local symbols: `hash` (default) is the hash of the module, as in-process; `stable` survives edits, so that fewer backends run (see docs/promoted-names.md)",
    ),
    row(
        "backend_flags",
        Choice(&["parity", "per-module"]),
        "options of the backends: `parity` (default) takes the link's, as in-process; `per-module` adds those that each file was compiled with (see docs/backend-flags.md)",
    ),
    row(
        "compile_commands",
        Path,
        "the compile_commands.json to read these from (default: Kbuild's .NAME.o.cmd beside each object)",
    ),
    row(
        "jobs",
        Count,
        "number of backends of one link at a time, never more than make allows (default: --thinlto-jobs, --threads, -jN of a make without a jobserver, or the number of cores)",
    ),
    row("slots", Count, "number of compilers at a time for all links on this machine (default: the number of cores)"),
    row("slots_dir", Path, "directory of the machine-wide slots (default: /tmp/thindist-slots-UID)"),
    row(
        "scratch_dir",
        Path,
        "directory for the working directories of backends and for a link's short-lived files (default: /dev/shm if it and the memory have 1 GiB free, and for the latter 4 times the size of the inputs, else the cache)",
    ),
    row("warm", ON, "keep the compiler loaded and fork it for each backend; off: start a new process for each"),
    row("memo", ON, "remember whole links; off: remember only backend compilations"),
    row("verify", OFF, "`distribute` compiles each job a second time with the plain command and compares the objects"),
    row(
        "what_ran",
        Path,
        "file to which each link appends what `thindist what-ran FILE` shows (default: the cache keeps the last link only)",
    ),
    row(
        "keep_native",
        Path,
        "directory for the native objects of the link, each with its job file, for `thindist what-changed`",
    ),
    row(
        "remote_cache",
        Text,
        "grpc://HOST:PORT or grpcs://HOST:PORT (the default scheme) of a Remote Execution API v2 cache, asked after the local one",
    ),
    row(
        "remote_executor",
        Text,
        "address of a Remote Execution API v2 engine that runs backends; it is also the cache, unless remote_cache names another",
    ),
    row("remote_default_exec_properties", List, "NAME=VALUE, a platform property that the worker must have"),
    row(
        "remote_toolchain",
        Choice(&["shipped", "installed"]),
        "`shipped` (default) sends the compiler and its libraries to the workers; `installed` expects the same compiler at the same path on each worker",
    ),
    row(
        "remote_jobs",
        Count,
        "number of backends of one link in flight on the engine (default: 2000, of which 200 may wait for a worker)",
    ),
    row("remote_only", OFF, "run backends on this machine only if the engine fails"),
    row(
        "remote_racing",
        ON,
        "idle local slots also run actions that the engine has not started or is slow with, and the first result wins; off: they do not",
    ),
    row("remote_local_fallback", ON, "run locally what fails on the engine; off: such a failure is an error"),
    row("remote_instance_name", Text, "instance name on the server (default: empty)"),
    secret("remote_header", List, "NAME=VALUE, a header sent with each call; its value is never printed"),
    row(
        "remote_timeout",
        Seconds,
        "seconds that one call may take including its retries, plus one second for each 256 KiB of a large blob; also how long an engine may report no progress (default: 60)",
    ),
    row("remote_retries", Number, "number of retries of a call that failed for a transient reason (default: 5)"),
    row("remote_accept_cached", ON, "accept results from the remote action cache"),
    row(
        "remote_verify_sample",
        Share,
        "share of remote results, from 0 to 1, that is compiled locally as well; a result that differs is an error (default: 0)",
    ),
    row("remote_upload_local_results", OFF, "upload the results of this machine to the remote cache"),
    row("tls_certificate", Path, "PEM file of the certificate authority to trust (default: the system's)"),
    row("tls_client_certificate", Path, "PEM file of the certificate to present to a server that asks for one"),
    row("tls_client_key", Path, "PEM file of the key of that certificate"),
    row("keep", OFF, "keep the temporary directory of the link and print where it is"),
];

/// The variable that turns traces on. It is no setting: a link's flags are read when much has happened already.
pub const LOG_VARIABLE: &str = "THINDIST_LOG";
/// What it is for, in the list of settings.
pub const LOG_HELP: &str = "what is done and why, on the standard error: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as \
    `thindist_remote=trace` (no flag, and not in the file)";

/// The environment variable of the setting `name`: `THINDIST_` and the name in capitals.
pub fn variable(name: &str) -> String {
    format!("THINDIST_{}", name.to_uppercase())
}
