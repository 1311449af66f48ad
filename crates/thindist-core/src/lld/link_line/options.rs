//! lld's options: how each is spelled, and what thindist does with it.
//!
//! The table is ours because no argument parser reads lld's grammar: an option may take one dash or two, its value
//! joined or separate, the longest spelling wins, and many options say how the *next* inputs are read. It is total: an
//! option without a row is not guessed at, the link is handed to lld as it stands.

/// How an option is written before its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dashes {
    /// `-name` only.
    One,
    /// `--name` only.
    Two,
    /// `-name` or `--name`.
    Either,
}

/// Where an option's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// No value.
    Flag,
    /// No value; `no-` before the name makes the opposite.
    Switch,
    /// The value follows at once: `-O2`, `--lto-O3`, `--color-diagnostics=auto` (the name then ends in `=`).
    Joined,
    /// The value is the next argument.
    Separate,
    /// Either of the two.
    JoinedOrSeparate,
    /// `--name value` or `--name=value`.
    Equals,
}

/// What thindist does with an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Passed on to the thin link and to the final link; says nothing of inputs, files or LTO.
    Plain,
    /// Its value is an input file or a library.
    Input,
    /// Says how the inputs after it are found or read.
    State(OnInputs),
    /// The output file.
    Output,
    /// Its value names a file that lld reads.
    Reads(FileRead),
    /// Its value names a file that lld writes beside the output.
    Writes(FileWritten),
    /// Prints on standard output.
    Prints,
    /// Reports how archive members were selected: only the thin link sees that as in-process does.
    SelectionReport,
    /// lld does all there is to do: executed at once.
    Immediate,
    /// Concerns LTO.
    Lto(Lto),
}

/// What an option changes of how inputs are found and read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnInputs {
    /// A directory in which all libraries of the line are searched for.
    Directory,
    /// The directory before paths that begin with `=`.
    Sysroot,
    /// Directories that scripts name are not searched.
    NoScriptDirectories,
    /// Libraries after it are archives.
    Static,
    /// The same, and the layout of the whole output.
    StaticAndLayout,
    /// Libraries after it may be shared ones.
    Dynamic,
    /// Archives after it are taken whole, or no longer.
    WholeArchive,
    /// Inputs after it are data, or no longer.
    Format,
    /// Objects after it are taken as members of an archive are.
    StartLib,
    /// The end of these.
    EndLib,
    /// Keeps what holds.
    Push,
    /// Takes back what was kept.
    Pop,
    /// Something that only the linker has to know, in its place among the inputs.
    InPlace,
}

/// A file that lld reads beside the inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileRead {
    /// A linker script that may name inputs and directories.
    Script,
    /// Another script: lld looks for it where it looks for those.
    OtherScript,
    /// A list or a profile.
    List,
}

/// A file that lld writes beside the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileWritten {
    /// The list of the files that it has read: it names no object that LTO makes.
    Dependencies,
    /// What took how long.
    TimeTrace,
    /// Any other.
    Other,
}

/// How an LTO option reaches the backends: the total table that `Lto` rows make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lto {
    /// Translated to clang's spelling, see [`crate::flags::backend_flags`].
    Carried(Carried),
    /// Acts on symbol resolution or on the combined summary index only; the backends see it in their indexes.
    ThinLink,
    /// No effect on any native object; the text says why.
    Inert(&'static str),
    /// The number of backends at a time.
    Jobs,
    /// lld's own ThinLTO cache; thindist's stores take its place.
    LldCache,
    /// Not carried; the text says why. The link is done in-process.
    Refused(&'static str),
}

/// The LTO options that a backend needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// `--lto-O`
    OptLevel,
    /// `--lto-CGO`
    CodegenLevel,
    /// `--mllvm`
    Mllvm,
    /// `--plugin-opt=-option`, the same as `--mllvm=-option`
    PluginMllvm,
    /// `--plugin-opt=mcpu=`
    Cpu,
    /// `--lto-basic-block-sections=` all, none, labels or a file
    BasicBlockSections,
    /// `--lto-sample-profile=`
    SampleProfile,
    /// `--lto-cs-profile-file=`
    CsProfile,
    /// `--lto-basic-block-address-map`
    BasicBlockAddressMap,
    /// `--lto-unique-basic-block-section-names`
    UniqueBasicBlockSectionNames,
    /// `--lto-partitions=`
    Partitions,
    /// `--lto=`
    Kind,
    /// `-plugin-opt=dwo_dir=`
    DwoDir,
    /// `--opt-remarks-filename`
    Remarks,
    /// `--opt-remarks-format`
    RemarksFormat,
    /// `--opt-remarks-passes`
    RemarksPasses,
    /// `--opt-remarks-with-hotness`
    RemarksWithHotness,
    /// `--opt-remarks-hotness-threshold`
    RemarksHotnessThreshold,
}

