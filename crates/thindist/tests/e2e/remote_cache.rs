//! A shared cache: what is found, what is uploaded, what is transferred, and who may connect.

use crate::on_each_llvm;
use crate::programs::{CHAIN_OBJECTS, chain, edit};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use testkit::{Certificates, Code, FakeEngine, Fault, Offer, Sandbox, Stats, Tool};

on_each_llvm!(
    another_client_executes_nothing,
    an_edit_of_what_is_not_imported_is_found_as_well,
    nothing_is_left_for_others_unless_that_is_wanted,
    compressed_and_in_streams_it_is_the_same,
    verify_is_identical_with_what_others_made,
);

/// A link by a client with local stores of its own, which are empty but for what is known of the tools.
pub(crate) fn client(sandbox: &Sandbox, engine: &str, name: &str) -> Tool {
    let cache = sandbox.root(format!("cache-{name}"));
    if !cache.exists() {
        sandbox.make_directory(&cache);
        std::fs::copy(sandbox.root("cache/state.sqlite"), cache.join("state.sqlite")).unwrap();
    }
    let tool = sandbox.ld(&format!("-r {CHAIN_OBJECTS} -o {name}.o"));
    tool.env("THINDIST_CACHE_DIR", cache).env("THINDIST_REMOTE_CACHE", engine)
}

/// The one that leaves results, as CI does.
pub(crate) fn writer(sandbox: &Sandbox, engine: &str, name: &str) -> Tool {
    client(sandbox, engine, name).env("THINDIST_REMOTE_UPLOAD_LOCAL_RESULTS", "1")
}

#[track_caller]
fn expect(stats: &Stats, executed: usize, remote: usize) {
    assert_eq!((stats.executed(), stats.remote_cache()), (executed, remote), "{stats:?}");
}

fn another_client_executes_nothing(sandbox: &Sandbox) {
    chain(sandbox);
    let engine = FakeEngine::start();
    expect(&sandbox.stats_of(writer(sandbox, &engine.address(), "first")), 4, 0);
    let (uploaded, downloaded) = engine.take_traffic();
    assert_eq!((engine.size(), downloaded), ((4, 4), 0));

    expect(&sandbox.stats_of(client(sandbox, &engine.address(), "second")), 0, 4);
    assert!(sandbox.read("second.o") == sandbox.read("first.o"));
    // What is fetched is the native objects, each once.
    assert_eq!(engine.take_traffic(), (0, uploaded));

    // From now on it has them itself.
    let asked = engine.calls("GetActionResult");
    let stats = sandbox.stats_of(client(sandbox, &engine.address(), "second").args("-o other.o"));
    assert_eq!((stats.local_cache(), engine.calls("GetActionResult")), (4, asked), "{stats:?}");

    // One leaf is edited: one object goes there, and one comes back.
    edit(sandbox, "alone.c", "int counter; int alone(int x) { return counter -= x; }\n");
    expect(&sandbox.stats_of(writer(sandbox, &engine.address(), "first")), 1, 0);
    assert_eq!(engine.size(), (5, 5));
    expect(&sandbox.stats_of(client(sandbox, &engine.address(), "second")), 0, 1);
    assert!(sandbox.read("second.o") == sandbox.read("first.o"));
    let (up, down) = engine.take_traffic();
    assert!(up == down && up < uploaded, "{up} {down} {uploaded}");
}

fn an_edit_of_what_is_not_imported_is_found_as_well(sandbox: &Sandbox) {
    chain(sandbox);
    let engine = FakeEngine::start();
    sandbox.stats_of(writer(sandbox, &engine.address(), "first"));
    let more = "int leaf(int x) { return x * 3 + 1; }\nint nobody(int x) { return x + 77; }\n";
    edit(sandbox, "leaf.c", more);
    // The engine has the importer's object under the key of what is imported.
    expect(&sandbox.stats_of(client(sandbox, &engine.address(), "second")), 1, 3);
}

