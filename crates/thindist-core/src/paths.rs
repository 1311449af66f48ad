//! Paths as names, cleaned without looking at a file system.

/// The path as it is in every checkout: without `.` and `..` where it can be without, and below `here` relative to it.
#[must_use]
pub fn relative(path: &str, here: &str) -> String {
    let (path, here) = (clean(path), clean(here));
    let below = path.strip_prefix(&here).filter(|_| here.starts_with('/'));
    match below.and_then(|rest| rest.strip_prefix('/')) {
        Some(rest) => rest.to_owned(),
        None => path,
    }
}

/// The path without empty components, `.`, and names that `..` takes back, by name: links are not followed.
#[must_use]
pub fn clean(path: &str) -> String {
    let root = if path.starts_with('/') { "/" } else { "" };
    let mut kept: Vec<&str> = Vec::new();
    for component in path.split('/').filter(|component| !matches!(*component, "" | ".")) {
        match (component, kept.last()) {
            ("..", Some(&last)) if last != ".." => drop(kept.pop()),
            ("..", None) if !root.is_empty() => {}
            _ => kept.push(component),
        }
    }
    format!("{root}{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_every_checkout() {
        let check = |path, expect: &str| assert_eq!(relative(path, "/home/a/linux"), expect, "{path}");
        check("init/main.o", "init/main.o");
        check("./init//main.o", "init/main.o");
        check("/home/a/linux/init/main.o", "init/main.o");
        check("arch/arm64/kvm/../../../virt/kvm/x.o", "virt/kvm/x.o");
        check("../lib/x.o", "../lib/x.o");
        check("/home/a/linux-next/x.o", "/home/a/linux-next/x.o");
        check("/home/a/linux", "/home/a/linux");
        assert_eq!(relative("/x.o", "/"), "/x.o");
    }
}
