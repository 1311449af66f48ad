//! `thindist emit ninja|make|json -o FILE -- <lld arguments>`: the steps of a link as a build graph of files.
//!
//! Beside FILE: `FILE.line`, the arguments; `FILE.objects`, the list of the final link; for ninja `FILE.dd`, what each step
//! reads, and `FILE.d`; for make `FILE.stamp`. The bitcode has to be there: which module a step is of is read from it.

use super::edges::inputs;
use super::places::{ModuleFiles, Places};
use super::thin_link::{self, ThinLinkFiles};
use super::{FINAL_SUFFIX, text, with_suffix};
use crate::backends::step_files::NATIVE_SUFFIX;
use crate::environment::Environment;
use crate::failure::{Failure, Result};
use crate::inputs::content::Content;
use crate::inputs::survey::Survey;
use crate::inputs::words::Words;
use crate::session::output_files;
use crate::session::workspace::Session;
use crate::settings::Settings;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use thindist_core::formats::build_graph::{Graph, NinjaGraph, Step};
use thindist_core::lld::link_line::response_file;

/// Whose file a build graph is.
#[derive(Debug, Clone, Copy)]
pub enum GraphFormat {
    /// For ninja, with dyndep: one thin link tells it what each backend reads.
    Ninja,
    /// A makefile.
    Make,
    /// For everybody else.
    Json,
}

