//! The engines of the user's settings: connected to when first needed, and given up with one warning.
//!
//! Whatever an engine does, the link goes on with what this machine has.

use crate::failure::{Failure, Kind, Result};
use crate::parallel::cores;
use crate::report::Report;
use crate::session::tools::Tool;
use crate::settings::Settings;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use thindist_core::digest::Digest;
use thindist_exec::{ActionCache, Cas, Job, NativeObject, Origin, State};
use thindist_remote::{
    Address, Client, Header, Options, RemoteCache, RemoteError, RemoteExecutor, Tls, ToolFile, Toolchain, WAITING,
    Worker,
};

/// As Bazel has it.
const TIMEOUT: Duration = Duration::from_secs(60);
/// As Bazel has it.
const RETRIES: u32 = 5;

/// How long an engine is left alone that let a link wait in vain.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// One that refuses at once may be asked by each link.
const WORTH_A_NOTE: Duration = Duration::from_secs(1);

/// What the settings say; `None` without an engine.
pub fn options(settings: &Settings) -> Result<Option<Options>> {
    let address = |name| settings.get(name).map(|value| Address::parse(name, value)).transpose();
    let executor = address("remote_executor")?;
    // Who executes keeps what is needed for it.
    let Some(cache) = address("remote_cache")?.or_else(|| executor.clone()) else { return Ok(None) };
    let headers = settings.get("remote_header").unwrap_or_default().lines();
    let path = |name| settings.get(name).map(Path::new);
    Ok(Some(Options {
        cache,
        executor,
        exec_properties: properties(settings)?,
        local_fallback: settings.is_on("remote_local_fallback"),
        instance_name: settings.get("remote_instance_name").unwrap_or_default().to_owned(),
        headers: headers
            .filter(|line| !line.trim().is_empty())
            .map(|line| Header::parse("remote_header", line))
            .collect::<std::result::Result<_, _>>()?,
        tls: Tls::read(path("tls_certificate"), path("tls_client_certificate"), path("tls_client_key"))?,
        timeout: settings.duration("remote_timeout")?.unwrap_or(TIMEOUT),
        retries: settings.number("remote_retries")?.unwrap_or(RETRIES),
        accept_cached: settings.is_on("remote_accept_cached"),
        upload_local_results: settings.is_on("remote_upload_local_results"),
    }))
}

/// `NAME=VALUE` lines.
fn properties(settings: &Settings) -> Result<Vec<(String, String)>> {
    let lines = settings.get("remote_default_exec_properties").unwrap_or_default().lines();
    let pair = |line: &str| {
        let (name, value) = line
            .split_once('=')
            .ok_or_else(|| Failure::new(format_args!("remote_default_exec_properties={line}: expected NAME=VALUE")))?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    lines.filter(|line| !line.trim().is_empty()).map(pair).collect()
}

/// How a worker comes by the compiler.
fn toolchain(settings: &Settings, state: &State, compiler: &Path) -> Result<Toolchain> {
    if settings.checked("remote_toolchain")? == Some("installed") {
        return Ok(Toolchain::Installed(compiler.display().to_string()));
    }
    let tool = Tool::examine(compiler, settings.environment(), state)?;
    if tool.is_wrapper {
        let what = format_args!("{} is a wrapper: what it runs cannot be shipped to a worker", compiler.display());
        return Err(Failure::new(what).hint("name the compiler itself with THINDIST_CLANG, or set remote_toolchain"));
    }
    let paths: Vec<&Path> = tool.files().collect();
    let digests = state.digest_files(&paths.iter().map(|path| path.to_path_buf()).collect::<Vec<_>>(), cores());
    let mut files = Vec::with_capacity(paths.len());
    for (path, digest) in paths.into_iter().zip(digests) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push(ToolFile { name, path: path.to_owned(), digest: digest?.0 });
    }
    let loader = files.iter().map(|file| &file.name).find(|name| name.starts_with("ld-") || name.starts_with("ld.so"));
    let (Some(loader), Some(first)) = (loader.cloned(), files.first().map(|file| file.name.clone())) else {
        return Err(Failure::new(format_args!("{}: the loader of its libraries is not known", compiler.display())));
    };
    Ok(Toolchain::Shipped { files, loader, compiler: first })
}

