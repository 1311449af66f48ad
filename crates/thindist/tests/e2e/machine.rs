//! Machines of users: what has less, or is otherwise, than where this was written. Each condition is really made: a mount, a limit, a
//! control group, calls that the kernel refuses.

use crate::on_each_llvm;
use crate::programs::{CHAIN_OBJECTS, chain, edit};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};
use testkit::{MemoryGroup, Overlay, Sandbox, SmallDisk, Tool};

on_each_llvm!(
    of_few_descriptors,
    of_a_small_shared_memory,
    without_pidfd_and_memfd,
    without_user_namespaces,
    without_statx_and_renameat2,
    without_hard_links,
    of_little_memory,
    of_little_address_space,
    of_one_core,
    with_a_read_only_source_tree,
    with_the_build_on_an_overlay,
    with_the_stores_on_another_file_system,
    with_stores_of_somebody_else,
    with_stores_on_a_read_only_file_system,
    with_a_state_that_somebody_has_locked,
    with_files_from_the_future,
    with_an_edit_that_has_the_time_and_size_of_before,
);

/// Each way that this lld has, and the rule.
fn ways(sandbox: &Sandbox) -> &'static [&'static str] {
    if sandbox.llvm() >= 22 { &["auto", "in-process", "distributor", "index-only"] } else { &["auto", "index-only"] }
}

/// What the leaf multiplies by, in each state.
const FACTORS: [u32; 2] = [3, 5];

/// The program of each edit as lld links it alone: the leaf's object and the output.
fn expected(sandbox: &Sandbox) -> [(Vec<u8>, Vec<u8>); 2] {
    chain(sandbox);
    FACTORS.map(|factor| {
        edit(sandbox, "leaf.c", &format!("int leaf(int x) {{ return x * {factor} + 1; }}\n"));
        sandbox.lld(&format!("-shared {CHAIN_OBJECTS} -o expected.so"));
        (sandbox.read("leaf.o"), sandbox.read("expected.so"))
    })
}

/// A first link, the same again, one after an edit, one of before: by each way from empty stores, on a machine that is made for each.
/// `warnings`: so many lines of a link.
#[track_caller]
fn links_all_the_same(sandbox: &Sandbox, warnings: usize, machine: impl Fn(Tool) -> Tool) {
    let states = expected(sandbox);
    for way in ways(sandbox) {
        for round in [0, 0, 1, 0] {
            let (leaf, output) = &states[round];
            sandbox.write("leaf.o", leaf);
            let tool = sandbox.auto(&format!("-shared {CHAIN_OBJECTS} -o out.so")).env("THINDIST_WAY", way);
            let tool = tool.env("THINDIST_CACHE_DIR", sandbox.root(format!("cache-{way}")));
            let run = machine(tool).ok();
            assert_eq!(run.lines_with("warning: "), warnings, "{way}: {run}");
            assert!(sandbox.read("out.so") == *output, "{way}, round {round}: another output than lld's: {run}");
        }
    }
}

fn of_few_descriptors(sandbox: &Sandbox) {
    // Less what the tests' own caller has left open.
    let bound = "for fd in /proc/$$/fd/*; do [ ${fd##*/} -lt 3 ] || eval \"exec ${fd##*/}<&-\"; done; ulimit -n 24; exec \"$@\"";
    links_all_the_same(sandbox, 0, |tool| tool.behind(&["bash", "-c", bound, "bash"]));
}

/// Containers have 64 MiB there.
fn of_a_small_shared_memory(sandbox: &Sandbox) {
    links_all_the_same(sandbox, 0, |tool| {
        tool.without_env("THINDIST_SCRATCH_DIR").after_mounts("mount -t tmpfs -o size=64k none /dev/shm")
    });
}

fn without_pidfd_and_memfd(sandbox: &Sandbox) {
    let calls = [libc::SYS_pidfd_open, libc::SYS_pidfd_send_signal, libc::SYS_memfd_create];
    links_all_the_same(sandbox, 0, |tool| tool.without_calls(&calls, libc::ENOSYS));
}

fn without_user_namespaces(sandbox: &Sandbox) {
    links_all_the_same(sandbox, 0, |tool| tool.without_calls(&[libc::SYS_unshare, libc::SYS_setns], libc::EPERM));
}

/// As older kernels and some sandboxes answer.
fn without_statx_and_renameat2(sandbox: &Sandbox) {
    let calls = [libc::SYS_statx, libc::SYS_renameat2, libc::SYS_copy_file_range, libc::SYS_close_range];
    links_all_the_same(sandbox, 0, |tool| tool.without_calls(&calls, libc::ENOSYS));
}

fn without_hard_links(sandbox: &Sandbox) {
    links_all_the_same(sandbox, 0, |tool| tool.without_calls(&[libc::SYS_link, libc::SYS_linkat], libc::EPERM));
}

fn of_little_memory(sandbox: &Sandbox) {
    let group = MemoryGroup::new(&format!("little-{}", sandbox.llvm()), 256 << 20);
    links_all_the_same(sandbox, 0, |tool| group.holds(tool));
}

/// What `vm.overcommit_memory=2` does to one process: memory that is asked for in advance is refused.
fn of_little_address_space(sandbox: &Sandbox) {
    links_all_the_same(sandbox, 0, |tool| tool.behind(&["prlimit", "--as=1500000000"]));
}

fn of_one_core(sandbox: &Sandbox) {
    links_all_the_same(sandbox, 0, |tool| tool.behind(&["taskset", "--cpu-list", "0"]));
}

