#include <charconv>
#include <set>

#include "isoveil/format/gguf.h"
#include "isoveil/format/gguf_split.h"
#include "isoveil/format/gguf_wire.h"

namespace isoveil {
namespace {

constexpr size_t kNumberDigits = 5;
constexpr std::string_view kOf = "-of-";
constexpr std::string_view kExtension = ".gguf";

// Removes the five digits at the end of `text`.
std::optional<uint64_t> TakeNumber(std::string_view& text) {
  if (text.size() < kNumberDigits) return std::nullopt;
  const std::string_view digits = text.substr(text.size() - kNumberDigits);
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  text.remove_suffix(kNumberDigits);
  return number;
}

bool TakeSuffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

// The paths of all shards, given the first.
Result<std::vector<Path>> ShardPaths(const Path& first, uint64_t count) {
  auto name = ParseSplitName(first.filename().string());
  if (!name || name->count != count) {
    return Fail(
        ErrorCode::kFormat, first.string(),
        fmt::format("is a shard of {}; expected a name like {}", count, Quoted(FormatSplitName({"NAME", 1, count}))),
        "keep the names that the shards were published under");
  }
  if (name->number != 1) {
    name->number = 1;
    return Fail(ErrorCode::kInvalidArgument, first.string(), "is a later shard of a split model",
                fmt::format("give the first shard, {}", Quoted(FormatSplitName(*name))));
  }
  std::vector<Path> paths;
  for (; name->number <= count; ++name->number) paths.push_back(first.parent_path() / FormatSplitName(*name));
  return paths;
}

Result<GgufFile> OpenShard(const Path& path, uint64_t index, uint64_t count) {
  Result<GgufFile> file = GgufFile::Open(path);
  if (!file && file.error().code == ErrorCode::kNotFound) {
    return Fail(ErrorCode::kNotFound, path.string(), fmt::format("is missing: shard {} of {}", index + 1, count),
                "fetch the missing shard");
  }
  return file;
}

// A shard's own idea of its place.
Status CheckPlace(const GgufFile& file, uint64_t index, uint64_t count) {
  for (const auto& [key, expected] : {std::pair("split.no", index), std::pair("split.count", count)}) {
    ISOVEIL_ASSIGN_OR_RETURN(const uint64_t found, file.metadata().GetUnsigned(key));
    if (found != expected) {
      return Fail(ErrorCode::kFormat, fmt::format("{}: key '{}'", file.path().string(), key),
                  fmt::format("expected {}, found {}", expected, found), "the shards are mixed up; fetch them again");
    }
  }
  return Ok();
}

Status CheckTensors(std::span<const GgufModel::Shard> shards) {
  std::set<std::string_view> names;
  for (const auto& shard : shards) {
    for (const TensorView& tensor : shard.file.tensors()) {
      if (!names.insert(tensor.info.name).second) {
        return Fail(ErrorCode::kFormat, fmt::format("{}: tensor {}", shard.path.string(), Quoted(tensor.info.name)),
                    "is in two shards", "the shards are mixed up; fetch them again");
      }
    }
  }
  constexpr const char* kTotal = "split.tensors.count";
  const GgufFile& first = shards.front().file;
  if (first.metadata().Find(kTotal) == nullptr) return Ok();
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t expected, first.metadata().GetUnsigned(kTotal));
  if (expected == names.size()) return Ok();
  return Fail(ErrorCode::kFormat, fmt::format("{}: key '{}'", first.path().string(), kTotal),
              fmt::format("expected {} tensors in all shards, found {}", expected, names.size()),
              "the shards are mixed up; fetch them again");
}

}  // namespace

std::optional<SplitName> ParseSplitName(std::string_view file_name) {
  if (!TakeSuffix(file_name, kExtension)) return std::nullopt;
  const auto count = TakeNumber(file_name);
  if (!count || !TakeSuffix(file_name, kOf)) return std::nullopt;
  const auto number = TakeNumber(file_name);
  if (!number || !TakeSuffix(file_name, "-")) return std::nullopt;
  return SplitName{std::string(file_name), *number, *count};
}

std::string FormatSplitName(const SplitName& name) {
  return fmt::format("{}-{:05}-of-{:05}.gguf", name.stem, name.number, name.count);
}

Result<GgufModel> GgufModel::Open(const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(GgufFile first, GgufFile::Open(path));
  uint64_t count = 1;
  if (first.metadata().Find("split.count") != nullptr) {
    ISOVEIL_ASSIGN_OR_RETURN(count, first.metadata().GetUnsigned("split.count"));
    if (count == 0 || count > gguf::kMaxShards) {
      return Fail(ErrorCode::kFormat, path.string() + ": key 'split.count'",
                  fmt::format("expected 1 to {}, found {}", gguf::kMaxShards, count), "the file is damaged");
    }
  }
  GgufModel model;
  model.shards_.push_back({path, std::move(first)});
  if (count == 1) return model;

  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<Path> paths, ShardPaths(path, count));
  for (uint64_t i = 1; i < count; ++i) {
    ISOVEIL_ASSIGN_OR_RETURN(GgufFile file, OpenShard(paths[i], i, count));
    model.shards_.push_back({paths[i], std::move(file)});
  }
  for (uint64_t i = 0; i < count; ++i) {
    ISOVEIL_RETURN_IF_ERROR(CheckPlace(model.shards_[i].file, i, count));
  }
  ISOVEIL_RETURN_IF_ERROR(CheckTensors(model.shards_));
  return model;
}

}  // namespace isoveil
