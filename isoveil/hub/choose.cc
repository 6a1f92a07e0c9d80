#include "isoveil/hub/choose.h"

#include <fnmatch.h>

#include <algorithm>
#include <map>
#include <regex>
#include <set>

namespace isoveil {
namespace {

using Files = std::vector<HubFile>;

// At the top of the repository, what a tokenizer, a client or a person reads.
constexpr const char* kSmallFiles[] = {
    "*config.json",
    "tokenizer.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "*.model",
    "chat_template.json",
    "*.jinja",
    "params.json",
    "README.md",
    "LICEN[CS]E*",
    "NOTICE*",
    "USE_POLICY*",
    "*.safetensors.index.json",
};
constexpr const char* kPickles[] = {"*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle"};

bool Matches(const std::string& pattern, const std::string& path) {
  return ::fnmatch(pattern.c_str(), path.c_str(), 0) == 0;
}

template <typename Patterns>
bool MatchesAny(const Patterns& patterns, const std::string& path) {
  return std::any_of(std::begin(patterns), std::end(patterns),
                     [&](const auto& pattern) { return Matches(pattern, path); });
}

bool IsTop(const HubFile& file) { return file.path.find('/') == std::string::npos; }
bool IsSafetensors(const HubFile& file) { return file.path.ends_with(".safetensors"); }
bool IsGguf(const HubFile& file) { return file.path.ends_with(".gguf"); }
// What `pull` itself writes into the folder.
bool IsOwn(const HubFile& file) { return file.path.starts_with(".isoveil-"); }
bool IsPickle(const HubFile& file) { return MatchesAny(kPickles, file.path); }

template <typename Predicate>
Files Select(std::span<const HubFile> files, Predicate predicate) {
  Files selected;
  std::copy_if(files.begin(), files.end(), std::back_inserter(selected), predicate);
  return selected;
}

// "model-00001-of-00003.gguf" and its sisters are one model: "model.gguf".
std::string GgufModel(const std::string& path) {
  static const std::regex kShard("-[0-9]{5}-of-[0-9]{5}\\.gguf$");
  return std::regex_replace(path, kShard, ".gguf");
}

std::string ListModels(const std::map<std::string, uint64_t>& models) {
  constexpr size_t kMost = 40;
  std::string text;
  size_t count = 0;
  for (const auto& [name, bytes] : models) {
    if (count++ == kMost) return text + "\n  ...";
    text += fmt::format("\n  {} ({:.2f} GB)", Quoted(name), static_cast<double>(bytes) / 1e9);
  }
  return text;
}

// One GGUF model, in one file or in shards.
Result<Files> OneGguf(Files files) {
  std::map<std::string, uint64_t> models;
  for (const HubFile& file : files) models[GgufModel(file.path)] += file.size;
  if (models.size() == 1) return files;
  return Fail(ErrorCode::kInvalidArgument, "--include",
              fmt::format("one GGUF model is needed, of these {}:{}", models.size(), ListModels(models)),
              "name one, for example: --include '*Q8_0*'");
}

// Of weights that stand twice, as one file and as shards, the one file is enough.
Files DefaultSafetensors(std::span<const HubFile> files) {
  static const std::regex kShard("model-[0-9]{5}-of-[0-9]{5}\\.safetensors");
  Files whole = Select(files, [](const HubFile& f) { return f.path == "model.safetensors"; });
  if (!whole.empty()) return whole;
  Files shards = Select(files, [](const HubFile& f) { return std::regex_match(f.path, kShard); });
  if (!shards.empty()) return shards;
  return Select(files, [](const HubFile& f) { return IsTop(f) && IsSafetensors(f); });
}

Result<Files> DefaultWeights(std::span<const HubFile> files) {
  if (Files safetensors = DefaultSafetensors(files); !safetensors.empty()) return safetensors;
  // A vision projector is no model of its own.
  Files gguf = Select(files, [](const HubFile& f) { return IsGguf(f) && !Matches("*mmproj*", f.path); });
  if (!gguf.empty()) return OneGguf(std::move(gguf));
  const Files deep = Select(files, IsSafetensors);
  if (!deep.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "--include",
                "weights stand only in folders, as " + Quoted(deep.front().path),
                "name them, for example: --include 'transformer/*.safetensors'");
  }
  const Files pickles = Select(files, IsPickle);
  if (!pickles.empty()) {
    return Fail(ErrorCode::kUnsupported, "repository",
                "holds weights only as pickle, as " + Quoted(pickles.front().path) +
                    ", which can run any program when it is read",
                "look for a revision or a repository of the model with safetensors");
  }
  return Fail(ErrorCode::kNotFound, "repository", "holds neither *.safetensors nor *.gguf", "");
}

Result<Files> Included(std::span<const HubFile> files, const std::vector<std::string>& include) {
  for (const std::string& pattern : include) {
    const Files matched = Select(files, [&](const HubFile& f) { return Matches(pattern, f.path); });
    if (matched.empty()) {
      return Fail(ErrorCode::kInvalidArgument, "--include", "no file matches " + Quoted(pattern),
                  "patterns match whole paths: '*Q4_K_M*', 'folder/*.safetensors'");
    }
    if (std::all_of(matched.begin(), matched.end(), IsPickle)) {
      return Fail(ErrorCode::kUnsupported, "--include",
                  Quoted(pattern) + " matches only pickles, which can run any program when they are read",
                  "choose *.safetensors or *.gguf");
    }
  }
  return Select(files, [&](const HubFile& f) { return !IsPickle(f) && !IsOwn(f) && MatchesAny(include, f.path); });
}

Result<Files> Weights(std::span<const HubFile> files, const Files& included) {
  const Files safetensors = Select(included, IsSafetensors);
  const Files gguf = Select(included, IsGguf);
  if (safetensors.empty() && gguf.empty()) return DefaultWeights(files);
  if (!safetensors.empty() && !gguf.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "--include", "matches safetensors and GGUF files",
                "name the weights of one model");
  }
  if (!gguf.empty()) return OneGguf(gguf);
  return safetensors;
}

