//! The name that was meant, most likely.

/// Names less alike than this are other names: clap's own measure, so that commands, options and settings are guessed alike.
const ALIKE: f64 = 0.7;

/// That of `known` which is most like `word`, if any is.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let alike = known.into_iter().map(|name| (strsim::jaro(word, name), name)).filter(|(how, _)| *how > ALIKE);
    alike.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_seen_through() {
        let known = ["cache_dir", "cache_size", "clang", "jobs"];
        assert_eq!(nearest("cachedir", known), Some("cache_dir"));
        assert_eq!(nearest("clnag", known), Some("clang"));
        assert_eq!(nearest("frobnicate", known), None);
    }
}
