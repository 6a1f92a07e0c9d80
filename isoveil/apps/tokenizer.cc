// isoveil tokenizer: the encrypted tokenizer as a file for other programs.
#include <iostream>
#include <numeric>

#include "isoveil/apps/cli.h"
#include "isoveil/apps/out_folder.h"
#include "isoveil/package/client_folder.h"
#include "isoveil/tokenizer/renamed_tokenizer.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

struct Options {
  std::string client;
  KeyOptions key;
  std::string out;
  bool json = false;
};

// Plain id to encrypted id.
Result<std::vector<int32_t>> Renaming(const VocabCipher& cipher) {
  std::vector<int32_t> renamed;
  for (uint64_t id = 0; id < cipher.n_vocab(); ++id) {
    ISOVEIL_ASSIGN_OR_RETURN(const WireId wire, cipher.Encrypt(PlainId{static_cast<int32_t>(id)}));
    renamed.push_back(Value(wire));
  }
  return renamed;
}

// The label that each of the server's numbers belongs to. Their numbers, decrypted like any others, stand in plain
// order.
Result<ordered_json> NamesOfLabels(const Port& port, const VectorCodec& codec) {
  std::vector<double> numbers(codec.dim());
  std::iota(numbers.begin(), numbers.end(), 0.0);
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<double> plain, codec.Decrypt(numbers));
  std::vector<uint64_t> label_of(plain.size());
  for (uint64_t label = 0; label < plain.size(); ++label) label_of.at(static_cast<size_t>(plain[label])) = label;
  ordered_json id2label = ordered_json::object();
  ordered_json label2id = ordered_json::object();
  for (uint64_t i = 0; i < label_of.size(); ++i) {
    const uint64_t label = label_of[i];
    const std::string name = port.names.empty() ? fmt::format("LABEL_{}", label) : port.names[label];
    id2label[std::to_string(i)] = name;
    label2id[name] = i;
  }
  return ordered_json{{"id2label", std::move(id2label)}, {"label2id", std::move(label2id)}};
}

Result<std::vector<TextFile>> Files(const Options& options) {
  ISOVEIL_RETURN_IF_ERROR(ExpectPart(options.client, OutPart::kClient));
  ISOVEIL_ASSIGN_OR_RETURN(const RootKey key, OpenKey(options.key));
  ISOVEIL_ASSIGN_OR_RETURN(const ClientFolder client, ClientFolder::Open(options.client, key));
  ISOVEIL_ASSIGN_OR_RETURN(const HfTokenizerFiles source, HfTokenizerFiles::Read(options.client));
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<int32_t> renamed, Renaming(client.cipher));
  const bool has_segments = client.manifest.ports.FindPort(PortKind::kSegments) != nullptr;
  ISOVEIL_ASSIGN_OR_RETURN(std::vector<TextFile> files, RenameTokenizer(source, renamed, has_segments));
  for (const Port& port : client.manifest.ports.list) {
    if (port.kind != PortKind::kLabels) continue;
    ISOVEIL_ASSIGN_OR_RETURN(const ordered_json names, NamesOfLabels(port, client.vectors.at(port.name)));
    files.push_back({"config.json", names.dump(1) + "\n"});
  }
  return files;
}

Status Write(const Path& folder, const std::vector<TextFile>& files) {
  ISOVEIL_ASSIGN_OR_RETURN(Stage stage, Stage::Open(folder, Stage::Mode::kFresh));
  Status written = [&]() -> Status {
    for (const TextFile& file : files) ISOVEIL_RETURN_IF_ERROR(WriteNewFile(stage.path() / file.name, file.text, 0600));
    return stage.Publish();
  }();
  if (!written) {
    ISOVEIL_RETURN_IF_ERROR(stage.Discard());
    return written;
  }
  // Publishing opens the folder; the files are the owner's all the while.
  std::error_code error;
  std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  if (error) return Fail(ErrorCode::kIo, folder.string(), "cannot be kept from others: " + error.message());
  return Ok();
}

int Run(const Options& options) {
  const auto files = Files(options);
  if (!files) return Report(files.error(), options.json);
  if (const Status written = Write(options.out, *files); !written) return Report(written.error(), options.json);
  fmt::print(
      stderr,
      "isoveil: warning: {} is a key: whoever has it reads what the server gets and gives. Keep it as you keep the key "
      "file.\n",
      options.out);
  ordered_json names = ordered_json::array();
  for (const TextFile& file : *files) names.push_back(file.name);
  return Print({{"folder", options.out}, {"files", std::move(names)}}, options.out + "\n", options.json);
}

}  // namespace

Command AddTokenizer(CLI::App& parent) {
  CLI::App* app = parent.add_subcommand("tokenizer", "Write the encrypted tokenizer for other programs");
  app->footer(
      "Write a Hugging Face tokenizer that encodes text straight to encrypted ids and decodes them:\n\n"
      "  isoveil tokenizer export out/client -k my.key -o secret-tokenizer\n"
      "  AutoTokenizer.from_pretrained(\"secret-tokenizer\")\n\n"
      "It is a key. Of a classifier, its config.json names the labels in the order in which the server gives them.");
  app->require_subcommand(1);
  auto options = std::make_shared<Options>();
  CLI::App* command = app->add_subcommand("export", "Write tokenizer.json with encrypted ids, for the owner alone");
  command->add_option("CLIENT", options->client, "The client folder that `isoveil encrypt` wrote")->required();
  AddKeyOptions(*command, options->key);
  command->add_option("-o,--output", options->out, "The folder to write; it must not exist")->required();
  AddJsonOption(*command, options->json);
  return {app, [options] { return Run(*options); }};
}

}  // namespace isoveil