fn nothing_is_left_for_others_unless_that_is_wanted(sandbox: &Sandbox) {
    chain(sandbox);
    let engine = FakeEngine::start();
    expect(&sandbox.stats_of(client(sandbox, &engine.address(), "first")), 4, 0);
    assert_eq!((engine.size(), engine.calls("FindMissingBlobs"), engine.take_traffic()), ((0, 0), 0, (0, 0)));
    // One that only leaves does not take.
    sandbox.stats_of(writer(sandbox, &engine.address(), "second"));
    let only_leaves = writer(sandbox, &engine.address(), "third").env("THINDIST_REMOTE_ACCEPT_CACHED", "0");
    expect(&sandbox.stats_of(only_leaves), 4, 0);
    // One who may not is told.
    let read_only = FakeEngine::offering(Offer { updates: false, ..Offer::default() });
    let run = writer(sandbox, &read_only.address(), "fourth").ok();
    assert_eq!(run.lines_with("it takes no results"), 1, "{run}");
}

fn compressed_and_in_streams_it_is_the_same(sandbox: &Sandbox) {
    chain(sandbox);
    for (number, zstd) in [false, true].into_iter().enumerate() {
        // The objects are about a kilobyte: with the smaller limit each is a stream.
        for limit in [0, 700] {
            let engine = FakeEngine::offering(Offer { zstd, max_batch_bytes: limit, ..Offer::default() });
            let (first, second) = (format!("first-{number}-{limit}"), format!("second-{number}-{limit}"));
            expect(&sandbox.stats_of(writer(sandbox, &engine.address(), &first)), 4, 0);
            expect(&sandbox.stats_of(client(sandbox, &engine.address(), &second)), 0, 4);
            assert!(sandbox.read(format!("{first}.o")) == sandbox.read(format!("{second}.o")));
            let streams = if limit == 0 { 0 } else { 4 };
            assert_eq!((engine.calls("Write"), engine.calls("Read")), (streams, streams));
        }
    }
}

fn verify_is_identical_with_what_others_made(sandbox: &Sandbox) {
    chain(sandbox);
    let engine = FakeEngine::start();
    sandbox.stats_of(writer(sandbox, &engine.address(), "first"));
    let verify = sandbox.verify(&format!("-r {CHAIN_OBJECTS} -o out.o"));
    let run = verify.env("THINDIST_REMOTE_CACHE", engine.address()).ok();
    assert!(run.stdout.starts_with("identical: 4 native objects"), "{run}");
    assert_eq!(engine.calls("BatchReadBlobs"), 1, "{run}");
}

/// A link that warns once of this, and is right.
#[track_caller]
fn warns(tool: Tool, what: &str) {
    let run = tool.ok();
    assert_eq!(run.lines_with("warning: remote_cache=grpc"), 1, "{run}");
    let run = run.says(what);
    assert_eq!(run.stderr.lines().count(), 1, "{run}");
}

#[test]
fn an_engine_that_cannot_be_meant_is_named_with_its_setting() {
    let sandbox = crate::sandbox(22);
    chain(&sandbox);
    for (name, value, expect) in [
        ("REMOTE_CACHE", "http://localhost:1", "remote_cache=http://localhost:1: expected grpc://HOST:PORT"),
        ("REMOTE_CACHE", "grpc://u:hunter2@localhost:1", "remote_cache=grpc://…@localhost:1: no user and password"),
        ("TLS_CERTIFICATE", "nowhere.pem", "tls_certificate=nowhere.pem: cannot read it"),
        ("TLS_CLIENT_KEY", "key.pem", "tls_client_key=key.pem: tls_client_certificate is not set"),
        ("REMOTE_HEADER", "hunter2", "remote_header=…: expected NAME=VALUE"),
        ("REMOTE_TIMEOUT", "soon", "remote_timeout=soon: expected seconds"),
        ("REMOTE_RETRIES", "-1", "remote_retries=-1: expected a whole number"),
    ] {
        let tool = client(&sandbox, "grpc://localhost:1", "client").env(&format!("THINDIST_{name}"), value);
        let run = tool.run().exits(1).says(expect);
        assert!(!run.stderr.contains("hunter2"), "{run}");
    }
}

