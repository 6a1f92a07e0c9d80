// isoveil verify: does the encrypted model answer as the plaintext model does?
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <sstream>

#include "isoveil/apps/cli.h"
#include "isoveil/apps/decrypted_evaluator.h"
#include "isoveil/apps/out_folder.h"
#include "isoveil/apps/server_check.h"
#include "isoveil/base/scratch_folder.h"
#include "isoveil/package/client_folder.h"
#include "isoveil/reference/llama_evaluator.h"
#include "isoveil/reference/reround.h"
#include "isoveil/reference/transformers_evaluator.h"
#include "isoveil/reference/verification.h"
#include "isoveil/transform/encrypt.h"
#include "isoveil/transform/identity.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

struct Options {
  std::string plain;
  std::string lora;
  std::string encrypted;
  KeyOptions key;
  std::string prompts;
  int32_t tokens = 32;
  bool transformers = false;  // as a second reference
  std::string python = "python3";
  bool json = false;
};

// Read when no prompts are given: several scripts, code, numbers.
constexpr const char* kPrompts[] = {
    "Once upon a time there was a little girl who",
    "The patient was admitted on 12 March 2024 with",
    "def fibonacci(n):\n    if n < 2:\n        return",
    "Die Hauptstadt von Frankreich ist",
    "\xd0\x92\xd1\x87\xd0\xb5\xd1\x80\xd0\xb0 \xd1\x8f \xd0\xb2\xd0\xb8\xd0\xb4\xd0\xb5\xd0\xbb",
    "\xe4\xbb\x8a\xe5\xa4\xa9\xe5\xa4\xa9\xe6\xb0\x94\xe5\xbe\x88\xe5\xa5\xbd",
};

constexpr int32_t kMostTokens = 1024;
constexpr uint64_t kMostContext = 8192;  // ids of a text

// A checkpoint with the LoRA adapter that is merged into it, if any.
struct Model {
  Path path;
  Path lora;
};

// What llama.cpp can load: the GGUF itself, or a conversion; widened to fp32 on request.
Result<Path> AsGguf(const Model& model, const Path& scratch, const std::string& name, bool widen) {
  ISOVEIL_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(model.path, model.lora));
  if (TargetOf(checkpoint.kind()).RunsOnLlamaCpp() && !widen) return checkpoint.shards().front().path;
  ISOVEIL_RETURN_IF_ERROR(
      ConvertToGguf(model.path, scratch / name, {.lora = model.lora, .widen = widen, .placeholder = true}));
  ISOVEIL_ASSIGN_OR_RETURN(const Checkpoint converted, Checkpoint::Open(scratch / name));
  return converted.shards().front().path;
}

using Texts = std::vector<std::vector<int32_t>>;

Result<std::vector<std::string>> ReadLines(const std::string& path) {
  if (path.empty()) return std::vector<std::string>(std::begin(kPrompts), std::end(kPrompts));
  ISOVEIL_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
  std::vector<std::string> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) found.push_back(line);
  }
  return found;
}

// At most `n_most` ids each.
Result<Texts> ReadPrompts(const std::string& path, const Vocabulary& vocabulary, size_t n_most) {
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<std::string> lines, ReadLines(path));
  Texts prompts;
  for (const std::string& line : lines) {
    ISOVEIL_ASSIGN_OR_RETURN(std::vector<PlainId> ids, vocabulary.Tokenize(line, {.add_special = true}));
    if (ids.size() > n_most) ids.resize(n_most);
    if (!ids.empty()) prompts.push_back(ToModel<PlainId>(ids));
  }
  if (prompts.empty()) return Fail(ErrorCode::kInvalidArgument, path, "holds no prompt");
  return prompts;
}

// The prompts with what the model answers: texts as they are in use.
Result<Texts> Continued(Evaluator& plain, Texts texts, int32_t n) {
  for (std::vector<int32_t>& ids : texts) {
    ISOVEIL_ASSIGN_OR_RETURN(const std::vector<int32_t> more, plain.Greedy(ids, n));
    ids.insert(ids.end(), more.begin(), more.end());
  }
  return texts;
}

Result<uint64_t> ContextOf(const Path& gguf) {
  ISOVEIL_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(gguf));
  const GgufMetadata& metadata = checkpoint.gguf()->metadata();
  ISOVEIL_ASSIGN_OR_RETURN(const std::string architecture, metadata.GetString("general.architecture"));
  return metadata.GetUnsigned(architecture + ".context_length");
}

