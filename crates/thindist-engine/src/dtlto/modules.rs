//! The bitcode that a job file names: read, hashed, and given the identifier under which it takes part in the plan.

use super::identifiers;
use super::linker::{LLDS_FILE, Linker};
use crate::failure::{Failure, Result, io};
use crate::inputs::imported::Located;
use crate::parallel;
use crate::plan::planning::{self, ThinIndex};
use crate::session::tools::Tool;
use crate::session::workspace::Workspace;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use thindist_core::bitcode::ModuleFacts;
use thindist_core::digest::Digest;
use thindist_core::index::{self, ModuleName};
use thindist_core::lld::dtlto::{DtltoJob, DtltoJobs};
use thindist_core::lld::link_line::Refusal;
use thindist_core::plan::{Module, ModuleId, ModuleMap};
use thindist_exec::{FileStamp, Source};

/// Every module that some job compiles or imports from, sorted by path.
#[derive(Debug)]
pub(crate) struct Modules {
    modules: ModuleMap<Located>,
    /// By lld's names for them under DTLTO.
    by_path: BTreeMap<String, ModuleId>,
    /// The modules have in-process' identifiers instead of their paths.
    renamed: bool,
}

impl Modules {
    pub(crate) fn read(
        workspace: &Workspace,
        compiler: &Tool,
        job_file: &Path,
        jobs: &DtltoJobs,
        known: &KnownFacts,
    ) -> Result<Self> {
        let named = jobs.jobs.iter().flat_map(|job| job.imports.iter().chain([&job.bitcode]));
        let paths: Vec<String> = named.collect::<BTreeSet<_>>().into_iter().cloned().collect();
        let common = jobs.common_inputs.iter();
        if let Some(missing) = paths.iter().chain(common).find(|path| !Path::new(path).is_file()) {
            return Err(Failure::new(format_args!(
                "{} names the input {missing}, which does not exist",
                job_file.display()
            ))
            .hint(LLDS_FILE));
        }
        let digests = workspace.digest(paths.iter().map(PathBuf::from).collect())?;
        let read = parallel::map(&paths, |path| read(compiler, path, digests.get(Path::new(path)), known))?;
        let modules = ModuleMap::of_plan(read);
        let by_path = modules.with(paths)?.into_pairs().map(|(id, path)| (path, id)).collect();
        Ok(Self { modules, by_path, renamed: false })
    }

    /// Gives the modules their identifiers in-process.
    pub(crate) fn rename_to_in_process(&mut self, linker: &Linker) -> std::result::Result<(), Refusal> {
        let paths: Vec<&str> = self.by_path.keys().map(String::as_str).collect();
        let identifiers = identifiers::in_process(&linker.line, &paths).map_err(|path| {
            let reason = "which input of the link it is cannot be told, and imports are linked in the inputs' order";
            Refusal { option: path.to_owned(), reason: reason.to_owned() }
        })?;
        for (path, id) in &self.by_path {
            let unnamed = || Refusal { option: path.clone(), reason: "it was given no identifier".to_owned() };
            let identifier = identifiers.get(path.as_str()).ok_or_else(unnamed)?;
            let module = &mut self.modules[*id].module;
            self.renamed |= module.identifier != *identifier;
            module.identifier.clone_from(identifier);
        }
        Ok(())
    }

    /// For the plan.
    pub(crate) fn of_plan(&self) -> &ModuleMap<Located> {
        &self.modules
    }

    fn id(&self, path: &str) -> Result<ModuleId> {
        let id = self.by_path.get(path).copied();
        id.ok_or_else(|| Failure::internal(format_args!("{path} is in no list of inputs")))
    }

    /// The module at `path`.
    pub(crate) fn module(&self, path: &str) -> Result<&Module> {
        Ok(&self.modules[self.id(path)?].module)
    }

    /// One that was compiled to be position-independent.
    pub(crate) fn position_independent(&self) -> Option<&str> {
        let is_pic = |module: &&Module| module.facts.pic_level.is_some_and(|level| level > 0);
        self.modules.values().map(|located| &located.module).find(is_pic).map(|module| module.identifier.as_str())
    }

