//! `THINDIST_LOG`: what the program does and why, on the standard error. Without it nothing is set up, and an event costs one load.

use crate::ui;
use thindist_engine::failure::{Failure, Result};
use thindist_engine::settings::LOG_VARIABLE as VARIABLE;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::fmt::time::uptime;

pub(crate) fn start() -> Result<()> {
    let Some(text) = std::env::var_os(VARIABLE).filter(|text| !text.is_empty()) else { return Ok(()) };
    let text = text.to_string_lossy();
    let filter = filter(&text).ok_or_else(|| {
        Failure::new(format_args!("{VARIABLE}={text}: expected `off`, `error`, `warn`, `info`, `debug` or `trace`"))
            .hint("or a filter of those for parts of the program, such as thindist=info,thindist_remote=trace")
    })?;
    let format = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(ui::is_coloured())
        .with_timer(uptime())
        .with_span_events(FmtSpan::CLOSE)
        // A reader that has gone is told nothing.
        .log_internal_errors(false);
    format.try_init().map_err(Failure::new)
}

/// A level alone is for thindist (all crates whose names begin so), not for what it is made of: HTTP/2 would drown everything else.
fn filter(text: &str) -> Option<EnvFilter> {
    let directives = match text.parse::<LevelFilter>() {
        Ok(level) => format!("thindist={level}"),
        Err(_) => text.to_owned(),
    };
    // A word that is no level would be the name of a part, all of which is shown.
    let says_level = |directive: &str| directive.contains('=');
    let is_filter = directives.split(',').all(|directive| directive.is_empty() || says_level(directive));
    EnvFilter::builder().parse(directives).ok().filter(|_| is_filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_filters() {
        assert_eq!(filter("debug").unwrap().to_string(), "thindist=debug");
        assert_eq!(filter("INFO").unwrap().to_string(), "thindist=info");
        assert!(filter("thindist_remote=trace,h2=info").is_some());
        assert!(filter("debgu").is_none() && filter("thindist=loud").is_none());
    }
}