struct Checked {
  ClientFolder client;
  Rerounded rounded;  // what a profile that rounds weights rounded
};

// Everything that is compared before anything is computed.
Result<Checked> OpenChecked(const Options& options, const RootKey& key) {
  ISOVEIL_RETURN_IF_ERROR(ExpectPart(options.encrypted, OutPart::kWhole));
  const Path folder = options.encrypted;
  ISOVEIL_ASSIGN_OR_RETURN(ClientFolder client,
                           ClientFolder::OpenText(folder / "client", key).map_error([](Error error) {
                             if (error.code == ErrorCode::kUnsupported)
                               error.hint = "only models that write text are compared so far";
                             return error;
                           }));
  const Manifest& manifest = client.manifest;
  ISOVEIL_ASSIGN_OR_RETURN(
      const auto planned,
      PlanEncryption(options.plain, {.profile = manifest.profile, .lora = options.lora, .target = manifest.target}));
  ISOVEIL_ASSIGN_OR_RETURN(const ModelIdentity identity, IdentifyModel(planned->checkpoint));
  if (identity != manifest.model_identity) {
    return Fail(ErrorCode::kMismatch, options.plain, "is not the model that was encrypted",
                "name the checkpoint that `isoveil encrypt` read");
  }
  ISOVEIL_RETURN_IF_ERROR(CheckServerFiles(folder / "server", manifest));
  ISOVEIL_RETURN_IF_ERROR(CheckServerDescription(folder / "server", *planned, key));
  // Planned without --requantize: what was drawn then is what was drawn if blocks stayed whole.
  const bool blocks_stay = manifest.drawn == DescribeDrawn(planned->model.graph);
  return Checked{std::move(client), blocks_stay ? Rerounded::kFloats : Rerounded::kFloatsAndBlocks};
}

// One model in the types that it stores and widened, where llama.cpp can load it.
struct Pair {
  Path stored;
  Path wide;
};
Result<Pair> BothTypes(const Model& model, const Path& scratch, const std::string& name) {
  const auto name_model = [&](Error error) {
    error.where = fmt::format("{}: {}", model.path.string(), error.where);
    return error;
  };
  ISOVEIL_ASSIGN_OR_RETURN(Path stored, AsGguf(model, scratch, name, false).map_error(name_model));
  ISOVEIL_ASSIGN_OR_RETURN(Path wide, AsGguf(model, scratch, name + "-wide", true).map_error(name_model));
  return Pair{std::move(stored), std::move(wide)};
}

// A server's model that cannot be read at all is another one than that which encryption wrote.
Error AsMismatch(Error error) {
  if (error.code == ErrorCode::kFormat || error.code == ErrorCode::kUnsupported) error.code = ErrorCode::kMismatch;
  return error;
}

// The largest difference of one re-rounding is a poor scale: it hangs on the one position that is most sensitive. So
// there are several, at angles that no small rotation takes into each other.
constexpr double kReroundedDegrees[] = {45, 30, 60, 20};

// Plaintext against itself with weights that were rounded to their types once more.
Result<Comparison> CompareRerounded(Evaluator& wide, const Model& model, const Path& stored, Rerounded types,
                                    const Path& scratch, const LlamaOptions& options, const Texts& texts) {
  std::vector<Comparison> samples;
  for (const double degrees : kReroundedDegrees) {
    const std::string name = fmt::format("rerounded-{}", samples.size());
    ISOVEIL_ASSIGN_OR_RETURN(const Path path, AsGguf(model, scratch, name, true));
    ISOVEIL_RETURN_IF_ERROR(Reround(path, stored, {.types = types, .degrees = degrees}));
    ISOVEIL_ASSIGN_OR_RETURN(LlamaEvaluator other, LlamaEvaluator::Load(path, options));
    ISOVEIL_ASSIGN_OR_RETURN(samples.emplace_back(), CompareLogits(wide, other, texts));
    std::error_code ignored;  // the disk holds one of them at a time; what stays goes with the scratch folder
    std::filesystem::remove_all(scratch / name, ignored);
  }
  return Largest(samples);
}

