//! thindist's own settings: one registry defines the flags, the environment variables, the keys of thindist.toml, the text
//! of `thindist help settings` and docs/reference.md. Precedence: flag, environment, file.

mod kind;
mod nearest;
mod registry;
mod unknown;

use crate::environment::Environment;
use crate::failure::{Failure, Result, io};
use crate::report::Report;
pub use kind::Kind;
pub use nearest::nearest;
pub use registry::{LOG_HELP, LOG_VARIABLE, REGISTRY, Setting, variable};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thindist_core::index::promoted_names::PromotedNames;
use unknown::{meant, unknown_variables};

const FLAG: &str = "--thindist-";

/// Whether a word of a linker's line is for us.
pub(crate) fn is_flag(word: &str) -> bool {
    word.starts_with(FLAG)
}

/// The settings of one run.
#[derive(Clone, Default)]
pub struct Settings {
    values: BTreeMap<&'static str, String>,
    environment: Environment,
}

/// Without what is a secret.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |name: &str, value| Setting::named(name).map_or("", |setting| setting.shown(value));
        f.debug_map().entries(self.values.iter().map(|(name, value)| (name, shown(name, value.as_str())))).finish()
    }
}

impl Settings {
    /// Reads the file and the environment.
    pub fn load(environment: &Environment) -> Result<Self> {
        let mut settings = Self { environment: environment.clone(), ..Self::default() };
        if let Some(path) = configuration_file(environment) {
            settings.read_file(&path)?;
        }
        for setting in REGISTRY {
            if let Some(value) = environment.text(&variable(setting.name)).filter(|value| !value.is_empty()) {
                settings.values.insert(setting.name, value.to_owned());
            }
        }
        Ok(settings)
    }

    /// The environment that they are from, which is that of the run.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Who hears what the run says.
    pub fn report(&self) -> &dyn Report {
        self.environment.report()
    }

    /// Warns once of variables that look like settings and are none. Called where they would have counted: lld's own lines have the
    /// streams of lld.
    pub fn warn_of_unknown_variables(&self) {
        if self.environment.is_first_examined() {
            let unknown = unknown_variables(self.environment.variables());
            unknown.iter().for_each(|unknown| unknown.warn(self.report()));
        }
    }

