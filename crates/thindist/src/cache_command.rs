//! `thindist cache stats|gc|verify|clear`.

use crate::ui::say;
use crate::ui::usage;
use clap::{Args, Subcommand};
use std::process::ExitCode;
use thindist_engine::environment::Environment;
use thindist_engine::failure::{Failure, Result};
use thindist_engine::settings::Settings;
use thindist_exec::maintenance;

/// `thindist cache`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum What {
    /// Say what is in them
    Stats,
    /// Remove what was not used for longest, until they are within their bound
    Gc,
    /// Read every file again, and remove those that are damaged
    Verify,
    /// Remove everything
    Clear,
}

pub(crate) fn run(environment: &Environment, options: &Options) -> Result<ExitCode> {
    let Some(what) = options.what else {
        return Err(Failure::new("no word on what to do").hint(usage::<Options>("cache")));
    };
    let settings = Settings::load(environment)?;
    let root = settings.cache_dir()?;
    match what {
        What::Stats => {
            let stats = maintenance::stats(&root)?;
            say!("{}", root.display());
            say!("{:>12}  blobs in the CAS", stats.cas_blobs);
            say!("{:>12}  bytes in the CAS", stats.cas_bytes);
            say!("{:>12}  bytes at the most", settings.cache_size()?);
            say!("{:>12}  action results", stats.action_results);
        }
        What::Gc => {
            let report = maintenance::gc(&root, settings.cache_size()?)?;
            say!(
                "removed {} blobs ({} bytes), kept {} bytes",
                report.removed_blobs,
                report.removed_bytes,
                report.kept_bytes
            );
        }
        What::Verify => {
            let report = maintenance::verify(&root, true)?;
            for path in &report.damaged {
                say!("damaged, removed: {}", path.display());
            }
            say!("{} files checked, {} damaged", report.checked, report.damaged.len());
            return Ok(if report.damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        What::Clear => {
            maintenance::clear(&root)?;
            say!("cleared {}", root.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}
