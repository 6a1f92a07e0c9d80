// isoveil generate: one completion through a blind server.
#include <csignal>
#include <iostream>

#include "isoveil/apps/cli.h"
#include "isoveil/apps/out_folder.h"
#include "isoveil/engine/upstream_factory.h"
#include "isoveil/package/client_folder.h"
#include "isoveil/tokenizer/detokenizer.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

struct Options {
  std::string client;
  KeyOptions key;
  std::string prompt;
  std::string upstream = "http://127.0.0.1:8081";
  int32_t n = 64;
  double temperature = 0;
  std::optional<uint32_t> seed;
  bool parse_special = false;
  bool ignore_eos = false;
  bool show_wire = false;
  bool json = false;
};

struct Completion {
  std::vector<WireId> sent;
  std::vector<WireId> received;
  std::string text;
  GenerateResult result;
};

Result<GenerateRequest> MakeRequest(const Options& options, const ClientFolder& client) {
  ISOVEIL_ASSIGN_OR_RETURN(
      const std::vector<PlainId> plain,
      client.vocabulary.Tokenize(options.prompt,
                                 {.add_special = true, .parse_special = options.parse_special}));
  GenerateRequest request;
  ISOVEIL_ASSIGN_OR_RETURN(request.prompt, client.cipher.Encrypt(plain));
  request.sampling.max_tokens = options.n;
  request.sampling.temperature = options.temperature;
  request.sampling.seed = options.seed;
  request.sampling.ignore_eos = options.ignore_eos;
  if (!options.ignore_eos) {
    ISOVEIL_ASSIGN_OR_RETURN(request.stop_ids,
                             client.cipher.Encrypt(client.vocabulary.special_ids().end_of_generation));
  }
  return request;
}

Result<Completion> Complete(const Options& options) {
  ISOVEIL_RETURN_IF_ERROR(ExpectPart(options.client, OutPart::kClient));
  ISOVEIL_ASSIGN_OR_RETURN(const RootKey key, OpenKey(options.key));
  ISOVEIL_ASSIGN_OR_RETURN(const ClientFolder client, ClientFolder::OpenText(options.client, key));
  UpstreamOptions upstream;
  upstream.url = options.upstream;
  upstream.n_vocab = static_cast<int64_t>(client.manifest.n_vocab());
  ISOVEIL_ASSIGN_OR_RETURN(const auto server, OpenUpstream(upstream));
  ISOVEIL_ASSIGN_OR_RETURN(const GenerateRequest request, MakeRequest(options, client));

  Completion completion;
  completion.sent = request.prompt;
  if (options.show_wire) std::cerr << "sent     " << ordered_json(request.prompt).dump() << "\n";
  IncrementalDetokenizer detokenizer(client.vocabulary, {.start = TextStart::kContinuation});
  Status failed = Ok();
  const auto show = [&](const std::string& piece) {
    completion.text += piece;
    if (!options.json) std::cout << piece << std::flush;
  };
  const auto on_token = [&](const GeneratedToken& token) {
    completion.received.push_back(token.id);
    const auto plain = client.cipher.Decrypt(token.id);
    if (!plain) return failed = tl::unexpected(plain.error()), false;
    const auto piece = detokenizer.Append(*plain);
    if (!piece) return failed = tl::unexpected(piece.error()), false;
    show(*piece);
    return static_cast<bool>(std::cout);
  };
  ISOVEIL_ASSIGN_OR_RETURN(completion.result, server->Generate(request, on_token));
  ISOVEIL_RETURN_IF_ERROR(failed);
  show(detokenizer.Finish());
  if (options.show_wire) std::cerr << "\nreceived " << ordered_json(completion.received).dump() << "\n";
  return completion;
}

int Run(const Options& options) {
  std::signal(SIGPIPE, SIG_IGN);
  const Result<Completion> completion = Complete(options);
  if (!completion) return Report(completion.error(), options.json);
  return Print({{"text", completion->text},
                {"finish_reason", FinishReasonName(completion->result.finish)},
                {"prompt_tokens", completion->sent.size()},
                {"completion_tokens", completion->received.size()},
                {"wire", {{"sent", completion->sent}, {"received", completion->received}}}},
               "\n", options.json);
}

}  // namespace

Command AddGenerate(CLI::App& parent) {
  CLI::App* app = parent.add_subcommand("generate", "Complete a text through a blind server");
  app->footer(
      "Complete a text through a server that holds the encrypted checkpoint. The text is tokenized and\n"
      "encrypted here; only ids and sampling numbers are sent. --show-wire prints what crosses.\n\n"
      "  isoveil generate out/client -k my.key -n 64 \"Once upon a time\"");
  auto options = std::make_shared<Options>();
  app->add_option("CLIENT", options->client, "The client folder that `isoveil encrypt` wrote")->required();
  app->add_option("PROMPT", options->prompt, "The text to complete")->required();
  AddKeyOptions(*app, options->key);
  app->add_option("--upstream", options->upstream, "URL of the llama-server")->capture_default_str();
  app->add_option("-n,--max-tokens", options->n, "Most tokens to generate")->capture_default_str();
  app->add_option("--temperature", options->temperature, "0 is greedy")->capture_default_str();
  app->add_option("--seed", options->seed, "Seed of the sampling");
  app->add_flag("--parse-special", options->parse_special,
                "Read control tokens such as <|im_end|> in the prompt");
  app->add_flag("--ignore-eos", options->ignore_eos, "Go on past the end of the text");
  app->add_flag("--show-wire", options->show_wire, "Print the ids that are sent and received, on stderr");
  AddJsonOption(*app, options->json);
  return {app, [options] { return Run(*options); }};
}

}  // namespace isoveil
