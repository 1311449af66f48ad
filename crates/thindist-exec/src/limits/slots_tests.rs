use super::*;
use crate::run::process::{self, Invocation};
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use tempfile::TempDir;

fn directory() -> (TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("slots");
    (parent, path)
}

#[test]
fn two_processes_views_share_the_slots() {
    let (_parent, path) = directory();
    let (one, other) = (Slots::open(Some(&path), 2).unwrap(), Slots::open(Some(&path), 2).unwrap());
    let (a, b) = (one.try_acquire().unwrap(), other.try_acquire().unwrap());
    assert!(one.try_acquire().is_none() && other.try_acquire().is_none());
    drop(a);
    let c = other.try_acquire().unwrap();
    assert!(one.try_acquire().is_none());
    drop((b, c));
    assert!(one.acquire_soon().is_some());
}

#[test]
fn many_threads_never_hold_more_than_there_are() {
    let (_parent, path) = directory();
    let (held, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let cancel = CancelToken::new();
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let slots = Slots::open(Some(&path), 3).unwrap();
                for _ in 0..20 {
                    let _slot = slots.acquire(&cancel).unwrap();
                    most.fetch_max(held.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::yield_now();
                    held.fetch_sub(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert!(most.load(Ordering::SeqCst) <= 3);
}

#[test]
fn waiting_ends_with_a_cancel() {
    let (_parent, path) = directory();
    let slots = Slots::open(Some(&path), 1).unwrap();
    let _held = slots.try_acquire().unwrap();
    let cancel = CancelToken::new();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| slots.acquire(&cancel));
        cancel.cancel();
        assert!(waiter.join().unwrap().is_none());
    });
}

/// The compiler keeps the slot when we are killed: here, when our own descriptor is closed.
#[test]
fn a_running_child_keeps_the_slot() {
    let (parent, path) = directory();
    let slots = Slots::open(Some(&path), 1).unwrap();
    let [ready, go] = ["ready", "go"].map(|name| {
        let path = parent.path().join(name);
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
        path
    });
    let invocation = Invocation {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), "echo > ready; read line < go".into()],
        directory: Some(parent.path().to_owned()),
        ..Invocation::default()
    };
    let slot = slots.try_acquire().unwrap();
    // What a kill does to us: the number stays open in the child only.
    let ours = slot.file.try_clone().unwrap();
    thread::scope(|scope| {
        let child = scope.spawn(|| process::run(&invocation, Some(ours.as_fd()), &CancelToken::new()));
        File::open(&ready).unwrap().read_to_end(&mut Vec::new()).unwrap();
        drop(slot);
        assert!(slots.try_acquire().is_none());
        fs::write(&go, "\n").unwrap();
        assert!(child.join().unwrap().is_ok());
        // The clone alone still holds it.
        assert!(slots.try_acquire().is_none());
    });
    drop(ours);
    assert!(slots.acquire_soon().is_some());
}

#[test]
fn a_directory_that_is_not_ours_alone_is_refused() {
    let (parent, path) = directory();
    let link = parent.path().join("link");
    symlink(parent.path(), &link).unwrap();
    let refusal = Slots::open(Some(&link), 1).unwrap_err().to_string();
    assert!(refusal.ends_with("it is not a directory"), "{refusal}");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    let refusal = Slots::open(Some(&path), 1).unwrap_err().to_string();
    assert!(refusal.contains("others may use it (mode 777)"), "{refusal}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    assert!(Slots::open(Some(&path), 1).unwrap().try_acquire().is_some());
}