fn with_a_read_only_source_tree(sandbox: &Sandbox) {
    let states = expected(sandbox);
    let work = sandbox.path("");
    // The directory that a process is in stays that below the mount.
    let mounts = format!("mount --bind {0} {0}\nmount -o remount,bind,ro {0}\ncd {0}", work.display());
    let output = sandbox.root("tmp/out.so");
    for way in ways(sandbox) {
        let tool = sandbox.auto(&format!("-shared {CHAIN_OBJECTS} -o")).arg(&output).env("THINDIST_WAY", way);
        sandbox.write("leaf.o", &states[1].0);
        tool.after_mounts(&mounts).ok().says_nothing();
        assert!(std::fs::read(&output).unwrap() == states[1].1, "{way}");
    }
    let tool = sandbox.auto(&format!("-shared {CHAIN_OBJECTS} -o out.so")).after_mounts(&mounts);
    tool.run().exits(1).says("out.so: Read-only file system");
}

fn with_the_build_on_an_overlay(sandbox: &Sandbox) {
    // The objects lie in the lower layer until one of them is made anew.
    chain(sandbox);
    let _overlay = Overlay::over(&sandbox.path(""), &sandbox.root("layers"));
    links_all_the_same(sandbox, 0, |tool| tool);
}

fn with_the_stores_on_another_file_system(sandbox: &Sandbox) {
    for way in ways(sandbox) {
        let cache = sandbox.root(format!("cache-{way}"));
        let _disk = SmallDisk::mount(&cache, 256 << 10);
        links_all_the_same(sandbox, 0, |tool| tool);
    }
}

/// As one who may read the stores and not write them, with a place of its own for the output alone.
fn with_stores_of_somebody_else(sandbox: &Sandbox) {
    let open = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let states = expected(sandbox);
    sandbox.auto(&format!("-shared {CHAIN_OBJECTS} -o out.so")).ok();
    std::fs::remove_file(sandbox.path("out.so")).unwrap();
    open(&sandbox.root(""), 0o755);
    open(&sandbox.path(""), 0o777);
    open(&sandbox.root("tmp"), 0o777);
    // Where the program lies itself may be closed to others.
    let ours = sandbox.root("bin/ld.thindist");
    let program = std::fs::read(&ours).unwrap();
    std::fs::remove_file(&ours).unwrap();
    std::fs::write(&ours, program).unwrap();
    open(&ours, 0o755);
    for way in ways(sandbox) {
        let tool = sandbox.auto(&format!("-shared {CHAIN_OBJECTS} -o out.so")).env("THINDIST_WAY", way);
        let tool = tool.without_env("THINDIST_SLOTS_DIR").without_env("THINDIST_SCRATCH_DIR");
        let run = tool.behind(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]).ok();
        assert_eq!(run.lines_with("warning: "), 1, "{way}: {run}");
        run.says("nothing is kept for later");
        assert!(sandbox.read("out.so") == states[1].1, "{way}");
    }
}

fn with_stores_on_a_read_only_file_system(sandbox: &Sandbox) {
    let caches = ways(sandbox).iter().map(|way| sandbox.root(format!("cache-{way}")));
    let mounts: Vec<String> = caches
        .map(|cache| {
            std::fs::create_dir_all(&cache).unwrap();
            format!("mount -t tmpfs -o ro none {}", cache.display())
        })
        .collect();
    links_all_the_same(sandbox, 1, |tool| tool.after_mounts(&mounts.join("\n")));
}

fn with_a_state_that_somebody_has_locked(sandbox: &Sandbox) {
    let states = expected(sandbox);
    let link = |way: &str| sandbox.auto(&format!("-shared {CHAIN_OBJECTS} -o out.so")).env("THINDIST_WAY", way);
    link("auto").ok();
    let database = rusqlite::Connection::open(sandbox.root("cache/state.sqlite")).unwrap();
    database.execute_batch("BEGIN EXCLUSIVE").unwrap();
    for (way, (leaf, output)) in ways(sandbox).iter().zip(states.iter().cycle()) {
        sandbox.write("leaf.o", leaf);
        let run = link(way).ok();
        assert!(run.lines_with("warning: ") <= 1, "{way}: {run}");
        assert!(sandbox.read("out.so") == *output, "{way}");
    }
}

fn set_modified(sandbox: &Sandbox, name: &str, time: SystemTime) {
    std::fs::File::options().append(true).open(sandbox.path(name)).unwrap().set_modified(time).unwrap();
}

/// The clock was a day ahead and is set right.
fn with_files_from_the_future(sandbox: &Sandbox) {
    let tomorrow = SystemTime::now() + Duration::from_secs(86_400);
    links_all_the_same(sandbox, 0, |tool| {
        CHAIN_OBJECTS.split(' ').for_each(|object| set_modified(sandbox, object, tomorrow));
        tool
    });
}

/// A clock that was set back, or a file system that keeps seconds.
fn with_an_edit_that_has_the_time_and_size_of_before(sandbox: &Sandbox) {
    chain(sandbox);
    let then = SystemTime::now() - Duration::from_secs(3_600);
    let sizes = |factor: u32| {
        edit(sandbox, "leaf.c", &format!("int leaf(int x) {{ return x * {factor} + 1; }}\n"));
        (sandbox.read("leaf.o"), sandbox.read("leaf.o").len())
    };
    let (first, size) = sizes(3);
    let (second, _) = (4..).map(sizes).find(|(_, other)| *other == size).unwrap();
    for way in ways(sandbox) {
        for leaf in [&first, &second, &first] {
            sandbox.write("leaf.o", leaf);
            set_modified(sandbox, "leaf.o", then);
            sandbox.auto(&format!("-shared {CHAIN_OBJECTS} -o out.so")).env("THINDIST_WAY", way).ok().says_nothing();
            sandbox.lld(&format!("-shared {CHAIN_OBJECTS} -o expected.so"));
            assert!(sandbox.read("out.so") == sandbox.read("expected.so"), "{way}");
        }
    }
}
