//! Whose builds are recorded: source packages of this release of Debian, each by the build system that it has.

/// A project in one kind of build.
#[derive(Debug)]
pub(super) struct Project {
    pub(super) name: &'static str,
    /// The source package.
    pub(super) package: &'static str,
    pub(super) system: System,
    /// More flags for every compilation.
    pub(super) flags: &'static str,
    /// What is edited for the second build.
    pub(super) edited: &'static str,
}

/// What builds it.
#[derive(Debug, Clone, Copy)]
pub(super) enum System {
    CMake {
        which: CMake,
        /// `-G`.
        generator: &'static str,
        options: &'static [&'static str],
    },
    Meson {
        options: &'static [&'static str],
    },
    /// configure, libtool and make.
    Autotools {
        options: &'static [&'static str],
    },
    /// dpkg-buildpackage, with its tests.
    Debian {
        /// What its `debian/rules` calls, beside the compilers.
        needs: &'static [&'static str],
    },
}

/// Which CMake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CMake {
    OfDebian,
    /// Of PyPI.
    Newest,
}

const NINJA: &str = "Ninja";
const MAKE: &str = "Unix Makefiles";

const JSONCPP_OPTIONS: &[&str] = &["-DJSONCPP_WITH_POST_BUILD_UNITTEST=OFF"];

pub(super) const PROJECTS: &[Project] = &[
    Project {
        name: "tinyxml2, CMake 4 and Ninja, Release, shared library",
        package: "tinyxml2",
        system: System::CMake { which: CMake::Newest, generator: NINJA, options: &["-DBUILD_SHARED_LIBS=ON"] },
        flags: "",
        edited: "tinyxml2.cpp",
    },
    Project {
        name: "jsoncpp, CMake 4 and make, RelWithDebInfo",
        package: "libjsoncpp",
        system: System::CMake {
            which: CMake::Newest,
            generator: MAKE,
            options: &["-DJSONCPP_WITH_POST_BUILD_UNITTEST=OFF", "-DCMAKE_BUILD_TYPE=RelWithDebInfo"],
        },
        flags: "",
        edited: "src/lib_json/json_value.cpp",
    },
    Project {
        name: "jsoncpp, CMake 4 and Ninja, RelWithDebInfo, -gsplit-dwarf",
        package: "libjsoncpp",
        system: System::CMake {
            which: CMake::Newest,
            generator: NINJA,
            options: &["-DJSONCPP_WITH_POST_BUILD_UNITTEST=OFF", "-DCMAKE_BUILD_TYPE=RelWithDebInfo"],
        },
        flags: "-gsplit-dwarf",
        edited: "src/lib_json/json_value.cpp",
    },
    Project {
        name: "jsoncpp, Debian's CMake and Ninja, -ffunction-sections -ggdb",
        package: "libjsoncpp",
        system: System::CMake { which: CMake::OfDebian, generator: NINJA, options: JSONCPP_OPTIONS },
        flags: "-ffunction-sections -fdata-sections -ggdb",
        edited: "src/lib_json/json_value.cpp",
    },
    Project {
        name: "dav1d, Meson",
        package: "dav1d",
        system: System::Meson { options: &["-Denable_asm=false", "-Denable_tests=true"] },
        flags: "",
        edited: "src/lib.c",
    },
    Project {
        name: "xz, Autotools with libtool",
        package: "xz-utils",
        system: System::Autotools { options: &["--disable-nls", "--disable-doc"] },
        flags: "",
        edited: "src/liblzma/common/common.c",
    },
    Project {
        name: "libyaml, dpkg-buildpackage (C)",
        package: "libyaml",
        system: System::Debian { needs: &["debhelper", "autoconf", "automake", "libtool"] },
        flags: "",
        edited: "src/api.c",
    },
    Project {
        name: "jsoncpp, dpkg-buildpackage (C++)",
        package: "libjsoncpp",
        system: System::Debian { needs: &["debhelper", "cmake"] },
        flags: "",
        edited: "src/lib_json/json_value.cpp",
    },
    Project {
        name: "libpng, dpkg-buildpackage (a shared library with a version script)",
        package: "libpng1.6",
        system: System::Debian { needs: &["debhelper", "autoconf", "automake", "libtool", "zlib1g-dev"] },
        flags: "",
        edited: "png.c",
    },
];
