// The head above an encoder that the client applies in plaintext; what it is made of stands in client_head.h.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const LabelHead head, LabelHead::Open("out/client/head.safetensors", *manifest.head,
//   ports)); ISOVEIL_ASSIGN_OR_RETURN(const std::vector<double> numbers, head.Apply(first_token));
//
// Computes in fp64 from weights in whatever type they were stored. Immutable; safe to use from many threads.
#pragma once

#include <span>
#include <vector>

#include "isoveil/algebra/client_head.h"
#include "isoveil/algebra/port.h"
#include "isoveil/base/file.h"
#include "isoveil/base/result.h"
#include "isoveil/format/safetensors.h"

namespace isoveil {

inline constexpr char kHeadFile[] = "head.safetensors";

class LabelHead {
 public:
  // kFormat or kNotFound, naming the tensor, if layers and ports do not fit together.
  static Result<LabelHead> Open(const Path& path, const ClientHead& head, const Ports& ports);
  static Result<LabelHead> FromFile(const SafetensorsFile& file, const std::string& name, const ClientHead& head,
                                    const Ports& ports);

  const std::string& input() const { return input_; }
  // One number for each label. kInvalidArgument for a vector of another size than the input port's.
  Result<std::vector<double>> Apply(std::span<const double> vector) const;

 private:
  struct Layer {
    uint64_t inputs = 0;
    std::vector<float> weight;  // {outputs, inputs}
    std::vector<float> bias;    // {outputs}
    HeadFunction function = HeadFunction::kNone;
  };
  static Result<Layer> ReadLayer(const SafetensorsFile& file, const std::string& name, const HeadLayer& layer,
                                 uint64_t inputs);

  std::string input_;
  std::vector<Layer> layers_;
};

}  // namespace isoveil
