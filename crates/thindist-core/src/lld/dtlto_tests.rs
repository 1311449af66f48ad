use super::*;

/// As lld 22 writes it.
const SAMPLE: &str = r#"{"common":{"linker_output":"out","args":["/usr/bin/clang","-c","--target=x86_64-pc-linux-gnu",
"-O2","-faddrsig","-ffunction-sections","-fdata-sections","-fpic","-Wno-unused-command-line-argument"],"inputs":[]},
"jobs":[{"args":["a.o","-fthinlto-index=a.1.7.native.o.thinlto.bc","-o","a.1.7.native.o"],
"inputs":["a.o","a.1.7.native.o.thinlto.bc","b.o"],"outputs":["a.1.7.native.o"]}]}"#;

#[track_caller]
fn refused(from: &str, to: &str, says: &str) {
    assert!(SAMPLE.contains(from), "{from} is not in the sample");
    let error = parse(SAMPLE.replace(from, to).as_bytes()).unwrap_err().to_string();
    assert!(error.contains(says), "`{says}` is not in: {error}");
}

#[test]
fn what_lld_writes_is_read() {
    let read = parse(SAMPLE.as_bytes()).unwrap();
    assert_eq!((read.linker_output.as_str(), read.compiler.as_str()), ("out", "/usr/bin/clang"));
    assert_eq!((read.opt_level, read.pic, read.target.as_str()), (2, true, "x86_64-pc-linux-gnu"));
    assert_eq!((read.extra.len(), read.prepended.len()), (0, 0));
    let [job] = read.jobs.as_slice() else { panic!("one job") };
    assert_eq!((job.bitcode.as_str(), job.imports.as_slice()), ("a.o", ["b.o".to_owned()].as_slice()));
    assert_eq!((job.index.as_str(), job.output.as_str()), ("a.1.7.native.o.thinlto.bc", "a.1.7.native.o"));
}

#[test]
fn options_of_the_user_are_told_from_llds() {
    let line = |more: &str| parse(SAMPLE.replace("argument\"]", &format!("argument\"{more}]")).as_bytes()).unwrap();
    assert_eq!(line(r#","-O1","-fpic","-faddrsig""#).extra, ["-O1", "-fpic", "-faddrsig"]);
    assert_eq!(line("").extra, Vec::<String>::new());
    let front = parse(SAMPLE.replace(r#""-c","#, r#""clang","-c","#).as_bytes()).unwrap();
    assert_eq!(front.prepended, ["clang"]);
    let plain = parse(SAMPLE.replace(r#""-fpic","#, "").as_bytes()).unwrap();
    assert!(!plain.pic);
}

/// Its option stands in front of `-fpic`: whoever took it for the user's would not see that one.
#[test]
fn what_lld_23_writes_is_read() {
    let of_23 = parse(SAMPLE.replace(r#""-fpic""#, r#""-floop-interchange","-fpic""#).as_bytes()).unwrap();
    assert_eq!(of_23, parse(SAMPLE.as_bytes()).unwrap());
}

#[test]
fn a_sample_profile_is_the_links_and_not_an_option_of_the_user() {
    let with = SAMPLE.replace(r#""-Wno"#, r#""-fprofile-sample-use=p.afdo","-Wno"#);
    let read = parse(with.replace(r#""inputs":[]"#, r#""inputs":["p.afdo"]"#).as_bytes()).unwrap();
    assert_eq!((read.sample_profile.as_deref(), read.extra.len(), read.common_inputs.len()), (Some("p.afdo"), 0, 0));
    // Without the input it is not lld's.
    assert_eq!(parse(with.as_bytes()).unwrap().extra.first().unwrap(), "-fprofile-sample-use=p.afdo");
}

#[test]
fn what_is_no_job_file_is_refused_by_its_fault() {
    for text in ["", "{", "[]", "{}", "elf", "null", "\u{feff}{}"] {
        let error = parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("not a job file of lld 21 to 24"), "{text}: {error}");
    }
    assert!(matches!(parse(&SAMPLE.as_bytes()[..200]), Err(DtltoError::Json(_))));
    assert!(matches!(parse(&SAMPLE.replace("b.o", "\u{1}").into_bytes()), Err(DtltoError::Json(_))));
    let mut bytes = SAMPLE.as_bytes().to_vec();
    let place = SAMPLE.find("b.o").unwrap();
    bytes[place] = 0xff;
    assert!(matches!(parse(&bytes), Err(DtltoError::Json(_))));
    refused(r#""linker_output":"out","#, "", "linker_output");
    refused(r#","inputs":[]"#, "", "inputs");
    refused(r#""jobs""#, r#""colour":1,"jobs""#, "colour");
    refused(r#""inputs":["a.o""#, r#""triple":"x","inputs":["a.o""#, "triple");
    refused(r#""linker_output":"out","#, r#""linker_output":"out","version":2,"#, "version");
    refused(r#""out","#, "3,", "expected a string");
}

#[test]
fn forms_that_lld_does_not_write() {
    refused(r#"["a.o","a.1.7.native.o.thinlto.bc","b.o"]"#, r#"["a.o"]"#, "job 0: it names no bitcode and index");
    refused(r#""outputs":["a.1.7.native.o"]"#, r#""outputs":[]"#, "job 0: it has no output");
    refused(r#""outputs":["a.1.7.native.o"]"#, r#""outputs":["a.1.7.native.o","stats.txt"]"#, "stats.txt");
    refused(r#""-o","#, r#""-g","-o","#, "job 0: its arguments are");
    refused(r#""args":["a.o""#, r#""args":["c.o""#, "job 0: its arguments are");
    refused(r#""-O2","#, "", "no `-O");
    refused(r#""-O2","#, r#""-Os","#, "no `-O");
    refused(r#""--target=x86_64-pc-linux-gnu","#, "", "--target=");
    let jobs = SAMPLE.split_once("\"jobs\":[").unwrap().1.strip_suffix("]}").unwrap();
    let twice = SAMPLE.replace(jobs, &format!("{jobs},{jobs}"));
    assert!(matches!(parse(twice.as_bytes()), Err(DtltoError::SameOutput(output)) if output == "a.1.7.native.o"));
    let empty = SAMPLE.replace(jobs, "");
    assert_eq!(parse(empty.as_bytes()).unwrap().jobs, []);
    let no_arguments = r#"{"common":{"linker_output":"","args":[],"inputs":[]},"jobs":[]}"#;
    assert!(parse(no_arguments.as_bytes()).unwrap_err().to_string().contains("no compiler"));
}

#[test]
fn names_tell_of_lld() {
    assert_eq!(linker_process("out.27404.dist-file.json"), Some(27404));
    assert_eq!(linker_process("lib.so.1.7.dist-file.json"), Some(7));
    assert_eq!(linker_process("dist-file.json"), None);
    assert_eq!(linker_process("out.x.dist-file.json"), None);
    assert_eq!(unpacked_member("lib.a(b.o at 90).2.6B0C.o"), Some("lib.a(b.o at 90)"));
    assert_eq!(unpacked_member("/build/lib.a(b.c.o at 3022).13.6B0C.o"), Some("lib.a(b.c.o at 3022)"));
    assert_eq!(unpacked_member("b.o"), None);
    assert_eq!(unpacked_member("b.x.6B0C.o"), None);
}
