//! A link as a build graph: for ninja with dyndep, for make, and as JSON.
//!
//! Paths and commands come from outside; this knows how each format writes and quotes them. Ninja has to know every edge
//! before it runs the first one, and which bitcode is selected and imported only the thin link tells: so there is an
//! edge for each bitcode file, and the thin link writes a dyndep file that says what each of them reads, and which
//! ones the final link needs. Make reads what it includes again when that has changed, so its file has the plan itself.
//! JSON is for whoever wants to write a generator.

use serde::Serialize;
use std::fmt::Write as _;

/// The version of the JSON object.
const SCHEMA: u32 = 1;

/// One command, with the files that it reads and writes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Files that it reads.
    pub inputs: Vec<String>,
    /// Files that it writes.
    pub outputs: Vec<String>,
    /// Files that it reads as well, and that one of the inputs describes as far as they matter: a change of them alone is
    /// no reason to run it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<String>,
}

/// A link whose modules are known: after its thin link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Graph {
    /// See [`SCHEMA`].
    schema: u32,
    /// Everything up to the backends.
    pub thin_link: Step,
    /// One of each module, in lld's order.
    pub backends: Vec<Step>,
    /// The output.
    pub final_link: Step,
}

/// A text that the format cannot hold.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{format} has no way to write the path `{path}`")]
pub struct Unwritable {
    format: &'static str,
    path: String,
}

impl Graph {
    /// A graph of these steps.
    #[must_use]
    pub fn new(thin_link: Step, backends: Vec<Step>, final_link: Step) -> Self {
        Self { schema: SCHEMA, thin_link, backends, final_link }
    }

    /// As JSON.
    ///
    /// # Errors
    /// None that is known: every field is text or a list of it.
    pub fn to_json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// A makefile to be included, which the thin link's own command writes: `stamp` is touched after it, because the
    /// makefile itself keeps its time when it does not change.
    ///
    /// # Errors
    /// A path has a character that make cannot read.
    pub fn to_make(&self, makefile: &str, stamp: &str) -> Result<String, Unwritable> {
        let mut text =
            String::from("# Written by `thindist emit make`, and again when an input of the link changes.\n");
        let shell = shell(&self.thin_link.command);
        let _ = write!(
            text,
            "{}: {}\n\t{}\n\t@touch {}\n{}: {} ;\n",
            make_path(stamp)?,
            make_paths(&self.thin_link.inputs)?,
            make_recipe(&shell),
            make_recipe(&quoted(stamp)),
            make_path(makefile)?,
            make_path(stamp)?,
        );
        for step in self.backends.iter().chain([&self.final_link]) {
            let recipe = make_recipe(&shell_of(step));
            let _ = writeln!(text, "{}: {}\n\t{recipe}", make_paths(&step.outputs)?, make_paths(&step.inputs)?);
        }
        // An input that has gone must not stop make before the thin link has looked.
        let inputs = &self.thin_link.inputs;
        let _ = writeln!(text, "{}:", make_paths(inputs)?);
        Ok(text)
    }
}

/// A link before its thin link: what ninja has to know.
#[derive(Debug, Clone)]
pub struct NinjaGraph {
    /// Writes the ninja file again when members of an archive come or go.
    pub regenerate: Option<Step>,
    /// Everything up to the backends; `dyndep` is one of its outputs.
    pub thin_link: Step,
    /// Names the files that the thin link reads and the line does not tell of.
    pub depfile: String,
    /// Says what each backend and the final link read.
    pub dyndep: String,
    /// One for each bitcode file that may be selected.
    pub backends: Vec<Step>,
    /// The output.
    pub final_link: Step,
}

impl NinjaGraph {
    /// The file for ninja.
    ///
    /// # Errors
    /// A path has a character that ninja cannot read.
    pub fn to_text(&self) -> Result<String, Unwritable> {
        let mut text = String::from(NINJA_HEAD);
        if let Some(step) = &self.regenerate {
            build(&mut text, "thindist_emit", step, &step.inputs, &[])?;
            text.push_str("  generator = 1\n");
        }
        build(&mut text, "thindist_step", &self.thin_link, &self.thin_link.inputs, &[])?;
        let _ = writeln!(text, "  depfile = {}\n  deps = gcc", ninja_value(&self.depfile)?);
        let waits = std::slice::from_ref(&self.dyndep);
        for step in self.backends.iter().chain([&self.final_link]) {
            build(&mut text, "thindist_step", step, &step.inputs, waits)?;
            let _ = writeln!(text, "  dyndep = {}", ninja_value(&self.dyndep)?);
        }
        // Without this ninja would make the objects of modules that nobody selects.
        let _ = writeln!(text, "default {}", ninja_paths(&self.final_link.outputs)?);
        Ok(text)
    }
}

const NINJA_HEAD: &str = "# Written by `thindist emit ninja`.\nninja_required_version = 1.10\n\
    rule thindist_step\n  command = $run\n  description = THINDIST $out\n  restat = 1\n\
    rule thindist_emit\n  command = $run\n  description = THINDIST $out\n  restat = 1\n";

/// The dyndep file: what each edge of the ninja file reads; those of modules that are not selected read nothing.
///
/// # Errors
/// A path has a character that ninja cannot read.
pub fn dyndep(edges: &[Step]) -> Result<String, Unwritable> {
    let mut text = String::from("ninja_dyndep_version = 1\n");
    for edge in edges {
        // An edge goes by its first output.
        let output = edge.outputs.first().map_or("", String::as_str);
        let _ = write!(text, "build {}: dyndep", ninja_path(output)?);
        if !edge.inputs.is_empty() {
            let _ = write!(text, " | {}", ninja_paths(&edge.inputs)?);
        }
        text.push('\n');
    }
    Ok(text)
}