#[test]
fn an_engine_that_will_not_do_is_one_warning() {
    let sandbox = crate::sandbox(22);
    chain(&sandbox);
    // Nobody listens.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    warns(client(&sandbox, &format!("grpc://localhost:{port}"), "client"), "Connection refused");
    let web = web_server();
    warns(client(&sandbox, &format!("grpc://localhost:{web}"), "web"), "does not speak HTTP/2");
    let md5 = FakeEngine::offering(Offer { digest_functions: vec![3], ..Offer::default() });
    let tool = client(&sandbox, &md5.address(), "md5");
    warns(tool, "it does not offer SHA256, only MD5");
    let other = FakeEngine::offering(Offer { instance: "main".to_owned(), ..Offer::default() });
    let tool = client(&sandbox, &other.address(), "wrong").env("THINDIST_REMOTE_INSTANCE_NAME", "mian");
    warns(tool, "unknown instance `mian` (remote_instance_name=mian)");
    warns(client(&sandbox, &other.address(), "unsaid"), "unknown instance `` (remote_instance_name=)");
    let tool = writer(&sandbox, &other.address(), "right").env("THINDIST_REMOTE_INSTANCE_NAME", "main");
    sandbox.stats_of(tool);
    assert_eq!(other.size(), (4, 4));
    let none = FakeEngine::start();
    none.fail(Fault::Storm(Code::Unimplemented, 1));
    warns(client(&sandbox, &none.address(), "none"), "not a Remote Execution API v2 endpoint");
}

/// A server of HTTP/1 that answers each connection once. It reads on until the client has gone: to close before that resets the
/// connection, and the client may meet that (a broken pipe) instead of the answer.
fn web_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { return };
            std::thread::spawn(move || {
                let _ = connection.read(&mut [0; 24]);
                let _ =
                    connection.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let _ = std::io::copy(&mut connection, &mut std::io::sink());
            });
        }
    });
    port
}

#[test]
fn doctor_looks_at_an_engine() {
    let sandbox = crate::sandbox(22);
    let engine = FakeEngine::offering(Offer { zstd: true, ..Offer::default() });
    let doctor = |address: &str| sandbox.tool("thindist").args("doctor").env("THINDIST_REMOTE_CACHE", address);
    let run = doctor(&engine.address()).ok();
    assert!(run.stdout.contains("ok     remote cache: ") && run.stdout.contains("takes results, zstd"), "{run}");
    assert_eq!(engine.size(), (2, 1), "two blobs and a result did not go there and back: {run}");
    for (fault, rule) in [
        (Fault::WrongBytes, "rule 3: "),
        (Fault::WrongBytes, "rule 4: "),
        (Fault::Credulous, "rule 6: "),
        (Fault::Swapped, "rule 8: "),
    ] {
        engine.fail(fault);
        let run = doctor(&engine.address()).run().exits(1).says("breaks rule ").says("see docs/remote.md");
        assert!(run.stderr.contains(rule), "{fault:?}: {run}");
    }
    let odd = FakeEngine::offering(Offer { absent_result: Code::InvalidArgument, ..Offer::default() });
    doctor(&odd.address()).run().exits(1).says("breaks rule 7: ");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let run = doctor(&format!("grpc://localhost:{port}")).run().exits(1).says("Connection refused");
    assert!(run.stdout.contains("WRONG  remote cache"), "{run}");
}

