#include "isoveil/arch/rope_scaling.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "isoveil/arch/config_fields.h"

namespace isoveil {
namespace {

using nlohmann::json;

// Frequency factors of Llama 3's RoPE scaling: low frequencies are divided by `factor`, high ones kept,
// those between blended. Source: the Llama 3.1 reference, as in transformers' rope_utils.
Result<std::vector<float>> Llama3Factors(const json& scaling, double theta, uint64_t rotary_dim) {
  ISOVEIL_ASSIGN_OR_RETURN(const double factor, ConfigNumber(scaling, "factor", 8));
  ISOVEIL_ASSIGN_OR_RETURN(const double low, ConfigNumber(scaling, "low_freq_factor", 1));
  ISOVEIL_ASSIGN_OR_RETURN(const double high, ConfigNumber(scaling, "high_freq_factor", 4));
  ISOVEIL_ASSIGN_OR_RETURN(const double context, ConfigNumber(scaling, "original_max_position_embeddings", 8192));
  std::vector<float> factors;
  for (uint64_t i = 0; i < rotary_dim; i += 2) {
    const double frequency = std::pow(theta, -static_cast<double>(i) / static_cast<double>(rotary_dim));
    const double wavelength = 2 * std::numbers::pi / frequency;
    const double smooth = std::clamp((context / wavelength - low) / (high - low), 0.0, 1.0);
    factors.push_back(static_cast<float>(1 / ((1 - smooth) / factor + smooth)));
  }
  return factors;
}

// YaRN as transformers' rope_utils has it: coordinates that turn more than beta_fast times within the original context
// keep their frequency, those that turn less than beta_slow times are divided by `factor`, a ramp between.
// Source: Peng et al., https://arxiv.org/abs/2309.00071, section 3.2.
Result<std::vector<float>> YarnFactors(const json& scaling, double theta, const RopeSizes& sizes) {
  ISOVEIL_ASSIGN_OR_RETURN(const double factor, ConfigNumber(scaling, "factor", 1));
  ISOVEIL_ASSIGN_OR_RETURN(double fast, ConfigNumber(scaling, "beta_fast", 32));
  ISOVEIL_ASSIGN_OR_RETURN(double slow, ConfigNumber(scaling, "beta_slow", 1));
  ISOVEIL_ASSIGN_OR_RETURN(const uint32_t context,
                           ConfigCount(scaling, "original_max_position_embeddings", sizes.n_positions));
  // Zero means the default there.
  if (fast == 0) fast = 32;
  if (slow == 0) slow = 1;
  const auto dim = static_cast<double>(sizes.rotary_dim);
  const auto coordinate = [&](double turns) {
    return dim * std::log(context / (turns * 2 * std::numbers::pi)) / (2 * std::log(theta));
  };
  const bool whole = scaling.value("truncate", json(true)) != json(false);
  double low = whole ? std::floor(coordinate(fast)) : coordinate(fast);
  double high = whole ? std::ceil(coordinate(slow)) : coordinate(slow);
  low = std::max(low, 0.0);
  high = std::min(high, dim - 1);
  if (low == high) high += 0.001;
  std::vector<float> factors;
  for (uint64_t i = 0; i < sizes.rotary_dim / 2; ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    factors.push_back(static_cast<float>(1 / (ramp / factor + 1 - ramp)));
  }
  return factors;
}

// What YaRN multiplies sines and cosines with.
Result<double> YarnAttentionFactor(const json& scaling) {
  ISOVEIL_ASSIGN_OR_RETURN(const double factor, ConfigNumber(scaling, "factor", 1));
  ISOVEIL_ASSIGN_OR_RETURN(const double mscale, ConfigNumber(scaling, "mscale", 0));
  ISOVEIL_ASSIGN_OR_RETURN(const double all_dim, ConfigNumber(scaling, "mscale_all_dim", 0));
  const auto scale = [&](double m) { return factor <= 1 ? 1.0 : 0.1 * m * std::log(factor) + 1; };
  return ConfigNumber(scaling, "attention_factor",
                      mscale != 0 && all_dim != 0 ? scale(mscale) / scale(all_dim) : scale(1));
}

// A field that no rule below reads could change the function.
Status CheckScalingFields(const json& scaling) {
  constexpr std::array<std::string_view, 14> kRead = {
      "type",           "rope_type",       "rope_theta",       "partial_rotary_factor",
      "factor",         "low_freq_factor", "high_freq_factor", "original_max_position_embeddings",
      "beta_fast",      "beta_slow",       "truncate",         "mscale",
      "mscale_all_dim", "attention_factor"};
  for (const auto& [name, value] : scaling.items()) {
    if (std::find(kRead.begin(), kRead.end(), name) != kRead.end()) continue;
    return Fail(ErrorCode::kUnsupported, fmt::format("config.json: rope_scaling.{}", name), "has no rule for GGUF",
                "encrypt to Hugging Face format, which keeps the field");
  }
  return Ok();
}

}  // namespace

Status RopeToGguf(ConfigReader& config, const RopeSizes& sizes, GgufDescription& gguf) {
  config.Keep({"rope_theta", "rope_scaling", "rope_parameters"});
  const json hf = *config.hf();
  // transformers 5 nests the fields of RoPE; before, they stood in two places.
  const json nested = hf.value("rope_parameters", json());
  const json scaling = nested.is_object() ? nested : hf.value("rope_scaling", json());
  ISOVEIL_ASSIGN_OR_RETURN(const double outer_theta, ConfigNumber(hf, "rope_theta", 10000));
  ISOVEIL_ASSIGN_OR_RETURN(const double theta, ConfigNumber(scaling, "rope_theta", outer_theta));
  gguf.Set("rope.freq_base", static_cast<float>(theta));
  gguf.Set("rope.dimension_count", static_cast<uint32_t>(sizes.rotary_dim));
  if (!scaling.is_object()) return Ok();
  ISOVEIL_RETURN_IF_ERROR(CheckScalingFields(scaling));

  ISOVEIL_ASSIGN_OR_RETURN(const std::string old_type, ConfigText(scaling, "type", "default"));
  ISOVEIL_ASSIGN_OR_RETURN(const std::string type, ConfigText(scaling, "rope_type", old_type));
  if (type == "default") return Ok();
  if (!sizes.reads_factors && (type == "llama3" || type == "yarn")) {
    return Fail(ErrorCode::kUnsupported, "config.json: rope_scaling",
                fmt::format("{} needs frequency factors, which llama.cpp does not read for {}", Quoted(type),
                            gguf.architecture),
                "encrypt to Hugging Face format, which keeps the field");
  }
  if (type == "llama3") {
    ISOVEIL_ASSIGN_OR_RETURN(std::vector<float> factors, Llama3Factors(scaling, theta, sizes.rotary_dim));
    gguf.derived.push_back({"rope_freqs.weight", std::move(factors)});
    return Ok();
  }
  if (type == "linear") {
    ISOVEIL_ASSIGN_OR_RETURN(const double factor, ConfigNumber(scaling, "factor", 1));
    gguf.Set("rope.scaling.type", type);
    gguf.Set("rope.scaling.factor", static_cast<float>(factor));
    return Ok();
  }
  if (type == "yarn") {
    // llama.cpp's own YaRN reads neither beta of this architecture; factors say the same, whatever they are.
    ISOVEIL_ASSIGN_OR_RETURN(std::vector<float> factors, YarnFactors(scaling, theta, sizes));
    ISOVEIL_ASSIGN_OR_RETURN(const double attention, YarnAttentionFactor(scaling));
    gguf.Set("rope.scaling.attn_factor", static_cast<float>(attention));
    gguf.derived.push_back({"rope_freqs.weight", std::move(factors)});
    return Ok();
  }
  return Fail(ErrorCode::kUnsupported, "config.json: rope_scaling",
              fmt::format("{} has no rule for GGUF; supported are default, linear, yarn and llama3", Quoted(type)),
              "encrypt to Hugging Face format, which keeps the field, or add the conversion to rope_scaling.cc");
}

}  // namespace isoveil
