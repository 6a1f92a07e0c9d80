// The Llama family: Llama 1 to 3.x, Mistral, TinyLlama, SmolLM and all that share the shape.
//
// Pre-norm RMSNorm, attention with RoPE on the whole head and grouped keys, SwiGLU. Biases are optional.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "isoveil/model/architectures/table.h"
#include "isoveil/model/config_fields.h"

namespace isoveil {
namespace {

using nlohmann::json;

Graph Declare(const Hparams& h, const std::function<bool(std::string_view)>& has, Graph::Norms norms) {
  Graph graph(norms);
  const SpaceId vocab = graph.AddSpace("vocab", h.n_vocab);
  const SpaceId residual = graph.AddSpace("residual", h.width);
  const auto bias = [&](std::string role) { return has(role) ? role : std::string(); };

  graph.Embedding("token_embd.weight", vocab, residual);
  for (uint64_t layer = 0; layer < h.n_layers; ++layer) {
    const std::string blk = fmt::format("blk.{}.", layer);
    const std::string key = fmt::format("layer.{}", layer);

    const Reader x = graph.RmsNorm(blk + "attn_norm.weight", residual);
    const AttentionAxes attention = graph.Attention(
        key,
        {.n_heads = h.n_heads, .kv_heads = h.kv_heads, .head_dim = h.head_dim, .rotary_dim = h.rotary_dim});
    graph.Linear(blk + "attn_q.weight", bias(blk + "attn_q.bias"), x, attention.query);
    graph.Linear(blk + "attn_k.weight", bias(blk + "attn_k.bias"), x, attention.key);
    graph.Linear(blk + "attn_v.weight", bias(blk + "attn_v.bias"), x, attention.value);
    graph.Linear(blk + "attn_output.weight", bias(blk + "attn_output.bias"), attention.output, {residual});

    const Reader y = graph.RmsNorm(blk + "ffn_norm.weight", residual);
    const SpaceId ffn = graph.AddSpace(key + ".ffn", h.ffn_width);
    const Graph::GatedAxes gated = graph.GatedProduct(ffn);
    graph.Linear(blk + "ffn_gate.weight", bias(blk + "ffn_gate.bias"), y, gated.gate);
    graph.Linear(blk + "ffn_up.weight", bias(blk + "ffn_up.bias"), y, gated.value);
    graph.Linear(blk + "ffn_down.weight", bias(blk + "ffn_down.bias"), {.space = ffn}, {residual});
  }
  const Reader x = graph.RmsNorm("output_norm.weight", residual);
  graph.Head("output.weight", x, vocab,
             h.tied_head ? std::optional<std::string>("token_embd.weight") : std::nullopt);
  if (has("rope_freqs.weight")) graph.Constant("rope_freqs.weight", h.rotary_dim / 2);
  return graph;
}

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
Result<std::vector<float>> YarnFactors(const json& scaling, double theta, const Hparams& h) {
  ISOVEIL_ASSIGN_OR_RETURN(const double factor, ConfigNumber(scaling, "factor", 1));
  ISOVEIL_ASSIGN_OR_RETURN(double fast, ConfigNumber(scaling, "beta_fast", 32));
  ISOVEIL_ASSIGN_OR_RETURN(double slow, ConfigNumber(scaling, "beta_slow", 1));
  ISOVEIL_ASSIGN_OR_RETURN(const uint32_t context,
                           ConfigCount(scaling, "original_max_position_embeddings", h.n_positions));
  // Zero means the default there.
  if (fast == 0) fast = 32;
  if (slow == 0) slow = 1;
  const auto dim = static_cast<double>(h.rotary_dim);
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
  for (uint64_t i = 0; i < h.rotary_dim / 2; ++i) {
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
      "type",      "rope_type", "rope_theta",       "partial_rotary_factor", "factor",         "low_freq_factor",
      "high_freq_factor",       "original_max_position_embeddings",          "beta_fast",      "beta_slow",
      "truncate",  "mscale",    "mscale_all_dim",   "attention_factor"};
  for (const auto& [name, value] : scaling.items()) {
    if (std::find(kRead.begin(), kRead.end(), name) != kRead.end()) continue;
    return Fail(ErrorCode::kUnsupported, fmt::format("config.json: rope_scaling.{}", name), "has no rule for GGUF",
                "encrypt to Hugging Face format, which keeps the field");
  }
  ISOVEIL_ASSIGN_OR_RETURN(const double partial, ConfigNumber(scaling, "partial_rotary_factor", 1));
  if (partial == 1) return Ok();
  return Fail(ErrorCode::kUnsupported, "config.json: rope_parameters.partial_rotary_factor",
              fmt::format("expected 1, found {}: RoPE is declared on the whole head", partial));
}

// llama.cpp's graph attends to all positions. Within the window that is the same function, so that is the context the
// result has.
Status LimitToWindow(const json& config, const Hparams& h, GgufMetadata& metadata) {
  ISOVEIL_ASSIGN_OR_RETURN(const uint32_t window, ConfigCount(config, "sliding_window", h.n_positions));
  if (window == 0) {
    return Fail(ErrorCode::kUnsupported, "config.json: sliding_window", "expected a positive number or null, found 0");
  }
  metadata.Set("llama.context_length", static_cast<uint32_t>(std::min<uint64_t>(window, h.n_positions)));
  return Ok();
}

Result<std::vector<DerivedTensor>> DeriveGguf(const json& config, const Hparams& h, GgufMetadata& metadata) {
  // transformers 5 nests the fields of RoPE; before, they stood in two places.
  const json nested = config.value("rope_parameters", json());
  const json scaling = nested.is_object() ? nested : config.value("rope_scaling", json());
  ISOVEIL_ASSIGN_OR_RETURN(const double outer_theta, ConfigNumber(config, "rope_theta", 10000));
  ISOVEIL_ASSIGN_OR_RETURN(const double theta, ConfigNumber(scaling, "rope_theta", outer_theta));
  metadata.Set("llama.rope.freq_base", static_cast<float>(theta));
  metadata.Set("llama.rope.dimension_count", static_cast<uint32_t>(h.rotary_dim));
  metadata.Set("llama.attention.key_length", static_cast<uint32_t>(h.head_dim));
  metadata.Set("llama.attention.value_length", static_cast<uint32_t>(h.head_dim));
  metadata.Set("llama.vocab_size", static_cast<uint32_t>(h.n_vocab));
  ISOVEIL_RETURN_IF_ERROR(LimitToWindow(config, h, metadata));
  if (!scaling.is_object()) return std::vector<DerivedTensor>();
  ISOVEIL_RETURN_IF_ERROR(CheckScalingFields(scaling));

  ISOVEIL_ASSIGN_OR_RETURN(const std::string old_type, ConfigText(scaling, "type", "default"));
  ISOVEIL_ASSIGN_OR_RETURN(const std::string type, ConfigText(scaling, "rope_type", old_type));
  if (type == "default") return std::vector<DerivedTensor>();
  if (type == "llama3") {
    ISOVEIL_ASSIGN_OR_RETURN(std::vector<float> factors, Llama3Factors(scaling, theta, h.rotary_dim));
    return std::vector<DerivedTensor>{{"rope_freqs.weight", std::move(factors)}};
  }
  if (type == "linear") {
    ISOVEIL_ASSIGN_OR_RETURN(const double factor, ConfigNumber(scaling, "factor", 1));
    metadata.Set("llama.rope.scaling.type", type);
    metadata.Set("llama.rope.scaling.factor", static_cast<float>(factor));
    return std::vector<DerivedTensor>();
  }
  if (type == "yarn") {
    // llama.cpp's own YaRN reads neither beta of this architecture; factors say the same, whatever they are.
    ISOVEIL_ASSIGN_OR_RETURN(std::vector<float> factors, YarnFactors(scaling, theta, h));
    ISOVEIL_ASSIGN_OR_RETURN(const double attention, YarnAttentionFactor(scaling));
    metadata.Set("llama.rope.scaling.attn_factor", static_cast<float>(attention));
    return std::vector<DerivedTensor>{{"rope_freqs.weight", std::move(factors)}};
  }
  return Fail(
      ErrorCode::kUnsupported, "config.json: rope_scaling",
      fmt::format("{} has no rule for GGUF; supported are default, linear, yarn and llama3", Quoted(type)),
      "encrypt to Hugging Face format, which keeps the field, or add the conversion to llama.cc");
}

Architecture Make() {
  Architecture a;
  a.name = "llama";
  a.hf_classes = {{"LlamaForCausalLM", "llama", {"LLaMAForCausalLM", "LlamaModel"}},
                  {"MistralForCausalLM", "mistral", {"MistralModel"}}};
  a.hparams = {
      {&Hparams::n_layers, "num_hidden_layers", "block_count"},
      {&Hparams::width, "hidden_size", "embedding_length"},
      {&Hparams::ffn_width, "intermediate_size", "feed_forward_length"},
      {&Hparams::n_heads, "num_attention_heads", "attention.head_count"},
      {&Hparams::kv_heads, "num_key_value_heads", "attention.head_count_kv",
       [](const Hparams& h) { return h.n_heads; }},
      {&Hparams::head_dim, "head_dim", "attention.key_length",
       [](const Hparams& h) { return h.n_heads == 0 ? 0 : h.width / h.n_heads; }},
      {&Hparams::rotary_dim, "", "rope.dimension_count", [](const Hparams& h) { return h.head_dim; }},
      {&Hparams::n_positions, "max_position_embeddings", "context_length"},
  };
  a.hf.pairing = RopeLayout::Pairing::kRotateHalf;
  a.hf.prefixes = {"model."};
  for (const std::string module : {"layers.{}.self_attn.rotary_emb.", "rotary_emb."}) {
    for (const std::string buffer : {"inv_freq", "original_inv_freq", "cos_cached", "sin_cached"})
      a.hf.buffers.push_back(module + buffer);
  }
  a.gguf.pairing = RopeLayout::Pairing::kInterleaved;

  const auto both = [&](std::string hf, const std::string& role) {
    a.hf.tensors.push_back({std::move(hf), {role}});
    a.gguf.tensors.push_back({role, {role}});
  };
  both("embed_tokens.weight", "token_embd.weight");
  both("norm.weight", "output_norm.weight");
  a.hf.tensors.push_back({"lm_head.weight", {"output.weight"}, false, true});
  a.gguf.tensors.push_back({"output.weight", {"output.weight"}});
  a.gguf.tensors.push_back({"rope_freqs.weight", {"rope_freqs.weight"}});
  both("layers.{}.input_layernorm.weight", "blk.{}.attn_norm.weight");
  both("layers.{}.post_attention_layernorm.weight", "blk.{}.ffn_norm.weight");
  const std::pair<std::string, std::string> linears[] = {
      {"self_attn.q_proj", "attn_q"},      {"self_attn.k_proj", "attn_k"}, {"self_attn.v_proj", "attn_v"},
      {"self_attn.o_proj", "attn_output"}, {"mlp.gate_proj", "ffn_gate"},  {"mlp.up_proj", "ffn_up"},
      {"mlp.down_proj", "ffn_down"}};
  for (const auto& [hf, role] : linears) {
    for (const std::string suffix : {".weight", ".bias"}) {
      both("layers.{}." + hf + suffix, "blk.{}." + role + suffix);
    }
  }

  a.declare = &Declare;
  a.requirements = {
      {"hidden_act", {"silu", nullptr}, "the gated product is declared with SiLU"},
      {"partial_rotary_factor", {1.0, nullptr}, "RoPE is declared on the whole head"},
  };
  a.hf_config_fields = {"architectures",
                        "model_type",
                        "hidden_size",
                        "intermediate_size",
                        "num_hidden_layers",
                        "num_attention_heads",
                        "num_key_value_heads",
                        "head_dim",
                        "vocab_size",
                        "max_position_embeddings",
                        "rms_norm_eps",
                        "rope_theta",
                        "rope_scaling",
                        "rope_parameters",
                        "hidden_act",
                        "tie_word_embeddings",
                        "attention_bias",
                        "mlp_bias",
                        "attention_dropout",
                        "pretraining_tp",
                        "sliding_window",
                        "initializer_range",
                        "torch_dtype",
                        "dtype",
                        "use_cache"};
  a.gguf_fields = {
      {"block_count", "num_hidden_layers", GgufField::Type::kU32},
      {"context_length", "max_position_embeddings", GgufField::Type::kU32},
      {"embedding_length", "hidden_size", GgufField::Type::kU32},
      {"feed_forward_length", "intermediate_size", GgufField::Type::kU32},
      {"attention.head_count", "num_attention_heads", GgufField::Type::kU32},
      {"attention.head_count_kv", "num_key_value_heads", GgufField::Type::kU32},
      {"attention.layer_norm_rms_epsilon", "rms_norm_eps", GgufField::Type::kF32},
  };
  a.gguf_derived_fields = {"rope_theta", "rope_scaling", "rope_parameters", "sliding_window"};
  a.derive_gguf = &DeriveGguf;
  return a;
}

}  // namespace

const Architecture& LlamaArchitecture() {
  static const Architecture architecture = Make();
  return architecture;
}

}  // namespace isoveil