impl Carried {
    /// Whether it has backends write files beside their objects.
    #[must_use]
    pub fn is_of_side_files(self) -> bool {
        matches!(self, Self::DwoDir | Self::Remarks)
    }
}

/// Options of one spelling and one role.
#[derive(Debug)]
pub struct Group {
    /// How they are introduced.
    pub dashes: Dashes,
    /// Where their value is.
    pub shape: Shape,
    /// What is done with them.
    pub role: Role,
    /// Their names without dashes.
    pub names: &'static [&'static str],
}

const fn group(dashes: Dashes, shape: Shape, role: Role, names: &'static [&'static str]) -> Group {
    Group { dashes, shape, role, names }
}

const fn refused(dashes: Dashes, shape: Shape, why: &'static str, names: &'static [&'static str]) -> Group {
    group(dashes, shape, Role::Lto(Lto::Refused(why)), names)
}

const fn carried(dashes: Dashes, shape: Shape, how: Carried, names: &'static [&'static str]) -> Group {
    group(dashes, shape, Role::Lto(Lto::Carried(how)), names)
}

const PROFILE: &str = "many backends cannot write one profile";
const TEXT: &str = "the output would not be native objects";
const DUMPS: &str = "it asks the in-process backends for files or text of their own";
const INDEX_LAYOUT: &str = "it is for a build that runs the thin link itself";
const DISTRIBUTOR: &str = "the line names a distributor of its own";
const PIPELINE: &str = "clang has no option for a custom LTO pipeline";

use Dashes::{Either, One, Two};
const fn state(dashes: Dashes, shape: Shape, what: OnInputs, names: &'static [&'static str]) -> Group {
    group(dashes, shape, Role::State(what), names)
}

const fn reads(dashes: Dashes, shape: Shape, what: FileRead, names: &'static [&'static str]) -> Group {
    group(dashes, shape, Role::Reads(what), names)
}

const fn writes(dashes: Dashes, shape: Shape, what: FileWritten, names: &'static [&'static str]) -> Group {
    group(dashes, shape, Role::Writes(what), names)
}

use OnInputs::{Directory, InPlace, StaticAndLayout};
use Role::{Immediate, Input, Output, Plain, Prints, SelectionReport};
use Shape::{Equals, Flag, Joined, JoinedOrSeparate, Separate, Switch};

