// isoveil: the command line.
#include <string_view>

#include "isoveil/apps/cli.h"
#include "isoveil/apps/command_line.h"
#include "isoveil/base/mapping_guard.h"
#include "isoveil/base/scratch_folder.h"
#include "isoveil/crypto/process.h"
#include "isoveil/reference/load_check.h"
#include "isoveil/tokenizer/template_worker.h"

namespace {

constexpr const char* kDescription = R"(Serve a model from a machine that cannot read what it says.

Isoveil turns a model checkpoint and a secret key into an encrypted checkpoint in the same standard
format. A stock llama-server, vLLM or transformers serves it at full speed; only this machine turns text
into encrypted token ids and back.

  isoveil up Llama-3.2-1B-Instruct                         (everything, here)

  isoveil keygen -o my.key
  isoveil encrypt Llama-3.2-1B-Instruct -k my.key -o out --to gguf
  isoveil serve out/server                                 (on the server)
  isoveil gateway out/client -k my.key --upstream URL      (here)

It hides text from the network, logs and backups. It does NOT hide text from a host that also has the
public weights the model was made from: see SECURITY.md.)";

constexpr const char* kFooter =
    "Exit codes: 0 ok, 1 failure, 2 usage, 3 verification mismatch.\n"
    "Each command explains itself: isoveil COMMAND --help\n"
    "Every flag is also a variable of the environment: --max-body is ISOVEIL_MAX_BODY, for each command that has\n"
    "the flag. Commas separate values.";

}  // namespace

namespace isoveil {
namespace {

int RunCommand(int argc, char** argv) {
  CLI::App app(kDescription, "isoveil");
  app.footer(kFooter);
  app.set_version_flag("--version", "isoveil " ISOVEIL_VERSION);
  app.require_subcommand(1);
  const std::vector<Command> commands = {
      AddUp(app),       AddKeygen(app), AddInspect(app), AddModels(app),    AddEncrypt(app),  AddConvert(app),
      AddVerify(app),   AddServe(app),  AddGateway(app), AddChat(app),      AddGenerate(app), AddEmbed(app),
      AddClassify(app), AddRerank(app), AddTokens(app),  AddTokenizer(app), AddVectors(app),  AddPull(app)};
  return ParseAndRun(app, commands, argc, argv);
}

}  // namespace
}  // namespace isoveil

int main(int argc, char** argv) {
  using namespace isoveil;
  DisableCoreDumps();
  if (argc == 2 && argv[1] == std::string_view(kTemplateWorkerCommand)) return RunTemplateWorker(), kExitOk;
  if (argc == 2 && argv[1] == std::string_view(kLoadWorkerCommand)) return RunLoadWorker(), kExitOk;
  if (argc == 2 && argv[1] == std::string_view(kScratchKeeperCommand)) return RunScratchKeeper();
  GuardMappings();
  return RunGuarded(argc, argv, [&] { return RunCommand(argc, argv); });
}
