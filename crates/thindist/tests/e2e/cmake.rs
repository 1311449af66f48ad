//! Projects of CMake and Meson: a C++ library, a C library, and two programs, linked with thindist by one variable.

use crate::on_each_llvm;
use std::path::{Path, PathBuf};
use testkit::{Sandbox, Stats, Tool};

on_each_llvm!(
    cmake_with_one_variable,
    cmake_without_it_and_with_one_target,
    cmake_by_its_own_hook_and_make,
    cmake_says_what_is_wrong,
    meson_with_the_native_file,
);

const PROJECT: &str = "cmake_minimum_required(VERSION 3.21)\nproject(shapes C CXX)\nPACKAGE\n\
    add_library(part STATIC part.c)\nadd_library(shape SHARED shape.cpp)\n\
    add_executable(one one.cpp)\nadd_executable(two two.cpp)\n\
    target_link_libraries(one part shape)\ntarget_link_libraries(two part)\nTARGETS\n";

const MESON: &str = "project('shapes', 'c', 'cpp')\n\
    part = static_library('part', 'part.c')\nshape = shared_library('shape', 'shape.cpp')\n\
    executable('one', 'one.cpp', link_with: [part, shape])\nexecutable('two', 'two.cpp', link_with: part)\n";

fn project(sandbox: &Sandbox, package: &str, targets: &str) {
    sandbox.write("CMakeLists.txt", PROJECT.replace("PACKAGE", package).replace("TARGETS", targets));
    sandbox.write("meson.build", MESON);
    sandbox.write("part.c", "int part(int x) { return x * 3 + 1; }\n");
    sandbox.write(
        "shape.cpp",
        "struct Shape { virtual ~Shape() = default; virtual int area() const = 0; };\n\
        struct Square : Shape { int x; Square(int x) : x(x) {} int area() const override { return x * x; } };\n\
        int area(int x) { Shape *shape = new Square(x); int area = shape->area(); delete shape; return area; }\n",
    );
    sandbox.write(
        "one.cpp",
        "#include <iostream>\nextern \"C\" int part(int); int area(int);\n\
        int main() { std::cout << area(part(1)) << std::endl; }\n",
    );
    sandbox.write(
        "two.cpp",
        "#include <cstdio>\n#include <vector>\nextern \"C\" int part(int);\n\
        int main(int argc, char **) { std::vector<int> v; for (int i = 0; i < argc; i++) v.push_back(part(i)); \
        std::printf(\"%d\\n\", v.back()); }\n",
    );
}

/// The root of the sources: the module and the native file are parts of the product.
fn product(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

fn configure(sandbox: &Sandbox, generator: &str, more: &[String]) -> Tool {
    let llvm = sandbox.llvm();
    let mut tool = sandbox.tool("cmake").args("-S . -B build -DCMAKE_BUILD_TYPE=Release -G").arg(generator);
    for (name, program) in [
        ("C_COMPILER", format!("clang-{llvm}")),
        ("CXX_COMPILER", format!("clang++-{llvm}")),
        ("AR", format!("/usr/bin/llvm-ar-{llvm}")),
        ("RANLIB", format!("/usr/bin/llvm-ranlib-{llvm}")),
    ] {
        tool = tool.arg(format!("-DCMAKE_{name}={program}"));
    }
    more.iter().fold(tool, |tool, word| tool.arg(word))
}

fn prefix() -> String {
    format!("-DCMAKE_PREFIX_PATH={}", product("cmake").display())
}

/// Every link of a build, by the name of its output.
#[track_caller]
fn links(sandbox: &Sandbox, tool: Tool) -> Vec<(String, Stats)> {
    let file = sandbox.root("stats-of-build");
    let _ = std::fs::remove_file(&file);
    tool.env("THINDIST_STATS", &file).env("THINDIST_FALLBACK", "never").ok();
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let links = text.lines().map(|line| serde_json::from_str::<Stats>(line).unwrap());
    let mut links: Vec<(String, Stats)> =
        links.map(|link| (link.output.rsplit('/').next().unwrap().to_owned(), link)).collect();
    links.sort_by(|a, b| a.0.cmp(&b.0));
    links
}

fn build(sandbox: &Sandbox) -> Tool {
    sandbox.tool("cmake").args("--build build -j2")
}

#[track_caller]
fn all_linked(links: &[(String, Stats)]) {
    let names: Vec<&str> = links.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["libshape.so", "one", "two"]);
    let modules: Vec<usize> = links.iter().map(|(_, link)| link.modules).collect();
    assert_eq!(modules, [1, 2, 2], "{links:?}");
}

