// isoveil verify: does the encrypted model answer as the plaintext model does?
#include <algorithm>
#include <cmath>
#include <iostream>
#include <sstream>

#include "isoveil/apps/cli.h"
#include "isoveil/apps/decrypted_evaluator.h"
#include "isoveil/apps/out_folder.h"
#include "isoveil/apps/server_check.h"
#include "isoveil/base/scratch_folder.h"
#include "isoveil/reference/compare_models.h"
#include "isoveil/reference/llama_evaluator.h"
#include "isoveil/reference/reround.h"
#include "isoveil/tokenizer/client_folder.h"
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

// Sums in another order differ: by what the plaintext model shows against itself, up to the scatter of two samples, and
// at least by these shares of the logits' range, which are a few units of fp32's last place after some layers.
constexpr double kLeastMax = 2e-6;
constexpr double kLeastRms = 2e-7;
constexpr double kScatter = 2;

// A checkpoint with the LoRA adapter that is merged into it, if any.
struct Model {
  Path path;
  Path lora;
};

// What llama.cpp can load: the GGUF itself, or a conversion; widened to fp32 on request.
Result<Path> AsGguf(const Model& model, const Path& scratch, const std::string& name, bool widen) {
  ISOVEIL_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(model.path, model.lora));
  if (checkpoint.kind() == FormatKind::kGguf && !widen) return checkpoint.shards().front().path;
  ISOVEIL_RETURN_IF_ERROR(ConvertToGguf(model.path, scratch / name, {.lora = model.lora, .widen = widen, .placeholder = true}));
  ISOVEIL_ASSIGN_OR_RETURN(const Checkpoint converted, Checkpoint::Open(scratch / name));
  return converted.shards().front().path;
}

using Texts = std::vector<std::vector<TokenId>>;

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
    ISOVEIL_ASSIGN_OR_RETURN(std::vector<TokenId> ids, vocabulary.Tokenize(line, {.add_special = true}));
    if (ids.size() > n_most) ids.resize(n_most);
    if (!ids.empty()) prompts.push_back(std::move(ids));
  }
  if (prompts.empty()) return Fail(ErrorCode::kInvalidArgument, path, "holds no prompt");
  return prompts;
}

// The prompts with what the model answers: texts as they are in use.
Result<Texts> Continued(Evaluator& plain, Texts texts, int32_t n) {
  for (std::vector<TokenId>& ids : texts) {
    ISOVEIL_ASSIGN_OR_RETURN(const std::vector<TokenId> more, plain.Greedy(ids, n));
    ids.insert(ids.end(), more.begin(), more.end());
  }
  return texts;
}

Result<uint64_t> ContextOf(const Path& gguf, const std::string& architecture) {
  ISOVEIL_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(gguf));
  return checkpoint.gguf()->metadata().GetUnsigned(architecture + ".context_length");
}

struct Allowed {
  double max = 0;
  double rms = 0;
  double preference = 0;  // see Continuations
};

struct Verification {
  size_t files = 0;       // of the server's folder, as encryption wrote them
  Comparison comparison;  // with the weights of both widened to fp32: the stored bits, without a server's rounding
  Comparison served;      // in the types that are stored, as a server computes
  Continuations greedy;   // the same
  Comparison summation;   // plaintext against itself in fp32, one position at a time
  Comparison served_summation;  // the same in the types that are stored
  Comparison storage;     // plaintext against itself, in the types that are stored and in fp32
  // The same in fp32 with weights that were rounded to their types once more; only of a profile that does so.
  std::optional<Comparison> weights;
  Allowed allowed;
  bool match = false;
};

Allowed Allow(const Verification& v) {
  const Comparison weights = v.weights.value_or(Comparison{});
  const double range = v.comparison.logit_range;
  const double max = std::max(v.summation.max_abs_logit_diff, weights.max_abs_logit_diff);
  // The two are independent, so their squares add.
  const double rms = std::hypot(v.summation.rms_logit_diff, weights.rms_logit_diff);
  const double served = std::max({v.storage.max_abs_logit_diff, v.served_summation.max_abs_logit_diff, kScatter * max});
  return {.max = std::max(kLeastMax * range, kScatter * max),
          .rms = std::max(kLeastRms * range, kScatter * rms),
          .preference = 2 * std::max(kLeastMax * range, served)};
}

bool Accepts(const Verification& v) {
  return v.comparison.max_abs_logit_diff <= v.allowed.max && v.comparison.rms_logit_diff <= v.allowed.rms &&
         v.greedy.preference <= v.allowed.preference;
}

