//! Splits assembly text into words, strings and ends of statements, independently of the target.
//!
//! It errs on the side of seeing code: see `asm_inputs` for what counts as a comment.

/// Stands for an inline asm's operand: text that only the backend knows.
pub(crate) const OPERAND: char = '\u{1}';

/// A piece of assembly text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A name, a directive, a number, a macro parameter.
    Word(&'a str),
    /// What is between two quotes, as written.
    String(&'a str),
    /// What is between a quote and the end of the line.
    OpenString(&'a str),
    /// The end of a statement: a semicolon or a line's end.
    Separator,
    /// Punctuation.
    Other,
}

#[derive(Debug, Clone)]
pub(crate) struct Lexer<'a> {
    rest: &'a str,
    /// Nothing but blanks so far on this line.
    line_start: bool,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { rest: text, line_start: true }
    }

    /// The next token; `None` at the end of the text.
    pub(crate) fn next(&mut self) -> Option<Token<'a>> {
        self.skip_blanks();
        let line_start = std::mem::replace(&mut self.line_start, false);
        let first = self.rest.chars().next()?;
        Some(match first {
            '\n' => {
                self.line_start = true;
                self.advance(1);
                Token::Separator
            }
            ';' => {
                self.advance(1);
                Token::Separator
            }
            '"' => self.string(),
            '#' if line_start || self.is_spaced_hash() => self.line_comment(),
            '/' if self.rest.starts_with("//") => self.line_comment(),
            '\'' => self.character(),
            _ if is_word(first) => {
                let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
                Token::Word(self.advance(end))
            }
            _ => {
                self.advance(first.len_utf8());
                Token::Other
            }
        })
    }

    /// Passes over a colon, if one comes next.
    pub(crate) fn skip_colon(&mut self) -> bool {
        self.skip_blanks();
        let colon = self.rest.starts_with(':');
        self.advance(usize::from(colon));
        colon
    }

    /// The text up to the end of the statement, which is passed over.
    pub(crate) fn rest_of_statement(&mut self) -> &'a str {
        let start = self.rest;
        loop {
            let length = start.len() - self.rest.len();
            match self.next() {
                None | Some(Token::Separator) => return start.get(..length).unwrap_or_default(),
                Some(_) => {}
            }
        }
    }

    fn advance(&mut self, length: usize) -> &'a str {
        let (passed, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        passed
    }

    /// Blanks, and comments that end within the text: an unfinished one is somebody else's punctuation.
    fn skip_blanks(&mut self) {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\x0b', '\x0c']);
            let comment = self.rest.strip_prefix("/*").and_then(|text| text.split_once("*/"));
            let Some((_, after)) = comment else { return };
            self.rest = after;
        }
    }

    /// `# text` is a comment; `#1` and `#:lo12:x` are operands on ARM.
    fn is_spaced_hash(&self) -> bool {
        self.rest.as_bytes().get(1).is_none_or(|next| next.is_ascii_whitespace() || *next == b'#')
    }

    fn line_comment(&mut self) -> Token<'a> {
        self.advance(self.rest.find('\n').unwrap_or(self.rest.len()));
        Token::Other
    }

    /// Up to the closing quote or the line's end: an odd quote in a comment that we do not know as one must not hide
    /// what the next line says.
    fn string(&mut self) -> Token<'a> {
        self.advance(1);
        let mut escaped = false;
        let end = self.rest.find(|c| {
            let ends = !escaped && (c == '"' || c == '\n');
            escaped = !escaped && c == '\\';
            ends
        });
        let text = self.advance(end.unwrap_or(self.rest.len()));
        if !self.rest.starts_with('"') {
            return Token::OpenString(text);
        }
        self.advance(1);
        Token::String(text)
    }

    /// `'"'` is a number, and its quote begins no string.
    fn character(&mut self) -> Token<'a> {
        let mut chars = self.rest.char_indices().skip(1);
        let mut length = 1;
        if let Some((_, first)) = chars.next() {
            let closing = if first == '\\' { chars.nth(1) } else { chars.next() };
            if let Some((at, '\'')) = closing {
                length = at + 1;
            }
        }
        self.advance(length);
        Token::Other
    }
}

/// A backslash and an operand's stand-in belong to the word that they are about to complete.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '$' | '@' | '?' | '\\' | OPERAND)
}
