//! Two clients at once on an engine without their results: no corruption, and each action executed once if the engine
//! merges equal actions.

use crate::Result;
use crate::figures::checks::require;
use crate::figures::stats;
use crate::host::watched::Watched;
use crate::host::{files, run};

use super::subject::{Place, Subject};

/// Other arguments of each backend than those of any other check: all actions are new.
const ANOTHER: &str = "--lto-O3";
const CLIENTS: [&str; 2] = ["one", "other"];

pub(super) fn check(subject: &Subject<'_>, place: &Place<'_>) -> Result<String> {
    let compiler = if place.merges_on_this_machine { Some(watched(subject)?) } else { None };
    let links = CLIENTS.map(|client| start(subject, place, client, compiler.as_ref()));
    // All are waited for before one of them may fail the check.
    let ended: Vec<Result<(u64, u64)>> =
        links.into_iter().zip(CLIENTS).map(|(link, client)| end(subject, client, link?)).collect();
    let [(modules, one), (_, other)] = ended.into_iter().collect::<Result<Vec<_>>>()?[..] else {
        return Err("two clients were started".to_owned());
    };
    let read = |client: &str| files::read_bytes(&subject.output(client));
    require(read("one")? == read("other")?, || "their outputs differ".to_owned())?;
    let answers = format!("the same output; {one} and {other} of {modules} executed for them");
    let Some(compiler) = compiler else { return Ok(answers) };
    let (ran, _) = compiler.seen()?;
    require(ran as u64 == modules, || format!("{ran} compilers ran for {modules} modules"))?;
    Ok(format!("{answers}, by {ran} compilers"))
}

/// It tells of each backend that a worker runs.
fn watched(subject: &Subject<'_>) -> Result<Watched> {
    let compiler = Watched::create(&subject.home.dir, &format!("/usr/bin/clang-{}", subject.llvm))?;
    compiler.begin()?;
    Ok(compiler)
}

fn start(
    subject: &Subject<'_>,
    place: &Place<'_>,
    client: &str,
    compiler: Option<&Watched>,
) -> Result<std::process::Child> {
    files::remove_dir(&subject.cache(client))?;
    let mut command = subject.command(place, &subject.linker, client);
    command.env("THINDIST_STATS", subject.home.fresh_stats(client)?);
    if let Some(compiler) = compiler {
        command.env("THINDIST_CLANG", &compiler.program).env("THINDIST_REMOTE_TOOLCHAIN", "installed");
    }
    command.args((subject.words)(&subject.output(client))?).arg(ANOTHER);
    run::attach_log(&mut command, &subject.home.log(client))?;
    command.spawn().map_err(|error| run::cannot_start(&command, &error))
}

/// Modules, and backends executed for this client.
fn end(subject: &Subject<'_>, client: &str, mut link: std::process::Child) -> Result<(u64, u64)> {
    let status = link.wait().map_err(|error| error.to_string())?;
    let log = subject.home.log(client);
    require(status.success(), || format!("the link of one of two clients: {status}\n{}", run::tail(&log)))?;
    let stats = stats::read(&subject.home.dir.join("stats").join(format!("{client}.json")))?;
    let link = stats.into_iter().next().ok_or("no link")?;
    let there = link.backends.remote_executed + link.backends.remote_cache;
    require(there == link.modules, || format!("not all backends are from there: {:?}", link.backends))?;
    Ok((link.modules, link.backends.remote_executed))
}