/// Every option of lld 19 to 22.
#[rustfmt::skip]
pub const GROUPS: &[Group] = &[
    // ---- no bearing on inputs or LTO
    group(Either, Flag, Plain, &[
        "be8", "Bno-symbolic", "Bsymbolic", "Bsymbolic-non-weak", "Bsymbolic-functions",
        "Bsymbolic-non-weak-functions", "build-id", "disable-new-dtags", "discard-all", "discard-locals",
        "discard-none", "EB", "EL", "emit-relocs", "enable-new-dtags", "error-unresolved-symbols",
        "fix-cortex-a53-843419", "fix-cortex-a8", "icf=all", "icf=safe", "icf=none",
        "ignore-function-address-equality", "ignore-data-address-equality", "no-dynamic-linker", "noinhibit-exec",
        "no-warn-mismatch", "no-nmagic", "no-omagic", "no-undefined", "pic-veneer", "relocatable", "shared",
        "strip-all", "strip-debug", "target1-rel", "target1-abs", "unique", "warn-unresolved-symbols",
        "pic-executable", "Bshareable", "long-plt", "no-copy-dt-needed-entries", "no-ctors-in-init-array",
        "no-keep-memory", "secure-plt", "sort-common", "stats", "warn-execstack", "warn-once",
        "warn-shared-textrel",
    ]),
    group(Two, Flag, Plain, &[
        "cmse-implib", "no-call-graph-profile-sort", "verbose-bp-section-orderer", "color-diagnostics",
        "no-color-diagnostics", "enable-non-contiguous-regions", "force-group-allocation", "no-warnings",
        "power10-stubs", "no-power10-stubs", "no-add-needed", "vs-diagnostics",
    ]),
    group(One, Flag, Plain, &["x", "X", "q", "E", "r", "s", "S", "w", "d", "g"]),
    group(Either, Switch, Plain, &[
        "check-sections", "allow-multiple-definition", "allow-shlib-undefined", "demangle", "eh-frame-hdr",
        "export-dynamic", "fatal-warnings", "gc-sections", "merge-exidx-entries", "pie", "undefined-version",
        "warn-common",
    ]),
    group(Two, Switch, Plain, &[
        "optimize-bb-jumps", "fortran-common", "apply-dynamic-relocs", "dependent-libraries", "debug-names",
        "execute-only", "gdb-index", "gnu-unique", "mmap-output-file", "use-android-relr-tags", "relax", "relax-gp",
        "rosegment", "xosegment", "toc-optimize", "pcrel-optimize", "warn-ifunc-textrel", "warn-symbol-ordering",
        "bp-compression-sort-startup-functions", "branch-to-branch", "check-dynamic-relocations",
        "android-memtag-stack", "android-memtag-heap",
    ]),
    group(Either, Equals, Plain, &[
        "auxiliary", "compress-debug-sections", "defsym", "exclude-libs", "split-stack-adjust-size", "Tbss", "Tdata", "Ttext",
        "dynamic-linker", "entry", "filter", "fini", "hash-style", "init", "keep-unique",
        "orphan-handling", "rpath", "section-start", "soname", "sort-section", "target2", "undefined",
        "unresolved-symbols", "wrap", "mips-got-size",
    ]),
    group(Two, Equals, Plain, &[
        "compress-sections", "error-limit", "error-handling-script", "export-dynamic-symbol", "image-base", "oformat",
        "pack-dyn-relocs", "undefined-glob", "rsp-quoting", "shuffle-sections", "android-memtag-mode",
    ]),
    group(Two, Joined, Plain, &[
        "call-graph-profile-sort=", "bp-compression-sort=", "bp-startup-sort=", "color-diagnostics=",
        "power10-stubs=", "package-metadata=", "randomize-section-padding=",
    ]),
    group(Either, Joined, Plain, &["build-id=", "rpath-link=", "Ttext-segment="]),
    group(Either, Separate, Plain, &["Ttext-segment", "rpath-link"]),
    group(One, Separate, Plain, &["f", "F"]),
    group(One, JoinedOrSeparate, Plain, &["O", "m", "z", "e", "R", "h", "u", "G"]),

    // ---- inputs, and how they are found and read
    group(One, JoinedOrSeparate, Input, &["l"]),
    group(Either, Joined, Input, &["library="]),
    group(Either, Separate, Input, &["library"]),
    state(One, JoinedOrSeparate, Directory, &["L"]),
    state(Either, Joined, Directory, &["library-path="]),
    state(Either, Separate, Directory, &["library-path"]),
    state(Either, Equals, OnInputs::Sysroot, &["sysroot"]),
    state(Either, Equals, OnInputs::Format, &["format"]),
    state(One, Separate, OnInputs::Format, &["b"]),
    state(Either, Switch, InPlace, &["as-needed"]),
    state(Either, Switch, OnInputs::WholeArchive, &["whole-archive"]),
    state(Either, Flag, OnInputs::Dynamic, &["Bdynamic", "call_shared", "dy"]),
    state(Either, Flag, OnInputs::Static, &["Bstatic", "dn", "non_shared", "static"]),
    state(Either, Flag, InPlace, &["start-group", "end-group"]),
    state(Either, Flag, OnInputs::StartLib, &["start-lib"]),
    state(Either, Flag, OnInputs::EndLib, &["end-lib"]),
    state(Either, Flag, OnInputs::Push, &["push-state"]),
    state(Either, Flag, OnInputs::Pop, &["pop-state"]),
    state(Either, Flag, OnInputs::NoScriptDirectories, &["nostdlib"]),
    state(Either, Flag, StaticAndLayout, &["nmagic"]),
    state(Two, Flag, StaticAndLayout, &["omagic"]),
    state(One, Flag, StaticAndLayout, &["n", "N"]),
    state(One, Flag, InPlace, &["(", ")"]),

    // ---- files beside the inputs
    group(One, JoinedOrSeparate, Output, &["o"]),
    group(Two, Joined, Output, &["output="]),
    group(Two, Separate, Output, &["output"]),
    reads(One, JoinedOrSeparate, FileRead::Script, &["T"]),
    reads(Either, Equals, FileRead::Script, &["script"]),
    reads(One, Separate, FileRead::OtherScript, &["dT"]),
    reads(Either, Equals, FileRead::OtherScript, &["version-script"]),
    reads(Two, Equals, FileRead::OtherScript, &["default-script"]),
    reads(Either, Equals, FileRead::List, &[
        "dynamic-list", "retain-symbols-file", "call-graph-ordering-file", "just-symbols",
    ]),
    reads(Two, Equals, FileRead::List, &[
        "in-implib", "export-dynamic-symbol-list", "symbol-ordering-file", "irpgo-profile",
    ]),
    writes(Either, Equals, FileWritten::Other, &["Map", "print-symbol-order"]),
    writes(Two, Equals, FileWritten::Dependencies, &["dependency-file"]),
    writes(Two, Equals, FileWritten::Other, &["out-implib"]),
    writes(Two, Joined, FileWritten::Other, &["print-gc-sections="]),
    group(Two, Joined, SelectionReport, &["why-extract="]),
    group(Either, Joined, SelectionReport, &["print-archive-stats="]),
    group(Two, Switch, SelectionReport, &["warn-backrefs"]),
    group(Two, Equals, SelectionReport, &["warn-backrefs-exclude"]),
    group(Either, Flag, SelectionReport, &["trace"]),
    group(One, Flag, SelectionReport, &["t"]),
    group(Either, Flag, Prints, &["print-map", "print-memory-usage", "verbose"]),
    group(One, Flag, Prints, &["M"]),
    group(Two, Flag, Prints, &["cref"]),
    group(Either, Switch, Prints, &["print-gc-sections", "print-icf-sections"]),
    group(Either, Equals, Prints, &["trace-symbol"]),
    group(One, JoinedOrSeparate, Prints, &["y"]),
    group(Two, Equals, Prints, &["why-live"]),
    group(Either, Flag, Immediate, &["help", "version"]),
    group(One, Flag, Immediate, &["v", "V"]),
    group(Two, Equals, Immediate, &["reproduce"]),
    group(Two, Separate, Immediate, &["chroot"]),

    // ---- LTO
    carried(Two, Joined, Carried::OptLevel, &["lto-O"]),
    carried(Either, Joined, Carried::OptLevel, &["plugin-opt=O"]),
    carried(Two, Joined, Carried::CodegenLevel, &["lto-CGO"]),
    carried(Either, Equals, Carried::Mllvm, &["mllvm"]),
    carried(Either, Joined, Carried::PluginMllvm, &["plugin-opt=-"]),
    carried(Either, Joined, Carried::Cpu, &["plugin-opt=mcpu="]),
    carried(Two, Joined, Carried::BasicBlockSections, &["lto-basic-block-sections="]),
    carried(Two, Joined, Carried::SampleProfile, &["lto-sample-profile="]),
    carried(Either, Joined, Carried::SampleProfile, &["plugin-opt=sample-profile="]),
    carried(Two, Joined, Carried::CsProfile, &["lto-cs-profile-file="]),
    carried(Either, Joined, Carried::CsProfile, &["plugin-opt=cs-profile-path="]),
    carried(Two, Switch, Carried::BasicBlockAddressMap, &["lto-basic-block-address-map"]),
    carried(Two, Switch, Carried::UniqueBasicBlockSectionNames, &["lto-unique-basic-block-section-names"]),
    carried(Two, Joined, Carried::Partitions, &["lto-partitions="]),
    carried(Either, Joined, Carried::Partitions, &["plugin-opt=lto-partitions="]),
    carried(Two, Joined, Carried::Kind, &["lto="]),
    group(Two, Switch, Role::Lto(Lto::ThinLink), &[
        "lto-whole-program-visibility", "lto-validate-all-vtables-have-type-infos",
    ]),
    group(Two, Equals, Role::Lto(Lto::ThinLink), &["lto-known-safe-vtables"]),
    group(Either, Flag, Role::Lto(Lto::Inert("the IR verifier changes no code")), &[
        "disable-verify", "plugin-opt=disable-verify",
    ]),
    group(Two, Switch, Role::Lto(Lto::Inert("it says whether to warn of a profile that does not fit")), &[
        "lto-pgo-warn-mismatch",
    ]),
    carried(Two, Equals, Carried::RemarksHotnessThreshold, &["opt-remarks-hotness-threshold"]),
    carried(Two, Separate, Carried::RemarksPasses, &["opt-remarks-passes"]),
    carried(Two, Separate, Carried::RemarksFormat, &["opt-remarks-format"]),
    carried(Two, Separate, Carried::Remarks, &["opt-remarks-filename"]),
    carried(Two, Flag, Carried::RemarksWithHotness, &["opt-remarks-with-hotness"]),
    carried(Either, Joined, Carried::RemarksHotnessThreshold, &["plugin-opt=opt-remarks-hotness-threshold="]),
    carried(Either, Joined, Carried::RemarksPasses, &["plugin-opt=opt-remarks-passes="]),
    carried(Either, Joined, Carried::RemarksFormat, &["plugin-opt=opt-remarks-format="]),
    carried(Either, Joined, Carried::Remarks, &["plugin-opt=opt-remarks-filename="]),
    carried(Either, Flag, Carried::RemarksWithHotness, &["plugin-opt=opt-remarks-with-hotness"]),
    carried(Either, Joined, Carried::DwoDir, &["plugin-opt=dwo_dir="]),
    group(Either, Equals, Role::Lto(Lto::Inert("lld ignores it")), &["plugin"]),
    group(Either, Joined, Role::Lto(Lto::Inert("lld ignores it")), &[
        "plugin-opt=thinlto", "plugin-opt=-fresolution=", "plugin-opt=-pass-through=",
    ]),
    // What is left of -plugin-opt=: lld takes the path of GCC's plugin and reports anything else.
    group(Either, Joined, Role::Lto(Lto::Inert("lld ignores a path here and reports all else")), &["plugin-opt="]),
    group(Two, Joined, Role::Lto(Lto::Jobs), &["thinlto-jobs="]),
    group(Either, Joined, Role::Lto(Lto::Jobs), &["plugin-opt=jobs="]),
    group(Two, Equals, Role::Lto(Lto::Jobs), &["threads"]),
    group(Two, Joined, Role::Lto(Lto::LldCache), &["thinlto-cache-dir="]),
    group(Two, Equals, Role::Lto(Lto::LldCache), &["thinlto-cache-policy"]),
    group(Two, Flag, Role::Lto(Lto::ThinLink), &["fat-lto-objects", "no-fat-lto-objects"]),
    refused(Two, Joined, PIPELINE, &["lto-aa-pipeline=", "lto-newpm-passes="]),
    refused(Two, Flag, PROFILE, &["lto-cs-profile-generate"]),
    refused(Either, Flag, PROFILE, &["plugin-opt=cs-profile-generate"]),
    refused(Two, Flag, TEXT, &["lto-emit-asm", "lto-emit-llvm"]),
    refused(Either, Flag, TEXT, &["plugin-opt=emit-asm", "plugin-opt=emit-llvm"]),
    refused(Two, Flag, DUMPS, &["lto-debug-pass-manager"]),
    writes(Two, Flag, FileWritten::TimeTrace, &["time-trace"]),
    writes(Two, Joined, FileWritten::TimeTrace, &["time-trace="]),
    writes(Either, Joined, FileWritten::TimeTrace, &["plugin-opt=time-trace="]),
    group(Two, Equals, Plain, &["time-trace-granularity"]),
    refused(Either, Flag, DUMPS, &["plugin-opt=debug-pass-manager", "save-temps", "plugin-opt=save-temps"]),
    refused(Two, Joined, DUMPS, &["save-temps=", "lto-obj-path="]),
    refused(Either, Joined, DUMPS, &[
        "plugin-opt=obj-path=", "plugin-opt=stats-file=",
    ]),
    refused(Two, Equals, "pass plugins are not inputs of a backend action yet", &["load-pass-plugin"]),
    refused(Two, Flag, INDEX_LAYOUT, &["thinlto-emit-imports-files", "thinlto-emit-index-files", "thinlto-index-only"]),
    refused(Two, Joined, INDEX_LAYOUT, &[
        "thinlto-index-only=", "thinlto-object-suffix-replace=", "thinlto-prefix-replace=",
        "thinlto-single-module=",
    ]),
    refused(Either, Flag, INDEX_LAYOUT, &["plugin-opt=thinlto-emit-imports-files", "plugin-opt=thinlto-index-only"]),
    refused(Either, Joined, INDEX_LAYOUT, &[
        "plugin-opt=thinlto-index-only=", "plugin-opt=thinlto-object-suffix-replace=",
        "plugin-opt=thinlto-prefix-replace=",
    ]),
    refused(Two, Equals, DISTRIBUTOR, &[
        "thinlto-distributor", "thinlto-distributor-arg", "thinlto-remote-compiler", "thinlto-remote-compiler-arg",
        "thinlto-remote-compiler-prepend-arg",
    ]),
    // Not LTO, but both change which file an input's name means, after we have looked.
    refused(Two, Equals, "it renames inputs", &["remap-inputs"]),
    refused(Two, Joined, "it renames inputs", &["remap-inputs-file="]),
];

