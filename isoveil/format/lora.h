// A LoRA adapter as PEFT writes it: adapter_config.json and adapter_model.safetensors.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const LoraAdapter adapter, LoraAdapter::Open("my-adapter"));
//   ISOVEIL_ASSIGN_OR_RETURN(std::vector<TensorView> merged, adapter.MergedWith(tensors));
//
// All of it is used or refused by name: what changes more than W + scale * B A (DoRA, biases, saved modules,
// initialisations that change the base), fields that are not known, tensors that meet no matrix of the model.
// Immutable; views live as long as the object or a copy.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "isoveil/format/safetensors.h"
#include "isoveil/tensor/computed.h"

namespace isoveil {

class LoraAdapter {
 public:
  static Result<LoraAdapter> Open(const Path& folder);

  const Path& path() const { return path_; }
  const Path& weights() const { return weights_; }
  // The text of adapter_config.json.
  const std::string& config() const { return config_; }
  std::span<const TensorView> tensors() const { return file_.tensors(); }

  // The model's tensors, those that the adapter changes as computed ones.
  Result<std::vector<TensorView>> MergedWith(std::span<const TensorView> model) const;

 private:
  explicit LoraAdapter(SafetensorsFile file) : file_(std::move(file)) {}

  Path path_;
  Path weights_;
  std::string config_;
  SafetensorsFile file_;
  bool fan_in_fan_out_ = false;
  std::map<std::string, LowRankUpdate> updates_;  // by the module's name in the model
};

}  // namespace isoveil
