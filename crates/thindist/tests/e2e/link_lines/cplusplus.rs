//! Programs that use C++'s standard library, with exceptions, on both sides.

use super::*;

const MAIN: &str = "\
#include <iostream>\n#include <map>\n#include <string>\n#include <vector>\n#include <memory>\n#include <algorithm>\n\
std::map<std::string, int> count(const std::vector<std::string> &); std::unique_ptr<std::string> join(const std::vector<std::string> &);\n\
int main(int n, char **) {\n\
  std::vector<std::string> words{\"b\", \"a\", \"b\"}; for (int i = 0; i < n; i++) words.push_back(\"x\" + std::to_string(i));\n\
  std::sort(words.begin(), words.end()); for (auto &[word, times] : count(words)) std::cout << word << '=' << times << ' ';\n\
  std::cout << *join(words) << std::endl;\n\
  try { std::stoi(\"q\"); } catch (const std::exception &e) { std::cout << e.what() << \"\\n\"; } }\n";
const COUNT: &str = "\
#include <map>\n#include <string>\n#include <vector>\n\
std::map<std::string, int> count(const std::vector<std::string> &words) {\n\
  std::map<std::string, int> counts; for (auto &word : words) counts[word]++;\n\
  std::vector<std::string> copy(words); copy.push_back(\"z\"); return counts; }\n";
const JOIN: &str = "\
#include <memory>\n#include <string>\n#include <vector>\n#include <sstream>\n#include <algorithm>\n\
std::unique_ptr<std::string> join(const std::vector<std::string> &words) {\n\
  std::ostringstream out; std::vector<std::string> copy(words); std::sort(copy.begin(), copy.end());\n\
  for (auto &word : copy) out << word << ','; return std::make_unique<std::string>(out.str()); }\n";
const BITCODE: &str = "-std=c++17 -O2 -fPIC -flto=thin";
const NATIVE: &str = "-std=c++17 -O2 -fPIC";

rows! {
    shared_library: Row {
        what: "C++: the standard library and exceptions",
        files: &[("a.cpp", BITCODE, MAIN), ("b.cpp", NATIVE, COUNT), ("c.cpp", BITCODE, JOIN)],
        archives: &[], reader: Driver, line: "-pie a.o b.o c.o -lstdc++", done: Distributed(2),
    },
    static_library: Row {
        what: "C++: the standard library and exceptions",
        files: &[("a.cpp", BITCODE, MAIN), ("b.cpp", NATIVE, COUNT), ("c.cpp", BITCODE, JOIN)],
        archives: &[], reader: Driver, line: "-static b.o a.o c.o -lstdc++", done: Distributed(2),
    },
    natives_first: Row {
        what: "C++: the standard library and exceptions",
        files: &[("a.cpp", NATIVE, MAIN), ("b.cpp", BITCODE, COUNT), ("c.cpp", NATIVE, JOIN)],
        archives: &[], reader: Driver, line: "-pie a.o b.o c.o -Wl,--gc-sections -Wl,--icf=all -lstdc++", done: Distributed(1),
    },
    only_bitcode: Row {
        what: "C++: the standard library and exceptions",
        files: &[("a.cpp", BITCODE, MAIN), ("b.cpp", BITCODE, COUNT), ("c.cpp", BITCODE, JOIN)],
        archives: &["crs lib.a b.o c.o"],
        reader: Driver, line: "-pie a.o lib.a -Wl,--exclude-libs,ALL -Wl,--export-dynamic -lstdc++", done: Distributed(3),
    },
    relocatable: Row {
        what: "C++: groups that code generation adds to several objects (exceptions), with `-r`",
        files: &[("a.cpp", BITCODE, MAIN), ("b.cpp", BITCODE, COUNT), ("c.cpp", BITCODE, JOIN)],
        archives: &[], reader: Linker, line: "-r a.o b.o c.o", done: InProcess("the output keeps groups"),
    },
}
