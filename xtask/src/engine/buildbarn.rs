//! Buildbarn: a store, a scheduler and two workers with their runners, built from its Go modules.
//!
//! Each process takes a configuration file, which is written here: JSON is a part of the language that they read.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::Result;
use crate::host::project::Home;
use crate::host::{files, run};

use super::kind::{Engine, Process};

const STORAGE: &str = "github.com/buildbarn/bb-storage";
const EXECUTION: &str = "github.com/buildbarn/bb-remote-execution";
/// The versions that one commit of the second names, with the replacements of its own go.mod.
const MODULE: &str = "module engine

go 1.26

replace go.uber.org/mock => go.uber.org/mock v0.4.0

replace cel.dev/expr => cel.dev/expr v0.25.1

require (
	github.com/buildbarn/bb-remote-execution v0.0.0-20260814085403-13313e6ab05b
	github.com/buildbarn/bb-storage v0.0.0-20260805174928-33530b6bb903
)
";
/// Their build system makes this package anew, with a function that takes an interface; the published one takes a struct.
const BYTESTREAM: &str = "google.golang.org/genproto/googleapis/bytestream";
const PUBLISHED: &str = "func RegisterByteStreamServer(s *grpc.Server,";
const WANTED: &str = "func RegisterByteStreamServer(s grpc.ServiceRegistrar,";

const PROGRAMS: [&str; 4] = ["bb_storage", "bb_scheduler", "bb_worker", "bb_runner"];
const WORKERS: usize = 2;
/// A file without content at first. A blob must fit into one of its 38 blocks, and LLVM's library has 150 MB.
const STORE_BYTES: u64 = 12 << 30;
const MESSAGE_BYTES: u64 = 4 << 20;
const METADATA: &str = "build.bazel.remote.execution.v2.requestmetadata-bin";

pub(super) const ENGINE: Engine = Engine {
    name: "buildbarn",
    executes: true,
    provide,
    ports: 4,
    processes,
    ready,
    blobs: None,
    merges_on_this_machine: true,
};

fn provide(home: &Home) -> Result<()> {
    if PROGRAMS.iter().all(|name| program(home, name).is_file()) {
        return Ok(());
    }
    let directory = home.dir.join("module");
    files::make_dir(&directory)?;
    files::write(&directory.join("go.mod"), MODULE)?;
    replace_bytestream(home, &directory)?;
    let mut go = Command::new("go");
    go.current_dir(&directory).args(["build", "-mod=mod", "-o"]).arg(home.dir.join("bin/"));
    go.arg(format!("{STORAGE}/cmd/bb_storage"));
    go.args(["bb_scheduler", "bb_worker", "bb_runner"].map(|name| format!("{EXECUTION}/cmd/{name}")));
    files::make_dir(&home.dir.join("bin"))?;
    run::logged("build Buildbarn", &mut go, &home.log("build"))
        .map(drop)
        .map_err(|error| format!("{error}\nBuildbarn needs Go 1.26 or newer"))
}

/// A copy of the published package beside the module, with the function as it is wanted.
fn replace_bytestream(home: &Home, directory: &Path) -> Result<()> {
    let mut get = Command::new("go");
    get.current_dir(directory).args(["get", BYTESTREAM]);
    run::logged("download Buildbarn", &mut get, &home.log("download"))?;
    let mut list = Command::new("go");
    list.current_dir(directory).args(["list", "-mod=mod", "-f", "{{.Dir}}", BYTESTREAM]);
    let published = String::from_utf8_lossy(&run::output(&mut list)?).trim().to_owned();
    let copy = directory.join("bytestream");
    files::make_dir(&copy)?;
    for name in ["go.mod", "bytestream.pb.go"] {
        let text = files::read(&Path::new(&published).join(name))?;
        files::write(&copy.join(name), text.replace(PUBLISHED, WANTED))?;
    }
    let replaced = format!("{}\nreplace {BYTESTREAM} => ./bytestream\n", files::read(&directory.join("go.mod"))?);
    files::write(&directory.join("go.mod"), replaced)
}

fn program(home: &Home, name: &str) -> std::path::PathBuf {
    home.dir.join("bin").join(name)
}

fn processes(home: &Home, data: &Path, ports: &[u16]) -> Result<Vec<Process>> {
    let &[clients, scheduler, workers, admin] = ports else { return Err("Buildbarn takes four ports".to_owned()) };
    let process = |name: &str, program_name: &str, configuration: &Value| {
        let path = data.join(format!("{name}.json"));
        files::write(&path, configuration.to_string())?;
        let mut command = Command::new(program(home, program_name));
        command.arg(path);
        Ok::<_, String>(Process::new(name, command))
    };
    let mut all = vec![
        process("bb_storage", "bb_storage", &storage(data, clients, scheduler)?)?,
        process("bb_scheduler", "bb_scheduler", &scheduling(clients, scheduler, workers, admin))?,
    ];
    for number in 0..WORKERS {
        let place = data.join(format!("worker-{number}"));
        for directory in ["build", "cache"] {
            files::make_dir(&place.join(directory))?;
        }
        all.push(process(&format!("bb_runner-{number}"), "bb_runner", &runner(&place))?);
        all.push(process(&format!("bb_worker-{number}"), "bb_worker", &worker(&place, clients, workers, number))?);
    }
    Ok(all)
}

