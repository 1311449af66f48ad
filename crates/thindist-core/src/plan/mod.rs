//! From individual indexes to backend actions.
//!
//! The plan decides what each backend reads and under which names. It does not know where content is on this host:
//! the program keeps that beside each [`Backend`].

pub mod action;
pub mod dso_local;
mod modules;

pub use modules::{ModuleId, ModuleMap, WrongLength};

use crate::action_files::{INDEX_NAME, MODULE_NAME, import_name};
use crate::bitcode::ModuleFacts;
use crate::bitcode::asm_inputs::AsmInput;
use crate::bitcode::definitions::Definitions;
use crate::digest::Digest;
use crate::flags::recorded::RecordedFlags;
use crate::flags::targets::{Target, elf_machine};
use crate::import_facts::{ImportFacts, Met, Part};
use crate::index::promoted_names::{self, ModuleHash, PromotedNames, stable_hashes, suffix};
use crate::index::{self, ModuleName, NewHash};
use crate::lld::link_line::Refusal;
use action::{Action, ExtraInput, ImportedModule};
use dso_local::DsoLocal;
use std::collections::{BTreeMap, BTreeSet};

/// A selected bitcode module, as far as the plan needs it.
#[derive(Debug)]
pub struct Module {
    /// lld's identifier: a path, or `archive(member at offset)`.
    pub identifier: String,
    /// What its bitcode says.
    pub facts: ModuleFacts,
    /// Its content.
    pub bitcode: Digest,
    /// Its path, the same in every checkout and after every edit: see [`crate::index::promoted_names`].
    pub path: String,
    /// The flags that it was compiled with, if its backend is to heed them.
    pub recorded: Option<RecordedFlags>,
}

impl Module {
    /// What it says that it is for.
    #[must_use]
    pub fn target(&self) -> Target<'_> {
        Target { module: &self.identifier, triple: &self.facts.triple }
    }
}

/// One backend compilation with all that makes it up.
#[derive(Debug)]
pub struct Backend {
    /// The own module.
    pub module: ModuleId,
    /// The action.
    pub action: Action,
    /// The individual index with canonical identifiers: the action's `index` blob.
    pub index: Vec<u8>,
    /// The imported modules, by rank.
    pub imports: Vec<ModuleId>,
}

/// Why a plan cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A link that in-process ThinLTO can do and separate backends cannot.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Something is not there for every module, or for more.
    #[error(transparent)]
    Length(#[from] WrongLength),
    /// An individual index that cannot be read.
    #[error("the individual index of {module} is damaged: {source}")]
    Index {
        /// The module's identifier.
        module: String,
        /// What is wrong.
        source: index::IndexError,
    },
    /// An index names a module that is not among the link's.
    #[error("the individual index of {module} imports from {imported}, which is not a module of this link")]
    UnknownImport {
        /// The module's identifier.
        module: String,
        /// The identifier that it names.
        imported: String,
    },
    /// An index that was made when another module was different.
    #[error("the individual index of {module} was made for another {changed} than is there now")]
    Stale {
        /// The module's identifier.
        module: String,
        /// The module that has changed.
        changed: String,
    },
    /// An architecture without a known `e_machine`.
    #[error("{module}: thindist does not know the architecture of the target triple `{triple}`")]
    UnknownTarget {
        /// The module's identifier.
        module: String,
        /// Its triple.
        triple: String,
    },
}

/// The link-wide part of a plan.
#[derive(Debug)]
pub struct Plan<'a> {
    modules: ModuleMap<&'a Module>,
    by_identifier: BTreeMap<&'a str, ModuleId>,
    /// Instead of the modules' own hashes, if promoted names are to be stable.
    stable_hashes: Option<ModuleMap<ModuleHash>>,
    /// Objects show debug information of imports only as [`crate::import_facts`] has it.
    leaves_debug_out: bool,
}

