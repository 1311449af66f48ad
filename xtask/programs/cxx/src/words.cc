#include "words/src/words.h"

#include <sstream>

#include "words/src/main.rs.h"

void Words::add(rust::Str text) {
  std::istringstream words{std::string(text)};
  for (std::string word; words >> word;)
    if (is_word(word)) counts_[word]++;
}

rust::Vec<Count> Words::counts() const {
  rust::Vec<Count> counts;
  for (const auto& [word, times] : counts_) counts.push_back(Count{word, times});
  return counts;
}

std::unique_ptr<Words> make_words() { return std::make_unique<Words>(); }
