// isoveil generate: one completion through a blind server.
#include <csignal>
#include <iostream>

#include "isoveil/apps/gateway_run.h"
#include "isoveil/apps/out_folder.h"
#include "isoveil/gateway/generator.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

struct Options {
  std::string client;
  KeyOptions key;
  UpstreamFlags upstreams;
  std::string prompt;
  int32_t max_tokens = 64;
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
  Outcome outcome;
};

Result<Completion> Complete(const Options& options) {
  ISOVEIL_RETURN_IF_ERROR(ExpectPart(options.client, OutPart::kClient));
  ISOVEIL_ASSIGN_OR_RETURN(const RootKey key, OpenKey(options.key));
  ISOVEIL_ASSIGN_OR_RETURN(const ClientFolder client, ClientFolder::OpenText(options.client, key));
  ISOVEIL_ASSIGN_OR_RETURN(const auto pool, OpenPool(options.client, client, options.upstreams));
  Generation generation;
  generation.sampling.max_tokens = options.max_tokens;
  generation.sampling.temperature = options.temperature;
  generation.sampling.seed = options.seed;
  generation.sampling.ignore_eos = options.ignore_eos;
  ISOVEIL_ASSIGN_OR_RETURN(
      generation.prompt,
      client.vocabulary.Tokenize(options.prompt, {.add_special = true, .parse_special = options.parse_special}));
  Completion completion;
  ISOVEIL_ASSIGN_OR_RETURN(completion.sent, client.cipher.Encrypt(generation.prompt));
  if (options.show_wire) std::cerr << "sent     " << ordered_json(completion.sent).dump() << "\n";
  const auto show = [&](const Piece& piece) {
    for (const PlainToken& token : piece.tokens) completion.received.push_back(token.wire);
    completion.text += piece.text;
    if (!options.json) std::cout << piece.text << std::flush;
    return static_cast<bool>(std::cout);
  };
  ISOVEIL_ASSIGN_OR_RETURN(completion.outcome, Generator(client, *pool).Run(generation, show));
  if (options.show_wire) std::cerr << "\nreceived " << ordered_json(completion.received).dump() << "\n";
  return completion;
}

int Run(const Options& options) {
  std::signal(SIGPIPE, SIG_IGN);
  const Result<Completion> completion = Complete(options);
  if (!completion) return Report(completion.error(), options.json);
  return Print({{"text", completion->text},
                {"finish_reason", FinishReasonName(completion->outcome.finish)},
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
  AddUpstreamFlags(*app, options->upstreams);
  app->add_option("-n,--max-tokens", options->max_tokens, "Most tokens to generate")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
  app->add_option("--temperature", options->temperature, "0 is greedy")->capture_default_str();
  app->add_option("--seed", options->seed, "Seed of the sampling");
  app->add_flag("--parse-special", options->parse_special, "Read control tokens such as <|im_end|> in the prompt");
  app->add_flag("--ignore-eos", options->ignore_eos, "Go on past the end of the text");
  app->add_flag("--show-wire", options->show_wire, "Print the ids that are sent and received, on stderr");
  AddJsonOption(*app, options->json);
  return {app, [options] { return Run(*options); }};
}

}  // namespace isoveil
