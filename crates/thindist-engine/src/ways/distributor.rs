//! The distributor way: lld does the whole link, and calls thindist as the distributor of its DTLTO for native objects.
//!
//! lld waits for the process that it starts. That one is a messenger: it tells us by a socket where lld's job file is, and waits
//! for our answer. Everything else (stores, keys, executors, counts) is in this process, which knows the line already.

use super::in_process::Link;
use crate::backends::jobs::PlannedJob;
use crate::dtlto;
use crate::dtlto::modules::KnownFacts;
use crate::failure::{Failure, Result, io};
use crate::finish::final_link::{install, is_special, read_dependencies, rename_in_reports};
use crate::finish::time_trace;
use crate::inputs::content::{Content, Place};
use crate::inputs::imported;
use crate::inputs::survey::Survey;
use crate::memo::Remembered;
use crate::parallel;
use crate::plan::planning::{self, PlannedJobs};
use crate::session::lld_run;
use crate::session::lto_object::lto_object_path;
use crate::session::shown_names::ShownNames;
use crate::session::stats::{BackendCounts, Timer};
use crate::session::workspace::{InputDigests, Session, size_of};
use crate::stop::Stop;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;
use thindist_core::digest::Digest;
use thindist_core::lld::link_line::{LinkLine, OutputKind, Refusal};
use thindist_core::lld::versions::{Dtlto, Version};
use thindist_exec::Source;

/// The messenger's name among thindist's commands. Nobody calls it but lld.
pub const MESSENGER: &str = "tell-linker";
const DONE: u8 = b'd';

/// Why lld cannot do this line by calling a distributor with in-process' bytes on every stream and file.
pub(crate) fn refusal(line: &LinkLine, lld: &Version, survey: &Survey) -> Option<String> {
    let Version { major, dtlto, .. } = lld;
    if *dtlto == Dtlto::Unknown {
        return Some(format!("lld {major} has no DTLTO that thindist knows"));
    }
    let unpacks = |content: &Content| match content {
        Content::Archive(archive) => archive.members.iter().any(|member| matches!(member.place, Place::Part { .. })),
        _ => false,
    };
    if *dtlto == Dtlto::Files && survey.flat().iter().any(|input| unpacks(&input.content)) {
        return Some(format!("lld {major} gives the distributor no members of regular archives"));
    }
    if line.dependency_files().any(|file| file == "-" || is_special(Path::new(file))) {
        return Some("the dependency file is no regular file".to_owned());
    }
    if !line.names_output_file() {
        return Some("the line does not name the output file".to_owned());
    }
    // Names of objects in lld's own directory can be told from the user's; those beside the user's output cannot.
    let is_private = has_private_output(line);
    // Objects of thin archives' members are named after the members' files, where in-process has the archive in the name.
    let in_thin_archive =
        |(identifier, (_, place)): (&str, (_, Place))| identifier.ends_with(')') && matches!(place, Place::File(_));
    let can_be_told = is_private && !survey.bitcode().into_iter().any(in_thin_archive);
    let shows = line.shows_objects().filter(|_| !can_be_told);
    shows.map(|spec| format!("in the output of -{}, lld names other objects than in-process", spec.name))
}

/// What the link gave.
#[derive(Debug)]
pub(crate) struct Distributed {
    pub(crate) remembered: Remembered,
    pub(crate) planned: PlannedJobs,
    /// The output, which has to be put into its place.
    file: Option<PathBuf>,
}

impl Distributed {
    pub(crate) fn install(&self, session: &Session) -> Result<()> {
        self.file.as_ref().map_or(Ok(()), |file| install(file, Path::new(session.line.output())))
    }
}

