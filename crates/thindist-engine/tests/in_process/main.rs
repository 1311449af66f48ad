//! Links in the test's own process, by linkers and compilers that fail as told: which way is taken and said, and what becomes of a link
//! when a tool fails.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod link;

use link::Bed;
use std::path::PathBuf;
use testkit::{FakeCompiler, FakeLld, Part};

/// The keys of what is in the action cache.
fn stored(bed: &Bed) -> Vec<PathBuf> {
    bed.sandbox.files_below("cache/ac").into_iter().filter(|path| path.is_file()).collect()
}

#[test]
fn a_first_link_is_llds_and_says_why() {
    let bed = Bed::new();
    let lld = FakeLld::noting(&bed.sandbox);
    let bed = bed.lld(&lld);
    let ended = bed.link();
    let stats = ended.ok(&[]);
    assert_eq!((stats.way(), stats.why.as_str()), ("in-process", "nothing is known of an earlier link"));
    assert_eq!((stats.modules, stats.executed()), (2, 2), "{stats:?}");
    assert_eq!(lld.parts(), [Part::ThinLink, Part::InProcess, Part::Question]);
    bed.expect_in_process_output();
}

#[test]
fn what_lld_has_made_is_linked_by_separate_backends() {
    let bed = Bed::new();
    let lld = FakeLld::noting(&bed.sandbox);
    let bed = bed.lld(&lld);
    bed.link().ok(&[]);
    assert!(!lld.parts().is_empty());
    let bed = bed.set("WAY", "index-only");
    let ended = bed.link();
    let stats = ended.ok(&[]);
    assert_eq!((stats.way(), stats.why.as_str()), ("index-only", "the setting says so"));
    assert_eq!((stats.executed(), stats.local_cache()), (0, 2), "{stats:?}");
    assert_eq!(lld.parts(), [Part::ThinLink, Part::FinalLink]);
    bed.expect_in_process_output();
}

#[test]
fn a_way_that_does_not_carry_the_line_is_said_once() {
    let bed = Bed::new().set("WAY", "distributor");
    let ended = bed.link();
    let why = "lld 19 has no DTLTO that thindist knows";
    let stats = ended.ok(&[&format!("warning: the setting says so; {why}; linking in-process")]);
    assert_eq!(stats.way(), "in-process");
    let bed = bed.set("FALLBACK", "never");
    bed.link().fails(1, &[why, "hint: change the line"]);
}

#[test]
fn a_variable_that_is_no_setting_is_warned_of_in_each_run() {
    let bed = Bed::new().set("FROB", "1");
    for _ in 0..2 {
        bed.link().ok(&["warning: THINDIST_FROB is no setting"]);
    }
}

#[test]
fn lld_that_fails_in_process_has_the_word_and_nothing_is_stored() {
    let bed = Bed::new();
    let lld = FakeLld::that(&bed.sandbox, Part::InProcess, "echo 'ld.lld: error: no' >&2; exit 3");
    let bed = bed.lld(&lld);
    bed.link().fails(3, &["tool: ld.lld: error: no"]);
    assert!(stored(&bed).is_empty(), "{:?}", stored(&bed));
    assert!(!bed.output().exists());
    assert!(bed.sandbox.temporaries().is_empty(), "{:?}", bed.sandbox.temporaries());
}

#[test]
fn lld_that_fails_in_a_final_link_leaves_the_output_of_the_last_one() {
    let body = "echo half > \"$(option -o)\"; echo 'ld.lld: error: no' >&2; exit 3";
    let bed = Bed::new().set("WAY", "index-only");
    let lld = FakeLld::that(&bed.sandbox, Part::FinalLink, body);
    let bed = bed.lld(&lld);
    std::fs::write(bed.output(), "the last one").unwrap();
    bed.link().fails(3, &["tool: ld.lld: error: no"]);
    assert_eq!(std::fs::read(bed.output()).unwrap(), b"the last one");
    assert_eq!(stored(&bed).len(), 2, "the native objects are good, and nothing else: {:?}", stored(&bed));
    assert!(bed.sandbox.temporaries().is_empty(), "{:?}", bed.sandbox.temporaries());
}

