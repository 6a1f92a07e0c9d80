// isoveil up: key, encryption, blind server and gateway, in one command.
#include <csignal>
#include <iostream>

#include "isoveil/apps/gateway_run.h"
#include "isoveil/apps/progress_bar.h"
#include "isoveil/apps/server_arguments.h"
#include "isoveil/engine/server_process.h"
#include "isoveil/reference/load_check.h"
#include "isoveil/transform/encrypt.h"
#include "isoveil/transform/identity.h"

namespace isoveil {
namespace {

struct Options {
  std::string model;
  std::string lora;
  KeyOptions key{.key_file = "isoveil.key", .passphrase_file = ""};
  std::string output;
  Profile profile = Profile::kExact;
  GatewayFlags gateway;
  std::string engine;
  std::string server_log;
  std::vector<std::string> extra;
  bool json = false;
};

constexpr std::string_view kFolderEnding = ".isoveil";

// What the model is called: its folder's or file's name, without an ending that only tells the kind.
std::string NameOf(const Path& model) {
  const Path whole = AbsolutePath(model);
  const Path named = whole.has_filename() ? whole : whole.parent_path();
  const bool has_ending = IsRegularFile(named) || named.extension() == kFolderEnding;
  return (has_ending ? named.stem() : named.filename()).string();
}

// The folder of the encrypted model: given, or the model itself if it is one, or of the model's name here.
Path OutputOf(const Options& options) {
  if (!options.output.empty()) return options.output;
  if (FileExists(Path(options.model) / "client" / kManifestFile)) return options.model;
  return NameOf(options.model) + std::string(kFolderEnding);
}

Result<RootKey> OpenOrMakeKey(const KeyOptions& options) {
  if (FileExists(options.key_file)) return OpenKey(options);
  ISOVEIL_ASSIGN_OR_RETURN(RootKey key, RootKey::Generate());
  ISOVEIL_RETURN_IF_ERROR(WriteKeyFile(options.key_file, key, std::nullopt));
  std::cerr << "isoveil: made the key " << options.key_file << " (in clear, mode 0600; `isoveil keygen` makes one with"
            << " a passphrase)\n";
  return key;
}

// The encrypted model is kept only as long as it is this model's.
Status CheckSource(const Path& model, const Path& lora, const Path& out, const Manifest& manifest) {
  if (IsSameFile(model, out)) return Ok();
  ISOVEIL_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(model, lora));
  ISOVEIL_ASSIGN_OR_RETURN(const ModelIdentity identity, IdentifyModel(checkpoint));
  if (identity == manifest.model_identity) return Ok();
  return Fail(
      ErrorCode::kMismatch, out.string(),
      fmt::format(
          "was made from another model than {}, or from other weights, adapter, configuration, tokenizer or chat "
          "template than it has now",
          Quoted(model.string())),
      "remove the folder, so that the model is encrypted again, or choose another with -o");
}

Status EncryptUnlessDone(const Options& options, const RootKey& key, const Path& out) {
  if (FileExists(out / "client" / kManifestFile)) {
    ISOVEIL_ASSIGN_OR_RETURN(const Manifest manifest, Manifest::Read(out / "client" / kManifestFile));
    if (!TargetOf(manifest.target).RunsOnLlamaCpp()) {
      return Fail(ErrorCode::kUnsupported, out.string(), "holds no GGUF, which is what llama-server reads",
                  "encrypt the model with --to gguf, or serve it with vLLM and use `isoveil gateway`");
    }
    return CheckSource(options.model, options.lora, out, manifest);
  }
  EncryptOptions encrypt{.profile = options.profile, .target = FormatKind::kGguf};
  encrypt.lora = options.lora;
  encrypt.accept = LoadsInLlama;
  ProgressBar bar("encrypting");
  encrypt.progress = [&](uint64_t done, uint64_t total) { bar.Show(done, total); };
  const Result<EncryptReport> report = Encrypt(options.model, key, out, encrypt);
  bar.Finish();
  ISOVEIL_RETURN_IF_ERROR(report);
  for (const std::string& warning : report->warnings) std::cerr << "isoveil: warning: " << warning << "\n";
  std::cerr << fmt::format("isoveil: encrypted {} in {:.1f} s: {}\n", HumanBytes(report->bytes_out), report->seconds,
                           out.string());
  return Ok();
}

Result<ServerProcess> StartServer(const Options& options, const Path& out) {
  ISOVEIL_ASSIGN_OR_RETURN(const Path model, FindGguf(out / "server"));
  std::cerr << "isoveil: starting the blind server\n";
  ISOVEIL_ASSIGN_OR_RETURN(std::vector<std::string> arguments, ServerArguments(model, options.extra));
  return ServerProcess::Start(
      {.model = model, .binary = options.engine, .extra_args = std::move(arguments), .log_file = options.server_log});
}

Status RunAll(const Options& options) {
  if (!FileExists(options.model)) {
    return Fail(ErrorCode::kNotFound, options.model, "does not exist", "name a Hugging Face folder or a GGUF file");
  }
  const Path out = OutputOf(options);
  ISOVEIL_ASSIGN_OR_RETURN(const RootKey key, OpenOrMakeKey(options.key));
  ISOVEIL_RETURN_IF_ERROR(EncryptUnlessDone(options, key, out));
  HoldStopSignals();
  ISOVEIL_ASSIGN_OR_RETURN(ServerProcess server, StartServer(options, out));
  UpstreamFlags upstreams;
  upstreams.urls = {server.url()};
  upstreams.kind = "llama-server";
  GatewayFlags flags = options.gateway;
  if (flags.name.empty()) flags.name = NameOf(options.model);
  ISOVEIL_ASSIGN_OR_RETURN(auto gateway, OpenGateway(out / "client", key, upstreams, flags));
  Print({{"url", gateway->url()},
         {"base_url", gateway->url() + "/v1"},
         {"upstream", server.url()},
         {"server_pid", server.pid()},
         {"output", out.string()}},
        Welcome(*gateway), options.json);
  std::cout << std::flush;
  const bool wanted = WaitForStop([&] { return server.running(); });
  gateway->Stop();
  if (wanted) return server.Stop();
  return Fail(
      ErrorCode::kUnavailable, "llama-server",
      fmt::format("the blind server has ended by itself: {}", server.ending().value_or("nobody knows how")),
      options.server_log.empty() ? "start again with --server-log FILE to see why" : "look at " + options.server_log);
}

int Run(const Options& options) {
  const Status status = RunAll(options);
  return status ? kExitOk : Report(status.error(), options.json);
}

}  // namespace