#[test]
fn credentials_reach_the_engine_and_nobody_else() {
    let sandbox = crate::sandbox(22);
    chain(&sandbox);
    let engine = FakeEngine::start();
    let link = |name: &str| {
        let link =
            writer(&sandbox, &engine.address(), name).env("THINDIST_REMOTE_HEADER", "authorization=Bearer hunter2");
        link.env("THINDIST_STATS", sandbox.root("stats-all")).env("THINDIST_KEEP", "1")
    };
    // All that is traced, of what thindist is made of as well.
    let everything = "thindist=trace,hyper=trace,h2=trace,tonic=trace,tower=trace,rustls=trace";
    let runs = [link("first").env("THINDIST_LOG", everything).ok()];
    assert!(runs.iter().all(|run| run.stderr.contains("h2")), "nothing was traced");
    let headers = engine.last_headers();
    assert!(headers.contains("Bearer hunter2"), "{headers}");
    assert!(headers.contains("build.bazel.remote.execution.v2.requestmetadata-bin"), "{headers}");
    engine.fail(Fault::Echo);
    let refused = link("second").ok().says("not with").says("see remote_header");
    let doctor = sandbox.tool("thindist").args("doctor").env("THINDIST_REMOTE_CACHE", engine.address());
    let doctor = doctor.env("THINDIST_REMOTE_HEADER", "authorization=Bearer hunter2").run().exits(1);
    for run in runs.iter().chain([&refused, &doctor]) {
        assert!(!run.stderr.contains("hunter2") && !run.stdout.contains("hunter2"), "{run}");
    }
    // Stores, statistics, job files, what a link keeps of its directory.
    for path in sandbox.files_below("").into_iter().filter(|path| path.is_file()) {
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"hunter2"), "{}", path.display());
    }
}

/// As a worker's address it is told of in the same way.
#[test]
fn an_executor_that_will_not_do_is_named_with_its_setting() {
    let sandbox = crate::sandbox(22);
    chain(&sandbox);
    let link = |address: &str, name: &str| {
        client(&sandbox, "", name).without_env("THINDIST_REMOTE_CACHE").env("THINDIST_REMOTE_EXECUTOR", address)
    };
    link("https://localhost:1", "scheme").run().exits(1).says("remote_executor=https://localhost:1: expected grpc://");
    let md5 = FakeEngine::offering(Offer { digest_functions: vec![3], ..Offer::default() });
    for (name, address, says) in [
        ("web", format!("grpc://localhost:{}", web_server()), "does not speak HTTP/2"),
        ("md5", md5.address(), "it does not offer SHA256, only MD5"),
        ("tls", format!("grpcs://localhost:{}", web_server()), "TLS is on one side only"),
    ] {
        let run = link(&address, name).env("THINDIST_REMOTE_TIMEOUT", "4").ok().says(says);
        assert_eq!(run.lines_with(&format!("warning: remote_executor={address}: ")), 1, "{run}");
        assert_eq!(run.stderr.lines().count(), 1, "{run}");
    }
    let run = link(&md5.address(), "strict").env("THINDIST_REMOTE_LOCAL_FALLBACK", "0").run().exits(1);
    run.says("it does not offer SHA256, only MD5").says("remote_local_fallback is off");
}

#[test]
fn a_connection_is_as_secure_as_the_settings_say() {
    let sandbox = crate::sandbox(22);
    chain(&sandbox);
    let authority = Certificates::default();
    authority.write_authority(&sandbox.path("ca.pem"));
    authority.write_client(&sandbox.path("client.pem"), &sandbox.path("client.key"));
    let link = |engine: &FakeEngine, name: &str| {
        writer(&sandbox, &engine.address(), name).env("THINDIST_TLS_CERTIFICATE", "ca.pem")
    };
    let engine = FakeEngine::with_tls(authority.server());
    sandbox.stats_of(link(&engine, "trusted"));
    assert_eq!(engine.size(), (4, 4));

    let demanding = FakeEngine::with_tls(authority.demanding_server());
    link(&demanding, "nobody").ok().says("warning: remote_cache=grpcs://");
    let shown = link(&demanding, "somebody").env("THINDIST_TLS_CLIENT_CERTIFICATE", "client.pem");
    sandbox.stats_of(shown.env("THINDIST_TLS_CLIENT_KEY", "client.key"));
    assert_eq!(demanding.size(), (4, 4));

    let expired = FakeEngine::with_tls(authority.expired_server());
    link(&expired, "expired").ok().says("warning: remote_cache=grpcs://").says("certificate expired");
    let stranger = FakeEngine::with_tls(Certificates::default().server());
    link(&stranger, "stranger").ok().says("warning: remote_cache=grpcs://");
    assert_eq!((expired.size(), stranger.size()), ((0, 0), (0, 0)));
}
