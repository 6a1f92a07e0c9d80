// What sentence-transformers keeps in a folder beside the model: how the vectors of a text become one.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const SentenceModules sentence, SentenceModules::Read("all-MiniLM-L6-v2"));
//   if (sentence.pooling == Pooling::kMean) ...
//
// Source: modules.json and 1_Pooling/config.json as sentence-transformers 2 to 5 writes them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "isoveil/base/file.h"
#include "isoveil/base/result.h"

namespace isoveil {

enum class Pooling { kMean, kFirst, kLast };

// "mean", "cls", "lasttoken", as sentence-transformers calls them.
std::string_view PoolingName(Pooling pooling);

struct SentenceModules {
  std::optional<Pooling> pooling;
  bool scales = false;              // to length 1
  std::vector<std::string> others;  // modules and poolings that have no rule, by their names

  // What of the folder's vectors the encrypted model does not make, for people.
  std::vector<std::string> Warnings() const;
  // The same folder again, for vectors of that width, as pairs of a file's name and its text: pooling and scaling
  // alone. Empty where the pooling is not known.
  std::vector<std::pair<std::string, std::string>> Write(uint64_t width) const;

  // All empty for a folder without them. kFormat names the file and what is wrong with it.
  static Result<SentenceModules> Read(const Path& folder);
  // The files that were read, as far as they are there.
  static std::vector<Path> Files(const Path& folder);
};

}  // namespace isoveil
