//! For bitcode files: for how many definitions an import is described, and how long that takes.
//!
//! `find -name '*.o' | xargs cargo run --release -p thindist-core --example import_coverage`

use std::time::{Duration, Instant};
use thindist_core::{bitcode, import_facts};

fn main() {
    let (mut files, mut read, mut defined, mut described) = (0, 0, 0, 0);
    let mut time = Duration::ZERO;
    for path in std::env::args().skip(1) {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        if bitcode::read_module(&bytes).is_err() {
            continue;
        }
        files += 1;
        let start = Instant::now();
        let facts = import_facts::read(&bytes);
        time += start.elapsed();
        match facts {
            None => println!("{path}: nothing"),
            Some(facts) => {
                let (all, known) = facts.coverage();
                read += 1;
                defined += all;
                described += known;
            }
        }
    }
    println!("{read} of {files} modules, {described} of {defined} definitions, {:.3} s", time.as_secs_f64());
}
