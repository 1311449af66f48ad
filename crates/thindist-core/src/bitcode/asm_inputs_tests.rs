use super::*;

fn incbin(path: &str) -> AsmInput {
    AsmInput::Incbin(path.into())
}

fn include(path: &str) -> AsmInput {
    AsmInput::Include(path.into())
}

#[track_caller]
fn check(asm: &str, expect: &[AsmInput]) {
    assert_eq!(scan(asm, false), expect, "{asm}");
}

#[track_caller]
fn check_inline(asm: &str, expect: &[AsmInput]) {
    assert_eq!(scan(asm, true), expect, "{asm}");
}

#[track_caller]
fn check_unresolvable(asm: &str, inline: bool) {
    let found = scan(asm, inline);
    assert!(found.iter().any(|input| matches!(input, AsmInput::Unresolvable { .. })), "{asm}: {found:?}");
}

#[test]
fn plain() {
    check("", &[]);
    check("nop\n.section .text\n", &[]);
    check(".incbin \"a.gz\"", &[incbin("a.gz")]);
    check("\t.incbin\t\"a b\" , 4, 8\n", &[incbin("a b")]);
    check(".incbin\"a\";.include \"b\"\n.INCBIN \"c\"", &[incbin("a"), include("b"), incbin("c")]);
    check("x: y :1: .incbin \"a\"", &[incbin("a")]);
    check(
        "kernel_config_data:\n .ascii \"IKCFG_ST\"\n.incbin \"kernel/config_data.gz\"\n",
        &[incbin("kernel/config_data.gz")],
    );
    check(".ifdef X\n.incbin \"a\"\n.endif", &[incbin("a")]);
}

#[test]
fn comments() {
    check("# .incbin \"a\"\n // .incbin \"b\"\n/* .incbin \"c\"\n */ .incbin \"d\"", &[incbin("d")]);
    check("#.incbin \"a\"\nnop # .incbin \"b\"\nnop // .incbin \"b\"", &[]);
    check("nop /* x */ ; /* y */ .incbin /* z */ \"a\"", &[incbin("a")]);
    check("nop # it's \"odd\n.incbin \"a\"", &[incbin("a")]);
    check(".ascii \"# \" ; .incbin \"a\"", &[incbin("a")]);
    check(".ascii \"/*\"\n.incbin \"a\"\n/**/", &[incbin("a")]);
}

/// Some targets have other comments; what they hold must not swallow code.
#[test]
fn what_may_be_code_is_read_as_code() {
    check("mov r0, #1 ; .incbin \"a\"", &[incbin("a")]);
    check("nop @ an odd \" quote\n.incbin \"a\"", &[incbin("a")]);
    check("nop @ an open /* comment\n.incbin \"a\"", &[incbin("a")]);
    check("cmp al, '\"'\n.incbin \"a\"", &[incbin("a")]);
    check("cmp al, '\\''; .incbin \"a\"", &[incbin("a")]);
}

#[test]
fn strings() {
    check(r#".incbin "a\"b\\c\057d\57""#, &[incbin("a\"b\\c/d/")]);
    check(r#".incbin "\x41\x0042\t""#, &[incbin("AB\t")]);
    check(".ascii \".incbin \\\"a\\\"\"", &[]);
    check(".incbin \"größe\"", &[incbin("größe")]);
    for refused in [r#".incbin "\q""#, r#".incbin "\777""#, r#".incbin "\377""#, r#".incbin "\x""#] {
        check_unresolvable(refused, false);
    }
    check_unresolvable(".incbin", false);
    check_unresolvable(".incbin path", false);
    check_unresolvable(".incbin \"a\nb\"", false);
}

#[test]
fn macros() {
    check(".macro m\n.incbin \"a\"\n.endm\nm\n", &[incbin("a")]);
    check(".macro m x\nnop\n.endm\n.incbin \"a\\\\b\"", &[incbin("a\\b")]);
    check_unresolvable(".macro m name\n.incbin \"\\name\"\n.endm", false);
    check_unresolvable(".macro m name\n.incbin \\name\n.endm", false);
    check_unresolvable(".irp f, a, b\n.incbin \"\\f\"\n.endr", false);
    check_unresolvable(".rept 2\n.include \"f\\@\"\n.endr", false);
    check_unresolvable(".macro m x\n.inc\\x \"f\"\n.endm", false);
    check_unresolvable(".macro m x\n.\\x \"f\"\n.endm", false);
    check_unresolvable(".macro m x\n\\x \"f\"\n.endm\nm .incbin", false);
    check_unresolvable(".macro m x\n\\x\n.endm\nm \".incbin \\\"f\\\"\"", false);
    check_unresolvable(".irp x, .incbin\n\\x \"f\"\n.endr", false);
    check_unresolvable(".macro m x y\n\\x\\y \"f\"\n.endm\nm .inc bin", false);
    check_unresolvable(".altmacro\n.macro m x\n.incbin \"x\"\n.endm", false);
    // What the kernel does all the time names no file.
    check(".macro m x\n.L\\@:\n\\x\n.pushsection .\\x\\().text\n.endm\n.incbin_not_one \"a\"", &[]);
    check(".macro extable_type_reg type:req reg:req\n.set .Lfound, 0\n.irp rs,rax,rcx\n.endr\n.endm\n", &[]);
}

#[test]
fn inline_asm() {
    check_inline("nop $0, ${1:c}", &[]);
    check_inline(".incbin \"a$$b\"", &[incbin("a$b")]);
    check_inline("mov $$1, $0\n\t.incbin \"a\"", &[incbin("a")]);
    check_inline("$(.incbin \"a\"$|.incbin \"b\"$)", &[incbin("a"), incbin("b")]);
    check(".incbin \"a$$b\"", &[incbin("a$$b")]);
    for operand in ["$0", "${0:c}", "${:uid}"] {
        check_unresolvable(&format!(".incbin \"a{operand}\""), true);
        check_unresolvable(&format!(".incbin {operand}"), true);
        check_unresolvable(&format!(".inc{operand} \"a\""), true);
        check_unresolvable(&format!(".{operand} \"a\""), true);
    }
}

#[test]
fn an_unresolvable_one_is_shown_as_written() {
    let expect = AsmInput::Unresolvable { directive: ".incbin".into(), text: "\"\\name\", 4".into() };
    check(".macro m name\n.incbin \"\\name\", 4\n.endm", &[expect]);
}

/// Any text at all is scanned to its end.
#[test]
fn no_text_panics() {
    let pieces = [
        ".incbin", ".include", ".inc", "\"", "\\", "'", "\n", ";", "#", "/*", "*/", "//", "$", "{", "}", ":", " ", "ü",
        "\u{1}", ".macro", ".endm", ".irp", "a", "0", "(", "|", ")", "\\x",
    ];
    let mut random = 1_u64;
    for _ in 0..20_000 {
        let mut text = String::from(".inc");
        for _ in 0..12 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let place = usize::try_from(random >> 40).unwrap() % pieces.len();
            text.push_str(pieces[place]);
        }
        let _ = (scan(&text, false), scan(&text, true));
    }
}
