// isoveil pull: a model from a hub.
#include "isoveil/hub/pull.h"

#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "isoveil/apps/cli.h"
#include "isoveil/apps/progress_bar.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

struct Options {
  std::string repository;
  std::string revision = "main";
  std::string output;
  std::vector<std::string> include;
  std::string endpoint;
  unsigned retries = 6;
  unsigned timeout = 60;
  unsigned connections = 4;
  bool json = false;
};

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string Endpoint(const Options& options) {
  if (!options.endpoint.empty()) return options.endpoint;
  const std::string from_environment = Environment("HF_ENDPOINT");
  return from_environment.empty() ? kPublicEndpoint : from_environment;
}

Result<PullReport> PullWith(const Options& options, ProgressBar& bar) {
  ISOVEIL_ASSIGN_OR_RETURN(const HubToken token, FindHubToken([](const char* name) { return std::getenv(name); }));
  PullOptions pull{.repository = options.repository,
                   .revision = options.revision,
                   .include = options.include,
                   .folder = options.output,
                   .endpoint = Endpoint(options),
                   .token = token,
                   .ca_file = Environment("SSL_CERT_FILE"),
                   .silence = std::chrono::seconds(options.timeout),
                   .connections = options.connections};
  pull.retry.retries = options.retries;
  const auto talk = [](const std::string& text) { std::cerr << "isoveil: " + text + "\n"; };
  pull.retry.on_wait = talk;
  pull.on_notice = talk;
  pull.on_progress = [&bar](uint64_t done, uint64_t total) { bar.Show(done, total); };
  return Pull(pull);
}

ordered_json FilesJson(const PullReport& report) {
  ordered_json files = ordered_json::array();
  for (const HubFile& file : report.files) {
    files.push_back({{"path", file.path}, {"bytes", file.size}, {HashKindName(file.hash_kind), file.hash}});
  }
  return files;
}

std::string Text(const PullReport& report, const std::string& repository, double seconds) {
  const std::string what = fmt::format("{} files, {}, of {} at {}", report.files.size(), HumanBytes(report.bytes),
                                       repository, report.commit.substr(0, 12));
  if (report.up_to_date) return fmt::format("{}: {}: nothing to do\n", report.folder.string(), what);
  return fmt::format("{}: {} ({} fetched in {:.1f} s)\n", report.folder.string(), what,
                     HumanBytes(report.fetched_bytes), seconds);
}

int Run(const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  ProgressBar bar("fetch");
  const Result<PullReport> report = PullWith(options, bar);
  bar.Finish();
  if (!report) return Report(report.error(), options.json);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return Print({{"folder", report->folder.string()},
                {"repository", options.repository},
                {"revision", options.revision},
                {"commit", report->commit},
                {"up_to_date", report->up_to_date},
                {"bytes", report->bytes},
                {"fetched_bytes", report->fetched_bytes},
                {"seconds", seconds},
                {"files", FilesJson(*report)}},
               Text(*report, options.repository, seconds), options.json);
}

}  // namespace

Command AddPull(CLI::App& parent) {
  CLI::App* app = parent.add_subcommand("pull", "Fetch a model from the Hugging Face hub");
  app->footer(
      "Fetch what `isoveil encrypt` needs of a model: safetensors (or one GGUF), tokenizer, configuration,\n"
      "chat template, card and licence. Every file is checked against the hub's hashes. A run that was\n"
      "stopped is taken up by the same command; the folder appears when it is complete, and nothing is\n"
      "overwritten. Pickles (*.bin, *.pt) are never fetched.\n\n"
      "  isoveil pull TinyLlama/TinyLlama-1.1B-Chat-v1.0\n"
      "  isoveil pull unsloth/Qwen3-4B-GGUF --include '*Q4_K_M*' -o qwen\n\n"
      "Environment: HF_ENDPOINT names another hub. The access token for gated and private models is\n"
      "$HF_TOKEN, or in the file $HF_TOKEN_PATH, $HF_HOME/token or ~/.cache/huggingface/token; it is sent "
      "to\n"
      "the hub alone. Proxies are taken from the usual variables.");
  auto options = std::make_shared<Options>();
  app->add_option("REPOSITORY", options->repository, "OWNER/NAME on the hub")->required();
  app->add_option("--revision", options->revision, "Branch, tag or commit")->capture_default_str();
  app->add_option("-o,--output", options->output, "Folder to make (default: NAME)");
  app->add_option("--include", options->include,
                  "Pattern of weights or other files to fetch, as '*Q4_K_M*'; may be repeated")
      ->allow_extra_args(false);
  app->add_option("--endpoint", options->endpoint, "URL of the hub (default: $HF_ENDPOINT, or the public one)");
  app->add_option("--connections", options->connections, "Files fetched at a time")
      ->check(CLI::Range(1, 32))
      ->capture_default_str();
  app->add_option("--retries", options->retries, "Tries after a failure without progress")->capture_default_str();
  app->add_option("--timeout", options->timeout, "Seconds without a byte after which a connection is given up")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  AddJsonOption(*app, options->json);
  return {app, [options] { return Run(*options); }};
}

}  // namespace isoveil
