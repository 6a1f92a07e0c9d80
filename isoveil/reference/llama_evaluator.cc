#include "isoveil/reference/llama_evaluator.h"

#include <llama.h>

#include <algorithm>

#include "isoveil/base/parallel.h"
#include "isoveil/reference/exact_gelu.h"
#include "isoveil/tokenizer/llama_runtime.h"

namespace isoveil {
namespace {

struct ModelDeleter {
  void operator()(llama_model* model) const { llama_model_free(model); }
};
struct ContextDeleter {
  void operator()(llama_context* context) const { llama_free(context); }
};

// A batch of consecutive positions of one sequence, all with logits.
class Batch {
 public:
  explicit Batch(int32_t capacity) : batch_(llama_batch_init(capacity, 0, 1)) {}
  ~Batch() { llama_batch_free(batch_); }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  const llama_batch& Fill(std::span<const int32_t> ids, int32_t first_position) {
    batch_.n_tokens = static_cast<int32_t>(ids.size());
    for (size_t i = 0; i < ids.size(); ++i) {
      batch_.token[i] = ids[i];
      batch_.pos[i] = first_position + static_cast<int32_t>(i);
      batch_.n_seq_id[i] = 1;
      batch_.seq_id[i][0] = 0;
      batch_.logits[i] = 1;
    }
    return batch_;
  }

 private:
  llama_batch batch_;
};

// Beneath it threads wait for each other longer than they compute, and much longer where others use the machine.
constexpr uint64_t kLeastBytesForThreads = uint64_t{64} << 20;

int32_t Threads(const LlamaOptions& options, const llama_model& model) {
  if (options.n_threads == 0 && llama_model_size(&model) < kLeastBytesForThreads) return 1;
  return static_cast<int32_t>(ThreadCount(static_cast<unsigned>(options.n_threads)));
}

}  // namespace

struct LlamaEvaluator::State {
  std::string where;
  LlamaOptions options;
  ExactGelu gelu;
  std::unique_ptr<llama_model, ModelDeleter> model;
  std::unique_ptr<llama_context, ContextDeleter> context;
  int64_t n_vocab = 0;

  Status CheckIds(std::span<const int32_t> ids, int64_t more) const {
    const auto total = static_cast<int64_t>(ids.size()) + more;
    if (ids.empty() || total > llama_n_ctx(context.get())) {
      return Fail(ErrorCode::kInvalidArgument, "ids",
                  fmt::format("expected 1 to {} ids, found {}", llama_n_ctx(context.get()), total));
    }
    for (const int32_t id : ids) {
      if (id < 0 || id >= n_vocab) return Fail(ErrorCode::kInvalidArgument, "ids", "an id lies outside the vocabulary");
    }
    return Ok();
  }

  // Evaluates ids at `position` and appends their logits.
  Status Decode(std::span<const int32_t> ids, int32_t position, std::vector<float>& logits) {
    const size_t step = options.token_by_token ? 1 : ids.size();
    Batch batch(static_cast<int32_t>(step));
    for (size_t begin = 0; begin < ids.size(); begin += step) {
      const auto part = ids.subspan(begin, std::min(step, ids.size() - begin));
      if (llama_decode(context.get(), batch.Fill(part, position + static_cast<int32_t>(begin))) != 0) {
        return Fail(ErrorCode::kIo, where, fmt::format("llama.cpp cannot evaluate it: {}", TakeLlamaErrors()));
      }
      for (int32_t i = 0; i < static_cast<int32_t>(part.size()); ++i) {
        const float* row = llama_get_logits_ith(context.get(), i);
        logits.insert(logits.end(), row, row + n_vocab);
      }
    }
    return Ok();
  }