    fn read_file(&mut self, path: &Path) -> Result<()> {
        let text = std::fs::read_to_string(path).map_err(|error| io("read", path, &error))?;
        let bad = |what: String| Failure::new(format_args!("{}: {what}", path.display()));
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            // Without the line itself: it may hold a secret.
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            bad(format!("line {}: {}", before.split('\n').count(), error.message()))
        })?;
        for (key, value) in table {
            let known = Setting::named(&key);
            let setting = known.ok_or_else(|| bad(format!("unknown setting `{key}`")).hint(meant(&key)))?;
            let is_list = setting.kind == Kind::List;
            let text = text_of(&value, is_list).ok_or_else(|| {
                let expected = if is_list { "text, or a list of texts" } else { "text, a number, true or false" };
                bad(format!("{key} = {}: expected {expected}", setting.shown(&value.to_string())))
            })?;
            self.values.insert(setting.name, text);
        }
        Ok(())
    }

    /// Takes the `--thindist-…` arguments off a linker's line.
    pub(crate) fn strip_flags<Word: AsRef<OsStr>>(&mut self, words: Vec<Word>) -> Result<Vec<Word>> {
        let mut rest = Vec::with_capacity(words.len());
        for word in words {
            match word.as_ref().to_str().filter(|word| is_flag(word)) {
                Some(flag) => self.apply_flag(flag)?,
                None => rest.push(word),
            }
        }
        Ok(rest)
    }

    fn apply_flag(&mut self, word: &str) -> Result<()> {
        let flag = word.strip_prefix(FLAG).unwrap_or_default();
        let (flag_name, value) = flag.split_once('=').unwrap_or((flag, "1"));
        let name = flag_name.replace('-', "_");
        let setting = Setting::named(&name)
            .ok_or_else(|| Failure::new(format_args!("unknown argument {FLAG}{flag_name}")).hint(meant(&name)))?;
        match self.values.get_mut(setting.name).filter(|_| setting.kind == Kind::List) {
            Some(lines) => {
                lines.push('\n');
                lines.push_str(value);
            }
            None => drop(self.values.insert(setting.name, value.to_owned())),
        }
        Ok(())
    }

    /// Gives a setting a value if it has none.
    pub fn set_default(&mut self, name: &'static str, value: &str) {
        self.values.entry(name).or_insert_with(|| value.to_owned());
    }

    /// Gives the setting of this name a value.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let setting = Setting::named(name).ok_or_else(|| Failure::new(format_args!("unknown setting `{name}`")))?;
        self.values.insert(setting.name, value.to_owned());
        Ok(())
    }

    /// The value of the setting `name` as text; `None` if nothing sets it.
    pub fn get(&self, name: &str) -> Option<&str> {
        debug_assert!(Setting::named(name).is_some(), "{name} is not in the registry");
        self.values.get(name).map(String::as_str)
    }

    /// Every setting as an environment variable, for a thindist that we start.
    pub fn as_environment(&self) -> impl Iterator<Item = (String, &str)> {
        self.values.iter().map(|(name, value)| (variable(name), value.as_str()))
    }

    /// The value of a setting, if something sets it, and if it is what its kind may be.
    pub(crate) fn checked(&self, name: &str) -> Result<Option<&str>> {
        let (Some(text), Some(setting)) = (self.get(name), Setting::named(name)) else { return Ok(None) };
        setting.check(text).map(|()| Some(text))
    }

    /// Finds out whether every value makes sense, before anything is done with any of them.
    pub(crate) fn check(&self) -> Result<()> {
        REGISTRY.iter().try_for_each(|setting| self.checked(setting.name).map(drop))
    }

    /// A switch. [`Settings::check`] has seen that it is one.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        let default = matches!(Setting::named(name), Some(Setting { kind: Kind::Switch { default_on: true }, .. }));
        self.get(name).and_then(kind::switch).unwrap_or(default)
    }

    /// A whole number above 0.
    pub(crate) fn count(&self, name: &str) -> Result<Option<usize>> {
        Ok(self.checked(name)?.and_then(kind::count))
    }

    /// A whole number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u32>> {
        Ok(self.checked(name)?.and_then(kind::number))
    }

    /// Seconds.
    pub(crate) fn duration(&self, name: &str) -> Result<Option<Duration>> {
        Ok(self.checked(name)?.and_then(kind::seconds).map(Duration::from_secs))
    }

    /// The absolute path of the cache, which is below the user's cache directory unless a setting names it.
    pub fn cache_dir(&self) -> Result<PathBuf> {
        if let Some(directory) = self.get("cache_dir") {
            return std::path::absolute(directory).map_err(|error| io("find", directory, &error));
        }
        let home = self.environment.user_directory("XDG_CACHE_HOME", ".cache");
        home.map(|home| home.join("thindist"))
            .ok_or_else(|| Failure::new("no place for the cache: HOME is not set").hint("set THINDIST_CACHE_DIR"))
    }

    /// The bound of the stores in bytes.
    pub fn cache_size(&self) -> Result<u64> {
        Ok(self.checked("cache_size")?.and_then(kind::size).unwrap_or(20 << 30))
    }

    /// The share of what an engine gives that is made here as well: from 0, which is none, to 1.
    pub(crate) fn verify_sample(&self) -> Result<f64> {
        Ok(self.checked("remote_verify_sample")?.and_then(kind::share).unwrap_or_default())
    }

    /// Each backend heeds the flags of its own file.
    pub fn has_flags_per_module(&self) -> Result<bool> {
        Ok(self.checked("backend_flags")? == Some("per-module"))
    }

    /// What is asked for that in-process ThinLTO does not have, in words.
    pub(crate) fn beyond_in_process(&self) -> Result<String> {
        let names = (self.promoted_names()? == PromotedNames::Stable).then_some("stable names");
        let flags = self.has_flags_per_module()?.then_some("each file's own flags");
        Ok(names.into_iter().chain(flags).collect::<Vec<_>>().join(" and "))
    }

    pub(crate) fn promoted_names(&self) -> Result<PromotedNames> {
        let is_stable = self.checked("promoted_names")? == Some("stable");
        Ok(if is_stable { PromotedNames::Stable } else { PromotedNames::Hash })
    }

    /// For `what`, which is in-process' in every part that is not ours.
    pub fn reject_beyond_in_process(&self, what: &str) -> Result<()> {
        match self.beyond_in_process()? {
            nothing if nothing.is_empty() => Ok(()),
            something => Err(Failure::new(format_args!("{something}: not possible in {what}"))
                .hint("link with ld.thindist, or leave THINDIST_PROMOTED_NAMES and THINDIST_BACKEND_FLAGS out")),
        }
    }

    /// A link that cannot be carried is an error.
    pub fn never_falls_back(&self) -> Result<bool> {
        Ok(self.checked("fallback")? == Some("never"))
    }
}

