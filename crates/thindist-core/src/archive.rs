//! Archives as a linker sees them: regular and thin ones, with GNU's or BSD's long names.
//!
//! It reads names, offsets and sizes; whether a member is bitcode is for the caller to ask of its first bytes.

/// The first eight bytes of a regular archive.
pub const MAGIC: &[u8; 8] = b"!<arch>\n";
/// The first eight bytes of a thin archive, whose members are files of their own.
pub const THIN_MAGIC: &[u8; 8] = b"!<thin>\n";

const HEADER_SIZE: usize = 60;
const TERMINATOR: &[u8] = b"`\n";

/// An archive's members in order, without the symbol tables and the table of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive<'a> {
    /// The members' content is in other files.
    pub thin: bool,
    /// The members.
    pub members: Vec<Member<'a>>,
}

/// One member of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// Its name; in a thin archive its path, relative to the directory that the archive is in, or absolute.
    pub name: &'a str,
    /// Where its header begins, from the archive's first byte: the number that lld puts into its identifier.
    pub header_offset: u64,
    /// Its content, which a thin archive does not have.
    pub data: Option<&'a [u8]>,
    /// How long its content is, or was when the thin archive was made.
    pub size: u64,
}

/// What is wrong with an archive, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// No archive at all.
    #[error("not an archive: it does not begin with `!<arch>` or `!<thin>`")]
    NotAnArchive,
    /// A header or a member's content is cut off.
    #[error("archive truncated: {what} at offset {offset} goes beyond the end at {end}")]
    Truncated {
        /// What is cut off.
        what: &'static str,
        /// Where it begins.
        offset: usize,
        /// How long the archive is.
        end: usize,
    },
    /// A header makes no sense.
    #[error("archive malformed: {what} in the member header at offset {offset}")]
    Malformed {
        /// What makes no sense.
        what: &'static str,
        /// Where the header begins.
        offset: usize,
    },
    /// A kind of archive that lld can read and we cannot.
    #[error("archive not supported: {what} in the member header at offset {offset}")]
    Unsupported {
        /// What it has.
        what: &'static str,
        /// Where the header begins.
        offset: usize,
    },
}

/// Whether these are the first bytes of an archive, thin or not.
#[must_use]
pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC) || bytes.starts_with(THIN_MAGIC)
}

/// Reads an archive.
///
/// # Errors
/// It is truncated, malformed or of a kind that only lld knows; the text says where.
pub fn parse(bytes: &[u8]) -> Result<Archive<'_>, ArchiveError> {
    if !is_archive(bytes) {
        return Err(ArchiveError::NotAnArchive);
    }
    let mut parser = Parser { bytes, thin: bytes.starts_with(THIN_MAGIC), at: MAGIC.len(), names: None };
    let mut members = Vec::new();
    while parser.at < bytes.len() {
        members.extend(parser.member()?);
    }
    Ok(Archive { thin: parser.thin, members })
}

/// lld's module identifier for a member: `lib/x.a(member.o at 78)`, the same for thin and regular archives.
///
/// `archive_path` is the archive as lld opened it: as given on the line, or as found through `-L`. Of a member's path
/// only the last component is in it; the offset tells equal ones apart. (`--thinlto-object-suffix-replace` applies to
/// the member's name before, and under DTLTO the members of thin archives have their real path instead.)
#[must_use]
pub fn identifier(archive_path: &str, member: &Member<'_>) -> String {
    format!("{archive_path}({} at {})", file_name(member.name), member.header_offset)
}

/// The last component; of a path that ends in a slash LLVM says it is the directory itself.
fn file_name(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some((_, "")) => ".",
        Some((_, name)) => name,
        None => path,
    }
}

struct Parser<'a> {
    bytes: &'a [u8],
    thin: bool,
    at: usize,
    /// The content of the member `//`.
    names: Option<&'a [u8]>,
}

struct Header<'a> {
    offset: usize,
    name: &'a [u8],
    size: usize,
}