/// The scheduler's page of its queues has links to workers as soon as one has come.
fn ready(ports: &[u16]) -> bool {
    let Some(admin) = ports.last() else { return false };
    let page = TcpStream::connect(at(*admin)).and_then(|mut stream| {
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut page = Vec::new();
        stream.read_to_end(&mut page)?;
        Ok(String::from_utf8_lossy(&page).into_owned())
    });
    page.is_ok_and(|page| page.contains("workers?filter="))
}

fn at(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn servers(port: u16) -> Value {
    json!([{ "listenAddresses": [at(port)], "authenticationPolicy": { "allow": {} } }])
}

/// The store and the front door in one.
fn storage(data: &Path, clients: u16, scheduler: u16) -> Result<Value> {
    let forward = format!("{{\"{METADATA}\": incomingGRPCMetadata.\"{METADATA}\"}}");
    let results = json!({ "backend": store(data, "results", 1, 64 << 20)?, "maximumTotalTreeSizeBytes": 64 << 20 });
    Ok(json!({
        "grpcServers": servers(clients),
        "maximumMessageSizeBytes": MESSAGE_BYTES,
        "global": {},
        "schedulers": { "": { "endpoint": {
            "address": at(scheduler),
            "addMetadataJmespathExpression": { "expression": forward },
        } } },
        "contentAddressableStorage": {
            "backend": store(data, "blobs", 3, STORE_BYTES)?,
            "getAuthorizer": { "allow": {} },
            "putAuthorizer": { "allow": {} },
            "findMissingAuthorizer": { "allow": {} },
        },
        "actionCache": {
            "backend": { "completenessChecking": results },
            "getAuthorizer": { "allow": {} },
            "putAuthorizer": { "allow": {} },
        },
        "executeAuthorizer": { "allow": {} },
    }))
}

fn store(data: &Path, name: &str, new_blocks: u32, bytes: u64) -> Result<Value> {
    let place = data.join(name);
    files::make_dir(&place.join("state"))?;
    Ok(json!({ "local": {
        "keyLocationMapOnBlockDevice": { "file": { "path": place.join("map"), "sizeBytes": 16 << 20 } },
        "keyLocationMapMaximumGetAttempts": 16,
        "keyLocationMapMaximumPutAttempts": 64,
        "oldBlocks": 8,
        "currentBlocks": 24,
        "newBlocks": new_blocks,
        "blocksOnBlockDevice": {
            "source": { "file": { "path": place.join("blocks"), "sizeBytes": bytes } },
            "spareBlocks": 3,
        },
        "persistent": { "stateDirectoryPath": place.join("state"), "minimumEpochInterval": "300s" },
    } }))
}

fn blobs(clients: u16) -> Value {
    json!({ "grpc": { "client": { "address": at(clients) } } })
}

fn scheduling(clients: u16, scheduler: u16, workers: u16, admin: u16) -> Value {
    json!({
        "adminHttpServers": servers(admin),
        "clientGrpcServers": servers(scheduler),
        "workerGrpcServers": servers(workers),
        "browserUrl": "http://localhost",
        "contentAddressableStorage": blobs(clients),
        "maximumMessageSizeBytes": MESSAGE_BYTES,
        "global": {},
        "executeAuthorizer": { "allow": {} },
        "modifyDrainsAuthorizer": { "allow": {} },
        "killOperationsAuthorizer": { "allow": {} },
        "synchronizeAuthorizer": { "allow": {} },
        "actionRouter": { "simple": {
            "platformKeyExtractor": { "action": {} },
            "invocationKeyExtractors": [{ "toolInvocationId": {} }],
            "initialSizeClassAnalyzer": {
                "defaultExecutionTimeout": "1800s",
                "maximumExecutionTimeout": "7200s",
            },
        } },
        "platformQueueWithNoWorkersTimeout": "900s",
    })
}

fn runner(place: &Path) -> Value {
    json!({
        "buildDirectoryPath": place.join("build"),
        "global": {},
        "grpcServers": [{ "listenPaths": [place.join("runner")], "authenticationPolicy": { "allow": {} } }],
    })
}

fn worker(place: &Path, clients: u16, workers: u16, number: usize) -> Value {
    json!({
        "blobstore": { "contentAddressableStorage": blobs(clients), "actionCache": blobs(clients) },
        "browserUrl": "http://localhost",
        "maximumMessageSizeBytes": MESSAGE_BYTES,
        "scheduler": { "address": at(workers) },
        "global": {},
        "buildDirectories": [{
            "native": {
                "buildDirectoryPath": place.join("build"),
                "cacheDirectoryPath": place.join("cache"),
                "maximumCacheFileCount": 10_000,
                "maximumCacheSizeBytes": 1 << 30,
                "cacheReplacementPolicy": "LEAST_RECENTLY_USED",
            },
            "runners": [{
                "endpoint": { "address": format!("unix:{}", place.join("runner").display()) },
                "concurrency": 1,
                "maximumFilePoolFileCount": 10_000,
                "maximumFilePoolSizeBytes": 1 << 28,
                "platform": {},
                "workerId": { "number": number.to_string() },
            }],
        }],
        "filePool": { "blockDevice": { "file": { "path": place.join("pool"), "sizeBytes": 1 << 28 } } },
        "inputDownloadConcurrency": 10,
        "outputUploadConcurrency": 10,
        "directoryCache": {
            "maximumCount": 1_000,
            "maximumSizeBytes": 1 << 20,
            "cacheReplacementPolicy": "LEAST_RECENTLY_USED",
        },
    })
}
