//! The table of all settings.

/// One setting. Its flag is `--thindist-NAME`, its variable `THINDIST_NAME`, its key in thindist.toml `name`.
#[derive(Debug)]
pub struct Setting {
    /// The name with underscores.
    pub name: &'static str,
    /// One line of help.
    pub help: &'static str,
}

/// Every setting.
pub const REGISTRY: &[Setting] = &[
    Setting {
        name: "cache_dir",
        help: "directory of the CAS, the action cache and the history (default: $XDG_CACHE_HOME/thindist, else ~/.cache/thindist)",
    },
    Setting {
        name: "cache_size",
        help: "size to which the stores are trimmed: bytes, or a number with K, M or G (default: 20G)",
    },
    Setting {
        name: "stats",
        help: "file to which each link appends one JSON object: the way and the reason for it, modules, backends run and reused, seconds",
    },
    Setting {
        name: "fallback",
        help: "what happens to a link that cannot be carried: `warn` (default) links in-process after one warning, and `cc` calls the compiler; `never` makes it an error",
    },
    Setting {
        name: "way",
        help: "how lld is driven, for the lines that the way carries: `auto` (default, see docs/ways.md), `in-process`, `distributor` or `index-only`",
    },
    Setting {
        name: "unlisted",
        help: "allow index-only for command lines outside its positive list; for thindist's own tests",
    },
    Setting {
        name: "lld",
        help: "the real ld.lld, a path or a name in PATH (default: the newest one in PATH); behind a wrapper script, whole links are not remembered",
    },
    Setting {
        name: "clang",
        help: "the compiler of the backends, or a wrapper script around it (default: the clang of the same LLVM beside lld, or in PATH)",
    },
    Setting {
        name: "promoted_names",
        help: "suffix of promoted local symbols: `hash` (default) is the hash of the module, as in-process; `stable` survives edits, so that fewer backends run (see docs/promoted-names.md)",
    },
    Setting {
        name: "backend_flags",
        help: "options of the backends: `parity` (default) takes the link's, as in-process; `per-module` adds those that each file was compiled with (see docs/backend-flags.md)",
    },
    Setting {
        name: "compile_commands",
        help: "the compile_commands.json to read these from (default: Kbuild's .NAME.o.cmd beside each object)",
    },
    Setting {
        name: "jobs",
        help: "number of backends of one link at a time, never more than make allows (default: --thinlto-jobs, --threads, -jN of a make without a jobserver, or the number of cores)",
    },
    Setting {
        name: "slots",
        help: "number of compilers at a time for all links on this machine (default: the number of cores)",
    },
    Setting { name: "slots_dir", help: "directory of the machine-wide slots (default: /tmp/thindist-slots-UID)" },
    Setting {
        name: "scratch_dir",
        help: "directory for the working directories of backends and for a link's short-lived files (default: /dev/shm if it and the memory have 1 GiB free, and for the latter 4 times the size of the inputs, else the cache)",
    },
    Setting {
        name: "warm",
        help: "keep the compiler loaded and fork it for each backend; off: start a new process for each",
    },
    Setting { name: "memo", help: "remember whole links; off: remember only backend compilations" },
    Setting {
        name: "verify",
        help: "`distribute` compiles each job a second time with the plain command and compares the objects",
    },
    Setting {
        name: "what_ran",
        help: "file to which each link appends what `thindist what-ran FILE` shows (default: the cache keeps the last link only)",
    },
    Setting {
        name: "keep_native",
        help: "directory for the native objects of the link, each with its job file, for `thindist what-changed`",
    },
    Setting {
        name: "remote_cache",
        help: "grpc://HOST:PORT or grpcs://HOST:PORT (the default scheme) of a Remote Execution API v2 cache, asked after the local one",
    },
    Setting {
        name: "remote_executor",
        help: "address of a Remote Execution API v2 engine that runs backends; it is also the cache, unless remote_cache names another",
    },
    Setting {
        name: "remote_default_exec_properties",
        help: "NAME=VALUE, a platform property that the worker must have",
    },
    Setting {
        name: "remote_toolchain",
        help: "`shipped` (default) sends the compiler and its libraries to the workers; `installed` expects the same compiler at the same path on each worker",
    },
    Setting {
        name: "remote_jobs",
        help: "number of backends of one link in flight on the engine (default: 2000, of which 200 may wait for a worker)",
    },
    Setting { name: "remote_only", help: "run backends on this machine only if the engine fails" },
    Setting {
        name: "remote_racing",
        help: "idle local slots also run actions that the engine has not started or is slow with, and the first result wins; off: they do not",
    },
    Setting {
        name: "remote_local_fallback",
        help: "run locally what fails on the engine; off: such a failure is an error",
    },
    Setting { name: "remote_instance_name", help: "instance name on the server (default: empty)" },
    Setting { name: "remote_header", help: "NAME=VALUE, a header sent with each call; its value is never printed" },
    Setting {
        name: "remote_timeout",
        help: "seconds that one call may take including its retries, plus one second for each 256 KiB of a large blob; also how long an engine may report no progress (default: 60)",
    },
    Setting {
        name: "remote_retries",
        help: "number of retries of a call that failed for a transient reason (default: 5)",
    },
    Setting { name: "remote_accept_cached", help: "accept results from the remote action cache" },
    Setting {
        name: "remote_verify_sample",
        help: "share of remote results, from 0 to 1, that is compiled locally as well; a result that differs is an error (default: 0)",
    },
    Setting { name: "remote_upload_local_results", help: "upload the results of this machine to the remote cache" },
    Setting { name: "tls_certificate", help: "PEM file of the certificate authority to trust (default: the system's)" },
    Setting {
        name: "tls_client_certificate",
        help: "PEM file of the certificate to present to a server that asks for one",
    },
    Setting { name: "tls_client_key", help: "PEM file of the key of that certificate" },
    Setting { name: "keep", help: "keep the temporary directory of the link and print where it is" },
];

/// Settings that are on or off, and what they are if nobody says so.
pub(super) const SWITCHES: &[(&str, bool)] = &[
    ("keep", false),
    ("memo", true),
    ("remote_accept_cached", true),
    ("remote_local_fallback", true),
    ("remote_only", false),
    ("remote_racing", true),
    ("remote_upload_local_results", false),
    ("unlisted", false),
    ("verify", false),
    ("warm", true),
];

/// Settings whose values are shown to nobody.
pub(super) const SECRET: &[&str] = &["remote_header"];

/// Settings that may have several values: kept as lines, and a flag adds one.
pub(super) const LISTS: &[&str] = &["remote_header", "remote_default_exec_properties"];

/// The variable that turns traces on. It is no setting: a link's flags are read when much has happened already.
pub const LOG_VARIABLE: &str = "THINDIST_LOG";
/// What it is for, in the list of settings.
pub const LOG_HELP: &str = "what is done and why, on the standard error: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as \
    `thindist_remote=trace` (no flag, and not in the file)";

/// The environment variable of the setting `name`: `THINDIST_` and the name in capitals.
pub fn variable(name: &str) -> String {
    format!("THINDIST_{}", name.to_uppercase())
}