impl From<RemoteError> for Failure {
    fn from(error: RemoteError) -> Self {
        Self::of(error).of_kind(Kind::Engine)
    }
}

/// What a worker is told of the compiler with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tools<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) state: &'a State,
    pub(crate) compiler: &'a Path,
}

/// The engine of one run.
#[derive(Debug)]
pub(crate) struct Remote {
    options: Option<Options>,
    cas: Cas,
    action_cache: ActionCache,
    /// Notes of engines that let a link wait in vain.
    notes: PathBuf,
    /// `None` once it has turned out that there is none to be had.
    cache: OnceLock<Option<RemoteCache>>,
}

impl Remote {
    pub(crate) fn new(options: Option<Options>, cas: &Cas, action_cache: &ActionCache, cache_dir: &Path) -> Self {
        let (cas, action_cache, notes) = (cas.clone(), action_cache.clone(), cache_dir.join("remote"));
        Self { options, cas, action_cache, notes, cache: OnceLock::new() }
    }

    /// Begins what will have to be done for `job`, of which the local stores have nothing: to ask, and `send` its inputs.
    fn ahead(&self, tools: Tools<'_>, job: &Job, send: bool) {
        let Some(options) = self.options.as_ref().filter(|options| options.accept_cached) else { return };
        if let Some(cache) = self.connected(options, tools) {
            cache.ahead(job, send);
        }
    }

    /// What went wrong ahead and has not been told.
    pub(crate) fn trouble(&self) -> Option<RemoteError> {
        self.cache.get()?.as_ref()?.trouble()
    }

    /// Does `plan`, which gives each job as it is planned. Those that the local stores do not have are asked for meanwhile, and
    /// the inputs of those that the engine has no result of are sent; but not of the first `places`, which will run here.
    pub(crate) fn while_planning<T>(
        &self,
        tools: Tools<'_>,
        places: usize,
        plan: impl FnOnce(&mut dyn FnMut(&Job)) -> T,
    ) -> T {
        if self.options.is_none() {
            return plan(&mut |_| {});
        }
        let (sender, planned) = std::sync::mpsc::channel::<Job>();
        let work = move || {
            // Inputs of as many as are given to the engine at first.
            for (number, job) in planned.iter().enumerate() {
                self.ahead(tools, &job, (places..places + WAITING).contains(&number));
            }
        };
        std::thread::scope(|scope| {
            // Without a thread nothing is done ahead: the sender then has nobody to send to.
            let _ = std::thread::Builder::new().name("ahead".to_owned()).spawn_scoped(scope, work);
            plan(&mut move |job| {
                if matches!(self.action_cache.get(&job.action.key()), Ok(None)) {
                    let _ = sender.send(job.clone());
                }
            })
        })
    }