  void Forget() { llama_memory_clear(llama_get_memory(context.get()), true); }
};

LlamaEvaluator::LlamaEvaluator(std::unique_ptr<State> state) : state_(std::move(state)) {}
LlamaEvaluator::LlamaEvaluator(LlamaEvaluator&&) noexcept = default;
LlamaEvaluator& LlamaEvaluator::operator=(LlamaEvaluator&&) noexcept = default;
LlamaEvaluator::~LlamaEvaluator() = default;

Result<LlamaEvaluator> LlamaEvaluator::Load(const Path& gguf, const LlamaOptions& options) {
  if (!FileExists(gguf)) return Fail(ErrorCode::kNotFound, gguf.string(), "is missing");
  StartLlama();
  TakeLlamaErrors();
  auto state = std::make_unique<State>();
  state->where = gguf.string();
  state->options = options;
  llama_model_params model_params = llama_model_default_params();
  model_params.n_gpu_layers = 0;
  state->model.reset(llama_model_load_from_file(gguf.c_str(), model_params));
  if (state->model == nullptr) {
    return Fail(ErrorCode::kFormat, gguf.string(), fmt::format("llama.cpp cannot load it: {}", TakeLlamaErrors()));
  }
  llama_context_params params = llama_context_default_params();
  const auto n_context =
      static_cast<uint32_t>(options.n_context > 0 ? options.n_context : llama_model_n_ctx_train(state->model.get()));
  params.n_ctx = n_context;
  params.n_batch = n_context;
  params.n_ubatch = n_context;
  params.n_seq_max = 1;
  params.n_threads = params.n_threads_batch = Threads(options, *state->model);
  params.flash_attn_type = options.flash_attention ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
  params.type_k = params.type_v = options.f16_cache ? GGML_TYPE_F16 : GGML_TYPE_F32;
  if (options.exact_gelu) {
    params.cb_eval = &ExactGelu::Evaluated;
    params.cb_eval_user_data = &state->gelu;
  }
  state->context.reset(llama_init_from_model(state->model.get(), params));
  if (state->context == nullptr) {
    return Fail(ErrorCode::kNoMemory, gguf.string(), fmt::format("llama.cpp cannot run it: {}", TakeLlamaErrors()));
  }
  state->n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(state->model.get()));
  LlamaEvaluator evaluator(std::move(state));
  if (options.exact_gelu) {
    ISOVEIL_RETURN_IF_ERROR(evaluator.Logits(std::vector<int32_t>{0}));  // shows whether the network has GELU
    evaluator.state_->gelu.Rest();
  }
  return evaluator;
}

int64_t LlamaEvaluator::n_vocab() const { return state_->n_vocab; }
int64_t LlamaEvaluator::n_context() const { return llama_n_ctx(state_->context.get()); }

Result<std::vector<float>> LlamaEvaluator::Logits(std::span<const int32_t> ids) {
  ISOVEIL_RETURN_IF_ERROR(state_->CheckIds(ids, 0));
  state_->Forget();
  std::vector<float> logits;
  logits.reserve(ids.size() * static_cast<size_t>(state_->n_vocab));
  ISOVEIL_RETURN_IF_ERROR(state_->Decode(ids, 0, logits));
  return logits;
}

Result<std::vector<int32_t>> LlamaEvaluator::Greedy(std::span<const int32_t> prompt, int32_t n) {
  ISOVEIL_RETURN_IF_ERROR(state_->CheckIds(prompt, n));
  state_->Forget();
  std::vector<float> logits;
  ISOVEIL_RETURN_IF_ERROR(state_->Decode(prompt, 0, logits));
  std::vector<int32_t> generated;
  auto position = static_cast<int32_t>(prompt.size());
  while (static_cast<int32_t>(generated.size()) < n) {
    const auto last = logits.end() - state_->n_vocab;
    const int32_t id = static_cast<int32_t>(std::max_element(last, logits.end()) - last);
    generated.push_back(id);
    logits.clear();
    if (static_cast<int32_t>(generated.size()) < n) {
      ISOVEIL_RETURN_IF_ERROR(state_->Decode({&generated.back(), 1}, position++, logits));
    }
  }
  return generated;
}

}  // namespace isoveil
