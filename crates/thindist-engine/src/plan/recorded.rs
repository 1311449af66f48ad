//! The flags with which each module was compiled: where its build has recorded them.
//!
//! Kbuild keeps a `.foo.o.cmd` beside each `foo.o`; other builds have one compile_commands.json. A module that neither tells of is
//! an error: with the link's flags alone it would be compiled in another way than was asked for.

use crate::failure::{Failure, Result, io};
use crate::inputs::imported::Located;
use crate::parallel;
use crate::session::workspace::Session;
use std::path::PathBuf;
use thindist_core::flags::backend_flags::LinkFlags;
use thindist_core::flags::recorded::compile_commands::CompileCommands;
use thindist_core::flags::recorded::{RecordError, RecordedFlags, kbuild};
use thindist_core::plan::{ModuleId, ModuleMap};

/// Adds to each module its flags, if backends are to heed them. Gives the files that were read for it.
pub(crate) fn add(session: &Session, flags: &LinkFlags, modules: &mut ModuleMap<Located>) -> Result<Vec<PathBuf>> {
    if !session.workspace.settings.has_flags_per_module()? {
        return Ok(Vec::new());
    }
    let source = match session.workspace.settings.get("compile_commands") {
        Some(path) => read_all(path)?,
        None => Source::Kbuild,
    };
    let here = std::env::current_dir().map_err(|error| io("find", ".", &error))?.to_string_lossy().into_owned();
    let of = |(_, located): &(ModuleId, &Located)| {
        let module = &located.module;
        let files = flags.files();
        let words = source.arguments(&module.path, &here).map_err(|failure| failure.of(&module.path, &source))?;
        RecordedFlags::of(&words, &module.facts.triple, files, &here)
            .map_err(|error| Unknown::Record(error).of(&module.path, &source))
    };
    let recorded = modules.with(parallel::map(&modules.iter().collect::<Vec<_>>(), of)?)?;
    let read = source.files(modules);
    recorded.into_pairs().for_each(|(id, recorded)| modules[id].module.recorded = Some(recorded));
    Ok(read)
}

enum Source {
    Kbuild,
    Commands { path: String, commands: CompileCommands },
}

/// Why the flags of a module are not known.
enum Unknown {
    Record(RecordError),
    File(Failure),
}

fn read_all(path: &str) -> Result<Source> {
    let bytes = std::fs::read(path).map_err(|error| io("read", path, &error))?;
    let commands = CompileCommands::read(&bytes)
        .map_err(|error| Failure::new(format_args!("{path}: {error}")).hint("make it again with the build system"))?;
    Ok(Source::Commands { path: path.to_owned(), commands })
}

impl Source {
    fn arguments(&self, object: &str, here: &str) -> std::result::Result<Vec<String>, Unknown> {
        match self {
            Self::Commands { commands, .. } => commands.arguments(object, here).map_err(Unknown::Record),
            Self::Kbuild => {
                let path = kbuild::command_file(object);
                let bytes = std::fs::read(&path).map_err(|error| Unknown::File(io("read", &path, &error)))?;
                kbuild::arguments(&String::from_utf8_lossy(&bytes), object, here).map_err(Unknown::Record)
            }
        }
    }

    fn files(&self, modules: &ModuleMap<Located>) -> Vec<PathBuf> {
        match self {
            Self::Commands { path, .. } => vec![PathBuf::from(path)],
            Self::Kbuild => {
                let file = |located: &Located| PathBuf::from(kbuild::command_file(&located.module.path));
                modules.values().map(file).collect()
            }
        }
    }

    fn describe(&self, object: &str) -> String {
        match self {
            Self::Commands { path, .. } => path.clone(),
            Self::Kbuild => kbuild::command_file(object),
        }
    }
}

impl Unknown {
    fn of(self, object: &str, source: &Source) -> Failure {
        let failure = match self {
            Self::File(failure) => failure,
            Self::Record(error) => Failure::new(format_args!("{object}: {error} ({})", source.describe(object))),
        };
        failure.hint(if object.ends_with(')') {
            "a member of a regular archive has no path under which flags could be recorded: make it a thin archive, or \
             leave THINDIST_BACKEND_FLAGS=per-module out"
        } else {
            "compile the file again, name a THINDIST_COMPILE_COMMANDS that has it, or leave THINDIST_BACKEND_FLAGS=per-module out"
        })
    }
}
