//! Response files: how the text of `@file` becomes arguments.

/// Splits a response file as lld does with its default, GNU, quoting: white space separates, `'…'` and `"…"` hold
/// together, a backslash keeps the next character (in both kinds of quotes as well).
#[must_use]
pub fn tokenize(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut token: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\n' | '\r' | '\0' => tokens.extend(token.take()),
            '\'' | '"' => read_quoted(character, &mut characters, token.get_or_insert_default()),
            '\\' => token.get_or_insert_default().extend(characters.next()),
            other => token.get_or_insert_default().push(other),
        }
    }
    tokens.extend(token);
    tokens
}

fn read_quoted(quote: char, characters: &mut impl Iterator<Item = char>, token: &mut String) {
    while let Some(character) = characters.next() {
        match character {
            _ if character == quote => return,
            '\\' => token.extend(characters.next()),
            other => token.push(other),
        }
    }
}

/// Splits it as lld does with `--rsp-quoting=windows`: only `"…"` holds together, and `""` in it is a quote; backslashes
/// count only in front of a quote, where each pair of them is one and a single one makes the quote a character.
#[must_use]
pub fn tokenize_windows(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut token: Option<String> = None;
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\n' | '\r' | '\0' if !quoted => tokens.extend(token.take()),
            '"' if quoted && characters.next_if_eq(&'"').is_some() => token.get_or_insert_default().push('"'),
            '"' => {
                token.get_or_insert_default();
                quoted = !quoted;
            }
            '\\' => read_backslashes(&mut characters, token.get_or_insert_default()),
            other => token.get_or_insert_default().push(other),
        }
    }
    tokens.extend(token);
    tokens
}

/// The first one has been read.
fn read_backslashes(characters: &mut std::iter::Peekable<std::str::Chars<'_>>, token: &mut String) {
    let mut count = 1;
    while characters.next_if_eq(&'\\').is_some() {
        count += 1;
    }
    if characters.peek() != Some(&'"') {
        token.extend(std::iter::repeat_n('\\', count));
        return;
    }
    token.extend(std::iter::repeat_n('\\', count / 2));
    if count % 2 == 1 {
        token.extend(characters.next());
    }
}

/// Writes `arguments` so that [`tokenize`] and lld read the same ones back.
#[must_use]
pub fn join(arguments: &[String]) -> String {
    let mut text = String::new();
    for argument in arguments {
        text.push('"');
        for character in argument.chars() {
            if matches!(character, '"' | '\\') {
                text.push('\\');
            }
            text.push(character);
        }
        text.push_str("\"\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &[&str]) {
        assert_eq!(tokenize(text), expect);
    }

    #[test]
    fn tokens() {
        check("", &[]);
        check(" a\tb\nc\r\n", &["a", "b", "c"]);
        check(r#"'a b' "c d" e\ f"#, &["a b", "c d", "e f"]);
        check(r#"x'y'z"w" '' """#, &["xyzw", "", ""]);
        check(r#""a\"b" 'a\b' a\\b"#, &["a\"b", "ab", "a\\b"]);
        check("'open", &["open"]);
    }

    #[test]
    fn tokens_of_windows() {
        let check = |text, expect: &[&str]| assert_eq!(tokenize_windows(text), expect, "{text}");
        check(r#"a\b.o "c d" 'e f'"#, &[r"a\b.o", "c d", "'e", "f'"]);
        check(r#""a""b" "" x"y"z"#, &["a\"b", "", "xyz"]);
        check(r#"a\"b \\"c d" e\\\"f"#, &["a\"b", r"\c d", "e\\\"f"]);
        check("a\r\nb\\", &["a", "b\\"]);
        check("\"open", &["open"]);
    }

    #[test]
    fn joined_arguments_are_read_back() {
        let arguments: Vec<String> = ["a b", "", "\"\\'", "tab\there", "new\nline"].map(String::from).into();
        assert_eq!(tokenize(&join(&arguments)), arguments);
    }
}
