// isoveil inspect: what a file or folder is.
#include "isoveil/apps/cli.h"
#include "isoveil/arch/bind.h"
#include "isoveil/package/manifest.h"
#include "isoveil/transform/encrypt.h"
#include "isoveil/transform/source_texts.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

struct Description {
  ordered_json json;
  std::string text;
};

Result<Description> DescribeKey(const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(const KeyFileHeader header, ReadKeyFileHeader(path));
  return Description{
      {{"kind", "key"}, {"key_id", header.key_id}, {"created", header.created}, {"sealed", header.sealed}},
      fmt::format("key {}\n  made on {}\n  {}\n", header.key_id, header.created,
                  header.sealed ? "sealed by a passphrase" : "NOT sealed by a passphrase")};
}

Result<Description> DescribeClient(const Path& folder) {
  ISOVEIL_ASSIGN_OR_RETURN(const Manifest manifest, Manifest::Read(folder / kManifestFile));
  uint64_t bytes = 0;
  for (const FileHash& file : manifest.server_files) bytes += file.bytes;
  return Description{
      {{"kind", "client"},
       {"key_id", manifest.key_id},
       {"architecture", manifest.architecture},
       {"profile", ProfileName(manifest.profile)},
       {"format", FormatName(manifest.target)},
       {"n_vocab", manifest.n_vocab()},
       {"tensors", manifest.tensors.size()},
       {"server_files", manifest.server_files.size()},
       {"server_bytes", bytes}},
      fmt::format("client side of an encrypted {} model\n"
                  "  key {}, profile {}, format {}\n"
                  "  {} tokens, {} tensors, {} in {} file(s) on the server\n",
                  manifest.architecture, manifest.key_id, ProfileName(manifest.profile), FormatName(manifest.target),
                  manifest.n_vocab(), manifest.tensors.size(), HumanBytes(bytes), manifest.server_files.size())};
}

Result<Description> DescribeCheckpoint(const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(path));
  ISOVEIL_ASSIGN_OR_RETURN(const BoundModel model, Bind(checkpoint, {}));
  const bool encrypted = HasPlaceholderVocabulary(checkpoint);
  // A source is one that `encrypt` takes.
  if (!encrypted) ISOVEIL_RETURN_IF_ERROR(ReadUsableVocabulary(checkpoint, model.n_vocab));
  ordered_json json = {{"kind", encrypted ? "encrypted" : "source"},
                       {"architecture", model.family->name},
                       {"format", FormatName(checkpoint.kind())}};
  std::string sizes;
  for (const auto& [name, count] : model.config.counts()) {
    json[name] = count;
    sizes += fmt::format("{}{} {}", sizes.empty() ? "" : ", ", name, count);
  }
  json["n_vocab"] = model.n_vocab;
  json["tied_head"] = model.tied_head;
  json["tensors"] = checkpoint.tensors().size();
  json["bytes"] = checkpoint.total_bytes();
  return Description{std::move(json), fmt::format("{} checkpoint, {} in {} format\n"
                                                  "  {}\n"
                                                  "  {} tokens, head {}, {} tensors, {}\n",
                                                  encrypted ? "encrypted" : "plaintext", model.family->name,
                                                  FormatName(checkpoint.kind()), sizes, model.n_vocab,
                                                  model.tied_head ? "tied" : "untied", checkpoint.tensors().size(),
                                                  HumanBytes(checkpoint.total_bytes()))};
}

Result<Description> Describe(const Path& path) {
  if (FileExists(path / kManifestFile)) return DescribeClient(path);
  if (FileExists(path / "client" / kManifestFile)) return DescribeClient(path / "client");
  if (IsRegularFile(path) && IsKeyFile(path)) return DescribeKey(path);
  return DescribeCheckpoint(path);
}

int Run(const std::string& path, bool json) {
  const Result<Description> description = Describe(path);
  if (!description) return Report(description.error(), json);
  return Print(description->json, description->text, json);
}

}  // namespace

Command AddInspect(CLI::App& parent) {
  CLI::App* app = parent.add_subcommand("inspect", "Say what a key, a checkpoint or an encrypted folder is");
  app->footer(
      "Say what a path is: a key file, a source checkpoint (and whether it is supported), an encrypted\n"
      "checkpoint, or the folders that `isoveil encrypt` wrote. No passphrase is needed.");
  struct Options {
    std::string path;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  app->add_option("PATH", options->path, "File or folder")->required();
  AddJsonOption(*app, options->json);
  return {app, [options] { return Run(options->path, options->json); }};
}

}  // namespace isoveil
