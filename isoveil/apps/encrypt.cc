// isoveil encrypt: the main job.
#include "isoveil/transform/encrypt.h"

#include <unistd.h>

#include <csignal>
#include <iostream>
#include <map>

#include "isoveil/apps/cli.h"
#include "isoveil/apps/progress_bar.h"
#include "isoveil/reference/load_check.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

struct Options {
  std::string model;
  std::string lora;
  KeyOptions key;
  std::string output;
  Profile profile = Profile::kExact;
  std::string target;
  unsigned threads = 0;
  uint64_t memory = 256 << 20;
  bool requantize = false;
  bool no_scale = false;
  bool dry_run = false;
  bool json = false;
};

constexpr unsigned kMostThreads = 1024;
constexpr uint64_t kLeastMemory = 1 << 20;
constexpr uint64_t kMostMemory = uint64_t{1} << 44;

// Set by Ctrl-C; a second one ends the process at once.
std::atomic<bool>& Interrupted() {
  static std::atomic<bool> interrupted = false;
  return interrupted;
}

void CatchInterrupt() {
  struct sigaction action = {};
  action.sa_handler = [](int) { Interrupted() = true; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

EncryptOptions ToEncryptOptions(const Options& options) {
  EncryptOptions encrypt;
  encrypt.profile = options.profile;
  encrypt.lora = options.lora;
  if (options.target == "gguf") encrypt.target = FormatKind::kGguf;
  encrypt.threads = options.threads;
  encrypt.memory = options.memory;
  encrypt.requantize = options.requantize;
  encrypt.powers_of_two = !options.no_scale;
  encrypt.cancel = &Interrupted();
  encrypt.accept = LoadsInLlama;
  return encrypt;
}

ordered_json DrawnJson(const std::vector<DrawnSpace>& drawn) {
  ordered_json json = ordered_json::array();
  for (const DrawnSpace& d : drawn) json.push_back({{"space", d.space}, {"dim", d.dim}, {"drawn", d.drawn}});
  return json;
}

void Warn(const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) std::cerr << "isoveil: warning: " << warning << "\n";
}

ordered_json PlanJson(const PlannedEncryption& planned) {
  ordered_json shards = ordered_json::array();
  for (const ShardPlan& shard : planned.plan.shards) {
    ordered_json tensors = ordered_json::array();
    for (const TensorTreatment& t : DescribeTensors(
             {.model = planned.plan.model, .target = planned.plan.target, .shards = {shard}, .dropped = {}})) {
      tensors.push_back({{"name", t.name}, {"type", t.type}, {"shape", t.shape}, {"treatment", t.treatment}});
    }
    shards.push_back({{"file", shard.file}, {"tensors", std::move(tensors)}});
  }
  ordered_json dropped = ordered_json::object();
  for (const auto& [name, why] : planned.plan.dropped) dropped[name] = why;
  return {{"architecture", planned.model.family->name},
          {"profile", ProfileName(planned.model.profile)},
          {"format", FormatName(planned.plan.target->kind())},
          {"n_vocab", planned.model.n_vocab},
          {"bytes", planned.plan.TotalBytes()},
          {"drawn", DrawnJson(DescribeDrawn(planned.model.graph))},
          {"warnings", planned.warnings},
          {"shards", std::move(shards)},
          {"dropped_tensors", std::move(dropped)},
          {"dropped_fields", planned.dropped_fields}};
}

std::string PlanText(const PlannedEncryption& planned) {
  std::string text = fmt::format("{}, profile {}, to {}, {} in {} file{}\n", planned.model.family->name,
                                 ProfileName(planned.model.profile), FormatName(planned.plan.target->kind()),
                                 HumanBytes(planned.plan.TotalBytes()), planned.plan.shards.size(),
                                 planned.plan.shards.size() == 1 ? "" : "s");
  for (const ShardPlan& shard : planned.plan.shards) {
    text += shard.file + "\n";
    for (const TensorPlan& tensor : shard.tensors) {
      text += fmt::format("  {}  {} {}\n", tensor.info.name, DTypeName(tensor.info.type), ShapeName(tensor.info.shape));
      for (const PartPlan& part : tensor.parts) {
        text += fmt::format("      {}\n", DescribePart(planned.model, *part.weight));
      }
      if (tensor.parts.empty()) text += "      public: computed from the configuration\n";
    }
  }
  for (const auto& [name, why] : planned.plan.dropped) text += fmt::format("dropped {}: {}\n", name, why);
  for (const std::string& field : planned.dropped_fields) text += fmt::format("dropped field {}\n", field);
  return text;
}

int DryRun(const Options& options) {
  const auto planned = PlanEncryption(options.model, ToEncryptOptions(options));
  if (!planned) return Report(planned.error(), options.json);
  Warn((*planned)->warnings);
  return Print(PlanJson(**planned), PlanText(**planned), options.json);
}

Status CheckOutput(const Options& options) {
  if (options.output.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "--output", "is required", "name the folder to make: -o OUT");
  }
  if (options.key.key_file.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "--key", "is required", "make one: isoveil keygen -o my.key");
  }
  return Ok();
}

