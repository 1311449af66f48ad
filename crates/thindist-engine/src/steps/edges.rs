//! What the steps of a build graph read and write.

use super::places::{ModuleFiles, Places};
use super::text;
use crate::failure::Result;
use std::collections::BTreeMap;
use std::path::Path;
use thindist_core::formats::build_graph::Step;

/// What a backend reads, and of a change in which it has to run. The job says what is imported.
pub(super) fn inputs(files: &ModuleFiles) -> Result<Vec<String>> {
    [&files.bitcode, &files.index, &files.job].into_iter().map(|path| text(path)).collect()
}

/// What the dyndep file says of each edge of the ninja file: backends, then the final link.
pub(super) fn edges(places: &Places, selected: &[ModuleFiles], suffix: &str, output: &str) -> Result<Vec<Step>> {
    let by_bitcode: BTreeMap<&Path, &ModuleFiles> =
        selected.iter().map(|files| (files.bitcode.as_path(), files)).collect();
    let mut edges = Vec::new();
    for bitcode in places.bitcode() {
        let inputs = by_bitcode.get(bitcode).map_or_else(|| Ok(Vec::new()), |files| inputs(files))?;
        let outputs = vec![text(&ModuleFiles::of(bitcode, suffix)?.native)?];
        edges.push(Step { inputs, outputs, ..Step::default() });
    }
    let natives = selected.iter().map(|files| text(&files.native)).collect::<Result<_>>()?;
    edges.push(Step { inputs: natives, outputs: vec![output.to_owned()], ..Step::default() });
    Ok(edges)
}