// Everything that is compared before anything is computed.
Result<ClientFolder> OpenChecked(const Options& options, const RootKey& key) {
  ISOVEIL_RETURN_IF_ERROR(ExpectPart(options.encrypted, OutPart::kWhole));
  const Path folder = options.encrypted;
  ISOVEIL_ASSIGN_OR_RETURN(ClientFolder client, ClientFolder::Open(folder / "client", key));
  const Manifest& manifest = client.manifest;
  ISOVEIL_ASSIGN_OR_RETURN(const auto planned,
                           PlanEncryption(options.plain, {.profile = manifest.profile, .lora = options.lora, .target = manifest.target}));
  ISOVEIL_ASSIGN_OR_RETURN(const ModelIdentity identity, IdentifyModel(planned->checkpoint));
  if (identity != manifest.model_identity) {
    return Fail(ErrorCode::kMismatch, options.plain, "is not the model that was encrypted",
                "name the checkpoint that `isoveil encrypt` read");
  }
  ISOVEIL_RETURN_IF_ERROR(CheckServerFiles(folder / "server", manifest));
  ISOVEIL_RETURN_IF_ERROR(CheckServerDescription(folder / "server", *planned, key));
  return client;
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

// Plaintext against itself with weights that were rounded to their types once more.
Result<Comparison> CompareRerounded(Evaluator& wide, const Model& model, const Path& stored, const Path& scratch,
                                    const LlamaOptions& options, const Texts& texts) {
  ISOVEIL_ASSIGN_OR_RETURN(const Path path, AsGguf(model, scratch, "rerounded", true));
  ISOVEIL_RETURN_IF_ERROR(Reround(path, stored));
  ISOVEIL_ASSIGN_OR_RETURN(LlamaEvaluator other, LlamaEvaluator::Load(path, options));
  return CompareLogits(wide, other, texts);
}

Result<Verification> Verify(const Options& options) {
  ISOVEIL_ASSIGN_OR_RETURN(const RootKey key, OpenKey(options.key));
  ISOVEIL_ASSIGN_OR_RETURN(const ClientFolder client, OpenChecked(options, key));
  ISOVEIL_ASSIGN_OR_RETURN(const ScratchFolder scratch, ScratchFolder::Make());
  const Model source{options.plain, options.lora};
  ISOVEIL_ASSIGN_OR_RETURN(const Pair plain_paths, BothTypes(source, scratch.path(), "plain"));
  ISOVEIL_ASSIGN_OR_RETURN(const Pair encrypted_paths,
                           BothTypes({Path(options.encrypted) / "server", {}}, scratch.path(), "encrypted").map_error(AsMismatch));

  // Beyond the model's context there is nothing to compare.
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t context, ContextOf(plain_paths.stored, client.manifest.architecture));
  const auto n_greedy = static_cast<int32_t>(std::min<uint64_t>(static_cast<uint64_t>(options.tokens), context / 2));
  const size_t n_most = std::max<size_t>(1, std::min<size_t>(context, kMostContext) - static_cast<size_t>(n_greedy));
  ISOVEIL_ASSIGN_OR_RETURN(const Texts prompts, ReadPrompts(options.prompts, client.vocabulary, n_most));
  size_t longest = 0;
  for (const auto& ids : prompts) longest = std::max(longest, ids.size());
  const LlamaOptions batched{.n_context = static_cast<int32_t>(longest) + n_greedy};
  LlamaOptions single = batched;
  single.token_by_token = true;

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
  ISOVEIL_ASSIGN_OR_RETURN(LlamaEvaluator wide, LlamaEvaluator::Load(plain_paths.wide, batched));
  ISOVEIL_ASSIGN_OR_RETURN(v.storage, CompareLogits(plain, wide, texts));
  {
    ISOVEIL_ASSIGN_OR_RETURN(LlamaEvaluator server, LlamaEvaluator::Load(encrypted_paths.wide, batched));
    DecryptedEvaluator encrypted(server, client.cipher);
    ISOVEIL_ASSIGN_OR_RETURN(v.comparison, CompareLogits(wide, encrypted, texts));
  }
  {
    ISOVEIL_ASSIGN_OR_RETURN(LlamaEvaluator other, LlamaEvaluator::Load(plain_paths.wide, single));
    ISOVEIL_ASSIGN_OR_RETURN(v.summation, CompareLogits(wide, other, texts));
  }
  if (client.manifest.profile == Profile::kRotated) {
    ISOVEIL_ASSIGN_OR_RETURN(v.weights, CompareRerounded(wide, source, plain_paths.stored, scratch.path(), batched, texts));
  }
  v.allowed = Allow(v);
  v.match = Accepts(v);
  return v;
}

