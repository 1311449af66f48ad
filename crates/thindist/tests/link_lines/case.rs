//! The file of a case: what it shows, how it is linked, what is expected, and then its sources.
//!
//! ```text
//! what: the first cell of its row in docs/link-lines.md
//! reader: driver | linker | linker, run by EMULATOR
//! llvm-ar: arguments, any number of such lines
//! line: the line, without -o
//! expect: N backends | in-process, WORDS OF THE WARNING
//!
//! == NAME: FLAGS OF THE COMPILER
//! its text
//! ```

/// One link.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// Its path below `cases/`, without what follows the point.
    pub(crate) name: String,
    /// The first cell of its row in the document.
    pub(crate) what: String,
    /// Who reads the line.
    pub(crate) reader: Reader,
    /// Lines for `llvm-ar`, run after the compiler.
    pub(crate) archives: Vec<String>,
    pub(crate) line: String,
    pub(crate) expect: Expect,
    pub(crate) files: Vec<File>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reader {
    /// clang's driver; the program is run.
    Driver,
    /// The linker itself.
    Linker,
    /// The linker itself; this emulator runs the program.
    Emulated(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expect {
    /// This many backends.
    Backends(usize),
    /// lld in-process; the warning says this.
    InProcess(String),
}

/// A file that is no source is only written.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) flags: String,
    pub(crate) text: String,
}

/// What is read so far.
#[derive(Default)]
struct Head {
    what: Option<String>,
    reader: Option<Reader>,
    archives: Vec<String>,
    line: Option<String>,
    expect: Option<Expect>,
}

impl Case {
    /// The error begins with the number of the line.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, String> {
        let (mut head, mut files) = (Head::default(), Vec::<File>::new());
        for (number, line) in (1..).zip(text.split_inclusive('\n')) {
            let plain = line.trim_end_matches('\n');
            let wrong = |why: &str| format!("{number}: {why}: {plain}");
            if let Some(file) = plain.strip_prefix("== ") {
                let (name, flags) = file.split_once(": ").unwrap_or((file, ""));
                files.push(File { name: name.to_owned(), flags: flags.to_owned(), text: String::new() });
            } else if let Some(file) = files.last_mut() {
                file.text.push_str(line);
            } else if !plain.is_empty() {
                head.read(plain).map_err(|why| wrong(&why))?;
            }
        }
        // A blank line ends a file's text.
        files.iter_mut().for_each(|file| file.text.truncate(file.text.trim_end_matches('\n').len() + 1));
        let missing = |what: &str| format!("1: it has no `{what}:`");
        Ok(Self {
            name: name.to_owned(),
            what: head.what.ok_or_else(|| missing("what"))?,
            reader: head.reader.ok_or_else(|| missing("reader"))?,
            archives: head.archives,
            line: head.line.ok_or_else(|| missing("line"))?,
            expect: head.expect.ok_or_else(|| missing("expect"))?,
            files,
        })
    }
}

impl Head {
    fn read(&mut self, line: &str) -> Result<(), String> {
        let (key, value) = line.split_once(": ").ok_or("neither `KEY: VALUE` nor a file")?;
        match key {
            "what" => self.what = Some(value.to_owned()),
            "reader" => self.reader = Some(reader(value)?),
            "llvm-ar" => self.archives.push(value.to_owned()),
            "line" => self.line = Some(value.to_owned()),
            "expect" => self.expect = Some(expect(value)?),
            _ => return Err("an unknown key".to_owned()),
        }
        Ok(())
    }
}

fn reader(value: &str) -> Result<Reader, String> {
    match (value, value.strip_prefix("linker, run by ")) {
        ("driver", _) => Ok(Reader::Driver),
        ("linker", _) => Ok(Reader::Linker),
        (_, Some(emulator)) => Ok(Reader::Emulated(emulator.to_owned())),
        _ => Err("an unknown reader".to_owned()),
    }
}

fn expect(value: &str) -> Result<Expect, String> {
    if let Some(why) = value.strip_prefix("in-process, ") {
        return Ok(Expect::InProcess(why.to_owned()));
    }
    let count = value.strip_suffix(" backends").and_then(|count| count.parse().ok());
    count.map(Expect::Backends).ok_or_else(|| "neither `N backends` nor `in-process, WHY`".to_owned())
}
