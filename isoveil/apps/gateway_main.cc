// isoveil-gateway: what runs for days between applications and blind servers. It reads no checkpoint and fetches
// nothing: neither code for it is in here. `isoveil gateway` runs the same.
#include <string_view>

#include "isoveil/apps/command_line.h"
#include "isoveil/apps/gateway_run.h"
#include "isoveil/base/mapping_guard.h"
#include "isoveil/crypto/process.h"
#include "isoveil/tokenizer/template_worker.h"

int main(int argc, char** argv) {
  using namespace isoveil;
  DisableCoreDumps();
  if (argc == 2 && argv[1] == std::string_view(kTemplateWorkerCommand)) return RunTemplateWorker(), kExitOk;
  GuardMappings();
  return RunGuarded(argc, argv, [&] {
    CLI::App app("Serve OpenAI's API and a chat page before a blind server", "isoveil-gateway");
    app.set_version_flag("--version", "isoveil-gateway " ISOVEIL_VERSION);
    const Command gateway = GatewayCommand(app);
    return ParseAndRun(app, {gateway}, argc, argv);
  });
}
