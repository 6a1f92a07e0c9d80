// Where everything lies in a file that is about to be written.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace isoveil {

struct FileLayout {
  std::string header;             // the file's first bytes, padding up to the data included
  std::vector<uint64_t> offsets;  // of each tensor's data in the file, in the order given
  uint64_t size = 0;              // of the whole file
};

}  // namespace isoveil