/// Links. `Stop::Refused`: the first way has to do it, and nothing has been printed.
pub(crate) fn run(
    link: &Link<'_>,
    counts: &mut BackendCounts,
    timer: &mut Timer,
) -> std::result::Result<Distributed, Stop> {
    let session = link.session;
    let (socket, listener) = Socket::bind(&session.workspace.settings.environment().temporary_directory())?;
    let file = private_output(link)?;
    let dependencies = session.workspace.text_path("distributor.d")?;
    let words = words(session, &socket.path, file.as_deref(), &dependencies)?;
    let token = session.workspace.interrupt.token().dependent();
    let (run, answered) = std::thread::scope(|scope| {
        let lld = scope.spawn(|| {
            let run = lld_run::lld_until(session, "distributor.rsp", &words, &token);
            // It has ended; if it has not called, nobody will.
            drop(UnixStream::connect(&socket.path));
            run
        });
        let ahead = ReadAhead::of(link);
        let answered = socket.answer(listener, |job_file| {
            timer.phase("thin_link");
            if let Some(refusal) = ahead.refusal(session) {
                return Err(Stop::Refused(refusal));
            }
            let begun = SystemTime::now();
            let answer = dtlto::for_linker(session, job_file, &ahead.known, counts);
            timer.phase("backends");
            let (planned, ran) = answer?;
            check_names(session, &planned)?;
            Ok((planned, (begun, ran)))
        });
        if answered.is_err() {
            token.cancel();
        }
        (lld.join(), answered)
    });
    let run = run.unwrap_or_else(|_| Err(Failure::internal("the thread that runs lld has panicked")))?;
    if run.met_full_memory(session) && session.workspace.leave_memory() {
        let first = std::mem::take(counts);
        let again = self::run(link, counts, timer);
        // The second try has found what the first has compiled.
        if !first.is_empty() {
            *counts = first;
        }
        return again;
    }
    // `None`: no backend was to be run, or lld has refused the line.
    let (planned, ran) = answered?.map_or_else(Default::default, |(planned, ran)| (planned, Some(ran)));
    let names = names_in_process(session, &planned, file.as_deref());
    lld_run::write_stdout(session, &names.show_bytes(&run.stdout))?;
    let said: Vec<String> = lld_run::lines(&run.stderr).iter().map(|line| names.show(line)).collect();
    lld_run::print(session.workspace.report(), &said);
    write_dependency_file(session, &dependencies, file.as_deref())?;
    if !run.success() {
        return Err(run.failure(&session.lld.path).into());
    }
    rename_in_reports(session, &names)?;
    if let (Some(file), Some((begun, ran))) = (session.line.time_trace_file(), ran) {
        time_trace::add_backends(Path::new(&file), begun, &ran)?;
    }
    timer.phase("final_link");
    let remembered = Remembered {
        output: file.clone().unwrap_or_else(|| PathBuf::from(session.line.output())),
        diagnostics: said,
        read: read_dependencies(session, &dependencies)?,
        named_files: planned.named_files.clone(),
        modules: planned.jobs.len(),
    };
    Ok(Distributed { remembered, planned, file })
}

/// What lld says of its output and of LTO objects, and what it would say in-process: here it names objects after the files that their
/// modules are in, in a directory of ours.
fn names_in_process(session: &Session, planned: &PlannedJobs, private: Option<&Path>) -> ShownNames {
    let output = session.line.output();
    let mut names = ShownNames::of(session);
    let Some(private) = private.map(Path::to_string_lossy) else { return names };
    for PlannedJob { job, path, .. } in &planned.jobs {
        names.add(&lto_object_path(&private, path), &lto_object_path(output, &job.name));
    }
    names.add(&private, output);
    names
}

