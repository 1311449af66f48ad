//! Individual indexes: read, and written with other names; the reader then sees just these names.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thindist_core::index::{self, ModuleName};

fuzz_target!(|bytes: &[u8]| {
    let Ok(read) = index::read(bytes) else { return };
    let renamed = index::rename_modules(bytes, &|name| Some(ModuleName::with_hash(format!("renamed-{name}"))));
    let Ok(renamed) = renamed else { return };
    let again = index::read(&renamed).expect("an index that was written cannot be read");
    assert_eq!(again.modules.len(), read.modules.len(), "modules were lost");
});
