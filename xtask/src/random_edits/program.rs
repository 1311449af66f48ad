//! A program in C that a seed gives, and edits of it: whole texts of a few modules that call and name each other.

use std::fmt::Write as _;

use crate::host::random::Random;

const MODULES: usize = 6;
const FUNCTIONS: usize = 4;

/// What is compiled with what: each module has flags of its own.
const FLAGS: &[&str] = &["-g", "-g", "-g", "-g -gdwarf-4", "-g1", "-g -O1", "-g -fno-discard-value-names", ""];

const NO_DEBUG: &[&str] = &[""];

/// A program as it is after some edits.
#[derive(Debug, Clone)]
pub(super) struct Program {
    modules: Vec<Module>,
    header: Header,
    all_flags: &'static [&'static str],
}

#[derive(Debug, Clone)]
struct Module {
    flags: &'static str,
    /// Comments and blank lines on top.
    lines_above: usize,
    functions: Vec<Function>,
    /// Members of a structure of its own.
    members: usize,
    enumerators: usize,
    string: usize,
    /// Static variables.
    statics: usize,
    macro_value: usize,
    table: [usize; 4],
    table_is_constant: bool,
    /// Other things at the end, each one of [`extra`].
    extras: Vec<(usize, usize)>,
}

#[derive(Debug, Clone)]
struct Function {
    name: String,
    factor: usize,
    /// How its local variable is called.
    local: usize,
    local_type: &'static str,
    /// Lines between its statements.
    lines_within: usize,
    /// What its body does, one of [`BODIES`].
    body: usize,
    /// Whom it calls: module and function.
    callee: (usize, usize),
    attribute: &'static str,
}

#[derive(Debug, Clone)]
struct Header {
    lines_above: usize,
    members: usize,
    inline_factor: usize,
    alias: &'static str,
}

const ATTRIBUTES: &[&str] =
    &["", "", "", "", "__attribute__((cold)) ", "__attribute__((noinline)) ", "__attribute__((flatten)) "];
const TYPES: &[&str] = &["int", "long", "unsigned", "short"];
const ALIASES: &[&str] = &["int", "long", "unsigned long"];
const BODIES: usize = 8;

pub(super) fn header_name() -> &'static str {
    "all.h"
}

pub(super) fn module_name(module: usize) -> String {
    format!("m{module}.c")
}

impl Program {
    /// One in three has no debug information at all.
    pub(super) fn of(random: &mut Random) -> Self {
        let header = Header { lines_above: 0, members: 2, inline_factor: 3, alias: "int" };
        let flags = if random.one_in(3) { NO_DEBUG } else { FLAGS };
        Self {
            modules: (0..MODULES).map(|number| Module::of(number, flags, random)).collect(),
            header,
            all_flags: flags,
        }
    }

    pub(super) fn modules(&self) -> usize {
        self.modules.len()
    }

    pub(super) fn flags(&self, module: usize) -> &'static str {
        self.modules.get(module).map_or("", |module| module.flags)
    }

    /// One edit, in words; every module that includes the header is another one after an edit of that.
    pub(super) fn edit(&mut self, random: &mut Random) -> String {
        if random.one_in(12) {
            return self.header.edit(random);
        }
        let (number, flags) = (random.below(self.modules.len()), self.all_flags);
        let what = self.modules.get_mut(number).map_or_else(String::new, |module| module.edit(number, flags, random));
        format!("m{number}: {what}")
    }

    pub(super) fn header(&self) -> String {
        let Header { lines_above, members, inline_factor, alias } = &self.header;
        let mut text = "/* A line. */\n".repeat(*lines_above);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "#pragma once\ntypedef {alias} number;\nstruct all {{\n\tstruct all *next;");
        text.extend((0..*members).map(|member| format!("\tint member{member};\n")));
        let _ = writeln!(text, "}};\nextern struct all first;\nextern int sink;");
        let _ = writeln!(
            text,
            "static inline number inlined(number x)\n{{\n\tsink += x;\n\treturn x * {inline_factor};\n}}"
        );
        for (number, module) in self.modules.iter().enumerate() {
            let constant = if module.table_is_constant { "const " } else { "" };
            let _ = writeln!(text, "extern {constant}int table{number}[4];");
            for function in &module.functions {
                let _ = writeln!(text, "number {}(number x, struct all *of);", function.name);
            }
        }
        text
    }

    pub(super) fn text(&self, module: usize) -> String {
        self.modules.get(module).map_or_else(String::new, |own| own.text(module, self))
    }

    fn callee(&self, (module, function): (usize, usize)) -> &str {
        let module = self.modules.get(module % self.modules.len());
        let function = module.and_then(|module| module.functions.get(function % module.functions.len().max(1)));
        function.map_or("inlined", |function| function.name.as_str())
    }
}