Status CheckPaths(std::span<const HubFile> files) {
  std::set<std::string_view> seen;
  for (const HubFile& file : files) {
    std::string path = file.path;
    std::replace(path.begin(), path.end(), '\\', '_');
    ISOVEIL_RETURN_IF_ERROR(CheckFilePath(path));
    if (!seen.insert(file.path).second) {
      return Fail(ErrorCode::kFormat, "file name " + Quoted(file.path), "is listed twice", "");
    }
  }
  return Ok();
}

}  // namespace

Result<FileChoice> ChooseFiles(std::span<const HubFile> files, const std::vector<std::string>& include) {
  ISOVEIL_RETURN_IF_ERROR(CheckPaths(files));
  ISOVEIL_ASSIGN_OR_RETURN(const Files included, Included(files, include));
  ISOVEIL_ASSIGN_OR_RETURN(const Files weights, Weights(files, included));
  const bool shards = std::any_of(weights.begin(), weights.end(), IsSafetensors) &&
                      !(weights.size() == 1 && weights.front().path == "model.safetensors");
  std::map<std::string, HubFile> chosen;
  for (const Files* part : {&included, &weights}) {
    for (const HubFile& file : *part) chosen[file.path] = file;
  }
  for (const HubFile& file : files) {
    // An index without its shards makes a folder ambiguous.
    if (!shards && file.path.ends_with(".safetensors.index.json")) continue;
    if (IsTop(file) && MatchesAny(kSmallFiles, file.path)) chosen[file.path] = file;
  }
  FileChoice choice;
  for (auto& [path, file] : chosen) {
    ISOVEIL_RETURN_IF_ERROR(CheckFilePath(path));
    choice.bytes += file.size;
    choice.files.push_back(std::move(file));
  }
  return choice;
}

}  // namespace isoveil
