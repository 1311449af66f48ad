//! The files that assembly text names: `.incbin` and `.include`, in module asm and in inline asm.
//!
//! The assembler runs inside the backend, so these files are inputs of the backend that no index knows of. A file that
//! is missed makes a stale object out of a cache hit (the kernel's /proc/config.gz was one); a file too many costs a
//! needless run. So wherever the text could name a file and it cannot be told which, that is said: it is
//! [`AsmInput::Unresolvable`]. Conditions are not evaluated and macros are not expanded.
//!
//! The target is not asked either. What is a comment everywhere is taken for one (`/* */`, `//`, `#` in front of a
//! line's statements or of a blank); what is one only on some targets (`@`, `!`, `#1`) is read as code.

use crate::asm_lexer::{Lexer, OPERAND, Token};

/// A file that assembly text names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum AsmInput {
    /// `.incbin "path"`: the file's bytes.
    Incbin(String),
    /// `.include "path"`: more assembly text, which may name files in turn.
    Include(String),
    /// A file whose name only the assembler will know, through a macro's parameter or an operand.
    Unresolvable {
        /// What would read it: `.incbin`, `.include` or the text that may turn out to be one of them.
        directive: String,
        /// The operand as written.
        text: String,
    },
}

/// The files that `asm` names, in order.
///
/// `inline` says that `asm` is the template of an inline asm, in which `$` has a meaning, and not module asm.
#[must_use]
pub fn scan(asm: &str, inline: bool) -> Vec<AsmInput> {
    if !may_name_files(asm) {
        return Vec::new();
    }
    let text = if inline { expand_dollars(asm) } else { asm.to_owned() };
    let mut scanner = Scanner { lexer: Lexer::new(&text), macro_depth: 0, altmacro: false, found: Vec::new() };
    scanner.run();
    scanner.found
}

/// Whether a dot is followed by `inc`, or by a beginning of `incbin` or `include` that a macro parameter may complete.
fn may_name_files(asm: &str) -> bool {
    asm.split('.').skip(1).any(|rest| {
        let rest = rest.as_bytes();
        let same = |word: &[u8]| rest.iter().zip(word).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
        let length = same(b"incbin").max(same(b"include"));
        length >= 3 || rest.get(length).is_some_and(|next| is_parameter(char::from(*next)) || *next == b'$')
    })
}

/// `\name` in a macro, or an operand.
fn is_parameter(c: char) -> bool {
    c == '\\' || c == OPERAND
}

/// An inline asm's template as the assembler will see it: `$$` is a dollar, `${0:c}` and `$0` are operands.
///
/// The variants of `$(a$|b$)` are all kept, as statements of their own outside of strings.
fn expand_dollars(template: &str) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (text, length) = dollar(after);
        out.push(text);
        rest = after.get(length..).unwrap_or_default();
    }
    out + rest
}

