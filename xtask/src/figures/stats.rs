//! The reader of `THINDIST_STATS`: one JSON object for each link.

use std::path::Path;

use serde::Deserialize;

use crate::Result;
use crate::host::files;

/// The version that this reader knows.
const SCHEMA: u32 = 1;

/// One link.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Link {
    schema: u32,
    pub(crate) output: String,
    /// How lld was driven; nothing where the link was remembered.
    #[serde(default)]
    pub(crate) way: Option<String>,
    /// Why that way.
    #[serde(default)]
    pub(crate) why: String,
    pub(crate) modules: u64,
    pub(crate) backends: Backends,
    pub(crate) phases_s: Phases,
    pub(crate) peak_rss_kib: u64,
}

/// Where the native objects of a link came from.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Backends {
    pub(crate) executed: u64,
    pub(crate) memo: u64,
    pub(crate) local_cache: u64,
    pub(crate) remote_cache: u64,
    pub(crate) remote_executed: u64,
    pub(crate) fallback: u64,
}

/// Seconds; a phase that did not take place is absent, null or 0.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Phases {
    pub(crate) thin_link: Option<f64>,
    pub(crate) final_link: Option<f64>,
    pub(crate) total: Option<f64>,
}

impl Backends {
    /// Backends that ran, wherever it was.
    pub(crate) fn run(&self) -> u64 {
        self.executed + self.remote_executed
    }

    pub(crate) fn reused(&self) -> u64 {
        self.memo + self.local_cache + self.remote_cache
    }
}

impl Phases {
    pub(crate) fn had_thin_link(&self) -> bool {
        self.thin_link.is_some_and(|seconds| seconds > 0.0)
    }
}

/// Reads every link in `path`. No file means no link: a `make` that had nothing to do runs none.
pub(crate) fn read(path: &Path) -> Result<Vec<Link>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    parse(&files::read(path)?).map_err(|error| format!("{}: {error}", path.display()))
}

/// The same while others write: without a last line that is not whole yet.
pub(crate) fn read_what_is_whole(path: &Path) -> Result<Vec<Link>> {
    let text = if path.exists() { files::read(path)? } else { String::new() };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    parse(whole).map_err(|error| format!("{}: {error}", path.display()))
}

fn parse(text: &str) -> Result<Vec<Link>> {
    let mut links = Vec::new();
    for link in serde_json::Deserializer::from_str(text).into_iter::<Link>() {
        let link = link.map_err(|error| error.to_string())?;
        if link.schema != SCHEMA {
            return Err(format!("schema {} where {SCHEMA} was expected", link.schema));
        }
        links.push(link);
    }
    Ok(links)
}

/// The link of `vmlinux.o`, which holds all of the kernel's modules but two.
pub(crate) fn of_vmlinux_o(links: &[Link]) -> Result<&Link> {
    let found = links.iter().rfind(|link| Path::new(&link.output).file_name().is_some_and(|name| name == "vmlinux.o"));
    found.ok_or_else(|| "thindist recorded no link of vmlinux.o".to_string())
}

/// The backends that make ran as targets of their own: one line of the statistics each, named by its native object.
pub(crate) fn targets(links: &[Link], suffix: &str) -> usize {
    links.iter().filter(|link| link.output.ends_with(suffix)).count()
}

/// Backends run in all of `links`.
pub(crate) fn run_in(links: &[Link]) -> u64 {
    links.iter().map(|link| link.backends.run()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = r#"{"schema":1,"output":"./vmlinux.o","modules":3,"backends":{"executed":1,"memo":0,
        "local_cache":2,"remote_cache":0,"remote_executed":0,"fallback":0},
        "phases_s":{"thin_link":0.5,"plan":0.1,"backends":1.5,"final_link":0.4,"total":2.5},"peak_rss_kib":1024}"#;

    #[test]
    fn several_links_in_one_file() {
        let links = parse(&format!("{LINK}\n{LINK}\n")).unwrap();
        assert_eq!(run_in(&links), 2);
        let last = of_vmlinux_o(&links).unwrap();
        assert_eq!((last.modules, last.backends.reused(), last.peak_rss_kib), (3, 2, 1024));
        assert!(last.phases_s.had_thin_link());
    }

    #[test]
    fn no_thin_link_in_each_spelling() {
        for absent in ["", r#""thin_link":null,"#, r#""thin_link":0.0,"#] {
            let links = parse(&LINK.replace(r#""thin_link":0.5,"#, absent)).unwrap();
            assert!(!links[0].phases_s.had_thin_link(), "{absent}");
        }
    }

    #[test]
    fn another_schema_is_refused() {
        assert!(parse(&LINK.replace(r#""schema":1"#, r#""schema":2"#)).unwrap_err().contains("schema 2"));
    }
}
