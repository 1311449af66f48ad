//! Splits a recorded command as a shell would, without starting one.
//!
//! It knows quotes and where a command ends, and refuses what only a running shell can tell.

/// Why a command cannot be read without a shell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// A quote that is not closed.
    #[error("a quote is not closed")]
    OpenQuote,
    /// An expansion.
    #[error("only a shell can tell what `{0}` stands for")]
    Expansion(char),
}

/// The words of the first command in `text`.
///
/// # Errors
/// It cannot be read without a shell.
pub fn first_command(text: &str) -> Result<Vec<String>, WordsError> {
    let mut reader = Reader::default();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ';' | '|' | '&' | '\n' | '>' | '<' => break,
            ' ' | '\t' | '\r' => reader.end_word(),
            '\'' => reader.single_quoted(&mut characters)?,
            '"' => reader.double_quoted(&mut characters)?,
            '\\' => reader.escaped(characters.next()),
            '$' | '`' => return Err(WordsError::Expansion(character)),
            other => reader.add(other),
        }
    }
    reader.end_word();
    Ok(reader.words)
}

#[derive(Default)]
struct Reader {
    words: Vec<String>,
    /// The word that is being read; a pair of quotes alone is one.
    word: Option<String>,
}

impl Reader {
    fn add(&mut self, character: char) {
        self.word.get_or_insert_default().push(character);
    }

    fn end_word(&mut self) {
        self.words.extend(self.word.take());
    }

    /// A line that goes on is no part of any word.
    fn escaped(&mut self, character: Option<char>) {
        match character {
            Some('\n') | None => {}
            Some(other) => self.add(other),
        }
    }

    fn single_quoted(&mut self, characters: &mut std::str::Chars<'_>) -> Result<(), WordsError> {
        self.word.get_or_insert_default();
        loop {
            match characters.next().ok_or(WordsError::OpenQuote)? {
                '\'' => return Ok(()),
                other => self.add(other),
            }
        }
    }

    fn double_quoted(&mut self, characters: &mut std::str::Chars<'_>) -> Result<(), WordsError> {
        self.word.get_or_insert_default();
        loop {
            match characters.next().ok_or(WordsError::OpenQuote)? {
                '"' => return Ok(()),
                '\\' => match characters.next().ok_or(WordsError::OpenQuote)? {
                    '\n' => {}
                    escaped @ ('"' | '\\' | '$' | '`') => self.add(escaped),
                    other => {
                        self.add('\\');
                        self.add(other);
                    }
                },
                character @ ('$' | '`') => return Err(WordsError::Expansion(character)),
                other => self.add(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &[&str]) {
        assert_eq!(first_command(text).unwrap(), expect, "{text}");
    }

    #[test]
    fn quotes_as_kbuild_writes_them() {
        check(r#"clang -D'pr_fmt(fmt)="x: " fmt' -c"#, &["clang", r#"-Dpr_fmt(fmt)="x: " fmt"#, "-c"]);
        check(r#"-DKBUILD_MODFILE='"init/main"' -o x.o"#, &[r#"-DKBUILD_MODFILE="init/main""#, "-o", "x.o"]);
        check(r#"-D__KBUILD_MODNAME=kmod_main '' a\ b"#, &["-D__KBUILD_MODNAME=kmod_main", "", "a b"]);
        check(r#""a \"b\" \\ \n" c"#, &[r#"a "b" \ \n"#, "c"]);
    }

    #[test]
    fn what_follows_the_command_is_not_its() {
        check("clang -c a.c ; objtool a.o", &["clang", "-c", "a.c"]);
        check("clang -c a.c && mv a b", &["clang", "-c", "a.c"]);
        check("clang 'a;b' \\\n -c\nnext", &["clang", "a;b", "-c"]);
    }

    #[test]
    fn what_only_a_shell_can_read_is_refused() {
        assert_eq!(first_command("a $(b)"), Err(WordsError::Expansion('$')));
        assert_eq!(first_command("\"`b`\""), Err(WordsError::Expansion('`')));
        assert_eq!(first_command("'a"), Err(WordsError::OpenQuote));
    }
}
