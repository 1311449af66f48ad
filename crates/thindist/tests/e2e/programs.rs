//! Sources that several tests use.

use testkit::Sandbox;

/// `main.o` imports from `middle.o`, which imports from `leaf.o`; `alone.o` has to do with nobody.
const CHAIN: &[(&str, &str)] = &[
    ("leaf.c", "int leaf(int x) { return x * 3 + 1; }\n"),
    ("middle.c", "int leaf(int); int middle(int x) { return leaf(x) ^ leaf(x + 1); }\n"),
    ("alone.c", "int counter; int alone(int x) { return counter += x; }\n"),
    (
        "main.c",
        "int printf(const char *, ...); int middle(int);\n\
         int main(int argc, char **argv) { printf(\"%d\\n\", middle(argc)); return 0; }\n",
    ),
];

/// Its objects in the order of the line.
pub(crate) const CHAIN_OBJECTS: &str = "main.o middle.o alone.o leaf.o";

/// Compiles the four modules, position-independent.
pub(crate) fn chain(sandbox: &Sandbox) {
    CHAIN.iter().for_each(|(name, text)| edit(sandbox, name, text));
}

/// Gives a module of the chain another source.
pub(crate) fn edit(sandbox: &Sandbox, name: &str, text: &str) {
    sandbox.compile("-O2 -flto=thin -fPIC", name, text);
}

/// Two position-dependent modules of which the first inlines the second's function.
pub(crate) fn pair(sandbox: &Sandbox) {
    sandbox.bitcode(&[
        ("a.c", "int f(int); int start(int x) { return f(x) + 2; }\n"),
        ("b.c", "int hidden = 5; int f(int x) { return x * hidden; }\n"),
    ]);
}

/// `count` modules m0.o to mN.o, each of which calls the next, and their names for a line.
pub(crate) fn row(sandbox: &Sandbox, count: usize) -> String {
    for number in 0..count {
        let (next, name) = ((number + 1) % count, format!("m{number}.c"));
        sandbox.compile(
            "-O2 -flto=thin",
            &name,
            &format!(
                "int f{next}(int); int f{number}(int x) {{ return x < 0 ? {number} : f{next}(x - {number} - 1); }}\n"
            ),
        );
    }
    (0..count).map(|number| format!("m{number}.o")).collect::<Vec<_>>().join(" ")
}
