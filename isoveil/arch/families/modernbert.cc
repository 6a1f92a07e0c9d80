// ModernBERT, and GTE's that is of its class: norms in front of the layers, a gated feed-forward layer, RoPE of two
// bases, a window in most layers; biases nowhere, or where the checkpoint has them. The first layer reads the normed
// embedding as it is. What moves queries and keys commutes with turns by any angle, so that the bases do not matter.
#include "isoveil/arch/encoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {
namespace {

constexpr const char* kNotRead = "the class does not read it";

void DeclareLayer(const Builder& layer, const Sizes& sizes, const Reader& in, SpaceId residual) {
  SelfAttention(layer, in, residual, sizes.attention);
  GatedFfn(layer, layer.LayerNorm("ffn_norm", residual, {"ffn_gate", "ffn_up"}), residual, sizes.ffn_width);
}

void LeaveOut(const Builder& b, std::initializer_list<std::string_view> roles) {
  for (const std::string_view role : roles) b.LeaveOut(role, kNotRead);
}

// A layer in front of labels or tokens, with an output in `out`.
void DeclareHead(const Builder& b, SpaceId residual, SpaceId out, Activation act) {
  b.Linear("head", b.LayerNorm("output_norm", residual, {"head"}), out);
  Activate(b.graph(), act, out);
}

// Pooling is a mean or a choice of vectors, which commutes with every map of them.
Status DeclareLabels(const Builder& b, const Sizes& sizes, SpaceId residual, Activation act) {
  LeaveOut(b, {"output"});
  const SpaceId x = b.AddSpace("classifier", sizes.width);
  DeclareHead(b, residual, x, act);
  ISOVEIL_ASSIGN_OR_RETURN(const SpaceId labels, b.Labels("logits"));
  b.Linear("classifier", b.LayerNorm("head_norm", x, {"classifier"}), labels);
  return Ok();
}

// Tied to the embedding, what the head reads moves like it.
Status DeclareMasked(const Builder& b, SpaceId residual, Activation act) {
  LeaveOut(b, {"classifier"});
  DeclareHead(b, residual, residual, act);
  b.KeptLayerNorm("head_norm", residual);
  return b.Head("output", {residual});
}

Status DeclareVectors(const Builder& b, SpaceId residual) {
  LeaveOut(b, {"head", "head_norm", "output", "classifier"});
  b.KeptLayerNorm("output_norm", residual);
  b.Vectors("last_hidden_state", residual);
  return Ok();
}

Status Declare(Builder& b) {
  ConfigReader& config = b.config();
  ISOVEIL_RETURN_IF_ERROR(config.Accept("hidden_activation", {"gelu", "gelu_pytorch_tanh", "silu", nullptr},
                                        "the gate is declared with a function of each coordinate"));
  ISOVEIL_ASSIGN_OR_RETURN(const Activation act, ReadActivation(config, "classifier_activation"));
  // Files have layer_norm_eps too, which engines do not read.
  config.Keep({"norm_eps"});
  ISOVEIL_ASSIGN_OR_RETURN(Sizes sizes, ReadSizes(config));
  ISOVEIL_ASSIGN_OR_RETURN(sizes.attention.rotary_dim, ReadRotaryDim(config, sizes.attention.head_dim));

  const SpaceId residual = b.AddSpace("residual", sizes.width);
  b.Embedding("token_embd", residual);
  b.KeptLayerNorm("token_embd_norm", residual);
  for (uint64_t i = 0; i < sizes.n_layers; ++i) {
    const Builder layer = b.Layer(i);
    const Reader in =
        i == 0 ? Reader{residual} : layer.LayerNorm("attn_norm", residual, {"attn_q", "attn_k", "attn_v"});
    DeclareLayer(layer, sizes, in, residual);
  }
  const std::string hf_class = EncoderClass(config);
  if (hf_class.ends_with("Classification")) return DeclareLabels(b, sizes, residual, act);
  if (hf_class.ends_with("ForMaskedLM")) return DeclareMasked(b, residual, act);
  return DeclareVectors(b, residual);
}

}  // namespace

Family ModernbertFamily() {
  return {.name = "modern-bert",
          .hf_classes = {{"ModernBertModel", "modernbert"},
                         {"ModernBertForMaskedLM"},
                         {"ModernBertForSequenceClassification"},
                         {"ModernBertForTokenClassification"}},
          .hf = {.modules = {{"embeddings.tok_embeddings", {"token_embd"}},
                             {"embeddings.norm", {"token_embd_norm"}},
                             {"layers.{}.attn_norm", {"blk.{}.attn_norm"}},
                             {"layers.{}.attn.Wqkv", {"blk.{}.attn_q", "blk.{}.attn_k", "blk.{}.attn_v"}},
                             {"layers.{}.attn.Wo", {"blk.{}.attn_output"}},
                             {"layers.{}.mlp_norm", {"blk.{}.ffn_norm"}},
                             {"layers.{}.mlp.Wi", {"blk.{}.ffn_gate", "blk.{}.ffn_up"}},
                             {"layers.{}.mlp.Wo", {"blk.{}.ffn_down"}},
                             {"final_norm", {"output_norm"}},
                             {.name = "head.dense", .roles = {"head"}, .unprefixed = true},
                             {.name = "head.norm", .roles = {"head_norm"}, .unprefixed = true},
                             {.name = "decoder", .roles = {"output"}, .unprefixed = true},
                             {.name = "classifier", .roles = {"classifier"}, .unprefixed = true}},
                 .prefixes = {"", "model."}},
          .gguf = {},
          .tied_by_default = true,
          .public_fields = {"attention_bias",     "classifier_bias",
                            "classifier_dropout", "classifier_pooling",
                            "decoder_bias",       "deterministic_flash_attn",
                            "embedding_dropout",  "global_attn_every_n_layers",
                            "global_rope_theta",  "initializer_cutoff_factor",
                            "layer_types",        "local_attention",
                            "local_rope_theta",   "mlp_bias",
                            "mlp_dropout",        "norm_bias",
                            "problem_type",       "reference_compile",
                            "rope_parameters",    "rope_scaling",
                            "sparse_prediction",  "sparse_pred_ignore_index"},
          .declare = &Declare};
}

}  // namespace isoveil
