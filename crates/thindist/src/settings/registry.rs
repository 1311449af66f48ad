//! The table of all settings.

/// One setting. Its flag is `--thindist-NAME`, its variable `THINDIST_NAME`, its key in thindist.toml `name`.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The name with underscores.
    pub(crate) name: &'static str,
    /// One line of help.
    pub(crate) help: &'static str,
}

/// Every setting.
pub(crate) const REGISTRY: &[Setting] = &[
    Setting {
        name: "cache_dir",
        help: "where the CAS, the action cache and the history are (default: $XDG_CACHE_HOME/thindist)",
    },
    Setting { name: "cache_size", help: "size to which the stores are kept: bytes, or with K, M, G (default: 20G)" },
    Setting { name: "stats", help: "append one JSON object per link to this file" },
    Setting {
        name: "fallback",
        help: "`warn` (default): a link that cannot be carried is done in-process with one warning, a backend of `cc` by the compiler; `never`: it is an error",
    },
    Setting {
        name: "way",
        help: "how lld is driven: `auto` (default), or `in-process`, `distributor`, `index-only` wherever they can do the line",
    },
    Setting {
        name: "unlisted",
        help: "`1`: index-only also for forms of line that are not proven for it; for thindist's own tests",
    },
    Setting { name: "lld", help: "the real ld.lld, a path or a name in PATH" },
    Setting { name: "clang", help: "the compiler of the backends (default: lld's sibling of the same LLVM)" },
    Setting {
        name: "promoted_names",
        help: "suffixes of local symbols that imports promote: `hash` of their module (default), as in-process, or `stable` under edits",
    },
    Setting {
        name: "backend_flags",
        help: "`parity` (default): the link's, as in-process; `per-module`: those that each file was compiled with as well",
    },
    Setting {
        name: "compile_commands",
        help: "the compile_commands.json that has them (default: Kbuild's .NAME.o.cmd beside each object)",
    },
    Setting {
        name: "jobs",
        help: "backends of one link at a time (default: --thinlto-jobs, --threads, -jN of make without a jobserver, or all cores)",
    },
    Setting { name: "slots", help: "compilers at a time of all links on this machine (default: all cores)" },
    Setting { name: "slots_dir", help: "where the machine-wide slots are (default: /tmp/thindist-slots-UID)" },
    Setting {
        name: "scratch_dir",
        help: "where backends run (default: /dev/shm if it has 1 GiB free, else the cache)",
    },
    Setting {
        name: "warm",
        help: "`0`: start each backend as a process of its own, not as a fork of a loaded compiler",
    },
    Setting { name: "memo", help: "`0`: do not remember whole links, only backend compilations" },
    Setting { name: "verify", help: "`1`: distribute compiles each job once more, plainly, and compares the objects" },
    Setting {
        name: "what_ran",
        help: "append what `thindist what-ran` shows of each link to this file (default: only the last link's, in the cache)",
    },
    Setting {
        name: "keep_native",
        help: "a directory for the native objects of the link, each with its job beside it: for `thindist what-changed`",
    },
    Setting {
        name: "remote_cache",
        help: "grpc://HOST:PORT or grpcs://HOST:PORT of a Remote Execution API v2 cache that is asked after the local one",
    },
    Setting { name: "remote_executor", help: "the same of an engine that runs backends" },
    Setting {
        name: "remote_default_exec_properties",
        help: "NAME=VALUE that a worker must have; several: as remote_header",
    },
    Setting {
        name: "remote_toolchain",
        help: "`shipped` (default): workers get the compiler; `installed`: they have the same under the same path",
    },
    Setting {
        name: "remote_jobs",
        help: "backends of one link at a time on the engine (default: 2000, of which 200 may wait for a worker)",
    },
    Setting { name: "remote_only", help: "`1`: run backends here only if the engine fails" },
    Setting {
        name: "remote_racing",
        help: "`0`: free places here do not run what the engine has, however slow it is (default: they do)",
    },
    Setting {
        name: "remote_local_fallback",
        help: "`0`: what the engine fails at is an error (default: it runs here)",
    },
    Setting {
        name: "remote_instance_name",
        help: "the part of the engine that is meant (default: the one without a name)",
    },
    Setting {
        name: "remote_header",
        help: "NAME=VALUE, sent with each call; several: repeated, lines, or a list in the file",
    },
    Setting { name: "remote_timeout", help: "seconds that one call may take, its repetitions included (default: 60)" },
    Setting { name: "remote_retries", help: "how often a call is repeated that failed for a moment (default: 5)" },
    Setting { name: "remote_accept_cached", help: "`0`: do not take results of others" },
    Setting {
        name: "remote_verify_sample",
        help: "share of remote results that is made here as well and must be the same, such as 0.01 (default: 0)",
    },
    Setting { name: "remote_upload_local_results", help: "`1`: leave results of this machine for others (default: 0)" },
    Setting { name: "tls_certificate", help: "PEM file of the authority to trust (default: those of the system)" },
    Setting {
        name: "tls_client_certificate",
        help: "PEM file with the certificate to show to a server that asks for one",
    },
    Setting { name: "tls_client_key", help: "PEM file with its key" },
    Setting { name: "keep", help: "`1`: leave the link's temporary directory in place and say where it is" },
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

/// Settings that may have several values: kept as lines, and a flag adds one.
pub(super) const LISTS: &[&str] = &["remote_header", "remote_default_exec_properties"];