/// Objects of thin archives' members are named after the members' files, where in-process has the archive in the name. In what the
/// line asks lld to show, one cannot be told from the object of such a file on the line.
fn check_names(session: &Session, planned: &PlannedJobs) -> std::result::Result<(), Stop> {
    let Some(shows) = session.line.shows_objects() else { return Ok(()) };
    let is_other = |PlannedJob { job, path, .. }: &&PlannedJob| {
        !session.workspace.is_own(Path::new(path)) && lto_object_path("", &job.name) != lto_object_path("", path)
    };
    match planned.jobs.iter().find(is_other) {
        None => Ok(()),
        Some(PlannedJob { job, .. }) => {
            let reason = format!("it would show the object of {} under another name", job.name);
            Err(Stop::Refused(Refusal { option: format!("--{}", shows.name), reason }))
        }
    }
}

/// The user's dependency file: that which lld has written for us, with the user's output as the target.
fn write_dependency_file(session: &Session, ours: &str, private: Option<&Path>) -> Result<()> {
    // lld takes the last.
    let Some(users) = session.line.dependency_files().last().filter(|file| !file.is_empty()) else {
        return Ok(());
    };
    let mut text = match std::fs::read(ours) {
        Ok(text) => text,
        // lld writes it before it looks for undefined symbols, and may have failed before that.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io("read", ours, &error)),
    };
    // The target stands there as it was given, unlike the files behind it.
    if let Some(private) = private.map(|private| private.as_os_str().as_encoded_bytes())
        && text.starts_with(private)
    {
        text.splice(..private.len(), session.line.output().bytes());
    }
    std::fs::write(users, text).map_err(|error| io("write", users, &error))
}

/// What was read while lld was at its thin link.
struct ReadAhead {
    known: KnownFacts,
    /// A module of which a part is regular LTO's.
    with_regular_part: Option<String>,
}

impl ReadAhead {
    /// What each module says of itself, and what importers get of it. What cannot be read now is read, and complained of, when
    /// it is needed.
    fn of(link: &Link<'_>) -> Self {
        let Link { session, inputs, .. } = link;
        let bitcode: Vec<(&str, Place)> =
            link.survey.bitcode().into_iter().map(|(identifier, (_, place))| (identifier, place)).collect();
        let facts = parallel::map(&bitcode, |(identifier, place)| {
            let digest = match place {
                Place::File(path) => inputs.get(path).map(|(digest, _)| *digest),
                Place::Part { .. } => None,
            };
            let facts = place.read().and_then(|bytes| planning::read_facts(&session.lld, identifier, &bytes));
            Ok(facts.ok().map(|facts| (*identifier, digest, facts)))
        });
        let facts: Vec<_> = facts.unwrap_or_default().into_iter().flatten().collect();
        let files: Vec<(Digest, Source)> = bitcode.iter().filter_map(|(_, place)| source(inputs, place)).collect();
        let wanted: Vec<_> =
            files.iter().enumerate().map(|(number, (digest, source))| (number, *digest, source)).collect();
        // Remembered, so that the plan finds them.
        let _ = imported::facts(&session.workspace.state, &wanted);
        let with_regular_part =
            facts.iter().find(|(_, _, facts)| facts.has_regular_part).map(|(identifier, ..)| (*identifier).to_owned());
        let known = facts.into_iter().filter_map(|(_, digest, facts)| Some((digest?, facts))).collect();
        Self { known, with_regular_part }
    }

    /// lld's job file does not tell what regular LTO defines, which decides how position-independent code reaches it.
    fn refusal(&self, session: &Session) -> Option<Refusal> {
        let module =
            self.with_regular_part.as_ref().filter(|_| session.line.output_kind() != OutputKind::Relocatable)?;
        let reason = "a part of it is regular LTO's, of which a distributor is not told".to_owned();
        Some(Refusal { option: module.clone(), reason })
    }
}

fn source(inputs: &InputDigests, place: &Place) -> Option<(Digest, Source)> {
    match place {
        Place::File(path) => {
            let (digest, stamp) = *inputs.get(path)?;
            Some((digest, Source::File { path: path.clone(), stamp: Some(stamp) }))
        }
        Place::Part { .. } => None,
    }
}

/// Whether lld can be given a path of ours to write to.
fn has_private_output(line: &LinkLine) -> bool {
    !is_special(Path::new(line.output())) && !line.output_holds_its_path()
}

