// GPT-2: LayerNorm with biases, learned positions, fused and (in Hugging Face format) transposed
// projections, GELU, a tied head.
#include "isoveil/model/architectures/table.h"

namespace isoveil {
namespace {

Graph Declare(const Hparams& h, const std::function<bool(std::string_view)>&, Graph::Norms norms) {
  Graph graph(norms);
  const SpaceId vocab = graph.AddSpace("vocab", h.n_vocab);
  const SpaceId residual = graph.AddSpace("residual", h.width);

  graph.Embedding("token_embd.weight", vocab, residual);
  graph.PositionEmbedding("position_embd.weight", h.n_positions, residual);
  for (uint64_t layer = 0; layer < h.n_layers; ++layer) {
    const std::string blk = fmt::format("blk.{}.", layer);
    const std::string key = fmt::format("layer.{}", layer);

    const Reader x = graph.LayerNorm(blk + "attn_norm.weight", blk + "attn_norm.bias", residual);
    const AttentionAxes attention =
        graph.Attention(key, {.n_heads = h.n_heads, .kv_heads = h.n_heads, .head_dim = h.head_dim});
    graph.Linear(blk + "attn_q.weight", blk + "attn_q.bias", x, attention.query);
    graph.Linear(blk + "attn_k.weight", blk + "attn_k.bias", x, attention.key);
    graph.Linear(blk + "attn_v.weight", blk + "attn_v.bias", x, attention.value);
    graph.Linear(blk + "attn_output.weight", blk + "attn_output.bias", attention.output, {residual});

    const Reader y = graph.LayerNorm(blk + "ffn_norm.weight", blk + "ffn_norm.bias", residual);
    const SpaceId ffn = graph.AddSpace(key + ".ffn", h.ffn_width);
    graph.Elementwise(ffn);
    graph.Linear(blk + "ffn_up.weight", blk + "ffn_up.bias", y, {ffn});
    graph.Linear(blk + "ffn_down.weight", blk + "ffn_down.bias", {.space = ffn}, {residual});
  }
  const Reader x = graph.FinalLayerNorm("output_norm.weight", "output_norm.bias", residual);
  graph.Head("output.weight", x, vocab,
             h.tied_head ? std::optional<std::string>("token_embd.weight") : std::nullopt);
  return graph;
}

Architecture Make() {
  Architecture a;
  a.name = "gpt2";
  a.hf_classes = {{"GPT2LMHeadModel", "gpt2", {"GPT2Model"}}};
  a.hparams = {
      {&Hparams::n_layers, "n_layer", "block_count"},
      {&Hparams::width, "n_embd", "embedding_length"},
      {&Hparams::ffn_width, "n_inner", "feed_forward_length", [](const Hparams& h) { return 4 * h.width; }},
      {&Hparams::n_heads, "n_head", "attention.head_count"},
      {&Hparams::kv_heads, "", "", [](const Hparams& h) { return h.n_heads; }},
      {&Hparams::head_dim, "", "", [](const Hparams& h) { return h.n_heads == 0 ? 0 : h.width / h.n_heads; }},
      {&Hparams::n_positions, "n_positions", "context_length"},
  };
  a.tied_by_default = true;
  a.hf.prefixes = {"transformer."};
  a.hf.buffers = {"h.{}.attn.bias", "h.{}.attn.masked_bias"};

  const std::vector<std::string> qkv_weight = {"blk.{}.attn_q.weight", "blk.{}.attn_k.weight",
                                               "blk.{}.attn_v.weight"};
  const std::vector<std::string> qkv_bias = {"blk.{}.attn_q.bias", "blk.{}.attn_k.bias",
                                             "blk.{}.attn_v.bias"};
  // transformers' Conv1D stores {in, out}.
  a.hf.tensors = {
      {"wte.weight", {"token_embd.weight"}},
      {"wpe.weight", {"position_embd.weight"}},
      {"ln_f.weight", {"output_norm.weight"}},
      {"ln_f.bias", {"output_norm.bias"}},
      {"lm_head.weight", {"output.weight"}, false, true},
      {"h.{}.ln_1.weight", {"blk.{}.attn_norm.weight"}},
      {"h.{}.ln_1.bias", {"blk.{}.attn_norm.bias"}},
      {"h.{}.attn.c_attn.weight", qkv_weight, true},
      {"h.{}.attn.c_attn.bias", qkv_bias},
      {"h.{}.attn.c_proj.weight", {"blk.{}.attn_output.weight"}, true},
      {"h.{}.attn.c_proj.bias", {"blk.{}.attn_output.bias"}},
      {"h.{}.ln_2.weight", {"blk.{}.ffn_norm.weight"}},
      {"h.{}.ln_2.bias", {"blk.{}.ffn_norm.bias"}},
      {"h.{}.mlp.c_fc.weight", {"blk.{}.ffn_up.weight"}, true},
      {"h.{}.mlp.c_fc.bias", {"blk.{}.ffn_up.bias"}},
      {"h.{}.mlp.c_proj.weight", {"blk.{}.ffn_down.weight"}, true},
      {"h.{}.mlp.c_proj.bias", {"blk.{}.ffn_down.bias"}},
  };
  a.gguf.tensors = {
      {"token_embd.weight", {"token_embd.weight"}},
      {"position_embd.weight", {"position_embd.weight"}},
      {"output_norm.weight", {"output_norm.weight"}},
      {"output_norm.bias", {"output_norm.bias"}},
      {"output.weight", {"output.weight"}},
      {"blk.{}.attn_qkv.weight", qkv_weight},
      {"blk.{}.attn_qkv.bias", qkv_bias},
  };
  for (const std::string name : {"attn_norm", "attn_output", "ffn_norm", "ffn_up", "ffn_down"}) {
    for (const std::string suffix : {".weight", ".bias"}) {
      a.gguf.tensors.push_back({"blk.{}." + name + suffix, {"blk.{}." + name + suffix}});
    }
  }

  a.declare = &Declare;
  a.requirements = {
      {"activation_function",
       {"gelu_new", "gelu", "gelu_pytorch_tanh", "relu", "silu", nullptr},
       "the feed-forward layer is declared with an elementwise function"},
      {"add_cross_attention", {false, nullptr}, "cross attention has no rule yet"},
  };
  a.gguf_requirements = {
      {"activation_function", {"gelu_new", "gelu_pytorch_tanh", nullptr}, "llama.cpp computes gelu_new"},
      {"scale_attn_weights", {true, nullptr}, "llama.cpp divides scores by the square root of head_dim"},
      {"scale_attn_by_inverse_layer_idx", {false, nullptr}, "llama.cpp scales the scores of all layers alike"},
  };
  a.hf_config_fields = {"architectures",
                        "model_type",
                        "n_layer",
                        "n_embd",
                        "n_inner",
                        "n_head",
                        "n_positions",
                        "n_ctx",
                        "vocab_size",
                        "activation_function",
                        "layer_norm_epsilon",
                        "tie_word_embeddings",
                        "scale_attn_weights",
                        "scale_attn_by_inverse_layer_idx",
                        "reorder_and_upcast_attn",
                        "attn_pdrop",
                        "embd_pdrop",
                        "resid_pdrop",
                        "initializer_range",
                        "torch_dtype",
                        "dtype",
                        "use_cache"};
  a.gguf_fields = {
      {"block_count", "n_layer", GgufField::Type::kU32},
      {"context_length", "n_positions", GgufField::Type::kU32},
      {"embedding_length", "n_embd", GgufField::Type::kU32},
      {"attention.head_count", "n_head", GgufField::Type::kU32},
      {"attention.layer_norm_epsilon", "layer_norm_epsilon", GgufField::Type::kF32},
  };
  a.derive_gguf = [](const nlohmann::json&, const Hparams& h,
                     GgufMetadata& metadata) -> Result<std::vector<DerivedTensor>> {
    metadata.Set("gpt2.feed_forward_length", static_cast<uint32_t>(h.ffn_width));
    return std::vector<DerivedTensor>();
  };
  a.gguf_f32_roles = {"position_embd.weight"};
  return a;
}

}  // namespace

const Architecture& Gpt2Architecture() {
  static const Architecture architecture = Make();
  return architecture;
}

}  // namespace isoveil