#[test]
fn lld_killed_in_process_means_backends_apart_and_one_warning() {
    let bed = Bed::new();
    let lld = FakeLld::that(&bed.sandbox, Part::InProcess, "kill -KILL $$");
    let bed = bed.lld(&lld);
    let ended = bed.link();
    let stats = ended.ok(&["killed by signal 9 (SIGKILL); running the backends separately"]);
    assert_eq!((stats.way(), stats.executed()), ("index-only", 2));
    assert!(stats.why.contains("killed by signal 9"), "{stats:?}");
    let parts = lld.parts();
    assert!(parts.contains(&Part::InProcess) && parts.contains(&Part::FinalLink), "{parts:?}");
    bed.expect_in_process_output();
}

/// LLVM prints how it was called, the directory of our cache among that.
#[test]
fn lld_that_crashes_in_process_means_backends_apart_as_well() {
    let bed = Bed::new();
    let body = "echo \"Stack dump: Program arguments: $0 $*\" >&2; kill -ABRT $$";
    let lld = FakeLld::that(&bed.sandbox, Part::InProcess, body);
    let bed = bed.lld(&lld);
    let ended = bed.link();
    let stats = ended.ok(&["killed by signal 6 (SIGABRT); running the backends separately"]);
    assert_eq!((stats.way(), stats.executed()), ("index-only", 2));
    bed.expect_in_process_output();
}

#[test]
fn lld_killed_in_process_means_a_distributor_where_lld_has_one() {
    let bed = Bed::with_dtlto();
    let lld = FakeLld::that(&bed.sandbox, Part::InProcess, "kill -KILL $$");
    let bed = bed.lld(&lld);
    let ended = bed.link();
    let stats = ended.ok(&["killed by signal 9 (SIGKILL); running the backends separately"]);
    assert_eq!((stats.way(), stats.executed()), ("distributor", 2));
    let parts = lld.parts();
    assert!(parts.contains(&Part::Distributor) && !parts.contains(&Part::FinalLink), "{parts:?}");
    bed.expect_in_process_output();
}

#[test]
fn lld_that_fails_with_a_distributor_leaves_the_output_of_the_last_one() {
    for (body, code, heard) in [
        ("echo half > \"$(option -o)\"; echo 'ld.lld: error: no' >&2; exit 3", 3, "tool: ld.lld: error: no"),
        ("$real \"$@\"; echo 'ld.lld: error: late' >&2; exit 3", 3, "tool: ld.lld: error: late"),
        ("kill -KILL $$", 1, "ld.lld-fake: killed by signal 9"),
    ] {
        let bed = Bed::with_dtlto().set("WAY", "distributor");
        let lld = FakeLld::that(&bed.sandbox, Part::Distributor, body);
        let bed = bed.lld(&lld);
        std::fs::write(bed.output(), "the last one").unwrap();
        bed.link().fails(code, &[heard]);
        assert_eq!(lld.parts(), [Part::Distributor], "{body}");
        assert_eq!(std::fs::read(bed.output()).unwrap(), b"the last one", "{body}");
        assert!(bed.sandbox.temporaries().is_empty(), "{body}: {:?}", bed.sandbox.temporaries());
    }
}

#[test]
fn a_backend_that_fails_for_a_distributor_ends_lld() {
    let bed = Bed::with_dtlto().set("WAY", "distributor");
    let compiler = FakeCompiler::new(&bed.sandbox, "bad-clang", "echo 'error: module.bc: no' >&2; exit 7");
    let bed = bed.compiler(&compiler);
    bed.link().fails(1, &["tool: thindist: error: ", "error: the backend of ", "hint: nothing of it was stored"]);
    assert!(stored(&bed).is_empty() && !bed.output().exists());
}

#[test]
fn lld_killed_in_a_final_link_is_an_error_that_names_it() {
    let bed = Bed::new().set("WAY", "index-only");
    let lld = FakeLld::that(&bed.sandbox, Part::FinalLink, "kill -KILL $$");
    let bed = bed.lld(&lld);
    bed.link().fails(1, &["ld.lld-fake: killed by signal 9"]);
    assert!(!bed.output().exists());
}

