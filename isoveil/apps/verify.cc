// isoveil verify: does the encrypted model answer as the plaintext model does?
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <sstream>

#include "isoveil/apps/cli.h"
#include "isoveil/apps/compare_models.h"
#include "isoveil/apps/out_folder.h"
#include "isoveil/apps/unround.h"
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

// The largest difference that is accepted: this share of the logits' range, or this multiple of the rounding that
// the plaintext model shows against itself, whichever is larger.
constexpr double kRelativeTolerance = 1e-4;
constexpr double kRoundingTolerance = 3;
// Two draws of rounded weights are two samples of one distribution: their root mean squares are alike, their largest
// values scatter.
constexpr double kWeightRoundingRmsTolerance = 1.5;
constexpr double kWeightRoundingTolerance = 6;

// A folder for converted models, removed at the end.
class Workspace {
 public:
  static Result<Workspace> Make() {
    std::error_code error;
    const Path temporary = std::filesystem::temp_directory_path(error);
    if (error) {
      return Fail(ErrorCode::kNotFound, "TMPDIR", "names no folder for temporary files", "set it to a folder that exists");
    }
    std::string name = (temporary / "isoveil-verify.XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) return tl::unexpected(SystemError(name, "cannot make a folder"));
    return Workspace(name);
  }
  Workspace(Workspace&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Workspace& operator=(Workspace&&) = delete;
  ~Workspace() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const Path& path() const { return path_; }

 private:
  explicit Workspace(Path path) : path_(std::move(path)) {}
  Path path_;
};

// What llama.cpp can load: the GGUF itself, or a conversion; widened to fp32 on request.
Result<Path> AsGguf(const Path& model, const Path& lora, const Path& workspace, const char* name, bool widen) {
  ISOVEIL_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(model, lora));
  if (checkpoint.kind() == FormatKind::kGguf && !widen) return checkpoint.shards().front().path;
  ISOVEIL_RETURN_IF_ERROR(ConvertToGguf(model, workspace / name, {.lora = lora, .widen = widen, .placeholder = true}));
  ISOVEIL_ASSIGN_OR_RETURN(const Checkpoint converted, Checkpoint::Open(workspace / name));
  return converted.shards().front().path;
}

Result<std::vector<std::vector<TokenId>>> ReadPrompts(const Options& options, const Vocabulary& vocabulary) {
  std::vector<std::string> texts(std::begin(kPrompts), std::end(kPrompts));
  if (!options.prompts.empty()) {
    ISOVEIL_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(options.prompts));
    texts.clear();
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty()) texts.push_back(line);
    }
  }
  std::vector<std::vector<TokenId>> prompts;
  for (const std::string& text : texts) {
    ISOVEIL_ASSIGN_OR_RETURN(std::vector<TokenId> ids, vocabulary.Tokenize(text, {.add_special = true}));
    if (!ids.empty()) prompts.push_back(std::move(ids));
  }
  if (prompts.empty()) return Fail(ErrorCode::kInvalidArgument, options.prompts, "holds no prompt");
  return prompts;
}

VocabCipher IdentityCipher(uint64_t n_vocab) {
  std::vector<uint32_t> source(n_vocab);
  for (uint32_t i = 0; i < n_vocab; ++i) source[i] = i;
  return VocabCipher::FromPermutation(std::move(source)).value();
}

struct Verification {
  Comparison comparison;
  Comparison summation;  // plaintext against itself, one position at a time
  Comparison storage;    // plaintext against itself, weights and arithmetic in fp32
  // The same with weights as they may have been before they were rounded to their type; only of a profile that
  // rounds them once more.
  std::optional<Comparison> weights;
  bool match = false;
};

bool Accepts(const Verification& v) {
  const Comparison& c = v.comparison;
  const double arithmetic = std::max(v.summation.max_abs_logit_diff, v.storage.max_abs_logit_diff);
  const double accepted = std::max(kRelativeTolerance * c.logit_range, kRoundingTolerance * arithmetic);
  if (c.max_abs_logit_diff <= accepted) return true;
  if (!v.weights) return false;
  // What the arithmetic of the encrypted model rounds is independent of that, so the squares add.
  const double rms = std::hypot(v.weights->rms_logit_diff, v.storage.rms_logit_diff);
  return c.rms_logit_diff <= kWeightRoundingRmsTolerance * rms &&
         c.max_abs_logit_diff <= kWeightRoundingTolerance * v.weights->max_abs_logit_diff;
}

