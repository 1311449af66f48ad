//! Counts words with a C++ map, which asks Rust what a word is: calls in both directions, through strings, slices and objects.

#[cxx::bridge]
mod ffi {
    struct Count {
        word: String,
        times: usize,
    }

    extern "Rust" {
        fn is_word(text: &str) -> bool;
    }

    unsafe extern "C++" {
        include!("words/src/words.h");
        type Words;
        fn make_words() -> UniquePtr<Words>;
        fn add(self: Pin<&mut Words>, text: &str);
        fn counts(self: &Words) -> Vec<Count>;
    }
}

fn is_word(text: &str) -> bool {
    text.chars().all(char::is_alphabetic)
}

fn main() {
    let mut words = ffi::make_words();
    for line in ["the cat and the dog", "and the 2 birds", "a cat"] {
        words.pin_mut().add(line);
    }
    for count in words.counts() {
        println!("{} {}", count.times, count.word);
    }
}