/// One option as it stands in the table.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// The name without dashes and without `no-`.
    pub name: &'static str,
    /// `no-` stands before the name.
    pub negated: bool,
    /// Where the value is.
    pub shape: Shape,
    /// What is done with it.
    pub role: Role,
}

/// How an argument that begins with a dash matches the table.
#[derive(Debug, Clone, Copy)]
pub struct Match<'a> {
    /// The row.
    pub spec: Spec,
    /// The value, where it is joined to the name.
    pub joined: Option<&'a str>,
}

/// Finds the row with the longest name that `argument` begins with, as LLVM's option parser does.
#[must_use]
pub fn find(argument: &str) -> Option<Match<'_>> {
    let (two, rest) = match argument.strip_prefix("--") {
        Some(rest) => (true, rest),
        None => (false, argument.strip_prefix('-')?),
    };
    let fits = |dashes| match dashes {
        Dashes::One => !two,
        Dashes::Two => two,
        Dashes::Either => true,
    };
    let mut best: Option<(usize, Match<'_>)> = None;
    for group in GROUPS.iter().filter(|group| fits(group.dashes)) {
        for name in group.names {
            let Some((length, found)) = match_name(group, name, rest) else { continue };
            if best.as_ref().is_none_or(|(longest, _)| length > *longest) {
                best = Some((length, found));
            }
        }
    }
    best.map(|(_, found)| found)
}

