// isoveil chat: a conversation in the terminal.
#include <unistd.h>

#include <csignal>
#include <iostream>

#include "isoveil/apps/gateway_run.h"
#include "isoveil/apps/out_folder.h"
#include "isoveil/gateway/chat_task.h"

namespace isoveil {
namespace {

struct Options {
  std::string client;
  KeyOptions key;
  UpstreamFlags upstreams;
  std::string system;
  double temperature = 0.7;
  int32_t max_tokens = 0;
  std::optional<uint32_t> seed;
};

// One question and its answer, which is printed as it comes.
Result<Json> Ask(const ModelService& service, const Options& options, const Json& messages) {
  GenerationOptions generation;
  generation.sampling.temperature = options.temperature;
  generation.sampling.seed = options.seed;
  generation.has_max_tokens = options.max_tokens > 0;
  if (generation.has_max_tokens) generation.sampling.max_tokens = options.max_tokens;
  ISOVEIL_ASSIGN_OR_RETURN(const ChatTask task, MakeChatTask(service, {.messages = messages}, generation, {}));
  const auto print = [](const AnswerPart& part) {
    std::cout << part.delta.reasoning << part.delta.content << std::flush;
    return static_cast<bool>(std::cout);
  };
  ISOVEIL_ASSIGN_OR_RETURN(Answer answer, RunChat(service, task, 0, print));
  std::cout << "\n";
  return std::move(answer.message);
}

Status Converse(const Options& options) {
  ISOVEIL_RETURN_IF_ERROR(ExpectPart(options.client, OutPart::kClient));
  ISOVEIL_ASSIGN_OR_RETURN(const RootKey key, OpenKey(options.key));
  ISOVEIL_ASSIGN_OR_RETURN(const ClientFolder client, ClientFolder::OpenText(options.client, key));
  ISOVEIL_ASSIGN_OR_RETURN(const auto pool, OpenPool(options.client, client, options.upstreams));
  ISOVEIL_ASSIGN_OR_RETURN(TemplateSource source, ChatTemplate::SourceOf(client.vocabulary));
  ISOVEIL_ASSIGN_OR_RETURN(ChatTemplate chat, ChatTemplate::Isolate(std::move(source), TemplateWorkerProgram()));
  const ModelService service{.client = client, .upstream = pool.get(), .chat = std::move(chat), .n_context = [&] {
                               return pool->n_context();
                             }};
  Json messages = Json::array();
  if (!options.system.empty()) messages.push_back({{"role", "system"}, {"content", options.system}});
  const Json beginning = messages;
  const bool terminal = ::isatty(STDIN_FILENO) == 1;
  if (terminal) std::cerr << "Type a message. /new begins again, Ctrl-D ends.\n";
  const auto prompt = [&] { return terminal ? static_cast<bool>(std::cerr << "> ") : true; };
  for (std::string line; prompt() && std::getline(std::cin, line);) {
    if (line.empty()) continue;
    if (line == "/new") {
      messages = beginning;
      continue;
    }
    messages.push_back({{"role", "user"}, {"content", line}});
    ISOVEIL_ASSIGN_OR_RETURN(Json answer, Ask(service, options, messages));
    messages.push_back({{"role", "assistant"}, {"content", answer["content"]}});
  }
  return Ok();
}

int Run(const Options& options) {
  std::signal(SIGPIPE, SIG_IGN);
  const Status status = Converse(options);
  return status ? kExitOk : Report(status.error(), false);
}

}  // namespace

Command AddChat(CLI::App& parent) {
  CLI::App* app = parent.add_subcommand("chat", "Talk to a model behind a blind server, in the terminal");
  app->footer(
      "Talk to a model behind a blind server, in the terminal; each line is a message. The conversation is\n"
      "kept in memory only.\n\n"
      "  isoveil chat out/client -k my.key --upstream http://gpu:8081");
  auto options = std::make_shared<Options>();
  app->add_option("CLIENT", options->client, "The client folder that `isoveil encrypt` wrote")->required();
  AddKeyOptions(*app, options->key);
  AddUpstreamFlags(*app, options->upstreams);
  app->add_option("--system", options->system, "What the model is told before the conversation");
  app->add_option("--temperature", options->temperature, "0 is greedy")->capture_default_str();
  app->add_option("-n,--max-tokens", options->max_tokens, "Most tokens of an answer; 0 is what the context holds");
  app->add_option("--seed", options->seed, "Seed of the sampling");
  return {app, [options] { return Run(*options); }};
}

}  // namespace isoveil
