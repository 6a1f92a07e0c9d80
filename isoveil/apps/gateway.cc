// isoveil gateway: OpenAI's API and the chat page on this machine, before blind servers.
#include "isoveil/gateway/gateway.h"

#include <iostream>

#include "isoveil/apps/gateway_run.h"
#include "isoveil/apps/out_folder.h"

namespace isoveil {
namespace {

struct Options {
  std::string client;
  KeyOptions key;
  UpstreamFlags upstreams;
  GatewayFlags gateway;
  bool json = false;
};

int Run(const Options& options) {
  const Status part = ExpectPart(options.client, OutPart::kClient);
  if (!part) return Report(part.error(), options.json);
  const Result<RootKey> key = OpenKey(options.key);
  if (!key) return Report(key.error(), options.json);
  HoldStopSignals();
  const auto gateway = OpenGateway(options.client, *key, options.upstreams, options.gateway);
  if (!gateway) return Report(gateway.error(), options.json);
  Print({{"url", (*gateway)->url()}, {"base_url", (*gateway)->url() + "/v1"}}, Welcome(**gateway), options.json);
  std::cout << std::flush;
  (void)WaitForStop();
  (*gateway)->Stop();
  return kExitOk;
}

}  // namespace

Command GatewayCommand(CLI::App& app) {
  app.footer(
      "Serve OpenAI's API and a chat page on this machine, before a server that holds the encrypted\n"
      "checkpoint. An application changes its base URL; nothing else. Text, stop strings, tools and names\n"
      "stay here: the server gets token ids, encrypted, and sampling numbers.\n\n"
      "  isoveil gateway out/client -k my.key --upstream http://gpu:8081\n\n"
      "Several --upstream share the work, and stand in for each other. A server that runs another model is\n"
      "refused. On other addresses than 127.0.0.1 an API key is required.");
  auto options = std::make_shared<Options>();
  app.add_option("CLIENT", options->client, "The client folder that `isoveil encrypt` wrote")->required();
  AddKeyOptions(app, options->key);
  AddUpstreamFlags(app, options->upstreams);
  AddGatewayFlags(app, options->gateway);
  AddJsonOption(app, options->json);
  return {&app, [options] { return Run(*options); }};
}

Command AddGateway(CLI::App& parent) {
  return GatewayCommand(*parent.add_subcommand("gateway", "Serve OpenAI's API and a chat page before a blind server"));
}

}  // namespace isoveil
