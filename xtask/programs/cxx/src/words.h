#pragma once
#include <map>
#include <memory>
#include <string>

#include "rust/cxx.h"

struct Count;

class Words {
 public:
  void add(rust::Str text);
  rust::Vec<Count> counts() const;

 private:
  std::map<std::string, size_t> counts_;
};

std::unique_ptr<Words> make_words();
