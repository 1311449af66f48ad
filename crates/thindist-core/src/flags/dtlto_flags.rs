//! The options of a DTLTO backend: those of lld's line, of which DTLTO passes on a part, and those of the job file.
//!
//! Carried is what in-process ThinLTO would do, so that the action is the one that the linker entrance makes. An option of
//! the line that cannot be carried is left out, as DTLTO leaves it out, and named.

use crate::flags::backend_flags::LinkFlags;
use crate::lld::dtlto::DtltoJobs;
use crate::lld::link_line::options::{Carried, Lto, Role};
use crate::lld::link_line::{Argument, ArgumentKind, LinkLine, MissingValue, OutputKind, Refusal};

/// What every backend of a link is told.
#[derive(Debug)]
pub struct DtltoFlags {
    /// The options.
    pub flags: LinkFlags,
    /// What the line has as well, and no backend is told.
    pub left_out: Vec<Refusal>,
    /// The line, without what lld does by itself.
    pub line: LinkLine,
}

/// Why there are no options.
#[derive(Debug, thiserror::Error)]
pub enum FlagsError {
    /// The last word of the line lacks its value.
    #[error(transparent)]
    MissingValue(#[from] MissingValue),
    /// They cannot be brought into a form that backends take.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The job file was made for another line.
    #[error("the job file says {0}, and the options of the link say otherwise")]
    Disagree(String),
}

/// Options that lld carries out itself, whoever compiles.
#[rustfmt::skip]
const LLDS_OWN: &[&str] = &[
    "dependency-file", "exclude-libs", "fat-lto-objects", "lto-obj-path=", "plugin-opt=obj-path=", "plugin-opt=save-temps", "plugin-opt=thinlto-emit-imports-files",
    "plugin-opt=thinlto-object-suffix-replace=", "plugin-opt=thinlto-prefix-replace=", "plugin-opt=time-trace=",
    "remap-inputs", "remap-inputs-file=", "save-temps", "save-temps=", "thinlto-distributor", "thinlto-distributor-arg",
    "thinlto-emit-imports-files", "thinlto-emit-index-files", "thinlto-object-suffix-replace=",
    "thinlto-prefix-replace=", "thinlto-remote-compiler", "thinlto-remote-compiler-arg",
    "thinlto-remote-compiler-prepend-arg", "time-trace", "time-trace-granularity", "time-trace=",
];

/// `-mllvm` options that are DTLTO's own: clang 23 hands over its own `-mllvm` in them.
const DTLTOS_MLLVM: &[&str] = &["thinlto-distributor", "thinlto-remote-compiler"];

/// The options for `jobs`, whose lld has `line`.
///
/// # Errors
/// The line makes no sense together with the job file.
pub fn of_line(jobs: &DtltoJobs, line: &[String]) -> Result<DtltoFlags, FlagsError> {
    let mut arguments: Vec<Argument> = LinkLine::parse(line)?.arguments().to_vec();
    arguments.retain(|argument| !is_llds_own(argument));
    let mut left_out = Vec::new();
    let (line, mut flags) = loop {
        let line = parse(&arguments)?;
        let refusal = match LinkFlags::of(&line) {
            Ok(flags) => break (line, flags),
            Err(refusal) => refusal,
        };
        let alone = arguments.iter().enumerate().find_map(|(place, argument)| Some((place, refusal_of(argument)?)));
        left_out.push(if let Some((place, refusal)) = alone {
            arguments.remove(place);
            refusal
        } else {
            set_codegen_level(&mut arguments, jobs.opt_level, &refusal)?;
            refusal
        });
    };
    if flags.opt_level() != jobs.opt_level {
        return Err(FlagsError::Disagree(format!("-O{}", jobs.opt_level)));
    }
    if (line.output_kind() == OutputKind::PositionIndependent) != jobs.pic {
        let what = if jobs.pic { "that the output is position-independent" } else { "nothing of -fpic" };
        return Err(FlagsError::Disagree(what.to_owned()));
    }
    flags.put_in_front(&jobs.prepended);
    Ok(DtltoFlags { flags, left_out, line })
}

/// The line that the job file alone tells of, with `more` options in lld's spelling.
#[must_use]
pub fn line_of_jobs(jobs: &DtltoJobs, more: &[String]) -> Vec<String> {
    let mut words = vec!["-o".to_owned(), jobs.linker_output.clone(), format!("--lto-O{}", jobs.opt_level)];
    if jobs.opt_level < 2 {
        // clang has one level for both, and this is clang's.
        words.push(format!("--lto-CGO{}", jobs.opt_level));
    }
    words.extend(jobs.pic.then(|| "-pie".to_owned()));
    words.extend(jobs.sample_profile.iter().map(|path| format!("--lto-sample-profile={path}")));
    words.extend(more.iter().cloned());
    words
}

fn parse(arguments: &[Argument]) -> Result<LinkLine, MissingValue> {
    let words: Vec<String> = arguments.iter().flat_map(|argument| argument.words.iter().cloned()).collect();
    LinkLine::parse(&words)
}

fn is_llds_own(argument: &Argument) -> bool {
    let ArgumentKind::Option(spec, value) = &argument.kind else { return false };
    match spec.role {
        Role::Lto(Lto::Carried(Carried::Mllvm)) => {
            let name = value.as_deref().unwrap_or_default().trim_start_matches('-');
            DTLTOS_MLLVM.iter().any(|prefix| name.starts_with(prefix))
        }
        _ => LLDS_OWN.contains(&spec.name),
    }
}

/// Why an argument cannot be carried, whatever else is on the line.
fn refusal_of(argument: &Argument) -> Option<Refusal> {
    let depends_on_another = |spec: &crate::lld::link_line::options::Spec| {
        matches!(spec.role, Role::Lto(Lto::Carried(Carried::OptLevel | Carried::CodegenLevel)))
    };
    match &argument.kind {
        ArgumentKind::Option(spec, _) if depends_on_another(spec) => None,
        _ => LinkFlags::of(&parse(std::slice::from_ref(argument)).ok()?).err(),
    }
}

/// lld has two levels and DTLTO hands over one. Done once; what is refused after that is refused for good.
fn set_codegen_level(arguments: &mut Vec<Argument>, level: u8, refusal: &Refusal) -> Result<(), FlagsError> {
    let wanted = format!("--lto-CGO{level}");
    if arguments.last().is_some_and(|argument| argument.words == [wanted.clone()]) {
        return Err(refusal.clone().into());
    }
    let is_codegen_level = |argument: &Argument| match &argument.kind {
        ArgumentKind::Option(spec, _) => spec.role == Role::Lto(Lto::Carried(Carried::CodegenLevel)),
        _ => false,
    };
    arguments.retain(|argument| !is_codegen_level(argument));
    arguments.extend(LinkLine::parse(&[wanted])?.arguments().iter().cloned());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(level: u8, pic: bool) -> DtltoJobs {
        DtltoJobs {
            linker_output: "out".into(),
            compiler: "clang".into(),
            prepended: Vec::new(),
            opt_level: level,
            pic,
            sample_profile: None,
            target: "x86_64-pc-linux-gnu".into(),
            extra: Vec::new(),
            common_inputs: Vec::new(),
            jobs: Vec::new(),
        }
    }

    fn words(line: &str) -> Vec<String> {
        line.split_ascii_whitespace().map(str::to_owned).collect()
    }

    fn of(line: &str) -> DtltoFlags {
        of_line(&jobs(2, false), &words(line)).unwrap()
    }

    #[test]
    fn the_flags_are_those_of_the_linker_entrance() {
        let line = "-r -mllvm -import-instr-limit=5 -plugin-opt=mcpu=x86-64 a.o -o out";
        let plain = LinkFlags::of(&LinkLine::parse(&words(line)).unwrap()).unwrap();
        let with = of(&format!(
            "{line} --thinlto-distributor=thindist --thinlto-distributor-arg=distribute --save-temps \
             --thinlto-remote-compiler=/usr/bin/clang --exclude-libs ALL --thinlto-cache-dir=c \
             -mllvm=-thinlto-remote-compiler-arg=-mllvm=-x"
        ));
        assert_eq!(with.flags, plain);
        assert_eq!(with.left_out, []);
    }

    #[test]
    fn what_is_left_out_is_named() {
        let read = of("-r -mllvm -load=x.so -mllvm -good --frobnicate a.o");
        let named: Vec<&str> = read.left_out.iter().map(|refusal| refusal.option.as_str()).collect();
        assert_eq!(named, ["-mllvm -load=x.so", "--frobnicate"]);
        assert!(read.flags.summary().ends_with("-mllvm -good"));
        let levels = |line: &str| of_line(&jobs(1, false), &words(line)).unwrap();
        for line in ["--lto-O1 a.o", "--lto-O1 --lto-CGO2 a.o", "--lto-O1 --lto-CGO1 a.o"] {
            assert_eq!(levels(line).left_out, [], "{line}");
        }
        assert_eq!(levels("--lto-O1 --opt-remarks-filename r a.o").left_out.len(), 1);
    }

    #[test]
    fn a_line_of_another_link_is_noticed() {
        assert!(matches!(of_line(&jobs(2, true), &words("-r a.o")), Err(FlagsError::Disagree(_))));
        assert!(matches!(of_line(&jobs(2, false), &words("-pie a.o")), Err(FlagsError::Disagree(_))));
        assert!(matches!(of_line(&jobs(3, false), &words("a.o")), Err(FlagsError::Disagree(_))));
    }

    #[test]
    fn a_job_file_alone() {
        for (level, pic) in [(0, false), (1, true), (2, false), (3, true)] {
            let jobs = jobs(level, pic);
            let read = of_line(&jobs, &line_of_jobs(&jobs, &words("-mllvm -x"))).unwrap();
            assert_eq!((read.left_out.len(), read.flags.opt_level()), (0, level));
        }
    }
}
