//! One link done both ways, for a comparison.
//!
//! Neither way touches the output that the line names. The memo of whole links is left out: it would show an old
//! output where the objects are the question.

use crate::entrance::open;
use crate::environment::Environment;
use crate::failure::{Failure, Result};
use crate::inputs::private_line::{file_name, plain_words, take_private_output, to};
use crate::inputs::survey::Survey;
use crate::pipeline;
use crate::session::lld_run;
use crate::session::stats::{Stats, Timer};
use crate::session::workspace::Session;
use crate::settings::Settings;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use thindist_core::flags::backend_flags::LinkFlags;

/// Two files that should be one. They go with the link.
#[derive(Debug)]
pub struct Pair {
    /// Whose file it is.
    pub name: String,
    /// In-process ThinLTO's.
    pub in_process: PathBuf,
    /// Ours.
    pub distributed: PathBuf,
}

/// What both have made.
#[derive(Debug)]
pub struct BothWays {
    /// Native objects: of the modules in lld's order, then of regular LTO.
    pub objects: Vec<Pair>,
    /// The whole output.
    pub output: Pair,
    /// What suffixes of promoted names in-process are here.
    pub new_suffixes: BTreeMap<String, String>,
    /// The options of LTO that the line has, in words.
    pub options: String,
}

/// Links the line `words` both ways, and has `look` look at it.
pub fn link(
    environment: &Environment,
    words: Vec<OsString>,
    look: impl FnOnce(&BothWays) -> Result<ExitCode>,
) -> Result<ExitCode> {
    let mut settings = Settings::load(environment)?;
    let (session, survey) = prepare(&mut settings, words)?;
    let outcome = both(&session, &survey).and_then(|both| look(&both));
    session.finish(outcome)
}

fn prepare(settings: &mut Settings, words: Vec<OsString>) -> Result<(Session, Survey)> {
    let (mut session, survey) = open(settings, words)?;
    if session.workspace.settings.has_flags_per_module()? {
        return Err(Failure::new("with each file's own flags objects are not those of in-process: nothing to compare")
            .hint("leave THINDIST_BACKEND_FLAGS=per-module out to compare the rest"));
    }
    if !survey.has_bitcode() {
        return Err(Failure::new("no bitcode among the inputs: nothing to compare"));
    }
    take_private_output(&mut session, "verify")?;
    Ok((session, survey))
}

fn both(session: &Session, survey: &Survey) -> Result<BothWays> {
    let (mut stats, mut timer) = (Stats::of(session.line.output()), Timer::start());
    let ours = pipeline::distribute(session, survey, &mut stats, &mut timer).map_err(pipeline::only_in_process)?;
    let in_process = InProcess::link(session)?;
    let modules = ours.natives.iter().enumerate();
    let mut objects: Vec<Pair> =
        modules.map(|(number, (name, path))| in_process.object(number + 1, name, path.clone())).collect();
    objects.extend(ours.regular_object.map(|regular| in_process.object(0, "the regular-LTO part", regular)));
    let output = ours.output.ok_or_else(|| Failure::new("the output is not a regular file"))?;
    Ok(BothWays {
        objects,
        output: Pair { name: "the output".to_owned(), in_process: in_process.output, distributed: output },
        new_suffixes: ours.new_suffixes,
        options: LinkFlags::of(&session.line).map(|flags| flags.summary()).unwrap_or_default(),
    })
}

/// The in-process link's files.
struct InProcess {
    objects: String,
    output: PathBuf,
}

impl InProcess {
    /// Two links. The first gives the objects, but also an empty regular-LTO object that a link without
    /// `--lto-obj-path` does not have, and whose sections move those of the output. The second gives the output. (With
    /// lld's cache in between, which would save the second compilation, `--lto-obj-path` writes empty files.) The first may
    /// fail over that empty object, which has no floating-point ABI where the others have one (riscv64).
    fn link(session: &Session) -> Result<Self> {
        let directory = session.workspace.make_directory("in-process")?;
        let output = if session.line.output_holds_its_path() {
            PathBuf::from(session.line.output())
        } else {
            directory.join(file_name(session.line.output()))
        };
        let objects = session.workspace.text_path("in-process/object")?;
        let words = plain_words(&session.line);
        let with_objects = [words.clone(), vec![format!("--lto-obj-path={objects}")], to(&directory.join("none"))];
        lld_run::lld(session, "in-process.rsp", &with_objects.concat())?;
        lld_run::expect_lld(session, "in-process.rsp", &[words, to(&output)].concat())?;
        Ok(Self { objects, output })
    }

    /// Number 0 is regular LTO's; the modules follow in the thin link's order.
    fn object(&self, number: usize, name: &str, distributed: PathBuf) -> Pair {
        let path = if number == 0 { self.objects.clone() } else { format!("{}{number}", self.objects) };
        Pair { name: name.to_owned(), in_process: PathBuf::from(path), distributed }
    }
}
