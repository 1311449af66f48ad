//! Options of tasks, taken out of the arguments one by one; what is left is an error.

use crate::Result;

/// Takes `flag` out of `arguments`; says whether it was there.
pub(crate) fn take_flag(arguments: &mut Vec<String>, flag: &str) -> bool {
    let before = arguments.len();
    arguments.retain(|argument| argument != flag);
    arguments.len() != before
}

/// Takes `option VALUE` out of `arguments` and reads the value as a number.
pub(crate) fn take_number(arguments: &mut Vec<String>, option: &str) -> Result<Option<u32>> {
    let Some(value) = take_text(arguments, option)? else { return Ok(None) };
    value.parse().map(Some).map_err(|_| format!("{option} needs a number, not `{value}`"))
}

/// Takes `option VALUE` out of `arguments`.
pub(crate) fn take_text(arguments: &mut Vec<String>, option: &str) -> Result<Option<String>> {
    let Some(position) = arguments.iter().position(|argument| argument == option) else {
        return Ok(None);
    };
    arguments.remove(position);
    if position >= arguments.len() {
        return Err(format!("{option} needs a value"));
    }
    Ok(Some(arguments.remove(position)))
}

/// Takes `--rounds N` of a bench, of which there is at least one.
pub(crate) fn take_rounds(arguments: &mut Vec<String>, usual: u32) -> Result<u32> {
    Ok(take_number(arguments, "--rounds")?.unwrap_or(usual).max(1))
}

/// What is left after the options were taken is a mistake: a misspelt `--fats` must not run for half an hour.
pub(crate) fn reject_rest(arguments: &[String]) -> Result<()> {
    if arguments.is_empty() { Ok(()) } else { Err(format!("unknown argument: {}", arguments.join(" "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Vec<String> {
        text.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn options_are_taken_and_the_rest_is_refused() {
        let mut arguments = line("--llvm 19 --in-process extra");
        assert_eq!(take_number(&mut arguments, "--llvm"), Ok(Some(19)));
        assert!(take_flag(&mut arguments, "--in-process"));
        assert_eq!(reject_rest(&arguments), Err("unknown argument: extra".into()));
    }

    #[test]
    fn a_number_that_is_none_is_named() {
        assert!(take_number(&mut line("--llvm new"), "--llvm").is_err());
        assert!(take_number(&mut line("--llvm"), "--llvm").is_err());
        assert_eq!(take_number(&mut line(""), "--llvm"), Ok(None));
    }
}