/// What one individual index says: from which modules its backend imports, and what.
#[derive(Debug)]
pub struct Imports {
    /// The own module.
    pub module: ModuleId,
    /// The own module's hash, as the linker wrote it.
    hash: ModuleHash,
    /// The own module's definitions; `None` if the index does not tell.
    pub own: Option<Definitions>,
    /// The imported modules, by rank.
    pub from: Vec<ImportedFrom>,
}

/// What importers get of each module that can be described.
pub type Facts = BTreeMap<ModuleId, ImportFacts>;

/// What is imported from one module.
#[derive(Debug)]
pub struct ImportedFrom {
    /// The module.
    pub module: ModuleId,
    /// The GUIDs of the definitions; `None` if the index does not tell.
    definitions: Option<BTreeSet<u64>>,
}

impl ImportedFrom {
    /// What is imported, where that is known.
    fn part(&self, facts: &Facts, promoted: PromotedNames, met: &Met) -> Option<Part> {
        let definitions = self.definitions.as_ref().filter(|definitions| !definitions.is_empty())?;
        facts.get(&self.module)?.imported(definitions, promoted, met)
    }

    /// Its digest, where an object can depend on nothing else.
    fn whole_part(&self, facts: &Facts, promoted: PromotedNames, met: &Met) -> Option<Digest> {
        self.part(facts, promoted, met).filter(|part| part.debug.is_none()).map(|part| part.digest)
    }
}

/// An individual index in which nothing changes that its native object does not depend on.
#[derive(Debug)]
pub struct StableIndex {
    /// The index.
    pub index: Vec<u8>,
    /// Assembly of imported modules names files. What is in them the index does not tell, and the time of the module's own
    /// bitcode neither, which is made anew if a file that its own assembly names has changed.
    pub names_files: bool,
}

/// What one backend reads, before the files that its assembly names have been looked up.
#[derive(Debug)]
pub struct Draft {
    /// The own module.
    pub module: ModuleId,
    /// The imported modules, by rank.
    pub imports: Vec<ModuleId>,
    /// Of each of them what is taken out of it, where that is known.
    parts: Vec<Option<Part>>,
    /// The index with canonical identifiers.
    pub index: Vec<u8>,
    /// Files that the backend's assembly names, sorted.
    pub named_files: Vec<AsmInput>,
}

impl<'a> Plan<'a> {
    /// A plan over the selected `modules`.
    ///
    /// # Errors
    /// There is not one stable name for each module.
    pub fn new(modules: ModuleMap<&'a Module>, promoted: PromotedNames) -> Result<Self, PlanError> {
        let by_identifier = modules.iter().map(|(id, module)| (module.identifier.as_str(), id)).collect();
        let hashes = || modules.with(stable_hashes(modules.values().map(|module| module.path.as_str())));
        let stable_hashes = (promoted == PromotedNames::Stable).then(hashes).transpose()?;
        Ok(Self { modules, by_identifier, stable_hashes, leaves_debug_out: false })
    }

    /// The same for a compiler of which it is known how its objects show debug information.
    #[must_use]
    pub fn leaving_debug_out(self, leaves_debug_out: bool) -> Self {
        Self { leaves_debug_out, ..self }
    }

    /// Reads the individual index of a module as lld wrote it.
    ///
    /// # Errors
    /// A damaged index, or one that names an unknown module.
    pub fn imports(&self, of: ModuleId, index_bytes: &[u8]) -> Result<Imports, PlanError> {
        self.check_names()?;
        let own = self.modules[of];
        let index = index::read(index_bytes).map_err(|source| damaged(own, source))?;
        if index.has_promoted_names && self.stable_hashes.is_some() {
            return Err(devirtualised(own).into());
        }
        let mut hash = [0; 5];
        let mut own_definitions = Some(Definitions::default());
        let mut from = Vec::with_capacity(index.modules.len());
        for module in index.modules {
            let imported = self.imported(own, &module.identifier)?;
            if imported == of {
                hash = module.hash;
                let dso_local = module.dso_local;
                own_definitions = module.definitions.map(|guids| Definitions { guids, dso_local });
            } else {
                from.push(ImportedFrom { module: imported, definitions: module.definitions });
            }
        }
        // LLVM links imports in the order of their identifiers, byte by byte.
        from.sort_unstable_by_key(|imported| self.modules[imported.module].identifier.as_str());
        Ok(Imports { module: of, hash, own: own_definitions, from })
    }