#[test]
fn lld_that_writes_nothing_and_exits_with_0_is_not_believed() {
    let bed = Bed::new().set("WAY", "index-only");
    let lld = FakeLld::that(&bed.sandbox, Part::FinalLink, "exit 0");
    let bed = bed.lld(&lld);
    std::fs::write(bed.output(), "the last one").unwrap();
    bed.link().fails(1, &["error: cannot read ", "hint: "]);
    assert_eq!(std::fs::read(bed.output()).unwrap(), b"the last one");
}

#[test]
fn a_full_disk_below_llds_cache_costs_the_cache() {
    let full =
        "case \"$*\" in *--thinlto-cache-dir=*) echo 'ld.lld: error: No space left on device' >&2; exit 1;; esac";
    let bed = Bed::new();
    let lld = FakeLld::that(&bed.sandbox, Part::InProcess, full);
    let bed = bed.lld(&lld);
    bed.link().ok(&["warning: lld's private cache is on a full file system; linking without one"]);
    bed.expect_in_process_output();
}

#[test]
fn a_full_disk_below_a_final_link_has_a_hint() {
    let bed = Bed::new().set("WAY", "index-only");
    let full = "echo 'LLVM ERROR: IO failure on output stream: No space left on device' >&2; exit 70";
    let lld = FakeLld::that(&bed.sandbox, Part::FinalLink, full);
    let bed = bed.lld(&lld);
    bed.link().fails(1, &["tool: LLVM ERROR", "error: ", "hint: free some space for temporary files"]);
    assert!(!bed.output().exists());
}

#[test]
fn lld_that_does_not_tell_whose_its_objects_are_has_linked_all_the_same() {
    for body in ["exit 1", "kill -KILL $$", "echo 'no' >&2; exit 0"] {
        let bed = Bed::new();
        let lld = FakeLld::that(&bed.sandbox, Part::Question, body);
        let bed = bed.lld(&lld);
        let ended = bed.link();
        assert!(ended.ok(&[]).why.contains("nothing was harvested: "), "{body}: {ended:?}");
        assert!(stored(&bed).is_empty(), "{body}: {:?}", stored(&bed));
        bed.expect_in_process_output();
    }
}

#[test]
fn a_damaged_private_cache_is_as_none() {
    let bed = Bed::new();
    bed.link().ok(&[]);
    let private = bed.sandbox.files_below("cache/lld");
    assert!(!private.is_empty(), "{:?}", bed.sandbox.files_below("cache"));
    // With the same inputs lld asks for these very files.
    let mut bed = bed.set("MEMO", "0");
    let flipped = |mut bytes: Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes
    };
    let damages: [&dyn Fn(Vec<u8>) -> Vec<u8>; 3] = [&|_| b"damaged".to_vec(), &flipped, &|_| Vec::new()];
    for damage in damages {
        for path in bed.sandbox.files_below("cache/lld").into_iter().filter(|path| path.is_file()) {
            // Its name in the CAS shares the content.
            let bytes = damage(std::fs::read(&path).unwrap());
            std::fs::remove_file(&path).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let ended = bed.link();
        assert_eq!(ended.ok(&[]).modules, 2);
        bed.expect_in_process_output();
        bed = bed.set("MEMO", "0");
    }
}

#[test]
fn a_backend_that_fails_has_the_word_and_nothing_is_stored() {
    let bed = Bed::new().set("WAY", "index-only");
    let compiler = FakeCompiler::new(&bed.sandbox, "bad-clang", "echo 'error: module.bc: no' >&2; exit 7");
    let bed = bed.compiler(&compiler);
    let ended = bed.link();
    ended.fails(
        1,
        &[
            "tool: thindist: error: ",
            "error: the backend of ",
            "hint: nothing of it was stored, and the output was not",
        ],
    );
    assert!(ended.heard[1].contains("bad-clang exit status 7"), "{ended:?}");
    // Once, with the name of the module.
    let told: Vec<&String> = ended.heard.iter().filter(|line| line.contains("o: no")).collect();
    assert!(told.len() == 1 && !told[0].contains("module.bc"), "{ended:?}");
    assert!(stored(&bed).is_empty() && !bed.output().exists());
}

