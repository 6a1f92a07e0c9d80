// llama.cpp in this process: started once, silent, its complaints kept for error texts.
//
//   StartLlama();
//   llama_model* model = llama_model_load_from_file(...);
//   if (model == nullptr) return Fail(..., TakeLlamaErrors());
#pragma once

#include <string>

namespace isoveil {

// Any number of times, from any thread. From then on nothing of llama.cpp reaches a log.
void StartLlama();

// What llama.cpp reported as errors on this thread since the last call, cut short and safe to print.
std::string TakeLlamaErrors();

}  // namespace isoveil