// What transformers says of the folders, without our conversion.
Result<SecondReference> CompareInTransformers(const Options& options, Evaluator& converted, const ClientFolder& client,
                                              const Texts& texts) {
  ISOVEIL_ASSIGN_OR_RETURN(auto plain, TransformersEvaluator::Load(options.plain, {.python = options.python}));
  SecondReference second{.engine = plain.engine()};
  ISOVEIL_ASSIGN_OR_RETURN(second.conversion, CompareLogits(plain, converted, texts));
  {
    ISOVEIL_ASSIGN_OR_RETURN(
        auto other, TransformersEvaluator::Load(options.plain, {.python = options.python, .token_by_token = true}));
    ISOVEIL_ASSIGN_OR_RETURN(second.summation, CompareLogits(plain, other, texts));
  }
  if (client.manifest.target != FormatKind::kHuggingFace) return second;
  const Path folder = Path(options.encrypted) / "server";
  ISOVEIL_ASSIGN_OR_RETURN(auto server,
                           TransformersEvaluator::Load(folder, {.python = options.python}).map_error(AsMismatch));
  DecryptedEvaluator encrypted(server, client.cipher);
  ISOVEIL_ASSIGN_OR_RETURN(second.server, CompareLogits(plain, encrypted, texts));
  return second;
}

Status ExpectSecondReference(const Options& options) {
  if (!options.transformers) return Ok();
  ISOVEIL_ASSIGN_OR_RETURN(const Checkpoint source, Checkpoint::Open(options.plain));
  if (source.kind() != FormatKind::kHuggingFace) {
    return Fail(ErrorCode::kInvalidArgument, "--reference transformers", "the source is no Hugging Face folder",
                "leave it out: llama.cpp itself is what reads GGUF");
  }
  if (options.lora.empty()) return Ok();
  return Fail(ErrorCode::kInvalidArgument, "--reference transformers", "cannot be had together with --lora",
              "merge the adapter with PEFT's merge_and_unload and verify that folder");
}

Result<Verification> Verify(const Options& options) {
  ISOVEIL_RETURN_IF_ERROR(ExpectSecondReference(options));
  ISOVEIL_ASSIGN_OR_RETURN(const RootKey key, OpenKey(options.key));
  ISOVEIL_ASSIGN_OR_RETURN(const Checked checked, OpenChecked(options, key));
  const ClientFolder& client = checked.client;
  ISOVEIL_ASSIGN_OR_RETURN(const ScratchFolder scratch, ScratchFolder::Make());
  const Model source{options.plain, options.lora};
  ISOVEIL_ASSIGN_OR_RETURN(const Pair plain_paths, BothTypes(source, scratch.path(), "plain"));
  ISOVEIL_ASSIGN_OR_RETURN(
      const Pair encrypted_paths,
      BothTypes({Path(options.encrypted) / "server", {}}, scratch.path(), "encrypted").map_error(AsMismatch));

  // Beyond the model's context there is nothing to compare.
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t context, ContextOf(plain_paths.stored));
  const auto n_greedy = static_cast<int32_t>(std::min<uint64_t>(static_cast<uint64_t>(options.tokens), context / 2));
  const size_t n_most = std::max<size_t>(1, std::min<size_t>(context, kMostContext) - static_cast<size_t>(n_greedy));
  ISOVEIL_ASSIGN_OR_RETURN(const Texts prompts, ReadPrompts(options.prompts, client.vocabulary, n_most));
  size_t longest = 0;
  for (const auto& ids : prompts) longest = std::max(longest, ids.size());
  const LlamaOptions batched{.n_context = static_cast<int32_t>(longest) + n_greedy};
  LlamaOptions single = batched;
  single.token_by_token = true;
  LlamaOptions precise = batched;  // for the functions themselves, without what a server rounds
  precise.exact_gelu = true;
  LlamaOptions precise_single = precise;
  precise_single.token_by_token = true;

  Verification v;
  v.files = client.manifest.server_files.size();
  ISOVEIL_ASSIGN_OR_RETURN(LlamaEvaluator plain, LlamaEvaluator::Load(plain_paths.stored, batched));
  ISOVEIL_ASSIGN_OR_RETURN(const Texts texts, Continued(plain, prompts, n_greedy));
  {
    ISOVEIL_ASSIGN_OR_RETURN(LlamaEvaluator server, LlamaEvaluator::Load(encrypted_paths.stored, batched));
    DecryptedEvaluator encrypted(server, client.cipher);
    ISOVEIL_ASSIGN_OR_RETURN(v.served, CompareLogits(plain, encrypted, texts));
    ISOVEIL_ASSIGN_OR_RETURN(v.greedy, CompareGreedy(plain, encrypted, prompts, n_greedy));
  }
  {
    ISOVEIL_ASSIGN_OR_RETURN(LlamaEvaluator other, LlamaEvaluator::Load(plain_paths.stored, single));
    ISOVEIL_ASSIGN_OR_RETURN(v.served_summation, CompareLogits(plain, other, texts));
  }
  ISOVEIL_ASSIGN_OR_RETURN(LlamaEvaluator wide, LlamaEvaluator::Load(plain_paths.wide, precise));
  ISOVEIL_ASSIGN_OR_RETURN(v.storage, CompareLogits(plain, wide, texts));
  {
    ISOVEIL_ASSIGN_OR_RETURN(LlamaEvaluator server, LlamaEvaluator::Load(encrypted_paths.wide, precise));
    DecryptedEvaluator encrypted(server, client.cipher);
    ISOVEIL_ASSIGN_OR_RETURN(v.comparison, CompareLogits(wide, encrypted, texts));
  }
  {
    ISOVEIL_ASSIGN_OR_RETURN(LlamaEvaluator other, LlamaEvaluator::Load(plain_paths.wide, precise_single));
    ISOVEIL_ASSIGN_OR_RETURN(v.summation, CompareLogits(wide, other, texts));
  }
  if (client.manifest.profile == Profile::kRotated) {
    ISOVEIL_ASSIGN_OR_RETURN(
        v.weights, CompareRerounded(wide, source, plain_paths.stored, checked.rounded, scratch.path(), precise, texts));
  }
  if (options.transformers) {
    ISOVEIL_ASSIGN_OR_RETURN(v.second, CompareInTransformers(options, wide, client, texts));
  }
  return v;
}