impl Setting {
    fn named(name: &str) -> Option<&'static Self> {
        REGISTRY.iter().find(|setting| setting.name == name)
    }

    fn check(&self, text: &str) -> Result<()> {
        let Some(expected) = self.kind.expected(text) else { return Ok(()) };
        // What Bazel has under this name is known by it.
        let is_bazels = self.name.starts_with("remote_") && !matches!(self.kind, Kind::Switch { .. } | Kind::Count);
        let name = if is_bazels { self.name.to_owned() } else { self.variable() };
        Err(Failure::new(format_args!("{name}={}: expected {expected}", self.shown(text))))
    }

    /// A value of it as it may be repeated in a message.
    fn shown<'a>(&self, text: &'a str) -> &'a str {
        if self.is_secret { "…" } else { text }
    }

    /// Its flag on a linker's line.
    pub fn flag(&self) -> String {
        format!("{FLAG}{}", self.name.replace('_', "-"))
    }

    /// Its environment variable.
    pub fn variable(&self) -> String {
        variable(self.name)
    }

    /// Its help, and what its kind says of its value.
    pub fn description(&self) -> String {
        [self.help, self.kind.note()].concat()
    }
}

/// A value of the file as a variable would have it.
fn text_of(value: &toml::Value, is_list: bool) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(u8::from(*flag).to_string()),
        toml::Value::Array(values) if is_list => {
            let texts: Option<Vec<&str>> = values.iter().map(toml::Value::as_str).collect();
            Some(texts?.join("\n"))
        }
        _ => None,
    }
}

/// `thindist.toml` in the working directory or above it, else the user's.
fn configuration_file(environment: &Environment) -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    let above = here.ancestors().map(|directory| directory.join("thindist.toml")).find(|path| path.is_file());
    above.or_else(|| {
        let home = environment.user_directory("XDG_CONFIG_HOME", ".config")?;
        Some(home.join("thindist/thindist.toml")).filter(|path| path.is_file())
    })
}

