//! Which programs there are, and how each is compiled: sources as a crate ships them, and a main file of this project.

use std::path::Path;

use crate::Result;
use crate::host::files;

/// One program.
#[derive(Debug)]
pub(crate) struct Recipe {
    pub(crate) name: &'static str,
    /// The crate that ships the sources, and its exact version.
    pub(crate) crate_name: &'static str,
    pub(crate) version: &'static str,
    /// Minutes to compile: not for each run of the tests.
    pub(crate) is_large: bool,
    pub(crate) is_cxx: bool,
    /// Compiled in the crate's directory.
    pub(crate) flags: &'static [&'static str],
    pub(crate) sources: Sources,
    pub(crate) main: &'static str,
    pub(crate) libraries: &'static [&'static str],
}

/// Where a crate's sources are.
#[derive(Debug)]
pub(crate) enum Sources {
    Files(&'static [&'static str]),
    /// Every `.c` and `.S` in these directories.
    In(&'static [&'static str]),
    /// A file of names, below a directory; those that end in the last are left out. And files beside it.
    Listed {
        list: &'static str,
        below: &'static str,
        without: &'static str,
        and: &'static [&'static str],
    },
}

/// Those that cargo builds, by their names as arguments.
pub(super) const CARGO: [&str; 2] = ["ripgrep", "words"];

pub(crate) const RECIPES: &[Recipe] = &[
    Recipe {
        name: "sqlite",
        crate_name: "libsqlite3-sys",
        version: "0.40.0",
        is_large: false,
        is_cxx: false,
        flags: &["-Isqlite3", "-DSQLITE_ENABLE_FTS5", "-DSQLITE_ENABLE_RTREE", "-DSQLITE_THREADSAFE=1"],
        sources: Sources::Files(&["sqlite3/sqlite3.c"]),
        main: include_str!("../../programs/sqlite.c"),
        libraries: &["-lm", "-lpthread", "-ldl"],
    },
    Recipe {
        name: "zstd",
        crate_name: "zstd-sys",
        version: "2.1.3+zstd.1.5.7",
        is_large: false,
        is_cxx: false,
        flags: &["-Izstd/lib", "-Izstd/lib/common"],
        sources: Sources::In(&["zstd/lib/common", "zstd/lib/compress", "zstd/lib/decompress", "zstd/lib/dictBuilder"]),
        main: include_str!("../../programs/zstd.c"),
        libraries: &["-lpthread"],
    },
    Recipe {
        name: "lua",
        crate_name: "lua-src",
        version: "551.1.0",
        is_large: false,
        is_cxx: false,
        flags: &["-Ilua-5.4.9", "-DLUA_USE_LINUX"],
        sources: Sources::In(&["lua-5.4.9"]),
        main: include_str!("../../programs/lua.c"),
        libraries: &["-lm", "-ldl"],
    },
    Recipe {
        name: "rocksdb",
        crate_name: "librocksdb-sys",
        version: "0.17.3+10.4.2",
        is_large: true,
        is_cxx: true,
        flags: &[
            "-std=c++20",
            "-I.",
            "-Irocksdb",
            "-Irocksdb/include",
            "-DNDEBUG",
            "-DOS_LINUX",
            "-DROCKSDB_PLATFORM_POSIX",
            "-DROCKSDB_LIB_IO_POSIX",
            "-DROCKSDB_SUPPORT_THREAD_LOCAL",
            "-DROCKSDB_SCHED_GETCPU_PRESENT",
        ],
        sources: Sources::Listed {
            list: "rocksdb_lib_sources.txt",
            below: "rocksdb",
            without: "util/build_version.cc",
            and: &["build_version.cc"],
        },
        main: include_str!("../../programs/rocksdb.cc"),
        libraries: &["-lpthread", "-ldl"],
    },
];

impl Recipe {
    /// Every source by its path in the crate's directory.
    pub(crate) fn sources(&self, directory: &Path) -> Result<Vec<String>> {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        match &self.sources {
            Sources::Files(names) => Ok(owned(names)),
            Sources::In(directories) => {
                let lists = directories.iter().map(|name| sources_in(directory, name));
                Ok(lists.collect::<Result<Vec<_>>>()?.concat())
            }
            Sources::Listed { list, below, without, and } => {
                let text = files::read(&directory.join(list))?;
                let listed = text.split_whitespace().filter(|name| !name.ends_with(without));
                Ok(listed.map(|name| format!("{below}/{name}")).chain(owned(and)).collect())
            }
        }
    }

    pub(crate) fn main_name(&self) -> &'static str {
        if self.is_cxx { "main.cc" } else { "main.c" }
    }
}

fn sources_in(directory: &Path, name: &str) -> Result<Vec<String>> {
    let paths = files::list(&directory.join(name))?;
    let names = paths.iter().filter_map(|path| path.file_name()?.to_str());
    Ok(names.filter(|name| name.ends_with(".c") || name.ends_with(".S")).map(|file| format!("{name}/{file}")).collect())
}