/// lld's temporaries are beside its output. `None`: it has to write to the user's path itself.
fn private_output(link: &Link<'_>) -> Result<Option<PathBuf>> {
    let session = link.session;
    if !has_private_output(&session.line) {
        return Ok(None);
    }
    let output = Path::new(session.line.output());
    let directory = session.workspace.make_scratch("out", || size_of(link.inputs))?;
    Ok(Some(directory.join(output.file_name().unwrap_or_default())))
}

fn words(session: &Session, socket: &Path, file: Option<&Path>, dependencies: &str) -> Result<Vec<String>> {
    let ourselves = session.workspace.settings.environment().expect_program()?;
    let mut words: Vec<String> = session.line.words().map(str::to_owned).collect();
    words.extend([
        format!("--thinlto-distributor={}", ourselves.display()),
        format!("--thinlto-distributor-arg={MESSENGER}"),
        format!("--thinlto-distributor-arg={}", socket.display()),
        format!("--thinlto-remote-compiler={}", session.clang.path.display()),
        format!("--dependency-file={dependencies}"),
    ]);
    words.extend(session.line.time_trace_file().map(|file| format!("--time-trace={file}")));
    if let Some(file) = file {
        words.extend(["-o".to_owned(), file.to_string_lossy().into_owned()]);
    }
    Ok(words)
}

/// Where the messenger finds us. The link's own directory may have a longer path than a socket can.
struct Socket {
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Socket {
    fn bind(short: &Path) -> Result<(Self, UnixListener)> {
        let directory = tempfile::Builder::new()
            .prefix("thindist-")
            .tempdir_in(short)
            .map_err(|error| io("create a directory in", short, &error))?;
        let path = directory.path().join("linker");
        let listener = UnixListener::bind(&path).map_err(|error| io("create", &path, &error))?;
        Ok((Self { path, _directory: directory }, listener))
    }

    /// Waits for the messenger, does what it asks for, and answers it. `None`: lld has ended without calling.
    fn answer<T>(
        &self,
        listener: UnixListener,
        work: impl FnOnce(&Path) -> std::result::Result<T, Stop>,
    ) -> std::result::Result<Option<T>, Stop> {
        let (mut stream, _) = listener.accept().map_err(|error| io("listen at", &self.path, &error))?;
        // It calls once, and a descriptor may be dear.
        drop(listener);
        let mut job_file = String::new();
        let read = BufReader::new(&stream).read_line(&mut job_file);
        read.map_err(|error| io("read from", &self.path, &error))?;
        if job_file.is_empty() {
            return Ok(None);
        }
        let done = work(Path::new(job_file.trim_end_matches('\n')))?;
        // A messenger that is gone is lld's end, which is heard of otherwise.
        let _ = stream.write_all(&[DONE]);
        Ok(Some(done))
    }
}

/// The messenger: `thindist tell-linker SOCKET JOB.json`.
pub fn tell(words: impl Iterator<Item = OsString>) -> Result<ExitCode> {
    let words: Vec<OsString> = words.collect();
    let [socket, job_file] = words.as_slice() else {
        return Err(Failure::new(format_args!(
            "{MESSENGER} is called by lld in a link by ld.thindist, and by nothing else"
        )));
    };
    let socket = Path::new(socket);
    let failed = |error: std::io::Error| io("reach the link at", socket, &error);
    let mut stream = UnixStream::connect(socket).map_err(failed)?;
    let job_file = std::path::absolute(job_file).map_err(failed)?;
    stream.write_all(job_file.as_os_str().as_encoded_bytes()).and_then(|()| stream.write_all(b"\n")).map_err(failed)?;
    let mut answer = [0];
    let is_done = stream.read(&mut answer).map_err(failed)? == 1 && answer == [DONE];
    // ld.thindist says what went wrong.
    Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