/// The length of the spelling that matched, and the match.
fn match_name<'a>(group: &Group, name: &'static str, rest: &'a str) -> Option<(usize, Match<'a>)> {
    let spec = |negated| Spec { name, negated, shape: group.shape, role: group.role };
    let plain = |length| Some((length, Match { spec: spec(false), joined: None }));
    let negative = || (group.shape == Shape::Switch).then(|| rest.strip_prefix("no-")).flatten();
    if let Some(positive) = negative()
        && positive == name
    {
        return Some((rest.len(), Match { spec: spec(true), joined: None }));
    }
    let tail = rest.strip_prefix(name)?;
    match group.shape {
        Shape::Flag | Shape::Switch | Shape::Separate => tail.is_empty().then(|| plain(name.len())).flatten(),
        Shape::Joined => Some((name.len(), Match { spec: spec(false), joined: Some(tail) })),
        Shape::JoinedOrSeparate if tail.is_empty() => plain(name.len()),
        Shape::JoinedOrSeparate => Some((name.len(), Match { spec: spec(false), joined: Some(tail) })),
        Shape::Equals if tail.is_empty() => plain(name.len()),
        Shape::Equals => {
            tail.strip_prefix('=').map(|value| (name.len() + 1, Match { spec: spec(false), joined: Some(value) }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(argument: &str, name: &str, joined: Option<&str>) {
        let found = find(argument).unwrap_or_else(|| panic!("{argument} is unknown"));
        assert_eq!((found.spec.name, found.joined), (name, joined), "{argument}");
    }

    #[test]
    fn the_longest_name_wins() {
        check("-o", "o", None);
        check("-oout", "o", Some("out"));
        check("--lto-O3", "lto-O", Some("3"));
        check("-lto-O3", "l", Some("to-O3"));
        check("-plugin-opt=O3", "plugin-opt=O", Some("3"));
        check("-plugin-opt=mcpu=x86-64", "plugin-opt=mcpu=", Some("x86-64"));
        check("-plugin-opt=-foo", "plugin-opt=-", Some("foo"));
        check("-plugin-opt=-fresolution=x", "plugin-opt=-fresolution=", Some("x"));
        check("-plugin-opt=/usr/lib/x.so", "plugin-opt=", Some("/usr/lib/x.so"));
        check("-mllvm", "mllvm", None);
        check("-melf_x86_64", "m", Some("elf_x86_64"));
        check("-shared", "shared", None);
        check("-soname=x", "soname", Some("x"));
        check("--no-whole-archive", "whole-archive", None);
        check("--print-gc-sections=f", "print-gc-sections=", Some("f"));
    }

    #[test]
    fn a_switch_knows_its_opposite() {
        assert!(find("--no-whole-archive").unwrap().spec.negated);
        assert!(!find("--whole-archive").unwrap().spec.negated);
        assert!(find("--no-frobnicate").is_none());
    }
}