    /// The index of each job, with the identifiers of the plan.
    pub(crate) fn indexes(&self, jobs: &[DtltoJob]) -> Result<Vec<ThinIndex>> {
        let index = |job: &DtltoJob| {
            let bytes = std::fs::read(&job.index).map_err(|error| io("read", &job.index, &error))?;
            // Names that are the plan's already the plan reads itself.
            let bytes = if self.renamed { self.rename(job, &bytes, &|name| name)? } else { bytes };
            Ok(ThinIndex { module: self.id(&job.bitcode)?, number: job.number(), bytes })
        };
        parallel::map(jobs, index)
    }

    /// lld's index with what `name` makes of the plan's identifiers.
    fn rename(&self, job: &DtltoJob, bytes: &[u8], name: &dyn Fn(String) -> String) -> Result<Vec<u8>> {
        let new_name = |written: &str| Some(ModuleName::with_hash(name(self.meant(written)?.identifier.clone())));
        index::rename_modules(bytes, &new_name).map_err(|error| {
            Failure::new(format_args!("{}: {error}", job.index))
                .hint("LLVM writes indexes wrongly if a path ends in characters that are not ASCII")
        })
    }

    /// The module that an index means by a name.
    fn meant(&self, written: &str) -> Option<&Module> {
        if let Ok(module) = self.module(written) {
            return Some(module);
        }
        let mut meant = self.by_path.iter().filter(|(path, _)| index::may_mean(written, path));
        meant.next().filter(|_| meant.next().is_none()).map(|(_, id)| &self.modules[*id].module)
    }

    /// The index for a plain compiler in our directory: lld's own, or one in `directory` whose imports are in the plan's
    /// order, if that is another one, or if LLVM has garbled their names.
    pub(crate) fn plain_index(&self, job: &DtltoJob, directory: &Path) -> Result<PathBuf> {
        let mut imports = job.imports.iter().map(|path| Ok((self.module(path)?.identifier.as_str(), path.as_str())));
        let imports = imports.by_ref().collect::<Result<BTreeMap<&str, &str>>>()?;
        if imports.values().is_sorted() && imports.values().chain([&job.bitcode.as_str()]).all(|path| path.is_ascii()) {
            return Ok(PathBuf::from(&job.index));
        }
        std::fs::create_dir_all(directory).map_err(|error| io("create", directory, &error))?;
        // The compiler knows the own module by the name that it is given.
        let mut links = BTreeMap::from([(self.module(&job.bitcode)?.identifier.clone(), job.bitcode.clone())]);
        for (rank, (identifier, path)) in imports.into_iter().enumerate() {
            let link = directory.join(format!("{rank:06}.bc"));
            let target = std::path::absolute(path).map_err(|error| io("find", path, &error))?;
            std::os::unix::fs::symlink(target, &link).map_err(|error| io("create", &link, &error))?;
            links.insert(identifier.to_owned(), link.display().to_string());
        }
        let bytes = std::fs::read(&job.index).map_err(|error| io("read", &job.index, &error))?;
        let bytes = self.rename(job, &bytes, &|identifier| links.get(&identifier).cloned().unwrap_or(identifier))?;
        let index = directory.join("index.thinlto.bc");
        std::fs::write(&index, bytes).map_err(|error| io("write", &index, &error))?;
        Ok(index)
    }
}

/// What bitcode says of itself, by its content: read while lld was at its thin link.
pub(crate) type KnownFacts = BTreeMap<Digest, ModuleFacts>;

fn read(compiler: &Tool, path: &str, digested: Option<&(Digest, FileStamp)>, known: &KnownFacts) -> Result<Located> {
    let not_hashed = || Failure::internal(format_args!("{path} was not hashed"));
    let (bitcode, stamp) = *digested.ok_or_else(not_hashed)?;
    let facts = match known.get(&bitcode) {
        Some(facts) => facts.clone(),
        None => {
            let bytes = std::fs::read(path).map_err(|error| io("read", path, &error))?;
            planning::read_facts(compiler, path, &bytes)?
        }
    };
    let absolute = std::path::absolute(path).map_err(|error| io("find", path, &error))?;
    let source = Source::File { path: absolute, stamp: Some(stamp) };
    let module = Module { identifier: path.to_owned(), path: path.to_owned(), recorded: None, facts, bitcode };
    Ok(Located { module, source })
}