Result<Verification> Verify(const Options& options) {
  ISOVEIL_RETURN_IF_ERROR(ExpectPart(options.encrypted, OutPart::kWhole));
  ISOVEIL_ASSIGN_OR_RETURN(const RootKey key, OpenKey(options.key));
  const Path folder = options.encrypted;
  ISOVEIL_ASSIGN_OR_RETURN(const ClientFolder client, ClientFolder::Open(folder / "client", key));
  {
    ISOVEIL_ASSIGN_OR_RETURN(const Checkpoint source, Checkpoint::Open(options.plain, options.lora));
    ISOVEIL_ASSIGN_OR_RETURN(const ModelIdentity identity, IdentifyModel(source));
    if (identity != client.manifest.model_identity) {
      return Fail(ErrorCode::kMismatch, options.plain, "is not the model that was encrypted",
                  "name the checkpoint that `isoveil encrypt` read");
    }
  }
  ISOVEIL_ASSIGN_OR_RETURN(const Workspace workspace, Workspace::Make());
  ISOVEIL_ASSIGN_OR_RETURN(const auto prompts, ReadPrompts(options, client.vocabulary));
  size_t longest = 0;
  for (const auto& ids : prompts) longest = std::max(longest, ids.size());
  const EvaluatorOptions batched{.n_context = static_cast<int32_t>(longest) + options.tokens + 8};
  EvaluatorOptions single = batched;
  single.token_by_token = true;

  ISOVEIL_ASSIGN_OR_RETURN(const Path plain_path, AsGguf(options.plain, options.lora, workspace.path(), "plain", false));
  ISOVEIL_ASSIGN_OR_RETURN(const Path wide_path, AsGguf(options.plain, options.lora, workspace.path(), "wide", true));
  ISOVEIL_ASSIGN_OR_RETURN(const Path encrypted_path,
                           AsGguf(folder / "server", {}, workspace.path(), "encrypted", false));
  ISOVEIL_ASSIGN_OR_RETURN(Evaluator plain, Evaluator::Load(plain_path, batched));
  const VocabCipher identity = IdentityCipher(client.manifest.n_vocab);

  Verification v;
  {
    ISOVEIL_ASSIGN_OR_RETURN(Evaluator encrypted, Evaluator::Load(encrypted_path, batched));
    ISOVEIL_ASSIGN_OR_RETURN(v.comparison,
                             CompareModels(plain, encrypted, client.cipher, prompts, options.tokens));
  }
  {
    ISOVEIL_ASSIGN_OR_RETURN(Evaluator other, Evaluator::Load(plain_path, single));
    ISOVEIL_ASSIGN_OR_RETURN(v.summation, CompareModels(plain, other, identity, prompts, 0));
  }
  {
    ISOVEIL_ASSIGN_OR_RETURN(Evaluator other, Evaluator::Load(wide_path, batched));
    ISOVEIL_ASSIGN_OR_RETURN(v.storage, CompareModels(plain, other, identity, prompts, 0));
  }
  if (client.manifest.profile == Profile::kRotated) {
    ISOVEIL_RETURN_IF_ERROR(Unround(wide_path));
    ISOVEIL_ASSIGN_OR_RETURN(Evaluator other, Evaluator::Load(wide_path, batched));
    ISOVEIL_ASSIGN_OR_RETURN(v.weights, CompareModels(plain, other, identity, prompts, 0));
  }
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
  ordered_json rounding = {{"summation_order", DifferenceJson(verified->summation)},
                           {"storage_type", DifferenceJson(verified->storage)}};
  if (verified->weights) rounding["weight_rounding"] = DifferenceJson(*verified->weights);
  const ordered_json json = {{"match", verified->match},
                             {"greedy_identical", c.greedy_identical},
                             {"tokens_compared", c.tokens_compared},
                             {"positions_compared", c.positions},
                             {"max_abs_logit_diff", c.max_abs_logit_diff},
                             {"rms_logit_diff", c.rms_logit_diff},
                             {"logit_range", c.logit_range},
                             {"mean_kl", c.mean_kl},
                             {"top1_agreement", c.top1_agreement},
                             {"plaintext_rounding", std::move(rounding)}};
  const std::string text = fmt::format(
      "{}: the encrypted model {} the plaintext model\n"
      "  greedy continuations      {} ({} tokens)\n"
      "  largest logit difference  {:.3g} (range of the logits {:.3g}, {} positions)\n"
      "  mean divergence           {:.3g} nats; same most probable token at {:.2f} % of positions\n"
      "  plaintext against itself  {:.3g} in another summation order, {:.3g} against fp32{}\n",
      verified->match ? "match" : "MISMATCH", verified->match ? "answers as" : "does not answer as",
      c.greedy_identical ? "identical" : "different", c.tokens_compared, c.max_abs_logit_diff, c.logit_range,
      c.positions, c.mean_kl, 100 * c.top1_agreement, verified->summation.max_abs_logit_diff,
      verified->storage.max_abs_logit_diff,
      verified->weights ? fmt::format(", {:.3g} before weights were rounded", verified->weights->max_abs_logit_diff) : "");
  const int printed = Print(json, text, options.json);
  return verified->match ? printed : kExitMismatch;
}

}  // namespace

Command AddVerify(CLI::App& parent) {
  CLI::App* app =
      parent.add_subcommand("verify", "Compare an encrypted model with its source, logit by logit");
  app->footer(
      "Run the plaintext and the encrypted model on llama.cpp, in this process, and compare their logits "
      "and\n"
      "greedy continuations. Hugging Face folders are converted to temporary GGUF files. Both models must\n"
      "fit in memory, one after the other beside the plaintext one.\n\n"
      "For judging the difference, the plaintext model is also compared with itself: evaluated one position "
      "at\n"
      "a time, which sums in another order, and with its weights widened to fp32. Exit code 3 means that the\n"
      "largest logit difference is above 1e-4 of the logits' range and above three times that rounding.\n"
      "Profile rotated rounds the weights once more. So the plaintext model is also compared with weights as\n"
      "they may have been before they were rounded to their type: the root mean square of the differences may\n"
      "be 1.5 times that (and the arithmetic's rounding), the largest difference six times.");
  auto options = std::make_shared<Options>();
  app->add_option("--plain", options->plain, "The checkpoint that was encrypted")->required();
  AddLoraOption(*app, options->lora);
  app->add_option("--encrypted", options->encrypted, "The folder that `isoveil encrypt` wrote")->required();
  AddKeyOptions(*app, options->key);
  app->add_option("--prompts", options->prompts,
                  "Text file with one prompt a line (default: six built-in ones)");
  app->add_option("-n,--max-tokens", options->tokens, "Greedy tokens to compare after each prompt")
      ->capture_default_str();
  AddJsonOption(*app, options->json);
  return {app, [options] { return Run(*options); }};
}

}  // namespace isoveil
