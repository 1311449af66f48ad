//! `thindist cache stats|gc|verify|clear`.

use std::ffi::OsString;
use std::process::ExitCode;
use thindist_engine::failure::{Failure, Result};
use thindist_engine::settings::Settings;
use thindist_exec::maintenance;

pub(crate) fn run(words: &[OsString]) -> Result<ExitCode> {
    let settings = Settings::load()?;
    let root = settings.cache_dir()?;
    let [word] = words else { return Err(usage()) };
    match word.to_str().unwrap_or_default() {
        "stats" => {
            let stats = maintenance::stats(&root)?;
            crate::say::say!("{}", root.display());
            crate::say::say!("{:>12}  blobs in the CAS", stats.cas_blobs);
            crate::say::say!("{:>12}  bytes in the CAS", stats.cas_bytes);
            crate::say::say!("{:>12}  bytes at the most", settings.cache_size()?);
            crate::say::say!("{:>12}  action results", stats.action_results);
        }
        "gc" => {
            let report = maintenance::gc(&root, settings.cache_size()?)?;
            crate::say::say!(
                "removed {} blobs ({} bytes), kept {} bytes",
                report.removed_blobs,
                report.removed_bytes,
                report.kept_bytes
            );
        }
        "verify" => {
            let report = maintenance::verify(&root, true)?;
            for path in &report.damaged {
                crate::say::say!("damaged, removed: {}", path.display());
            }
            crate::say::say!("{} files checked, {} damaged", report.checked, report.damaged.len());
            return Ok(if report.damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        "clear" => {
            maintenance::clear(&root)?;
            crate::say::say!("cleared {}", root.display());
        }
        _ => return Err(usage()),
    }
    Ok(ExitCode::SUCCESS)
}

fn usage() -> Failure {
    Failure::new("usage: thindist cache stats|gc|verify|clear")
}