#[test]
fn a_native_object_that_the_store_has_not_or_not_whole_is_made_again() {
    let bed = Bed::new().set("WAY", "index-only").set("MEMO", "0");
    bed.link().ok(&[]);
    let blobs = bed.sandbox.files_below("cache/cas");
    assert_eq!(blobs.len(), 2, "{blobs:?}");
    // Of the same size, so that only the content tells.
    let damaged = vec![b'x'; std::fs::read(&blobs[0]).unwrap().len()];
    blobs.iter().for_each(|blob| std::fs::remove_file(blob).unwrap());
    std::fs::write(&blobs[0], damaged).unwrap();
    let ended = bed.link();
    assert_eq!(ended.ok(&[]).executed(), 2, "{ended:?}");
    bed.expect_in_process_output();
}

#[test]
fn a_native_object_that_is_none_is_not_believed() {
    let bed = Bed::new();
    bed.sandbox.clang("--target=aarch64-linux-gnu -O2 -c leaf.c -o foreign.o");
    bed.sandbox.compile("-O2", "native.c", "int native;");
    let [foreign, native] = ["foreign.o", "native.o"].map(|name| bed.sandbox.path(name).display().to_string());
    for (body, what) in [
        (String::new(), "missing"),
        (": > $out".to_owned(), "empty"),
        ("echo text > $out".to_owned(), "not an ELF object"),
        ("/bin/cp module.bc $out".to_owned(), "not an ELF object"),
        (format!("/bin/cp {foreign} $out"), "for machine 183"),
        ("/bin/cp /bin/true $out".to_owned(), "not a relocatable object"),
        (format!("/usr/bin/head -c 200 {native} > $out"), "damaged"),
        (format!("/bin/ln -s {native} $out"), "missing"),
    ] {
        let bed = Bed::new().set("WAY", "index-only");
        let compiler = FakeCompiler::new(&bed.sandbox, "lying-clang", &body);
        let bed = bed.compiler(&compiler);
        std::fs::write(bed.output(), "the last one").unwrap();
        let ended = bed.link();
        assert!(ended.code != std::process::ExitCode::SUCCESS, "{body}: {ended:?}");
        let says = |line: &String| line.contains("error: the backend of ") && line.contains(what);
        assert!(ended.heard.iter().any(says), "{body}: {ended:?}");
        assert!(stored(&bed).is_empty(), "{body}");
        assert_eq!(std::fs::read(bed.output()).unwrap(), b"the last one", "{body}");
        assert!(bed.sandbox.temporaries().is_empty(), "{body}");
    }
}

/// A thin link that succeeds, after which `then` is done to what it has written below `$root`.
fn after_the_thin_link(then: &str) -> Bed {
    let bed = Bed::new().set("WAY", "index-only");
    let root = bed.sandbox.root("");
    let body = format!("root={}; $real \"$@\" || exit; {then}; exit", root.display());
    let lld = FakeLld::that(&bed.sandbox, Part::ThinLink, &body);
    bed.lld(&lld)
}

#[test]
fn a_module_without_its_index_is_an_error_that_names_it() {
    let bed = after_the_thin_link("find $root -name leaf.o.thinlto.bc -delete");
    bed.link().fails(1, &["leaf.o.thinlto.bc", "hint: "]);
    assert!(stored(&bed).is_empty() && !bed.output().exists());
}

#[test]
fn a_truncated_index_is_an_error_that_names_it() {
    let bed = after_the_thin_link("truncate -s 100 $(find $root -name leaf.o.thinlto.bc)");
    bed.link().fails(1, &["leaf.o is damaged: individual index: truncated", "hint: link again"]);
    assert!(stored(&bed).is_empty() && !bed.output().exists());
}

#[test]
fn a_module_that_the_thin_link_leaves_out_is_missed() {
    let bed = after_the_thin_link("sed -i '$d' $(find $root -name list)");
    let missed =
        "leaf.o cannot be carried to separate backends: lld has loaded this bitcode, but not as a module of ThinLTO";
    let ended = bed.link();
    assert_eq!(ended.ok(&[missed]).way(), "in-process");
    bed.expect_in_process_output();
    let bed = bed.set("FALLBACK", "never");
    std::fs::remove_file(bed.output()).unwrap();
    bed.link().fails(1, &[missed, "hint: "]);
    assert!(!bed.output().exists());
}