/// What `$` followed by `after` stands for, and how many bytes of `after` belong to it.
fn dollar(after: &str) -> (char, usize) {
    match after.as_bytes().first() {
        Some(b'$') => ('$', 1),
        Some(b'(' | b'|' | b')') => ('\n', 1),
        Some(b'{') => (OPERAND, after.find('}').map_or(after.len(), |end| end + 1)),
        _ => (OPERAND, after.bytes().take_while(u8::is_ascii_digit).count()),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Directive {
    Incbin,
    Include,
}

fn directive(word: &str) -> Option<Directive> {
    // LLVM folds a directive's case.
    match word {
        _ if word.eq_ignore_ascii_case(".incbin") => Some(Directive::Incbin),
        _ if word.eq_ignore_ascii_case(".include") => Some(Directive::Include),
        _ => None,
    }
}

/// Whether a macro's expansion may make `.incbin` or `.include` out of this word.
fn may_become_directive(word: &str) -> bool {
    let Some((known, _)) = word.split_once(is_parameter) else { return false };
    known.starts_with('.') && is_beginning(known)
}

/// Whether `.incbin` or `.include` begins with this.
fn is_beginning(known: &str) -> bool {
    let begins = |directive: &str| directive.get(..known.len()).is_some_and(|part| part.eq_ignore_ascii_case(known));
    begins(".incbin") || begins(".include")
}

/// Whether a word or a string that is handed to a macro may end up as the directive.
fn smuggles(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.contains(".incbin") || lower.contains(".include") || (lower.len() >= 4 && is_beginning(&lower))
}

/// Directives that hand text to a macro body, beside a macro's invocation itself.
fn hands_over_text(head: &str) -> bool {
    [".macro", ".irp", ".irpc", ".rept", ".rep"].iter().any(|word| head.eq_ignore_ascii_case(word))
}

struct Scanner<'a> {
    lexer: Lexer<'a>,
    /// How many `.macro`, `.rept` and the like are open.
    macro_depth: usize,
    /// In this mode a parameter's name needs no backslash.
    altmacro: bool,
    found: Vec<AsmInput>,
}

impl<'a> Scanner<'a> {
    fn run(&mut self) {
        while let Some(token) = self.lexer.next() {
            match token {
                Token::Separator => {}
                Token::Word(word) => self.statement(word),
                // A quoted label, or a string macro's name: what follows on the line is looked at all the same.
                Token::String(text) | Token::OpenString(text) => self.argument(text, "", true),
                Token::Other => {}
            }
        }
    }

    /// A statement that begins with `head`, after its labels.
    fn statement(&mut self, head: &'a str) {
        if self.lexer.skip_colon() {
            return;
        }
        if let Some(directive) = directive(head) {
            return self.names_file(directive, head);
        }
        if may_become_directive(head) {
            let text = self.lexer.rest_of_statement().trim().to_owned();
            return self.unresolvable(head, &text);
        }
        self.track_macros(head);
        let is_call = !head.starts_with('.') || hands_over_text(head);
        while let Some(token) = self.lexer.next() {
            match token {
                Token::Separator => return,
                Token::Word(text) | Token::String(text) | Token::OpenString(text) => {
                    self.argument(text, head, is_call);
                }
                Token::Other => {}
            }
        }
    }

    fn track_macros(&mut self, head: &str) {
        let is = |words: &[&str]| words.iter().any(|word| head.eq_ignore_ascii_case(word));
        if is(&[".macro", ".irp", ".irpc", ".rept", ".rep"]) {
            self.macro_depth += 1;
        } else if is(&[".endm", ".endmacro", ".endr"]) {
            self.macro_depth = self.macro_depth.saturating_sub(1);
        } else if is(&[".altmacro"]) {
            self.altmacro = true;
        }
    }

    fn argument(&mut self, text: &str, head: &str, is_call: bool) {
        if is_call && smuggles(text) {
            self.unresolvable(head, text);
        }
    }

    fn names_file(&mut self, directive: Directive, head: &str) {
        let mut lexer = self.lexer.clone();
        let first = lexer.next();
        let text = self.lexer.rest_of_statement().trim();
        let path = match first {
            Some(Token::String(raw)) if !self.is_parameterised(raw) => unescape(raw),
            _ => None,
        };
        match (path, directive) {
            (Some(path), Directive::Incbin) => self.found.push(AsmInput::Incbin(path)),
            (Some(path), Directive::Include) => self.found.push(AsmInput::Include(path)),
            (None, _) => self.unresolvable(head, text),
        }
    }

    fn is_parameterised(&self, raw: &str) -> bool {
        self.altmacro
            || raw.contains([OPERAND, char::REPLACEMENT_CHARACTER])
            || (self.macro_depth > 0 && raw.contains('\\'))
    }

    fn unresolvable(&mut self, directive: &str, text: &str) {
        let shown = |text: &str| text.replace(OPERAND, "$");
        self.found.push(AsmInput::Unresolvable { directive: shown(directive), text: shown(text) });
    }
}

/// The content of a string as the assembler's own reader takes it; `None` for what that refuses or is not UTF-8.
fn unescape(raw: &str) -> Option<String> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let (value, length) = escape(rest)?;
        out.push(value);
        rest = rest.get(length..)?;
    }
    String::from_utf8(out).ok()
}

/// What a backslash followed by `rest` stands for, and how many bytes of `rest` belong to it.
fn escape(rest: &[u8]) -> Option<(u8, usize)> {
    let digits = |radix, from: usize, limit| {
        let rest = rest.get(from..).unwrap_or_default();
        rest.iter().take(limit).map_while(|byte| char::from(*byte).to_digit(radix)).collect::<Vec<u32>>()
    };
    match rest.first()? {
        b'0'..=b'7' => {
            let octal = digits(8, 0, 3);
            let value = octal.iter().fold(0, |value, digit| value * 8 + digit);
            Some((u8::try_from(value).ok()?, octal.len()))
        }
        b'x' | b'X' => {
            // Any number of digits, of which the last two count.
            let hex = digits(16, 1, usize::MAX);
            let value = hex.iter().fold(0, |value, digit| (value * 16 + digit) & 0xff);
            Some((u8::try_from(value).ok()?, 1 + hex.len())).filter(|_| !hex.is_empty())
        }
        b'b' => Some((8, 1)),
        b'f' => Some((12, 1)),
        b'n' => Some((b'\n', 1)),
        b'r' => Some((b'\r', 1)),
        b't' => Some((b'\t', 1)),
        quoted @ (b'"' | b'\\') => Some((*quoted, 1)),
        _ => None,
    }
}

#[cfg(test)]
#[path = "asm_inputs_tests.rs"]
mod tests;