Result<EncryptReport> RunEncrypt(const Options& options) {
  ISOVEIL_RETURN_IF_ERROR(CheckOutput(options));
  ISOVEIL_ASSIGN_OR_RETURN(const RootKey key, OpenKey(options.key));
  CatchInterrupt();
  EncryptOptions encrypt = ToEncryptOptions(options);
  ProgressBar bar("encrypting");
  encrypt.progress = [&](uint64_t done, uint64_t total) { bar.Show(done, total); };
  Result<EncryptReport> report = Encrypt(options.model, key, options.output, encrypt);
  bar.Finish();
  if (!report && report.error().code == ErrorCode::kCancelled) {
    Error error = report.error();
    error.where = options.output + ".partial";
    error.hint = "the same command goes on from there";
    return tl::unexpected(std::move(error));
  }
  return report;
}

int Run(const Options& options) {
  if (options.dry_run) return DryRun(options);
  const Result<EncryptReport> report = RunEncrypt(options);
  if (!report) return Report(report.error(), options.json);
  Warn(report->warnings);
  const ordered_json json = {{"output", options.output},
                             {"architecture", report->architecture},
                             {"profile", ProfileName(report->profile)},
                             {"format", FormatName(report->target)},
                             {"drawn", DrawnJson(report->drawn)},
                             {"warnings", report->warnings},
                             {"key_id", report->key_id},
                             {"n_vocab", report->n_vocab},
                             {"tensors", report->tensors},
                             {"resumed_tensors", report->resumed_tensors},
                             {"seconds", report->seconds},
                             {"bytes_in", report->bytes_in},
                             {"bytes_out", report->bytes_out},
                             {"peak_rss_bytes", PeakRssBytes()}};
  const std::string text = fmt::format(
      "{} tensors, {} in {:.1f} s\n"
      "  {}/server   upload this, serve it with any stock engine\n"
      "  {}/client   keep this and the key\n",
      report->tensors, HumanBytes(report->bytes_out), report->seconds, options.output, options.output);
  return Print(json, text, options.json);
}

}  // namespace

Command AddEncrypt(CLI::App& parent) {
  CLI::App* app = parent.add_subcommand("encrypt", "Encrypt a model checkpoint");
  app->footer(
      "Encrypt a model checkpoint: a Hugging Face folder with safetensors, or a GGUF file.\n\n"
      "OUT/server is for the machine that serves: weights in a standard format, a placeholder vocabulary, "
      "no\n"
      "text. OUT/client stays here: the tokenizer and the manifest, which says how every tensor was "
      "treated.\n"
      "OUT appears when all is written and read back; an interrupted run goes on when repeated.\n\n"
      "Profiles:\n"
      "  exact    permutations, signs, powers of two, quarter turns: every weight keeps its bits up to sign "
      "and\n"
      "           exponent; answers differ from the plaintext model's by the order of sums only\n"
      "  rotated  orthogonal mixing, dense heads, free angles and scales: hides more of the weights, which\n"
      "           are rounded once in their own type\n\n"
      "  isoveil encrypt Llama-3.2-1B-Instruct -k my.key -o out --to gguf");
  auto options = std::make_shared<Options>();
  app->add_option("MODEL", options->model, "Hugging Face folder or GGUF file")->required();
  app->add_option("-k,--key", options->key.key_file, "Key file made by `isoveil keygen`");
  app->add_option("--passphrase-file", options->key.passphrase_file,
                  "File whose first line is the key's passphrase; asked on the terminal otherwise");
  app->add_option("-o,--output", options->output, "Folder to make");
  AddLoraOption(*app, options->lora);
  AddChoice<Profile>(*app, "--profile", options->profile, {{"exact", Profile::kExact}, {"rotated", Profile::kRotated}},
                     "What is drawn from each symmetry group")
      ->default_str("exact");
  AddChoice<std::string>(*app, "--to", options->target, {{"gguf", "gguf"}},
                         "Write this format instead of the source's");
  app->add_option("--threads", options->threads, "Threads (default: one per core)")
      ->check(CLI::Range(1U, kMostThreads));
  app->add_option("--memory", options->memory, "Memory for weights in work, such as 256MB")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(kLeastMemory, kMostMemory))
      ->default_str("256MB");
  app->add_flag("--requantize", options->requantize,
                "Decode block formats and quantise them again, so that profile rotated may mix them");
  app->add_flag("--no-scale", options->no_scale, "Draw no powers of two in profile exact");
  app->add_flag("--dry-run", options->dry_run, "Print the plan, tensor by tensor, and write nothing");
  AddJsonOption(*app, options->json);
  return {app, [options] { return Run(*options); }};
}

}  // namespace isoveil