/// Writes the graph of the line `words` to `file`, and others beside it with names that begin with it.
pub fn emit(environment: &Environment, words: Vec<OsString>, format: GraphFormat, file: PathBuf) -> Result<ExitCode> {
    let mut settings = Settings::load(environment)?;
    let line = write_line(&mut settings.clone(), words.clone(), &file)?;
    let (session, survey) = super::open(&mut settings, words)?;
    if !survey.has_bitcode() {
        return session.finish(Err(Failure::new("no bitcode among the inputs: there are no backends to run")
            .hint("compile the sources first: emit reads which modules there are")));
    }
    let files = Files { file, line, program: text(environment.expect_program()?)? };
    let outcome = files.text(&session, &survey, format).and_then(|text| {
        output_files::write_if_changed(&files.file, text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    });
    session.finish(outcome)
}

/// The arguments, flags of ours first, in a file: no command is too long, and no word needs a shell's quotes.
fn write_line(settings: &mut Settings, words: Vec<OsString>, file: &Path) -> Result<PathBuf> {
    let words = Words::read(settings, words)?;
    let expanded = words.expanded.ok_or_else(|| Failure::new("the line or a response file of it is not UTF-8"))?;
    let path = with_suffix(file, ".line");
    output_files::write_if_changed(&path, response_file::join(&[words.own, expanded].concat()).as_bytes())?;
    Ok(path)
}

/// The names that go into a graph.
struct Files {
    file: PathBuf,
    line: PathBuf,
    program: String,
}

impl Files {
    fn text(&self, session: &Session, survey: &Survey, format: GraphFormat) -> Result<String> {
        let output = session.line.output();
        match format {
            GraphFormat::Ninja => self.ninja(survey, output)?.to_text().map_err(Failure::of),
            GraphFormat::Make => {
                let stamp = text(&with_suffix(&self.file, ".stamp"))?;
                self.planned(session, survey, "make")?.to_make(&text(&self.file)?, &stamp).map_err(Failure::of)
            }
            GraphFormat::Json => self.planned(session, survey, "json")?.to_json().map_err(Failure::of),
        }
    }

    /// A graph whose modules are known, from a thin link now.
    fn planned(&self, session: &Session, survey: &Survey, format: &str) -> Result<Graph> {
        let options = ThinLinkFiles {
            list: self.list(),
            suffix: NATIVE_SUFFIX.to_owned(),
            dyndep: None,
            depfile: None,
            final_link: true,
        };
        let left = thin_link::write(session, survey, &options, thin_link::Backends::Later)?;
        let words = ["emit", format, "-o", &text(&self.file)?, "--"];
        let outputs = vec![text(&self.file)?, text(&self.list())?, text(&self.final_file())?];
        let thin_link =
            Step { command: self.command(&words)?, inputs: self.and_line(left.read)?, outputs, ..Step::default() };
        let backends = left.modules.iter().map(|files| self.backend(files, &[])).collect::<Result<Vec<_>>>()?;
        let natives: Vec<String> = backends.iter().flat_map(|step| step.outputs.clone()).collect();
        let mut final_link = self.final_link(session.line.output())?;
        final_link.inputs.extend(natives);
        Ok(Graph::new(thin_link, backends, final_link))
    }

    fn ninja(&self, survey: &Survey, output: &str) -> Result<NinjaGraph> {
        let list = self.list();
        let (dyndep, depfile) = (text(&with_suffix(&self.file, ".dd"))?, text(&with_suffix(&self.file, ".d"))?);
        let words =
            ["thin-link", "--list", &text(&list)?, "--dyndep", &dyndep, "--depfile", &depfile, "--final-link", "--"];
        let inputs: BTreeSet<PathBuf> = survey.files().into_iter().collect();
        let inputs = inputs.iter().map(|path| text(path)).collect::<Result<_>>()?;
        // The dyndep file first: ninja starts what waits for one output before it has looked at the next one.
        let outputs = vec![dyndep.clone(), text(&list)?, text(&self.final_file())?];
        let thin_link =
            Step { command: self.command(&words)?, inputs: self.and_line(inputs)?, outputs, ..Step::default() };
        let places = Places::of(survey, &list);
        let backend = |bitcode: &Path| {
            let step = self.backend(&ModuleFiles::of(bitcode, NATIVE_SUFFIX)?, &["--if-changed"])?;
            // What it reads the thin link tells.
            Ok(Step { inputs: Vec::new(), ..step })
        };
        Ok(NinjaGraph {
            regenerate: self.regenerate(survey)?,
            thin_link,
            depfile,
            dyndep,
            backends: places.bitcode().into_iter().map(backend).collect::<Result<_>>()?,
            final_link: self.final_link(output)?,
        })
    }

    /// Members come and go with their archive; objects of the line do not.
    fn regenerate(&self, survey: &Survey) -> Result<Option<Step>> {
        let archives: BTreeSet<&String> = survey
            .flat()
            .into_iter()
            .filter(|input| matches!(&input.content, Content::Archive(archive) if archive.has_bitcode()))
            .map(|input| &input.path)
            .collect();
        if archives.is_empty() {
            return Ok(None);
        }
        let command = self.command(&["emit", "ninja", "-o", &text(&self.file)?, "--"])?;
        let inputs = archives.into_iter().cloned().collect();
        Ok(Some(Step { command, inputs, outputs: vec![text(&self.file)?], ..Step::default() }))
    }

    fn backend(&self, files: &ModuleFiles, flags: &[&str]) -> Result<Step> {
        let (native, job) = (text(&files.native)?, text(&files.job)?);
        let words = [&["backend", "-o", native.as_str()], flags, &[job.as_str()]].concat();
        let command = std::iter::once(self.program.as_str()).chain(words).map(str::to_owned).collect();
        Ok(Step { command, inputs: inputs(files)?, imports: files.imports.clone(), outputs: vec![native] })
    }

    fn final_link(&self, output: &str) -> Result<Step> {
        Ok(Step {
            command: self.command(&["final-link", "--list", &text(&self.list())?, "--"])?,
            inputs: self.and_line(vec![text(&self.final_file())?])?,
            outputs: vec![output.to_owned()],
            ..Step::default()
        })
    }

    /// A command of ours on the line.
    fn command(&self, words: &[&str]) -> Result<Vec<String>> {
        let line = format!("@{}", text(&self.line)?);
        let words = std::iter::once(self.program.as_str()).chain(words.iter().copied()).chain([line.as_str()]);
        Ok(words.map(str::to_owned).collect())
    }

    fn and_line(&self, mut files: Vec<String>) -> Result<Vec<String>> {
        files.push(text(&self.line)?);
        Ok(files)
    }

    fn list(&self) -> PathBuf {
        with_suffix(&self.file, ".objects")
    }

    fn final_file(&self) -> PathBuf {
        with_suffix(&self.list(), FINAL_SUFFIX)
    }
}