#[track_caller]
fn programs_run(sandbox: &Sandbox) {
    assert_eq!(sandbox.tool(sandbox.path("build/one")).ok().stdout, "16\n");
    assert_eq!(sandbox.tool(sandbox.path("build/two")).ok().stdout, "1\n");
}

fn cmake_with_one_variable(sandbox: &Sandbox) {
    project(sandbox, "find_package(thindist REQUIRED)", "");
    configure(sandbox, "Ninja", &[prefix(), "-DTHINDIST=ON".to_owned()]).ok();
    let first = links(sandbox, build(sandbox));
    all_linked(&first);
    let executed: usize = first.iter().map(|(_, link)| link.executed()).sum();
    assert!(executed >= 4, "{first:?}");
    programs_run(sandbox);
    std::fs::remove_dir_all(sandbox.path("build")).unwrap();
    configure(sandbox, "Ninja", &[prefix(), "-DTHINDIST=ON".to_owned()]).ok();
    let second = links(sandbox, build(sandbox));
    all_linked(&second);
    assert!(second.iter().all(|(_, link)| link.executed() == 0), "{second:?}");
    programs_run(sandbox);
}

fn cmake_without_it_and_with_one_target(sandbox: &Sandbox) {
    project(sandbox, "find_package(thindist)", "");
    configure(sandbox, "Ninja", &[prefix()]).ok();
    assert!(links(sandbox, build(sandbox)).is_empty(), "nobody asked for thindist");
    project(sandbox, "find_package(thindist)", "thindist_target(part two)");
    configure(sandbox, "Ninja", &[prefix()]).ok();
    let linked = links(sandbox, build(sandbox).args("--target two"));
    assert!(matches!(linked.as_slice(), [(name, link)] if name == "two" && link.executed() == 2), "{linked:?}");
}

fn cmake_by_its_own_hook_and_make(sandbox: &Sandbox) {
    project(sandbox, "", "");
    let hook = format!("-DCMAKE_PROJECT_INCLUDE={}", product("cmake/thindist-config.cmake").display());
    configure(sandbox, "Unix Makefiles", &[hook, "-DTHINDIST=ON".to_owned()]).ok();
    all_linked(&links(sandbox, build(sandbox)));
    programs_run(sandbox);
}

fn cmake_says_what_is_wrong(sandbox: &Sandbox) {
    project(sandbox, "find_package(thindist)", "");
    let on = || vec![prefix(), "-DTHINDIST=ON".to_owned()];
    std::fs::remove_file(sandbox.root("bin/ld.thindist")).unwrap();
    configure(sandbox, "Ninja", &on()).run().exits(1).says("set THINDIST_LINKER");
    let gcc = [on(), vec!["-DTHINDIST_LINKER=/bin/true".to_owned(), "-DCMAKE_CXX_COMPILER=g++".to_owned()]].concat();
    std::fs::remove_dir_all(sandbox.path("build")).unwrap();
    configure(sandbox, "Ninja", &gcc).run().exits(1).says("CMAKE_CXX_COMPILER to clang");
}

fn meson_with_the_native_file(sandbox: &Sandbox) {
    project(sandbox, "", "");
    let text = std::fs::read_to_string(product("meson/thindist.ini")).unwrap();
    let linker = sandbox.root("bin/ld.thindist").display().to_string();
    let text = text.replace("/path/to/ld.thindist", &linker).replace("-22'", &format!("-{}'", sandbox.llvm()));
    sandbox.write("thindist.ini", text);
    let setup = "setup build --native-file thindist.ini -Db_lto=true -Db_lto_mode=thin --buildtype=release";
    sandbox.tool("meson").args(setup).ok();
    all_linked(&links(sandbox, sandbox.tool("ninja").args("-C build one two")));
    programs_run(sandbox);
}