ordered_json DifferenceJson(const Comparison& c) {
  return {{"max_abs_logit_diff", c.max_abs_logit_diff},
          {"rms_logit_diff", c.rms_logit_diff},
          {"mean_kl", c.mean_kl},
          {"top1_agreement", c.top1_agreement}};
}

ordered_json BoundJson(const Bound& bound) {
  return {{"max_abs_logit_diff", bound.max}, {"rms_logit_diff", bound.rms}};
}

ordered_json SecondJson(const SecondReference& second, const Allowed& allowed) {
  ordered_json json = {{"engine", second.engine},
                       {"conversion", DifferenceJson(second.conversion)},
                       {"conversion_allowed", BoundJson(allowed.second_conversion)},
                       {"summation_order", DifferenceJson(second.summation)}};
  if (second.server) {
    json["server"] = DifferenceJson(*second.server);
    json["server_allowed"] = BoundJson(allowed.second_server);
  }
  return json;
}

ordered_json ToJson(const Verification& v, const Allowed& allowed) {
  const Comparison& c = v.comparison;
  ordered_json rounding = {{"summation_order", DifferenceJson(v.summation)},
                           {"served_summation_order", DifferenceJson(v.served_summation)},
                           {"storage_type", DifferenceJson(v.storage)}};
  if (v.weights) rounding["weight_rounding"] = DifferenceJson(*v.weights);
  ordered_json bounds = BoundJson(allowed.comparison);
  bounds["greedy_preference"] = allowed.preference;
  ordered_json json = {{"match", Accepts(v, allowed)},
                       {"files", v.files},
                       {"greedy_identical", v.greedy.identical},
                       {"greedy_preference", v.greedy.preference},
                       {"tokens_compared", v.greedy.tokens},
                       {"positions_compared", c.positions},
                       {"max_abs_logit_diff", c.max_abs_logit_diff},
                       {"rms_logit_diff", c.rms_logit_diff},
                       {"logit_range", c.logit_range},
                       {"mean_kl", c.mean_kl},
                       {"top1_agreement", c.top1_agreement},
                       {"served", DifferenceJson(v.served)},
                       {"allowed", std::move(bounds)},
                       {"plaintext_rounding", std::move(rounding)}};
  if (v.second) json["reference"] = SecondJson(*v.second, allowed);
  return json;
}

std::string DifferenceText(const std::string& what, const Comparison& c, const Bound& allowed) {
  return fmt::format("  {:25} largest {:.3g} (allowed {:.3g}), root mean square {:.3g} (allowed {:.3g})\n", what,
                     c.max_abs_logit_diff, allowed.max, c.rms_logit_diff, allowed.rms);
}

