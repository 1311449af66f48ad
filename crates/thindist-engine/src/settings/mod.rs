//! thindist's own settings: one registry defines the flags, the environment variables, the keys of thindist.toml, the text
//! of `thindist help settings` and docs/reference.md. Precedence: flag, environment, file.

mod nearest;
mod registry;
mod unknown;

use crate::environment::Environment;
use crate::failure::{Failure, Result, io};
pub use nearest::nearest;
use registry::{LISTS, SECRET, SWITCHES};
pub use registry::{LOG_HELP, LOG_VARIABLE, REGISTRY, Setting, variable};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use thindist_core::index::promoted_names::PromotedNames;
use unknown::{meant, unknown_variables};

const FLAG: &str = "--thindist-";

/// Whether a word of a linker's line is for us.
pub(crate) fn is_flag(word: &str) -> bool {
    word.starts_with(FLAG)
}

/// The settings of one run.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    values: BTreeMap<&'static str, String>,
    environment: Environment,
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

    /// Warns once of variables that look like settings and are none. Called where they would have counted: lld's own lines have the
    /// streams of lld.
    pub fn warn_of_unknown_variables(&self) {
        if self.environment.is_first_examined() {
            unknown_variables(self.environment.variables()).iter().for_each(Failure::warn);
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
            let known = REGISTRY.iter().find(|setting| setting.name == key);
            let setting = known.ok_or_else(|| bad(format!("unknown setting `{key}`")).hint(meant(&key)))?;
            let is_list = LISTS.contains(&setting.name);
            let text = text_of(&value, is_list).ok_or_else(|| {
                let expected = if is_list { "text, or a list of texts" } else { "text, a number, true or false" };
                let value = if SECRET.contains(&setting.name) { "…".to_owned() } else { value.to_string() };
                bad(format!("{key} = {value}: expected {expected}"))
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
        let setting = REGISTRY
            .iter()
            .find(|setting| setting.name == name)
            .ok_or_else(|| Failure::new(format_args!("unknown argument {FLAG}{flag_name}")).hint(meant(&name)))?;
        match self.values.get_mut(setting.name).filter(|_| LISTS.contains(&setting.name)) {
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
        let known = REGISTRY.iter().find(|setting| setting.name == name);
        let setting = known.ok_or_else(|| Failure::new(format_args!("unknown setting `{name}`")))?;
        self.values.insert(setting.name, value.to_owned());
        Ok(())
    }

    /// The value of the setting `name` as text; `None` if nothing sets it.
    pub fn get(&self, name: &str) -> Option<&str> {
        debug_assert!(REGISTRY.iter().any(|setting| setting.name == name), "{name} is not in the registry");
        self.values.get(name).map(String::as_str)
    }

    /// Every setting as an environment variable, for a thindist that we start.
    pub fn as_environment(&self) -> impl Iterator<Item = (String, &str)> {
        self.values.iter().map(|(name, value)| (variable(name), value.as_str()))
    }

    /// A setting that is on or off. [`Settings::check`] has seen that it is one of them.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        let default = SWITCHES.iter().find(|(switch, _)| *switch == name).is_some_and(|(_, default)| *default);
        self.get(name).and_then(parse_switch).unwrap_or(default)
    }

    fn check_switches(&self) -> Result<()> {
        let wrong = SWITCHES.iter().find_map(|(name, _)| {
            let value = self.get(name)?;
            parse_switch(value).is_none().then_some((name, value))
        });
        wrong.map_or(Ok(()), |(name, value)| {
            Err(Failure::new(format_args!(
                "{}={value}: expected `1`, `true`, `yes`, `on` or `0`, `false`, `no`, `off`",
                variable(name)
            )))
        })
    }

    /// A whole number above zero.
    pub(crate) fn count(&self, name: &str) -> Result<Option<usize>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text.parse() {
            Ok(count) if count > 0 => Ok(Some(count)),
            _ => Err(Failure::new(format_args!("{}={text}: expected a whole number above 0", variable(name)))),
        }
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
        let Some(text) = self.get("cache_size") else { return Ok(20 << 30) };
        parse_size(text).ok_or_else(|| {
            Failure::new(format_args!(
                "THINDIST_CACHE_SIZE={text}: expected a size such as 20G, 500M or a number of bytes"
            ))
        })
    }

    /// Finds out whether every value makes sense, before anything is done with any of them.
    pub(crate) fn check(&self) -> Result<()> {
        self.check_switches()?;
        self.cache_size()?;
        self.never_falls_back()?;
        self.promoted_names()?;
        self.has_flags_per_module()?;
        self.verify_sample()?;
        ["jobs", "slots", "remote_jobs"].into_iter().try_for_each(|name| self.count(name).map(drop))
    }

    /// The share of what an engine gives that is made here as well: from 0, which is none, to 1.
    pub(crate) fn verify_sample(&self) -> Result<f64> {
        let Some(text) = self.get("remote_verify_sample") else { return Ok(0.0) };
        match text.parse() {
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
            _ => Err(Failure::new(format_args!("remote_verify_sample={text}: expected a number from 0 to 1"))),
        }
    }

    /// Each backend heeds the flags of its own file.
    pub fn has_flags_per_module(&self) -> Result<bool> {
        match self.get("backend_flags") {
            None | Some("parity") => Ok(false),
            Some("per-module") => Ok(true),
            Some(other) => {
                Err(Failure::new(format_args!("THINDIST_BACKEND_FLAGS={other}: expected `parity` or `per-module`")))
            }
        }
    }

    /// What is asked for that in-process ThinLTO does not have, in words.
    pub(crate) fn beyond_in_process(&self) -> Result<String> {
        let names = (self.promoted_names()? == PromotedNames::Stable).then_some("stable names");
        let flags = self.has_flags_per_module()?.then_some("each file's own flags");
        Ok(names.into_iter().chain(flags).collect::<Vec<_>>().join(" and "))
    }

    pub(crate) fn promoted_names(&self) -> Result<PromotedNames> {
        match self.get("promoted_names") {
            None | Some("hash") => Ok(PromotedNames::Hash),
            Some("stable") => Ok(PromotedNames::Stable),
            Some(other) => {
                Err(Failure::new(format_args!("THINDIST_PROMOTED_NAMES={other}: expected `hash` or `stable`")))
            }
        }
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
        match self.get("fallback") {
            None | Some("warn") => Ok(false),
            Some("never") => Ok(true),
            Some(other) => Err(Failure::new(format_args!("THINDIST_FALLBACK={other}: expected `warn` or `never`"))),
        }
    }
}

impl Setting {
    /// Its flag on a linker's line.
    pub fn flag(&self) -> String {
        format!("{FLAG}{}", self.name.replace('_', "-"))
    }

    /// Its environment variable.
    pub fn variable(&self) -> String {
        variable(self.name)
    }

    /// Its help, and what the tables of switches and lists say of its value.
    pub fn description(&self) -> String {
        let switch = SWITCHES.iter().find(|(name, _)| *name == self.name);
        let switch = switch.map(|(_, on)| if *on { " (switch, default: on)" } else { " (switch, default: off)" });
        let list = LISTS.contains(&self.name).then_some(" (may be repeated)");
        [self.help, switch.unwrap_or_default(), list.unwrap_or_default()].concat()
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

fn parse_switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let (digits, shift) = match text.as_bytes().last()? {
        b'K' | b'k' => (text.get(..text.len() - 1)?, 10),
        b'M' | b'm' => (text.get(..text.len() - 1)?, 20),
        b'G' | b'g' => (text.get(..text.len() - 1)?, 30),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
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
    fn sizes() {
        assert_eq!(parse_size("20G"), Some(20 << 30));
        assert_eq!(parse_size("1024"), Some(1024));
        assert_eq!(parse_size("x"), None);
        assert_eq!(parse_size(""), None);
    }

    #[test]
    fn switches() {
        let with = |name: &str, value: &str| {
            let mut settings = Settings::default();
            settings.set(name, value).unwrap();
            settings
        };
        for (value, on) in [("0", false), ("False", false), ("no", false), ("off", false), ("TRUE", true), ("1", true)]
        {
            assert_eq!(with("memo", value).is_on("memo"), on, "{value}");
            assert!(with("memo", value).check_switches().is_ok());
        }
        assert!(Settings::default().is_on("memo") && !Settings::default().is_on("keep"));
        assert!(with("keep", "maybe").check_switches().unwrap_err().to_string().contains("THINDIST_KEEP=maybe"));
        for (name, _) in SWITCHES {
            assert!(REGISTRY.iter().any(|setting| setting.name == *name), "{name}");
        }
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
    }
}