impl<'a> Parser<'a> {
    /// The next member, or `None` where it is a table for the linker's own use.
    fn member(&mut self) -> Result<Option<Member<'a>>, ArchiveError> {
        let header = self.header()?;
        match header.name {
            b"/" | b"/SYM64/" => self.content(&header).map(|_| None),
            b"//" => {
                self.names = Some(self.content(&header)?);
                Ok(None)
            }
            _ => self.object(&header),
        }
    }

    fn object(&mut self, header: &Header<'a>) -> Result<Option<Member<'a>>, ArchiveError> {
        let content = if self.thin { None } else { Some(self.content(header)?) };
        let (name, data) = match header.name.strip_prefix(b"#1/") {
            Some(length) => {
                let (name, data) = bsd_name(length, content, header.offset)?;
                (name, Some(data))
            }
            None => (self.name(header)?, content),
        };
        let name = text(name, header.offset)?;
        // BSD's symbol table; under this name it is one only in the first place.
        if header.offset == MAGIC.len() && name.starts_with("__.SYMDEF") {
            return Ok(None);
        }
        let size = data.map_or(header.size, <[u8]>::len) as u64;
        Ok(Some(Member { name, header_offset: header.offset as u64, data, size }))
    }

    fn header(&mut self) -> Result<Header<'a>, ArchiveError> {
        let offset = self.at;
        let truncated = || ArchiveError::Truncated { what: "the member header", offset, end: self.bytes.len() };
        let malformed = |what| ArchiveError::Malformed { what, offset };
        let field = |from, to| self.bytes.get(offset + from..offset + to);
        let (name, size) = field(0, 16).zip(field(48, 58)).ok_or_else(truncated)?;
        if field(58, HEADER_SIZE).ok_or_else(truncated)? != TERMINATOR {
            return Err(malformed("no terminator"));
        }
        let size = decimal(size.trim_ascii_end()).ok_or_else(|| malformed("a size that is not a decimal number"))?;
        self.at += HEADER_SIZE;
        Ok(Header { offset, name: name.trim_ascii_end(), size })
    }

    /// The content, passed over with the byte that keeps headers at even offsets.
    fn content(&mut self, header: &Header<'_>) -> Result<&'a [u8], ArchiveError> {
        let from = self.at;
        let content = from.checked_add(header.size).and_then(|to| self.bytes.get(from..to));
        let what = "the content of the member";
        let content = content.ok_or(ArchiveError::Truncated { what, offset: header.offset, end: self.bytes.len() })?;
        self.at = from + content.len() + content.len() % 2;
        Ok(content)
    }

    fn name(&self, header: &Header<'a>) -> Result<&'a [u8], ArchiveError> {
        match header.name {
            [b'/', digits @ ..] => self.long_name(digits, header.offset),
            name => Ok(name.strip_suffix(b"/").unwrap_or(name)),
        }
    }

    /// `/123` is the name that begins at byte 123 of the table and ends before `/` and a line feed.
    fn long_name(&self, digits: &[u8], offset: usize) -> Result<&'a [u8], ArchiveError> {
        if digits.contains(&b':') {
            return Err(ArchiveError::Unsupported { what: "a thin archive nested in a thin archive", offset });
        }
        let malformed = |what| ArchiveError::Malformed { what, offset };
        let place = decimal(digits).ok_or_else(|| malformed("a long name that is not a decimal number"))?;
        let names = self.names.ok_or_else(|| malformed("a long name without a table of names before it"))?;
        let rest = names.get(place..).ok_or_else(|| malformed("a long name beyond the end of the table of names"))?;
        let end = rest.windows(2).position(|pair| pair == b"/\n");
        end.and_then(|end| rest.get(..end)).ok_or_else(|| malformed("a long name without an end"))
    }
}

/// `#1/12`: the name is the first twelve bytes of the content, filled up with zeros. Gives it and the rest.
fn bsd_name<'a>(length: &[u8], content: Option<&'a [u8]>, offset: usize) -> Result<(&'a [u8], &'a [u8]), ArchiveError> {
    let malformed = |what| ArchiveError::Malformed { what, offset };
    let content = content.ok_or(ArchiveError::Unsupported { what: "a BSD long name in a thin archive", offset })?;
    let length =
        decimal(length).ok_or_else(|| malformed("the length of a BSD long name that is not a decimal number"))?;
    let too_long = || malformed("a BSD long name that is longer than the member");
    let (name, rest) = content.split_at_checked(length).ok_or_else(too_long)?;
    let end = name.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    Ok((name.get(..end).unwrap_or_default(), rest))
}

fn text(name: &[u8], offset: usize) -> Result<&str, ArchiveError> {
    match str::from_utf8(name) {
        Ok("") => Err(ArchiveError::Malformed { what: "an empty name", offset }),
        Ok(name) => Ok(name),
        Err(_) => Err(ArchiveError::Unsupported { what: "a name that is not UTF-8", offset }),
    }
}

fn decimal(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}
