//! `cargo xtask corpus`: builds of other people, each link of them done by lld and by ld.thindist, and the page that says which way
//! each line took. What came of a project is kept, so that one alone can be tried again.

mod build;
mod page;
mod projects;
mod record;

use crate::Result;
use crate::command::arguments;
use crate::figures::checks::{Checks, require};
use crate::host::project::Home;
use crate::host::{apt, cargo, files};

use build::{Built, Place};
use page::Row;
use projects::{PROJECTS, Project, System};
use record::Recorded;

/// Of a hundred ThinLTO links so many may be lld's alone.
const MOST_ALONE: usize = 1;

/// What every build needs, beside the compilers.
const NEEDS: [&str; 5] = ["dpkg-dev", "make", "ninja-build", "cmake", "python3-venv"];

/// The task.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.to_vec();
    let llvm = arguments::take_number(&mut arguments, "--llvm")?.unwrap_or(22);
    let wanted = wanted(&arguments)?;
    apt::ensure(&packages(&wanted, llvm))?;
    let home = Home::open("corpus")?;
    let place = Place::prepare(&home, llvm, cargo::install_thindist(&home)?)?;
    files::remove_dir(&home.cache())?;
    let mut checks = Checks::default();
    for project in &wanted {
        match build::twice(&place, project) {
            Ok(built) => check(&mut checks, project, &built),
            Err(error) => drop(checks.record(&format!("{}: built", project.name), Err(error))),
        }
    }
    let mut rows = Vec::new();
    for project in PROJECTS {
        match build::kept(&home, project)? {
            Some(built) => rows.push(Row::of(project.name, &built)),
            None => println!("not built here yet: {}", project.name),
        }
    }
    let (links, alone) = rows.iter().fold((0, 0), |(links, alone), row| (links + row.links(), alone + row.alone()));
    let few = require(alone * 100 <= links * MOST_ALONE, || format!("{alone} of {links} lines were lld's alone"));
    checks.record("lines that thindist carries", few.map(|()| format!("{} of {links}", links - alone)));
    if rows.len() == PROJECTS.len() {
        page::write(&rows)?;
    }
    checks.finish()
}

fn wanted(words: &[String]) -> Result<Vec<&'static Project>> {
    let fits = |project: &&Project| words.is_empty() || words.iter().any(|word| project.name.contains(word.as_str()));
    let found: Vec<&Project> = PROJECTS.iter().filter(fits).collect();
    require(!found.is_empty(), || format!("no project has a name with {}", words.join(" or ")))?;
    Ok(found)
}

fn packages(wanted: &[&Project], llvm: u32) -> Vec<String> {
    let of_systems = wanted.iter().flat_map(|project| match project.system {
        System::Debian { needs } => needs,
        _ => &[],
    });
    let names = NEEDS.iter().chain(of_systems).map(ToString::to_string);
    apt::llvm(llvm).into_iter().chain(names).collect()
}

fn check(checks: &mut Checks, project: &Project, built: &Built) {
    let name = project.name;
    let all = || built.first.iter().chain(&built.again);
    let differing: Vec<String> = all().filter_map(Recorded::difference).collect();
    let same = require(differing.is_empty(), || differing.join("; "));
    checks.record(&format!("{name}: each link is lld's"), same.map(|()| format!("{} links", all().count())));
    let (ran, all) = built.ran_again();
    let said =
        format!("{ran} backends ran of {all} in {} links", built.again.iter().filter_map(Recorded::thin).count());
    // The edited module's own, and where lld's private cache is quicker than a plan, those that lld's keys name: its importers.
    let outcome = require(ran > 0 && ran < all, || said.clone());
    checks.record(&format!("{name}: a function added"), outcome.map(|()| said.clone()));
}
