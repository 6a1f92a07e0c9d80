// isoveil vectors: what an encoder on a server computed, back to the plaintext model's vectors.
#include "isoveil/apps/cli.h"
#include "isoveil/apps/out_folder.h"
#include "isoveil/base/strict_json.h"
#include "isoveil/package/client_folder.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

struct Options {
  std::string client;
  KeyOptions key;
  std::string output;  // the first one unless named
  bool json = false;
};

Result<const VectorCodec*> FindCodec(const ClientFolder& client, const std::string& output) {
  std::string names;
  for (const Port& port : client.manifest.ports.list) {
    if (port.kind != PortKind::kVectors && port.kind != PortKind::kLabels) continue;
    if (output.empty() || port.name == output) return &client.vectors.find(port.name)->second;
    names += (names.empty() ? "" : ", ") + port.name;
  }
  if (names.empty()) {
    return Fail(ErrorCode::kUnsupported, "CLIENT", "belongs to a model that gives no vectors",
                "text comes from `isoveil chat` and `isoveil gateway`");
  }
  return Fail(ErrorCode::kNotFound, "--output", fmt::format("expected one of {}, found {}", names, Quoted(output)));
}

Result<ordered_json> DecryptOne(const VectorCodec& codec, const ordered_json& list, const std::string& where) {
  std::vector<double> encrypted;
  for (const ordered_json& number : list) {
    if (!number.is_number())
      return Fail(ErrorCode::kFormat, where, fmt::format("position {} is no number", encrypted.size()));
    encrypted.push_back(number.get<double>());
  }
  auto plain = codec.Decrypt(encrypted);
  if (plain) return ordered_json(*plain);
  Error error = plain.error();
  error.where = where;
  return tl::unexpected(std::move(error));
}

// Lists of lists of vectors, as deep as strict JSON goes, keep their shape.
Result<ordered_json> DecryptAll(const VectorCodec& codec, const ordered_json& value, const std::string& where) {
  if (!value.is_array()) {
    return Fail(ErrorCode::kFormat, where, "is no list", "expected a vector such as [0.5, -1.25], or lists of vectors");
  }
  if (value.empty() || !value.front().is_array()) return DecryptOne(codec, value, where);
  ordered_json all = ordered_json::array();
  for (const ordered_json& part : value) {
    ISOVEIL_ASSIGN_OR_RETURN(ordered_json plain, DecryptAll(codec, part, fmt::format("{}[{}]", where, all.size())));
    all.push_back(std::move(plain));
  }
  return all;
}

Result<ordered_json> Decrypt(const Options& options) {
  ISOVEIL_RETURN_IF_ERROR(ExpectPart(options.client, OutPart::kClient));
  ISOVEIL_ASSIGN_OR_RETURN(const RootKey key, OpenKey(options.key));
  ISOVEIL_ASSIGN_OR_RETURN(const ClientFolder client, ClientFolder::Open(options.client, key));
  ISOVEIL_ASSIGN_OR_RETURN(const VectorCodec* codec, FindCodec(client, options.output));
  ISOVEIL_ASSIGN_OR_RETURN(const ordered_json encrypted, ParseStrictJson(ReadStdin(), "stdin"));
  return DecryptAll(*codec, encrypted, "stdin");
}

int Run(const Options& options) {
  const Result<ordered_json> plain = Decrypt(options);
  if (!plain) return Report(plain.error(), options.json);
  return Print({{"vectors", *plain}}, plain->dump() + "\n", options.json);
}

}  // namespace

Command AddVectors(CLI::App& parent) {
  CLI::App* app =
      parent.add_subcommand("vectors", "Turn the vectors that a server computed into the plaintext model's");
  app->footer(
      "For encoders such as BERT, which read encrypted ids (`isoveil tokens encrypt`) and give vectors. stdin is JSON, "
      "a\n"
      "vector or lists of vectors of any depth; stdout is the same, decrypted.\n\n"
      "  echo '[[0.25, -1.5, ...]]' | isoveil vectors out/client -k my.key --output last_hidden_state");
  auto options = std::make_shared<Options>();
  app->add_option("CLIENT", options->client, "The client folder that `isoveil encrypt` wrote")->required();
  AddKeyOptions(*app, options->key);
  app->add_option("--output", options->output,
                  "Which of the model's outputs they are (default: the first in the manifest)");
  AddJsonOption(*app, options->json);
  return {app, [options] { return Run(*options); }};
}

}  // namespace isoveil
