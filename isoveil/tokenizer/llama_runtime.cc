#include "isoveil/tokenizer/llama_runtime.h"

#include <llama.h>

#include <mutex>
#include <utility>

#include "isoveil/base/result.h"

namespace isoveil {
namespace {

constexpr size_t kMaxErrors = 1000;

std::string& ErrorsOfThisThread() {
  thread_local std::string errors;
  return errors;
}

void KeepErrors(ggml_log_level level, const char* text, void*) {
  if (level == GGML_LOG_LEVEL_ERROR && ErrorsOfThisThread().size() < kMaxErrors) ErrorsOfThisThread() += text;
}

}  // namespace

void StartLlama() {
  static std::once_flag once;
  std::call_once(once, [] {
    llama_log_set(&KeepErrors, nullptr);
    llama_backend_init();
  });
}

std::string TakeLlamaErrors() { return Quoted(std::exchange(ErrorsOfThisThread(), {}), kMaxErrors); }

}  // namespace isoveil