    /// Drafts a backend from its individual index as lld wrote it. `facts` are those of every module that can be
    /// described. Declarations of what is in `dso_local` become so.
    ///
    /// # Errors
    /// A damaged index.
    pub fn draft(
        &self,
        imports: &Imports,
        index_bytes: &[u8],
        facts: &Facts,
        dso_local: &DsoLocal,
    ) -> Result<Draft, PlanError> {
        let module = imports.module;
        let own = self.modules[module];
        let own_name = ModuleName { name: MODULE_NAME.to_owned(), hash: self.hash(module) };
        let mut names = BTreeMap::from([(module, own_name)]);
        let mut parts = Vec::with_capacity(imports.from.len());
        let met = self.met(imports, facts);
        for (rank, from) in imports.from.iter().enumerate() {
            let part = self.part(imports.module, from, facts, &met);
            let hash = match self.hash(from.module) {
                NewHash::Kept if part.is_some() => NewHash::LeftOut,
                hash => hash,
            };
            names.insert(from.module, ModuleName { name: import_name(rank), hash });
            parts.push(part);
        }
        let new_name = |written: &str| names.get(&self.meant(written)?).cloned();
        let declared = self.declared(imports, facts, dso_local);
        let index = index::rename_and_declare(index_bytes, &new_name, MODULE_NAME, &declared)
            .map_err(|source| damaged(own, source))?;
        let imports: Vec<ModuleId> = imports.from.iter().map(|from| from.module).collect();
        let named_files = self.named_files(own, &imports);
        Ok(Draft { module, imports, parts, index, named_files })
    }

    /// The variables that a backend meets.
    fn met(&self, imports: &Imports, facts: &Facts) -> Met {
        let from = imports.from.iter().map(|from| (facts.get(&from.module), from.definitions.as_ref()));
        Met::of(&self.modules[imports.module].facts.variables, from)
    }

    /// What the backend of `own` takes out of a module, where that is known.
    fn part(&self, own: ModuleId, from: &ImportedFrom, facts: &Facts, met: &Met) -> Option<Part> {
        let mut part = from.part(facts, self.promoted(), met)?;
        let Some(traces) = &mut part.debug else { return Some(part) };
        // What the own module declares itself keeps its own description.
        traces.declared.retain(|guid| !self.modules[own].facts.declared_functions.contains(guid));
        self.leaves_debug_out.then_some(part)
    }

    /// What the backend meets that its modules do not know to be `dso_local`, and the link does: in the own module, and in what
    /// is imported.
    fn declared(&self, imports: &Imports, facts: &Facts, dso_local: &DsoLocal) -> BTreeSet<u64> {
        let all = |module| self.modules[module].facts.not_dso_local.iter().copied().collect();
        let of_import = |from: &ImportedFrom| {
            let known = facts.get(&from.module).zip(from.definitions.as_ref());
            known.and_then(|(facts, taken)| facts.not_dso_local(taken)).unwrap_or_else(|| all(from.module))
        };
        let met: BTreeSet<u64> = all(imports.module);
        dso_local.among(met.into_iter().chain(imports.from.iter().flat_map(of_import)))
    }

