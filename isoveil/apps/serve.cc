// isoveil serve: the stock llama-server on an encrypted checkpoint, and nothing else.
#include <iostream>

#include "isoveil/apps/cli.h"
#include "isoveil/apps/out_folder.h"
#include "isoveil/apps/server_arguments.h"
#include "isoveil/engine/server_process.h"
#include "isoveil/format/checkpoint.h"

namespace isoveil {
namespace {

struct Options {
  std::string server;
  std::string host = "127.0.0.1";
  uint16_t port = 8081;
  std::string engine;
  std::vector<std::string> extra;
  bool json = false;
};

// A file that llama-server can open, so that a wrong path is one sentence and not its log.
Result<Path> FindModel(const Path& server) {
  ISOVEIL_RETURN_IF_ERROR(ExpectPart(server, OutPart::kServer));
  ISOVEIL_ASSIGN_OR_RETURN(const Path file, FindGguf(server));
  ISOVEIL_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(file));
  if (checkpoint.gguf() != nullptr) return file;
  return Fail(ErrorCode::kUnsupported, file.string(), "is no GGUF file, which is what llama-server reads",
              "name the server folder that `isoveil encrypt --to gguf` wrote");
}

int Run(const Options& options) {
  const Result<Path> model = FindModel(options.server);
  if (!model) return Report(model.error(), options.json);
  auto arguments = ServerArguments(*model, options.extra);
  if (!arguments) return Report(arguments.error(), options.json);
  ServerOptions server{.model = *model,
                       .binary = options.engine,
                       .host = options.host,
                       .port = options.port,
                       .extra_args = std::move(*arguments),
                       .log_file = {}};
  if (options.json) {
    const Result<Path> binary = FindLlamaServer(options.engine);
    if (!binary) return Report(binary.error(), true);
    Print({{"command", ServerCommand(*binary, server, options.port)}}, "", true);
  }
  const Status status = ExecServer(server);
  return Report(status.error(), options.json);
}

}  // namespace

Command AddServe(CLI::App& parent) {
  CLI::App* app = parent.add_subcommand("serve", "Start the stock llama-server on an encrypted checkpoint");
  app->footer(
      "Start the stock llama-server on an encrypted checkpoint, and nothing else: this process becomes\n"
      "llama-server. It needs no key, and there is nothing here that it could not do by itself:\n\n"
      "  llama-server -m out/server/model.gguf --host 127.0.0.1 --port 8081\n\n"
      "Arguments after -- go to llama-server as they are:\n\n"
      "  isoveil serve out/server --port 8081 -- -c 4096 -ngl 99");
  auto options = std::make_shared<Options>();
  app->add_option("SERVER", options->server, "The server folder that `isoveil encrypt` wrote, or a GGUF file")
      ->required();
  app->add_option("--host", options->host, "Address to listen on")->capture_default_str();
  app->add_option("--port", options->port, "Port to listen on")->capture_default_str();
  app->add_option("--engine", options->engine,
                  "The llama-server to start (default: $ISOVEIL_LLAMA_SERVER, the one of this build, then PATH)");
  app->add_option("ARGS", options->extra, "Further arguments of llama-server, after --");
  AddJsonOption(*app, options->json);
  return {app, [options] { return Run(*options); }};
}

}  // namespace isoveil