    /// Fills the gaps in `found` as far as the engine can.
    pub(crate) fn look_up<'a>(
        &self,
        tools: Tools<'_>,
        jobs: impl Iterator<Item = &'a Job>,
        found: &mut [Option<NativeObject>],
    ) -> Result<()> {
        let Some(options) = self.options.as_ref().filter(|options| options.accept_cached) else { return Ok(()) };
        let wanted = jobs.zip(found.iter()).filter(|(_, found)| found.is_none());
        let wanted: Vec<&Job> = wanted.map(|(job, _)| job).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let Some(cache) = self.connected(options, tools) else { return Ok(()) };
        let fetched = cache.look_up(&wanted)?;
        fetched.complaints.iter().for_each(|complaint| warn(tools.settings.report(), complaint));
        if let Some(job) = wanted.get(fetched.natives.len()) {
            return Err(Failure::internal(format_args!("the remote cache was not asked for {}", job.name)));
        }
        let gaps = found.iter_mut().filter(|found| found.is_none());
        gaps.zip(fetched.natives).for_each(|(gap, native)| *gap = native);
        Ok(())
    }

    /// A cache or an engine is named.
    pub(crate) fn is_named(&self) -> bool {
        self.options.is_some()
    }

    /// Leaves what was made for this link for others, if that is wanted: also what the engine has made, under the key that
    /// others ask first.
    pub(crate) fn upload<'a>(&self, tools: Tools<'_>, natives: impl Iterator<Item = (&'a Job, &'a NativeObject)>) {
        let Some(options) = self.options.as_ref().filter(|options| options.upload_local_results) else { return };
        let made = natives.filter(|(_, native)| matches!(native.from, Origin::Executed | Origin::RemoteExecuted));
        let made: Vec<(Digest, NativeObject)> = made.map(|(job, native)| (job.action.key(), native.clone())).collect();
        if made.is_empty() {
            return;
        }
        match self.connected(options, tools).map(|cache| cache.upload(&made)) {
            Some(Err(error)) if !error.is_known() => warn(tools.settings.report(), &error.to_string()),
            _ => {}
        }
    }

    /// An executor on the engine, if the settings name one and it can be had.
    pub(crate) fn executor(&self, tools: Tools<'_>) -> Result<Option<RemoteExecutor<'_>>> {
        let Some(options) = self.options.as_ref().filter(|options| options.executor.is_some()) else {
            return Ok(None);
        };
        let connected = self.connected(options, tools).and_then(|cache| Some((cache, cache.worker()?.clone())));
        match connected {
            Some((cache, worker)) => {
                Ok(Some(RemoteExecutor::new(cache.client(), &self.cas, worker, options.accept_cached)?))
            }
            None if options.local_fallback => Ok(None),
            None => {
                let failure = Failure::new("backends cannot run on the engine, and remote_local_fallback is off");
                Err(failure.of_kind(Kind::Engine))
            }
        }
    }

    /// Whether what the engine fails at runs here.
    pub(crate) fn falls_back(&self) -> bool {
        self.options.as_ref().is_none_or(|options| options.local_fallback)
    }

    fn connected(&self, options: &Options, tools: Tools<'_>) -> Option<&RemoteCache> {
        let connect =
            || self.connect(options, tools).map_err(|failure| warn(tools.settings.report(), &failure.to_string())).ok();
        self.cache.get_or_init(connect).as_ref()
    }

    /// A build is many links: an engine that does not answer is waited for by one of them, and by the next in half a minute.
    fn connect_unless_in_vain(&self, options: &Options) -> Result<Client> {
        let note = self.notes.join(Digest::of(options.cache.to_string().as_bytes()).hex());
        let age = std::fs::metadata(&note).and_then(|noted| noted.modified()).ok().and_then(|then| then.elapsed().ok());
        if let Some(age) = age.filter(|age| *age < ASK_AGAIN) {
            let seconds = age.as_secs();
            let failure = Failure::new(format_args!("{}: it did not answer {seconds} s ago", options.cache));
            return Err(failure.of_kind(Kind::Engine));
        }
        let begun = Instant::now();
        let client = Client::connect(options);
        tracing::debug!(address = %options.cache, connected = client.is_ok(), elapsed = ?begun.elapsed(), "engine");
        if client.is_err() && begun.elapsed() > WORTH_A_NOTE {
            // Without the note the next link waits as well, and that is all.
            let _ = std::fs::create_dir_all(&self.notes).and_then(|()| std::fs::write(&note, ""));
        }
        Ok(client?)
    }

    fn connect(&self, options: &Options, tools: Tools<'_>) -> Result<RemoteCache> {
        let worker = match options.executor {
            Some(_) => Some(Worker {
                toolchain: toolchain(tools.settings, tools.state, tools.compiler)?,
                properties: options.exec_properties.clone(),
            }),
            None => None,
        };
        let client = self.connect_unless_in_vain(options)?;
        Ok(RemoteCache::new(client, &self.cas, &self.action_cache, worker))
    }
}

pub(crate) fn warn(report: &dyn Report, what: &str) {
    report.warning(&format!("{what}; continuing without it"));
}