    /// The individual index as lld wrote it, for a compiler that reads it in its place and a build system that compares it:
    /// names as they are, and for each module of which a part is imported the digest of that part where its hash was. No
    /// name can show that hash, so the native object is the same; and the index changes if what is imported does.
    ///
    /// # Errors
    /// A damaged index.
    pub fn stable_index(&self, imports: &Imports, index_bytes: &[u8], facts: &Facts) -> Result<StableIndex, PlanError> {
        let own = self.modules[imports.module];
        let met = self.met(imports, facts);
        let part = |from: &ImportedFrom| {
            Some((from.module, promoted_names::of_digest(&from.whole_part(facts, self.promoted(), &met)?)))
        };
        let hashes: BTreeMap<ModuleId, ModuleHash> = imports.from.iter().filter_map(part).collect();
        let new_name = |written: &str| {
            let module = self.meant(written)?;
            let hash = hashes.get(&module).map_or(NewHash::Kept, |part| NewHash::Replaced(*part));
            Some(ModuleName { name: self.modules[module].identifier.clone(), hash })
        };
        let index = index::rename_modules(index_bytes, &new_name);
        let mut imported = imports.from.iter().map(|from| &self.modules[from.module].facts);
        Ok(StableIndex {
            index: index.map_err(|source| damaged(own, source))?,
            names_files: imported.any(|facts| !facts.asm_inputs.is_empty()),
        })
    }

    /// Whether the index of the module at `imports` is of these very bitcodes: each hash in it is that of the module, or
    /// what [`Self::stable_index`] put there. `Err` is the identifier of a module that has changed.
    ///
    /// # Errors
    /// The index was made for another content of this module.
    pub fn check_current(&self, imports: &Imports, index_bytes: &[u8], facts: &Facts) -> Result<(), PlanError> {
        let own = self.modules[imports.module];
        let met = self.met(imports, facts);
        for module in index::read(index_bytes).map_err(|source| damaged(own, source))?.modules {
            let meant = self.imported(own, &module.identifier)?;
            let is_own_hash = self.modules[meant].facts.hash.unwrap_or_default() == module.hash;
            let part =
                || imports.from.iter().find(|from| from.module == meant)?.whole_part(facts, self.promoted(), &met);
            if !is_own_hash
                && module.hash != [0; 5]
                && part().map(|part| promoted_names::of_digest(&part)) != Some(module.hash)
            {
                return Err(PlanError::Stale { module: own.identifier.clone(), changed: module.identifier });
            }
        }
        Ok(())
    }

    /// Completes a draft with the files that its assembly names, and with the compiler and its arguments.
    ///
    /// # Errors
    /// The module's architecture is unknown.
    pub fn backend(
        &self,
        draft: Draft,
        mut extra_inputs: Vec<ExtraInput>,
        compiler: Digest,
        arguments: Vec<String>,
    ) -> Result<Backend, PlanError> {
        let own = self.modules[draft.module];
        extra_inputs.sort_unstable();
        extra_inputs.dedup();
        let unknown = || PlanError::UnknownTarget { module: own.identifier.clone(), triple: own.facts.triple.clone() };
        let action = Action {
            compiler,
            arguments,
            module: own.bitcode,
            index: Digest::of(&draft.index),
            imports: draft
                .imports
                .iter()
                .zip(draft.parts)
                .map(|(module, part)| ImportedModule { bitcode: self.modules[*module].bitcode, part })
                .collect(),
            working_directory_depth: extra_inputs.iter().map(|extra| levels_above(&extra.path)).max().unwrap_or(0),
            extra_inputs,
            elf_machine: elf_machine(&own.facts.triple).ok_or_else(unknown)?,
        };
        Ok(Backend { module: draft.module, action, index: draft.index, imports: draft.imports })
    }