/// The text of `thindist help settings`.
pub fn help() -> String {
    let mut text = String::from("Settings: flag (on a linker's line), environment variable, key in thindist.toml\n\n");
    for setting in REGISTRY {
        let (flag, variable) = (setting.flag(), setting.variable());
        text.push_str(&format!("{flag:24} {variable:22} {}\n    {}\n", setting.name, setting.description()));
    }
    text.push_str(&format!("{:24} {}\n    {}\n", "", LOG_VARIABLE, LOG_HELP));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named() {
        let with = |name: &str, value: &str| {
            let mut settings = Settings::default();
            settings.set(name, value).unwrap();
            settings
        };
        assert!(with("memo", "Off").check().is_ok() && !with("memo", "Off").is_on("memo"));
        assert!(Settings::default().is_on("memo") && !Settings::default().is_on("keep"));
        let refused = |name: &str, value: &str| with(name, value).check().unwrap_err().to_string();
        assert!(refused("keep", "maybe").starts_with("THINDIST_KEEP=maybe: expected `1`, `true`"));
        let ways = "`auto`, `in-process`, `distributor` or `index-only`";
        assert_eq!(refused("way", "fast"), format!("THINDIST_WAY=fast: expected {ways}"));
        assert_eq!(refused("jobs", "0"), "THINDIST_JOBS=0: expected a whole number above 0");
        assert_eq!(refused("fallback", "x"), "THINDIST_FALLBACK=x: expected `warn` or `never`");
        assert!(refused("remote_racing", "x").starts_with("THINDIST_REMOTE_RACING=x: expected `1`"));
        assert_eq!(refused("remote_toolchain", "x"), "remote_toolchain=x: expected `shipped` or `installed`");
        assert_eq!(refused("remote_retries", "-1"), "remote_retries=-1: expected a whole number");
        assert_eq!(refused("remote_verify_sample", "2"), "remote_verify_sample=2: expected a number from 0 to 1");
    }

    #[test]
    fn a_flag_comes_before_the_environment_and_that_before_the_file() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("thindist")).unwrap();
        std::fs::write(directory.path().join("thindist/thindist.toml"), "lld = \"f\"\nclang = \"f\"\njobs = 1")
            .unwrap();
        let home = directory.path().as_os_str().to_owned();
        let variables = [("THINDIST_LLD", "e"), ("THINDIST_CLANG", "e"), ("THINDIST_JOBS", "")];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let environment = Environment::of(variables.into_iter().chain([("XDG_CONFIG_HOME".into(), home)]));
        let mut settings = Settings::load(&environment).unwrap();
        settings.strip_flags(vec!["--thindist-lld=flag"]).unwrap();
        assert_eq!(["lld", "clang", "jobs"].map(|name| settings.get(name)), [Some("flag"), Some("e"), Some("1")]);
        assert!(settings.cache_dir().unwrap_err().to_string().contains("HOME is not set"));
    }

    #[test]
    fn what_the_file_says_is_checked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("thindist.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let mut settings = Settings::default();
            settings.read_file(&path).map(|()| settings)
        };
        let settings = read("keep = true\njobs = 3\nremote_header = [\"a=1\", \"b=2\"]\n").unwrap();
        assert_eq!([settings.get("keep"), settings.get("jobs")], [Some("1"), Some("3")]);
        assert_eq!(settings.get("remote_header"), Some("a=1\nb=2"));
        let refused = |text: &str, what: &str| {
            let said = format!("{:?}", read(text).unwrap_err());
            assert!(said.contains(what), "{said}");
        };
        refused("jobs = [3]", "jobs = [3]: expected text, a number");
        refused("remote_header = [3]", "remote_header = …: expected text, or a list of texts");
        refused("cachedir = 3", "did you mean `cache_dir`?");
    }

    #[test]
    fn what_may_be_a_secret_is_not_repeated() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("thindist.toml");
        for text in ["remote_header = { authorization = \"hunter2\" }", "remote_header = \"a=hunter2", "x = 1 hunter2"]
        {
            std::fs::write(&path, text).unwrap();
            let failure = Settings::default().read_file(&path).unwrap_err();
            assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
        }
        let failure = Settings::default().strip_flags(vec!["--thindist-remote-headr=a=hunter2"]).unwrap_err();
        assert!(failure.to_string().contains("--thindist-remote-headr") && !format!("{failure:?}").contains("hunter2"));
    }

    #[test]
    fn flags_are_stripped_and_unknown_ones_are_named() {
        let mut settings = Settings::default();
        let words = ["-r", "--thindist-cache-dir=/c", "a.o"].map(str::to_owned).to_vec();
        assert_eq!(settings.strip_flags(words).unwrap(), ["-r", "a.o"]);
        assert_eq!(settings.get("cache_dir"), Some("/c"));
        assert!(settings.strip_flags(vec!["--thindist-frob".to_owned()]).is_err());
        let headers = ["--thindist-remote-header=a=1", "--thindist-remote-header=b=2"].map(str::to_owned).to_vec();
        settings.strip_flags(headers).unwrap();
        assert_eq!(settings.get("remote_header"), Some("a=1\nb=2"));
        assert_eq!(format!("{settings:?}"), r#"{"cache_dir": "/c", "remote_header": "…"}"#);
    }
}
