//! What is edited: sources of the kernel, each in several ways.
//!
//! A way changes the text and keeps it a kernel that links. What does not fit a source is no edit of it.

/// A source and where its module is in the link.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    /// Its path in the tree.
    pub(super) path: &'static str,
    /// A text in it and what it becomes: the body of a function that is large, or of one that others inline.
    bodies: &'static [(&'static str, &'static str)],
    /// A text in it and what it becomes: a string.
    strings: &'static [(&'static str, &'static str)],
}

/// Hot ones, from which hundreds or dozens of modules import, and leaves.
pub(super) const SOURCES: &[Source] = &[
    Source {
        path: "mm/slab_common.c",
        bodies: &[],
        strings: &[("\"slab_caches\"", "\"slab_cachet\""), ("slabinfo - version: 2.1", "slabinfo - version: 2.2")],
    },
    Source {
        path: "lib/refcount.c",
        bodies: &[],
        strings: &[("saturated; leaking memory", "saturated; losing memory")],
    },
    Source { path: "arch/x86/kernel/cpu/common.c", bodies: &[], strings: &[("CPU: ", "Cpu: ")] },
    Source { path: "fs/namei.c", bodies: &[], strings: &[] },
    Source { path: "kernel/fork.c", bodies: &[], strings: &[("\"task_struct\"", "\"task-struct\"")] },
    Source { path: "net/core/dev.c", bodies: &[], strings: &[] },
    Source { path: "kernel/sched/core.c", bodies: &[], strings: &[] },
    Source { path: "mm/page_alloc.c", bodies: &[], strings: &[] },
    Source { path: "lib/string.c", bodies: &[("if (c1 != c2)", "if (c2 != c1)")], strings: &[] },
    Source { path: "fs/readdir.c", bodies: &[], strings: &[] },
];

/// One edit.
#[derive(Debug, Clone)]
pub(super) struct Edit {
    /// The source's path.
    pub(super) path: &'static str,
    /// What is done, in a few words.
    pub(super) what: &'static str,
    /// The whole text afterwards.
    pub(super) text: String,
}

/// The edits of a source with this text.
pub(super) fn edits(source: &Source, text: &str) -> Vec<Edit> {
    let name = source.path.trim_end_matches(".c").replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let end = |more: &str| Some(format!("{text}\n{more}\n"));
    let replaced = |pairs: &[(&str, &str)]| {
        let (from, to) = pairs.iter().find(|(from, _)| text.contains(from))?;
        Some(text.replacen(from, to, 1))
    };
    let all = [
        ("comment on top", Some(format!("/* One line more. */\n{text}"))),
        ("blank line on top", Some(format!("\n{text}"))),
        ("comment at the end", end("/* One line more. */")),
        ("function at the end", end(&function(&name))),
        ("static at the end", end(&with_static(&name))),
        ("structure and enumeration at the end", end(&with_types(&name))),
        ("macro at the end", end("#define THINDIST_MACRO(x) ((x) + 1)")),
        ("string", replaced(source.strings)),
        ("body of a function", replaced(source.bodies)),
    ];
    let edit = |(what, text): (&'static str, Option<String>)| Some(Edit { path: source.path, what, text: text? });
    all.into_iter().filter_map(edit).collect()
}

fn function(name: &str) -> String {
    format!("int thindist_{name}(int x);\nint thindist_{name}(int x)\n{{\n\treturn x * 3;\n}}")
}

fn with_static(name: &str) -> String {
    format!(
        "static int thindist_count_{name};\nint thindist_{name}(void);\nint thindist_{name}(void)\n{{\n\treturn \
         thindist_count_{name}++;\n}}"
    )
}

fn with_types(name: &str) -> String {
    format!(
        "enum thindist_kind_{name} {{ THINDIST_ONE_{name}, THINDIST_TWO_{name} }};\nstruct thindist_{name} {{\n\tint number;\n\t\
         enum thindist_kind_{name} kind;\n}};\nint thindist_{name}(struct thindist_{name} *of);\nint \
         thindist_{name}(struct thindist_{name} *of)\n{{\n\treturn of->kind == THINDIST_TWO_{name} ? of->number : 0;\n}}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_no_edit() {
        let source = Source { path: "a/b.c", bodies: &[("x + 1", "x + 2")], strings: &[("\"old\"", "\"new\"")] };
        let of = |text: &str| edits(&source, text).iter().map(|edit| edit.what).collect::<Vec<_>>();
        assert_eq!(of("int f;").len(), 7);
        assert!(of("int f(int x) { return x + 1; }").contains(&"body of a function"));
        let string = edits(&source, "char s[] = \"old\";").into_iter().find(|edit| edit.what == "string").unwrap();
        assert_eq!(string.text, "char s[] = \"new\";");
    }

    #[test]
    fn there_are_at_least_twenty_five_edits() {
        assert!(SOURCES.iter().map(|source| edits(source, "").len()).sum::<usize>() >= 25);
    }
}
