// isoveil tokens: text to encrypted ids and back.
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
  bool special = false;
  bool parse_special = false;
  bool ids = false;
  bool json = false;
};

// "[1, 2, 3]", or any object with a member "ids" or "tokens" that is such a list.
template <typename Id>
Result<std::vector<Id>> ParseIds(const std::string& text) {
  const auto fail = [](std::string problem) {
    return Fail(ErrorCode::kFormat, "stdin", std::move(problem), "expected a JSON list of ids, such as [12, 7]");
  };
  const auto json = ParseStrictJson(text, "stdin");
  if (!json) return fail(json.error().problem);
  const ordered_json* list = &*json;
  for (const char* name : {"ids", "tokens"}) {
    if (json->is_object() && json->contains(name)) list = &json->at(name);
  }
  if (!list->is_array()) return fail("is no list");
  std::vector<Id> ids;
  for (const ordered_json& id : *list) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() >= int64_t{kMaxVocabulary}) {
      return fail(fmt::format("position {} is no token id", ids.size()));
    }
    ids.push_back(id.get<Id>());
  }
  return ids;
}

Result<ClientFolder> OpenClient(const Options& options) {
  ISOVEIL_RETURN_IF_ERROR(ExpectPart(options.client, OutPart::kClient));
  ISOVEIL_ASSIGN_OR_RETURN(const RootKey key, OpenKey(options.key));
  return ClientFolder::Open(options.client, key);
}

Result<std::vector<WireId>> EncryptInput(const Options& options, const ClientFolder& client) {
  const std::string input = ReadStdin();
  if (options.ids) {
    ISOVEIL_ASSIGN_OR_RETURN(const std::vector<PlainId> plain, ParseIds<PlainId>(input));
    return client.cipher.Encrypt(plain);
  }
  ISOVEIL_ASSIGN_OR_RETURN(
      const std::vector<PlainId> plain,
      client.vocabulary.Tokenize(input, {.add_special = options.special, .parse_special = options.parse_special}));
  return client.cipher.Encrypt(plain);
}

int RunEncrypt(const Options& options) {
  const Result<ClientFolder> client = OpenClient(options);
  if (!client) return Report(client.error(), options.json);
  const auto ids = EncryptInput(options, *client);
  if (!ids) return Report(ids.error(), options.json);
  return Print({{"ids", *ids}}, ordered_json(*ids).dump() + "\n", options.json);
}

struct Decrypted {
  std::vector<PlainId> plain;
  std::string text;
};

Result<Decrypted> DecryptInput(const Options& options, const ClientFolder& client) {
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<WireId> ids, ParseIds<WireId>(ReadStdin()));
  ISOVEIL_ASSIGN_OR_RETURN(std::vector<PlainId> plain, client.cipher.Decrypt(ids));
  const TextStart start = options.special ? TextStart::kWholeText : TextStart::kContinuation;
  ISOVEIL_ASSIGN_OR_RETURN(std::string text,
                           client.vocabulary.Detokenize(plain, {.start = start, .special = options.parse_special}));
  return Decrypted{std::move(plain), std::move(text)};
}

int RunDecrypt(const Options& options) {
  const Result<ClientFolder> client = OpenClient(options);
  if (!client) return Report(client.error(), options.json);
  const auto decrypted = DecryptInput(options, *client);
  if (!decrypted) return Report(decrypted.error(), options.json);
  const std::string text = options.ids ? ordered_json(decrypted->plain).dump() + "\n" : decrypted->text;
  return Print({{"text", decrypted->text}, {"plain_ids", decrypted->plain}}, text, options.json);
}

void AddCommon(CLI::App& app, Options& options) {
  app.add_option("CLIENT", options.client, "The client folder that `isoveil encrypt` wrote")->required();
  AddKeyOptions(app, options.key);
  AddJsonOption(app, options.json);
}

}  // namespace

Command AddTokens(CLI::App& parent) {
  CLI::App* app = parent.add_subcommand("tokens", "Turn text into encrypted token ids, and back");
  app->footer(
      "Turn text on stdin into the encrypted token ids that a server gets, and back.\n\n"
      "  echo -n 'Once upon a time' | isoveil tokens encrypt out/client -k my.key --special\n"
      "  echo '[311, 42]'           | isoveil tokens decrypt out/client -k my.key");
  app->require_subcommand(1);
  auto options = std::make_shared<Options>();
  CLI::App* encrypt = app->add_subcommand("encrypt", "Text on stdin to a JSON list of encrypted ids");
  AddCommon(*encrypt, *options);
  encrypt->add_flag("--special", options->special, "Add what the model expects around a text, such as BOS");
  encrypt->add_flag("--parse-special", options->parse_special, "Read control tokens such as <|im_end|> in the text");
  encrypt->add_flag("--ids", options->ids, "stdin is a JSON list of plain ids instead of text");
  CLI::App* decrypt = app->add_subcommand("decrypt", "A JSON list of encrypted ids on stdin to text");
  AddCommon(*decrypt, *options);
  decrypt->add_flag("--whole", options->special,
                    "The ids are a whole text: drop the space that the tokenizer put before its first word");
  decrypt->add_flag("--show-special", options->parse_special, "Show control tokens by name");
  decrypt->add_flag("--ids", options->ids, "Print plain ids instead of text");
  return {app, [options, encrypt] { return encrypt->parsed() ? RunEncrypt(*options) : RunDecrypt(*options); }};
}

}  // namespace isoveil
