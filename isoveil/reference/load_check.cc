#include "isoveil/reference/load_check.h"

#include <llama.h>

#include <chrono>
#include <memory>

#include "isoveil/base/framed_child.h"
#include "isoveil/tokenizer/llama_runtime.h"

namespace isoveil {
namespace {

constexpr auto kLimit = std::chrono::minutes(5);
constexpr size_t kMostAnswer = 1 << 16;
constexpr char kOk[] = "ok";

struct Free {
  void operator()(llama_model* model) const { llama_model_free(model); }
  void operator()(llama_context* context) const { llama_free(context); }
};

std::string Reasons() {
  std::string errors = TakeLlamaErrors();
  return errors.empty() ? "no reason given" : errors;
}

// kOk, or why not.
std::string TryToLoad(const std::string& path) {
  StartLlama();
  TakeLlamaErrors();
  llama_model_params model_params = llama_model_default_params();
  model_params.n_gpu_layers = 0;
  model_params.load_mode = LLAMA_LOAD_MODE_NONE;
  model_params.no_alloc = true;
  const std::unique_ptr<llama_model, Free> model(llama_model_load_from_file(path.c_str(), model_params));
  if (model == nullptr) return Reasons();
  llama_context_params context_params = llama_context_default_params();
  context_params.n_ctx = 64;
  context_params.n_batch = context_params.n_ubatch = 16;
  const std::unique_ptr<llama_context, Free> context(llama_init_from_model(model.get(), context_params));
  return context == nullptr ? Reasons() : kOk;
}

}  // namespace

Status LoadsInLlama(const Path& gguf) {
  ISOVEIL_ASSIGN_OR_RETURN(FramedChild child, FramedChild::Start({"/proc/self/exe", kLoadWorkerCommand}));
  const Result<std::string> answer = child.Ask(AbsolutePath(gguf).string(), kLimit, kMostAnswer);
  if (answer && *answer == kOk) return Ok();
  return Fail(ErrorCode::kFormat, gguf.string(),
              fmt::format("llama.cpp cannot load it: {}",
                          answer ? *answer : "it ends its process, as on a number that it does not expect"),
              "the source lacks something that llama.cpp needs; see whether llama.cpp loads the source itself");
}

void RunLoadWorker() { ServeFrames({.memory_bytes = size_t{1} << 34, .cpu_seconds = 240}, TryToLoad); }

}  // namespace isoveil