    /// What each suffix of a promoted name in-process is here; none, where it stays.
    #[must_use]
    pub fn new_suffixes<'b>(&self, imports: impl Iterator<Item = &'b Imports>) -> BTreeMap<String, String> {
        let new = |imports: &Imports| self.stable_hashes.as_ref().map(|hashes| suffix(&hashes[imports.module]));
        imports.filter_map(|imports| Some((suffix(&imports.hash), new(imports)?))).collect()
    }

    fn promoted(&self) -> PromotedNames {
        if self.stable_hashes.is_some() { PromotedNames::Stable } else { PromotedNames::Hash }
    }

    /// The one hash that every index of the link has for a module.
    fn hash(&self, module: ModuleId) -> NewHash {
        self.stable_hashes.as_ref().map_or(NewHash::Kept, |hashes| NewHash::Replaced(hashes[module]))
    }

    fn imported(&self, own: &Module, identifier: &str) -> Result<ModuleId, PlanError> {
        self.meant(identifier).ok_or_else(|| match self.modules.values().find(|module| !module.identifier.is_ascii()) {
            Some(module) => PlanError::Refused(Refusal {
                option: module.identifier.clone(),
                reason: "LLVM garbles names in indexes that are not ASCII, and which module is meant cannot be told"
                    .to_owned(),
            }),
            None => PlanError::UnknownImport { module: own.identifier.clone(), imported: identifier.to_owned() },
        })
    }

    /// The module that an index means by a name.
    fn meant(&self, written: &str) -> Option<ModuleId> {
        let exactly = self.by_identifier.get(written).copied();
        exactly.or_else(|| self.modules.only(|module| index::may_mean(written, &module.identifier)))
    }

    /// LLVM garbles the record after a name whose last bytes are above 127 ([`index::may_mean`]): such an index may be read
    /// as another one.
    fn check_names(&self) -> Result<(), Refusal> {
        let garbles = |name: &str| !name.bytes().rev().take(3).all(|byte| byte.is_ascii());
        match self.modules.values().find(|module| garbles(&module.identifier)) {
            None => Ok(()),
            Some(module) => Err(Refusal {
                option: module.identifier.clone(),
                reason: "LLVM writes indexes wrongly in which a name ends so".to_owned(),
            }),
        }
    }

    /// Files that the own module's assembly names, and that of the imported ones: functions bring their inline assembly
    /// along, and although module assembly stays behind, LLVM assembles it at an import, in search of `.symver`.
    fn named_files(&self, own: &Module, imports: &[ModuleId]) -> Vec<AsmInput> {
        let imported = imports.iter().flat_map(|module| &self.modules[*module].facts.asm_inputs);
        let mut files: Vec<AsmInput> = own.facts.asm_inputs.iter().chain(imported).cloned().collect();
        files.sort_unstable();
        files.dedup();
        files
    }
}

/// lld names what a devirtualised call leads to by the module's own hash.
fn devirtualised(own: &Module) -> Refusal {
    let reason = "the linker has devirtualised a call of a local function by whole-program visibility, and names it by its \
                  module's hash";
    Refusal { option: format!("stable names of promoted values in {}", own.identifier), reason: reason.to_owned() }
}

fn damaged(own: &Module, source: index::IndexError) -> PlanError {
    PlanError::Index { module: own.identifier.clone(), source }
}

/// How many directories above its start a relative path reaches at its highest.
fn levels_above(path: &str) -> u32 {
    let (mut depth, mut highest) = (0_i64, 0_i64);
    if path.starts_with('/') {
        return 0;
    }
    for component in path.split('/') {
        match component {
            "" | "." => {}
            ".." => depth -= 1,
            _ => depth += 1,
        }
        highest = highest.min(depth);
    }
    u32::try_from(-highest).unwrap_or(u32::MAX)
}

/// The name in the action root of the compiler's own file, for messages: maps canonical names in a diagnostic back to
/// identifiers.
#[must_use]
pub fn explain_names(diagnostic: &str, own: &str, imports: &[&str]) -> String {
    let mut text = diagnostic.replace(INDEX_NAME, &format!("{own}.thinlto.bc")).replace(MODULE_NAME, own);
    for (rank, identifier) in imports.iter().enumerate() {
        text = text.replace(&import_name(rank), identifier);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        let check = |path, expect| assert_eq!(levels_above(path), expect, "{path}");
        check("kernel/config_data.gz", 0);
        check("../x", 1);
        check("a/../../x", 1);
        check("../../a/b", 2);
        check("/abs/../x", 0);
        check("./a", 0);
    }

    #[test]
    fn diagnostics_name_the_modules_again() {
        let text = explain_names("error: import-000000.bc and module.bc", "a.o", &["lib.a(b.o at 8)"]);
        assert_eq!(text, "error: lib.a(b.o at 8) and a.o");
    }
}
