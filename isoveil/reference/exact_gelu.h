// GELU by its formula where llama.cpp looks it up.
//
//   ExactGelu gelu;
//   params.cb_eval = &ExactGelu::Evaluated;
//   params.cb_eval_user_data = &gelu;
//
// llama.cpp rounds what GELU is taken of to fp16 and takes the value from a table of fp16 numbers. An input that lies
// near a step of the table falls to either side by a rounding of the sums before it, and moves the logits by a thousand
// times that rounding: rare, large, and no scale for anything. With the tanh formula of the same GELU
//
//   0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))        (Hendrycks and Gimpel 2016, arXiv:1606.08415)
//
// two models that are the same function differ by roundings alone. Alone and with a gate (GEGLU), on fp32 tensors in
// host memory, which is where models that are evaluated here lie; what else there is stays as llama.cpp computes it.
#pragma once

#include <ggml.h>

#include <vector>

namespace isoveil {

// For one llama_context, which calls it from the thread that decodes; it must outlive the context.
class ExactGelu {
 public:
  // A ggml_backend_sched_eval_callback. Every operation is waited for, so that inputs of GELU are there to be read
  // before its result may take their place; once `Rest` has been called, only where GELU was met.
  static bool Evaluated(ggml_tensor* node, bool ask, void* exact_gelu);

  // Ends the look-out: what has not met GELU by now has none, and is evaluated at full speed.
  void Rest() { resting_ = !met_; }

 private:
  bool Ask(const ggml_tensor& node);
  void Replace(ggml_tensor& node) const;

  bool met_ = false;
  bool resting_ = false;
  std::vector<float> values_;  // of the node that is being computed
};

}  // namespace isoveil