impl Module {
    fn of(number: usize, flags: &[&'static str], random: &mut Random) -> Self {
        Self {
            flags: random.pick(flags),
            lines_above: 0,
            functions: (0..FUNCTIONS)
                .map(|function| Function::of(format!("f{number}_{function}"), number, random))
                .collect(),
            members: 2,
            enumerators: 2,
            string: 0,
            statics: random.below(2),
            macro_value: 7,
            table: [1, 2, 3, 4],
            table_is_constant: random.one_in(2),
            extras: Vec::new(),
        }
    }

    fn edit(&mut self, number: usize, flags: &[&'static str], random: &mut Random) -> String {
        let place = random.below(self.functions.len());
        let what = match random.below(20) {
            0 => {
                self.lines_above += 1;
                "a line on top"
            }
            1 => {
                self.lines_above = self.lines_above.saturating_sub(1);
                "a line less on top"
            }
            2 => {
                let name = format!("added{number}_{}", random.below(1_000_000));
                self.functions.insert(place, Function::of(name, number, random));
                "one function more"
            }
            3 if self.functions.len() > FUNCTIONS => {
                self.functions.retain(|function| !function.name.starts_with("added"));
                "without added functions"
            }
            4 => {
                self.functions.swap(place, 0);
                "two functions exchanged"
            }
            5 => {
                self.members += 1;
                "a member more"
            }
            6 => {
                self.enumerators += 1;
                "an enumerator more"
            }
            7 => {
                self.string += 1;
                "another string"
            }
            8 => {
                self.statics = random.below(4);
                "other statics"
            }
            9 => {
                self.macro_value += 1;
                "another macro"
            }
            10 => {
                self.table = [0; 4].map(|_| random.below(9));
                "another table"
            }
            11 => {
                self.flags = random.pick(flags);
                "other flags"
            }
            12..=14 => {
                self.extras.push((random.below(EXTRAS), random.below(1_000_000)));
                "one thing more at the end"
            }
            15 => {
                self.extras.pop();
                "one thing less at the end"
            }
            _ => return self.functions.get_mut(place).map_or_else(String::new, |function| function.edit(random)),
        };
        what.to_owned()
    }

    fn text(&self, number: usize, program: &Program) -> String {
        let mut text = "/* A line. */\n".repeat(self.lines_above);
        let _ = writeln!(text, "#include \"{}\"\n#define FACTOR {}", header_name(), self.macro_value);
        let _ = writeln!(text, "enum kind{number} {{");
        text.extend((0..self.enumerators).map(|value| format!("\tOWN{number}_{value},\n")));
        let _ = writeln!(text, "}};\nstruct own{number} {{\n\tenum kind{number} kind;");
        text.extend((0..self.members).map(|member| format!("\tshort member{member};\n")));
        let constant = if self.table_is_constant { "const " } else { "" };
        let [a, b, c, d] = self.table;
        let _ = writeln!(text, "}};\n{constant}int table{number}[4] = {{ {a}, {b}, {c}, {d} }};");
        text.extend((0..self.statics).map(|number| format!("static int count{number};\n")));
        let _ = writeln!(text, "static const char *say(void)\n{{\n\treturn \"text {}\";\n}}", self.string);
        if number == 0 {
            let _ = writeln!(text, "struct all first;\nint sink;");
        }
        for function in &self.functions {
            text.push_str(&function.text(number, self.statics, program));
        }
        text.extend(self.extras.iter().map(|(kind, unique)| extra(*kind, number, *unique)));
        text
    }
}

const EXTRAS: usize = 12;

/// Something else than a function, of module `number` and under a name that nothing else has.
fn extra(kind: usize, number: usize, unique: usize) -> String {
    let (own, other) = (format!("{number}_{unique}"), unique % MODULES);
    match kind {
        0 => format!("__attribute__((weak)) number weak{}(number x) {{ return x + {unique}; }}\n", unique % 3),
        1 => format!("_Thread_local int tls{own}; int *of_tls{own}(void) {{ return &tls{own}; }}\n"),
        2 => format!("extern __typeof__(f{number}_0) alias{own} __attribute__((alias(\"f{number}_0\")));\n"),
        3 => format!("number (*const operations{own}[])(number, struct all *) = {{ f{number}_0, f{other}_1 }};\n"),
        4 => format!("__asm__(\".globl asm{own}\\nasm{own} = 5\");\n"),
        5 => format!("__attribute__((section(\"sec{number}\"))) int in_section{own} = 3;\n"),
        6 => format!("__attribute__((used)) static int used{own} = {unique};\n"),
        7 => format!("struct named{own} {{ int a; long b; }} variable{own};\n"),
        8 => format!("const int *address{own}(int x) {{ return x ? &table{other}[1] : &sink; }}\n"),
        9 => format!("__attribute__((constructor)) static void begins{own}(void) {{ sink += {unique}; }}\n"),
        10 => format!("__attribute__((visibility(\"hidden\"))) int hidden{own} = {unique};\n"),
        _ => format!(
            "inline number shared{}(number x) {{ return x * 5; }}\nextern inline number shared{}(number x);\n",
            own, own
        ),
    }
}

impl Function {
    fn of(name: String, module: usize, random: &mut Random) -> Self {
        Self {
            name,
            factor: random.below(9) + 2,
            local: 0,
            local_type: "int",
            lines_within: 0,
            body: random.below(BODIES),
            // To modules behind it: no circle, which would be no program that ends.
            callee: (module + 1 + random.below(MODULES), random.below(FUNCTIONS)),
            attribute: "",
        }
    }

    fn edit(&mut self, random: &mut Random) -> String {
        match random.below(7) {
            0 => self.factor += 1,
            1 => self.local += 1,
            2 => self.local_type = random.pick(TYPES),
            3 => self.lines_within += 1,
            4 => self.body = random.below(BODIES),
            5 => self.callee.1 = random.below(FUNCTIONS),
            _ => self.attribute = random.pick(ATTRIBUTES),
        }
        format!("{} is {self:?}", self.name)
    }

    fn text(&self, module: usize, statics: usize, program: &Program) -> String {
        let Self { name, factor, local, local_type, lines_within, body, callee, attribute } = self;
        let (lines, local) = ("\n".repeat(*lines_within), format!("local{local}"));
        let is_behind = callee.0 > module && callee.0 < MODULES;
        let call = |argument: &str| match is_behind {
            true => format!("{}({argument}, of)", program.callee(*callee)),
            false => format!("inlined({argument})"),
        };
        let body = match body {
            0 => format!("return {};", call(&format!("{local} * {factor}"))),
            1 => format!("for (int i = 0; i < {local}; i++)\n\t\tsink += {};\n\treturn {local};", call("i")),
            2 => format!("if (of && of->next)\n\t\t{local} += of->next->member0;\n\treturn {} + FACTOR;", call(&local)),
            3 => format!(
                "struct own{module} own = {{ OWN{module}_1, {factor} }};\n\treturn own.kind + own.member0 + {};",
                call(&local)
            ),
            4 => format!("sink += say()[{local} & 3];\n\treturn {};", call(&local)),
            5 if statics > 0 => format!("count0 += {local};\n\treturn {} + count0;", call(&local)),
            6 => format!("return table{}[{local} & 3] + {};", callee.0 % MODULES, call(&local)),
            _ => format!(
                "switch ({local}) {{\n\tcase 1:\n\t\treturn {};\n\tcase 2:\n\t\treturn {};\n\t}}\n\treturn {factor};",
                call("1"),
                call(&local)
            ),
        };
        format!(
            "{attribute}number {name}(number x, struct all *of)\n{{\n\t{local_type} {local} = x * {factor};\n{lines}\t{body}\n}}\n"
        )
    }
}

impl Header {
    fn edit(&mut self, random: &mut Random) -> String {
        match random.below(4) {
            0 => self.lines_above += 1,
            1 => self.members += 1,
            2 => self.inline_factor += 1,
            _ => self.alias = random.pick(ALIASES),
        }
        format!("the header is {self:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_program_for_ever() {
        let text = |seed| {
            let mut random = Random::of(seed);
            let mut program = Program::of(&mut random);
            let edits: Vec<String> = (0..9).map(|_| program.edit(&mut random)).collect();
            (edits, program.header(), (0..program.modules()).map(|module| program.text(module)).collect::<Vec<_>>())
        };
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
    }
}