Command AddUp(CLI::App& parent) {
  CLI::App* app = parent.add_subcommand("up", "Everything at once: key, encryption, blind server, gateway");
  app->footer(
      "Everything at once, on this machine: make a key if there is none, encrypt the model unless that is\n"
      "done, start the stock llama-server on the encrypted checkpoint as a process of its own, and the\n"
      "gateway before it. Prints the one line to change in an application, and the chat page's address.\n"
      "Ctrl-C ends all of it.\n\n"
      "  isoveil up Llama-3.2-1B-Instruct\n"
      "  isoveil up model.gguf -k my.key -o out --port 9000 -- -c 4096 -ngl 99\n\n"
      "To protect anything the server belongs on another machine: copy OUT/server there, run `isoveil serve`\n"
      "there and `isoveil gateway` here.");
  auto options = std::make_shared<Options>();
  app->add_option("MODEL", options->model, "A Hugging Face folder, a GGUF file, or a folder that was encrypted")
      ->required();
  AddLoraOption(*app, options->lora);
  app->add_option("-k,--key", options->key.key_file, "Key file; made if it does not exist")->capture_default_str();
  app->add_option("--passphrase-file", options->key.passphrase_file, "File whose first line is the key's passphrase");
  app->add_option("-o,--output", options->output, "Folder of the encrypted model (default: NAME.isoveil here)");
  AddChoice<Profile>(*app, "--profile", options->profile, {{"exact", Profile::kExact}, {"rotated", Profile::kRotated}},
                     "What is drawn from each symmetry group")
      ->default_str("exact");
  AddGatewayFlags(*app, options->gateway);
  app->add_option("--engine", options->engine, "The llama-server to start");
  app->add_option("--server-log", options->server_log, "File for the server's output (default: none)");
  app->add_option("ARGS", options->extra, "Further arguments of llama-server, after --");
  AddJsonOption(*app, options->json);
  return {app, [options] { return Run(*options); }};
}

}  // namespace isoveil