std::string ToText(const Verification& v, const Allowed& allowed) {
  const bool match = Accepts(v, allowed);
  const Comparison& c = v.comparison;
  std::string text = fmt::format(
      "{}: the encrypted model {} the plaintext model\n"
      "  the server's files        {} as encryption wrote them; ids and numbers as source and key give them\n"
      "  greedy continuations      {} ({} tokens)\n",
      match ? "match" : "MISMATCH", match ? "answers as" : "does not answer as", v.files,
      v.greedy.identical ? "identical"
                         : fmt::format("part where plaintext prefers its token by {:.3g}", v.greedy.preference),
      v.greedy.tokens);
  text += DifferenceText("logits' differences", c, allowed.comparison);
  text += fmt::format(
      "  of                        {} positions, range of the logits {:.3g}\n"
      "  mean divergence           {:.3g} nats; same most probable token at {:.2f} % of positions\n",
      c.positions, c.logit_range, c.mean_kl, 100 * c.top1_agreement);
  if (!v.second) return text;
  text += fmt::format("{}\n", v.second->engine);
  if (v.second->server) text += DifferenceText("both folders there", *v.second->server, allowed.second_server);
  text += DifferenceText("plaintext there and here", v.second->conversion, allowed.second_conversion);
  return text;
}

int Run(const Options& options) {
  const Result<Verification> verified = Verify(options);
  if (!verified) {
    const int code = Report(verified.error(), options.json);
    return verified.error().code == ErrorCode::kMismatch ? kExitMismatch : code;
  }
  const Allowed allowed = Allow(*verified);
  const int printed = Print(ToJson(*verified, allowed), ToText(*verified, allowed), options.json);
  return Accepts(*verified, allowed) ? printed : kExitMismatch;
}

}  // namespace

Command AddVerify(CLI::App& parent) {
  CLI::App* app = parent.add_subcommand("verify", "Compare an encrypted model with its source, logit by logit");
  app->footer(
      "First the server's files are compared with the hashes that encryption noted, and what they tell the server\n"
      "(special ids, context, epsilons, RoPE) with what source and key give. Then the plaintext and the encrypted\n"
      "model run on llama.cpp, in this process, and their logits and greedy continuations are compared. Hugging\n"
      "Face folders are converted to temporary GGUF files, and all weights are widened to fp32 as well, so that a\n"
      "server's rounding hides nothing (GELU is then computed by its formula, not looked up as llama.cpp does): the\n"
      "folder for temporary files (TMPDIR) needs room for that. Both models must fit in memory.\n\n"
      "How much may differ is measured: the plaintext model is compared with itself, evaluated one position at a\n"
      "time, which sums in another order. Profile rotated rounds the weights once more, so there the plaintext\n"
      "model is also compared with itself after its weights were turned, rounded and turned back, by four angles.\n"
      "Exit code 3 means that the root mean square of the differences or the largest one is above twice that (and\n"
      "2e-7 and 2e-6 of the logits' range), or that the continuations part where the plaintext model clearly\n"
      "prefers its own token.\n\n"
      "That compares two conversions to GGUF with each other. With --reference transformers the Hugging Face library\n"
      "evaluates the source too, in fp32, and the encrypted folder if it is one, from their own files: what the\n"
      "conversion changed shows.");
  auto options = std::make_shared<Options>();
  app->add_option("--plain", options->plain, "The checkpoint that was encrypted")->required();
  AddLoraOption(*app, options->lora);
  app->add_option("--encrypted", options->encrypted, "The folder that `isoveil encrypt` wrote")->required();
  AddKeyOptions(*app, options->key);
  app->add_option("--prompts", options->prompts, "Text file with one prompt a line (default: six built-in ones)");
  app->add_option("-n,--max-tokens", options->tokens, "Greedy tokens to compare after each prompt")
      ->check(CLI::Range(0, kMostTokens))
      ->capture_default_str();
  AddChoice<bool>(*app, "--reference", options->transformers, {{"llama.cpp", false}, {"transformers", true}},
                  "What judges beside llama.cpp: transformers reads Hugging Face folders itself, by --python")
      ->default_str("llama.cpp");
  app->add_option("--python", options->python, "A Python that knows torch and transformers")->capture_default_str();
  AddJsonOption(*app, options->json);
  return {app, [options] { return Run(*options); }};
}

}  // namespace isoveil
