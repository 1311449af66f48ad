//! The text of an object: IR or assembly for x86-64.

use super::scenario::{Form, Kind, Object, Symbol};
use std::fmt::Write as _;

const LAYOUT: &str = "target datalayout = \"e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128\"\n\
                      target triple = \"x86_64-unknown-linux-gnu\"\n";

/// The source of an object; with another `edition` its functions return another number.
pub(crate) fn text(object: &Object, edition: usize, llvm: u32) -> String {
    match object.kind {
        Kind::Thin | Kind::Regular => ir(object, edition, llvm),
        Kind::Native => assembly(object, edition),
    }
}

fn ir(object: &Object, edition: usize, llvm: u32) -> String {
    let mut text = format!("source_filename = \"{}.c\"\n{LAYOUT}", object.name);
    let number = number(object, edition);
    let calls = calls(object, &[Form::Called, Form::WeaklyCalled]);
    for symbol in &object.symbols {
        let Symbol { name, form, visibility } = symbol;
        let visible = visibility.word().unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = match form {
            Form::Function => writeln!(text, "define {visible} i32 @{name}() {{\n{calls}  ret i32 {number}\n}}"),
            Form::WeakFunction => {
                writeln!(text, "define weak {visible} i32 @{name}() {{\n{calls}  ret i32 {number}\n}}")
            }
            Form::Inline => writeln!(
                text,
                "${name} = comdat any\ndefine linkonce_odr {visible} i32 @{name}() comdat {{\n  ret i32 {number}\n}}\n\
                 {}",
                kept(name, llvm)
            ),
            Form::Variable => writeln!(text, "@{name} = {visible} global i32 {number}"),
            Form::Common => writeln!(text, "@{name} = common {visible} global i32 0, align 8"),
            Form::InSection => writeln!(text, "@{name} = {visible} global i32 {number}, section \"sec\""),
            Form::Called | Form::CalledByDropped => writeln!(text, "declare i32 @{name}()"),
            Form::WeaklyCalled => writeln!(text, "declare extern_weak i32 @{name}()"),
        };
    }
    let dropped = calls_of(object, &[Form::CalledByDropped]);
    if !dropped.is_empty() {
        let _ = writeln!(text, "define internal i32 @dropped() {{\n{dropped}  ret i32 1\n}}");
        let _ = writeln!(
            text,
            "define hidden i32 @drops.{}() {{\n  %r = call i32 @dropped()\n  ret i32 %r\n}}",
            object.name
        );
    }
    one_used(text)
}

/// What keeps a function that nobody calls. Before 15 pointers have types.
fn kept(name: &str, llvm: u32) -> String {
    let keeps = format!("@keeps.{name}");
    let (function, any, kept) = if llvm < 15 {
        ("i32 ()*", "i8*", format!("i8* bitcast (i32 ()** {keeps} to i8*)"))
    } else {
        ("ptr", "ptr", format!("ptr {keeps}"))
    };
    format!(
        "{keeps} = internal global {function} @{name}\n\
         @llvm.used = appending global [1 x {any}] [{kept}], section \"llvm.metadata\""
    )
}

/// `@llvm.used` may be defined once.
fn one_used(text: String) -> String {
    let mut seen = false;
    let keep = |line: &&str| !line.starts_with("@llvm.used") || !std::mem::replace(&mut seen, true);
    text.lines().filter(keep).flat_map(|line| [line, "\n"]).collect()
}

fn number(object: &Object, edition: usize) -> usize {
    object.name.bytes().map(usize::from).sum::<usize>() + 1000 * edition
}

fn calls(object: &Object, forms: &[Form]) -> String {
    calls_of(object, forms)
}

fn calls_of(object: &Object, forms: &[Form]) -> String {
    let named = object.symbols.iter().filter(|symbol| forms.contains(&symbol.form));
    named.enumerate().map(|(number, symbol)| format!("  %c{number} = call i32 @{}()\n", symbol.name)).collect()
}

fn assembly(object: &Object, edition: usize) -> String {
    let mut text = String::new();
    let number = number(object, edition);
    let named = object.symbols.iter().filter(|symbol| !symbol.form.is_definition());
    let calls: String = named.map(|symbol| format!("  call {}@PLT\n", symbol.name)).collect();
    for symbol in &object.symbols {
        let Symbol { name, form, visibility } = symbol;
        let binding =
            if matches!(form, Form::WeakFunction | Form::WeaklyCalled | Form::Inline) { "weak" } else { "globl" };
        let visible = visibility.word().map(|word| format!(".{word} {name}\n")).unwrap_or_default();
        let function = format!(
            ".{binding} {name}\n{visible}.type {name},@function\n{name}:\n{calls}  movl ${number}, %eax\n  ret\n"
        );
        let _ = match form {
            Form::Function | Form::WeakFunction => writeln!(text, ".text\n{function}"),
            Form::Inline => writeln!(text, ".section .text.{name},\"axG\",@progbits,{name},comdat\n{function}"),
            Form::Variable => writeln!(text, ".data\n.globl {name}\n{visible}{name}: .long {number}"),
            Form::Common => writeln!(text, "{visible}.comm {name},16,16"),
            Form::InSection => writeln!(text, ".section sec,\"aw\"\n.globl {name}\n{visible}{name}: .long {number}"),
            Form::Called | Form::WeaklyCalled | Form::CalledByDropped => writeln!(text, ".{binding} {name}"),
        };
    }
    // A reference needs a place even where no function is.
    let _ = writeln!(text, ".section .text.own,\"ax\"\nown.{}:\n{calls}  ret", object.name);
    text
}