/// A dependency file as compilers write it.
#[must_use]
pub fn depfile(target: &str, inputs: &[String]) -> String {
    let escaped = |path: &str| path.replace('$', "$$").replace('#', "\\#").replace(' ', "\\ ").replace(':', "\\:");
    let inputs: Vec<String> = inputs.iter().map(|input| escaped(input)).collect();
    format!("{}: {}\n", escaped(target), inputs.join(" \\\n  "))
}

fn build(
    text: &mut String,
    rule: &str,
    step: &Step,
    inputs: &[String],
    waits_for: &[String],
) -> Result<(), Unwritable> {
    let _ = write!(text, "build {}: {rule} {}", ninja_paths(&step.outputs)?, ninja_paths(inputs)?);
    if !waits_for.is_empty() {
        let _ = write!(text, " || {}", ninja_paths(waits_for)?);
    }
    let _ = write!(text, "\n  run = {}\n", ninja_value(&shell_of(step))?);
    Ok(())
}

fn ninja_paths(paths: &[String]) -> Result<String, Unwritable> {
    let paths: Result<Vec<String>, Unwritable> = paths.iter().map(|path| ninja_path(path)).collect();
    Ok(paths?.join(" "))
}

fn ninja_path(path: &str) -> Result<String, Unwritable> {
    Ok(ninja_value(path)?.replace(' ', "$ ").replace(':', "$:").replace('|', "$|"))
}

fn ninja_value(text: &str) -> Result<String, Unwritable> {
    if text.contains('\n') {
        return Err(Unwritable { format: "ninja", path: text.to_owned() });
    }
    Ok(text.replace('$', "$$"))
}

fn make_paths(paths: &[String]) -> Result<String, Unwritable> {
    let paths: Result<Vec<String>, Unwritable> = paths.iter().map(|path| make_path(path)).collect();
    Ok(paths?.join(" "))
}

fn make_path(path: &str) -> Result<String, Unwritable> {
    // Make has quotes for some of these in some places; a name with them is not worth a wrong rule.
    if path.contains(|character: char| character.is_whitespace() || "#:%*?[\\;|&=~'\"".contains(character)) {
        return Err(Unwritable { format: "make", path: path.to_owned() });
    }
    Ok(path.replace('$', "$$"))
}

fn make_recipe(command: &str) -> String {
    command.replace('$', "$$")
}

fn shell_of(step: &Step) -> String {
    shell(&step.command)
}

/// Words as a line for a shell.
#[must_use]
pub fn shell(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "._-+/=,:@%".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(command: &str, inputs: &[&str], outputs: &[&str]) -> Step {
        let owned = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let command = command.split(' ').map(str::to_owned).collect();
        Step { command, inputs: owned(inputs), outputs: owned(outputs), imports: Vec::new() }
    }

    #[test]
    fn ninja_knows_each_bitcode_file_and_asks_the_thin_link() {
        let graph = NinjaGraph {
            regenerate: None,
            thin_link: step("t thin-link", &["a b.o", "c$.o"], &["list", "dd"]),
            depfile: "list.d".into(),
            dyndep: "dd".into(),
            backends: vec![step("t backend it's", &[], &["a:b.native.o"])],
            final_link: step("t final-link", &["list.final"], &["out"]),
        };
        let text = graph.to_text().unwrap();
        let body = text.strip_prefix(NINJA_HEAD).unwrap();
        assert_eq!(
            body,
            "build list dd: thindist_step a$ b.o c$$.o\n  run = t thin-link\n  depfile = list.d\n  deps = gcc\n\
             build a$:b.native.o: thindist_step  || dd\n  run = t backend 'it'\\''s'\n  dyndep = dd\n\
             build out: thindist_step list.final || dd\n  run = t final-link\n  dyndep = dd\ndefault out\n"
        );
        let edges = [step("", &["x y", "z"], &["a"]), step("", &[], &["b"])];
        assert_eq!(dyndep(&edges).unwrap(), "ninja_dyndep_version = 1\nbuild a: dyndep | x$ y z\nbuild b: dyndep\n");
    }

    #[test]
    fn make_has_the_plan_and_a_stamp() {
        let backends = vec![step("t backend a.job", &["a.job", "a.o"], &["a.native.o"])];
        let graph =
            Graph::new(step("t emit $x", &["a.o"], &[]), backends, step("t final-link", &["a.native.o"], &["out"]));
        let text = graph.to_make("p.mk", "p.stamp").unwrap();
        assert_eq!(
            text.split_once('\n').unwrap().1,
            "p.stamp: a.o\n\tt emit '$$x'\n\t@touch p.stamp\np.mk: p.stamp ;\na.native.o: a.job a.o\n\tt backend a.job\n\
             out: a.native.o\n\tt final-link\na.o:\n"
        );
        let with_blank = Graph::new(step("t", &["a b.o"], &[]), vec![], step("t", &[], &["out"]));
        assert!(with_blank.to_make("p.mk", "p.stamp").unwrap_err().to_string().contains("`a b.o`"));
    }

    #[test]
    fn dependency_files() {
        assert_eq!(depfile("out", &["a b".into(), "$c:#".into()]), "out: a\\ b \\\n  $$c\\:\\#\n");
    }
}