ordered_json DifferenceJson(const Comparison& c) {
  return {{"max_abs_logit_diff", c.max_abs_logit_diff},
          {"rms_logit_diff", c.rms_logit_diff},
          {"mean_kl", c.mean_kl},
          {"top1_agreement", c.top1_agreement}};
}

int Run(const Options& options) {
  const Result<Verification> verified = Verify(options);
  if (!verified) {
    const int code = Report(verified.error(), options.json);
    return verified.error().code == ErrorCode::kMismatch ? kExitMismatch : code;
  }
  const Comparison& c = verified->comparison;
  const Continuations& g = verified->greedy;
  ordered_json rounding = {{"summation_order", DifferenceJson(verified->summation)},
                           {"served_summation_order", DifferenceJson(verified->served_summation)},
                           {"storage_type", DifferenceJson(verified->storage)}};
  if (verified->weights) rounding["weight_rounding"] = DifferenceJson(*verified->weights);
  const ordered_json json = {{"match", verified->match},
                             {"files", verified->files},
                             {"greedy_identical", g.identical},
                             {"greedy_preference", g.preference},
                             {"tokens_compared", g.tokens},
                             {"positions_compared", c.positions},
                             {"max_abs_logit_diff", c.max_abs_logit_diff},
                             {"rms_logit_diff", c.rms_logit_diff},
                             {"logit_range", c.logit_range},
                             {"mean_kl", c.mean_kl},
                             {"top1_agreement", c.top1_agreement},
                             {"served", DifferenceJson(verified->served)},
                             {"allowed", {{"max_abs_logit_diff", verified->allowed.max}, {"rms_logit_diff", verified->allowed.rms},
                              {"greedy_preference", verified->allowed.preference}}},
                             {"plaintext_rounding", std::move(rounding)}};
  const std::string text = fmt::format(
      "{}: the encrypted model {} the plaintext model\n"
      "  the server's files        {} as encryption wrote them; ids and numbers as source and key give them\n"
      "  greedy continuations      {} ({} tokens)\n"
      "  largest logit difference  {:.3g} (allowed {:.3g}; range of the logits {:.3g}, {} positions)\n"
      "  root mean square of them  {:.3g} (allowed {:.3g})\n"
      "  mean divergence           {:.3g} nats; same most probable token at {:.2f} % of positions\n",
      verified->match ? "match" : "MISMATCH", verified->match ? "answers as" : "does not answer as", verified->files,
      g.identical ? "identical" : fmt::format("part where plaintext prefers its token by {:.3g}", g.preference), g.tokens,
      c.max_abs_logit_diff, verified->allowed.max, c.logit_range, c.positions, c.rms_logit_diff, verified->allowed.rms,
      c.mean_kl, 100 * c.top1_agreement);
  const int printed = Print(json, text, options.json);
  return verified->match ? printed : kExitMismatch;
}

}  // namespace

Command AddVerify(CLI::App& parent) {
  CLI::App* app =
      parent.add_subcommand("verify", "Compare an encrypted model with its source, logit by logit");
  app->footer(
      "First the server's files are compared with the hashes that encryption noted, and what they tell the server\n"
      "(special ids, context, epsilons, RoPE) with what source and key give. Then the plaintext and the encrypted\n"
      "model run on llama.cpp, in this process, and their logits and greedy continuations are compared. Hugging\n"
      "Face folders are converted to temporary GGUF files, and all weights are widened to fp32 as well, so that a\n"
      "server's rounding hides nothing: the folder for temporary files (TMPDIR) needs room for that. Both models\n"
      "must fit in memory.\n\n"
      "How much may differ is measured: the plaintext model is compared with itself, evaluated one position at a\n"
      "time, which sums in another order. Profile rotated rounds the weights once more, so there the plaintext\n"
      "model is also compared with itself after its weights were turned by 45 degrees, rounded and turned back. Exit\n"
      "code 3 means that the root mean square of the differences or the largest one is above\n"
      "twice that (and 2e-7 and 2e-6 of the logits' range), or that the continuations part where the plaintext\n"
      "model clearly prefers its own token.");
  auto options = std::make_shared<Options>();
  app->add_option("--plain", options->plain, "The checkpoint that was encrypted")->required();
  AddLoraOption(*app, options->lora);
  app->add_option("--encrypted", options->encrypted, "The folder that `isoveil encrypt` wrote")->required();
  AddKeyOptions(*app, options->key);
  app->add_option("--prompts", options->prompts,
                  "Text file with one prompt a line (default: six built-in ones)");
  app->add_option("-n,--max-tokens", options->tokens, "Greedy tokens to compare after each prompt")
      ->check(CLI::Range(0, kMostTokens))
      ->capture_default_str();
  AddJsonOption(*app, options->json);
  return {app, [options] { return Run(*options); }};
}

}  // namespace isoveil
