#include "isoveil/tokenizer/deep_stack.h"

#include <pthread.h>

namespace isoveil {
namespace {

void* Run(void* work) {
  (*static_cast<const std::function<void()>*>(work))();
  return nullptr;
}

}  // namespace

Status RunOnStack(size_t bytes, const std::function<void()>& work) {
  pthread_attr_t attributes;
  if (::pthread_attr_init(&attributes) != 0) {
    return Fail(ErrorCode::kNoMemory, "stack", "cannot describe a thread");
  }
  pthread_t thread = {};
  int error = ::pthread_attr_setstacksize(&attributes, bytes);
  if (error == 0) {
    error = ::pthread_create(&thread, &attributes, &Run, const_cast<std::function<void()>*>(&work));
  }
  ::pthread_attr_destroy(&attributes);
  if (error != 0) {
    return Fail(ErrorCode::kNoMemory, "stack", fmt::format("cannot have {} bytes", bytes), "shorten the text");
  }
  ::pthread_join(thread, nullptr);
  return Ok();
}

}  // namespace isoveil
