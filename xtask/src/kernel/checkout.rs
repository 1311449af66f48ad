//! One kernel: its sources, its build directory and its LLVM.

use std::path::PathBuf;

use crate::host::project::Home;

use super::source;

/// The home of everything here but the demo, which has its own.
pub(crate) const HOME: &str = "kernel";

/// One kernel to build.
#[derive(Debug, Clone)]
pub(crate) struct Kernel {
    /// The version of clang, lld and the binary tools.
    pub(crate) llvm: u32,
    /// Names the logs and statistics of this kernel.
    pub(crate) name: String,
    pub(crate) src: PathBuf,
    /// The build directory; the sources themselves when building in the tree.
    pub(crate) out: PathBuf,
}

impl Kernel {
    /// Sources of its own, built in the tree: all paths in its bitcode are relative, so another directory can hit the
    /// same cache.
    pub(crate) fn in_tree(home: &Home, name: &str, llvm: u32) -> Kernel {
        let dir = home.dir.join(format!("{name}-{llvm}"));
        Kernel { llvm, name: format!("{name}-{llvm}"), src: dir.clone(), out: dir }
    }

    /// Built from the common sources with `O=`.
    pub(crate) fn out_of_tree(home: &Home, llvm: u32) -> Kernel {
        let name = format!("out-{llvm}");
        Kernel { llvm, src: home.dir.join(source::PRISTINE), out: home.dir.join(&name), name }
    }

    /// One kernel is built in the tree and one with `O=`, so that both ways are exercised at no further cost.
    pub(crate) fn usual(home: &Home, llvm: u32) -> Kernel {
        if llvm == 19 { Kernel::out_of_tree(home, llvm) } else { Kernel::in_tree(home, "tree", llvm) }
    }

    pub(super) fn log_name(&self, step: &str) -> String {
        format!("{}-{step}", self.name)
    }
}
