// Mixtral: Mistral with experts. Its GGUF is that of a Llama with experts.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {

Family MixtralFamily() {
  return {.name = "mixtral",
          .hf_classes = {{"MixtralForCausalLM", "mixtral", {"MixtralModel"}}},
          .hf = LlamaDialect().With({{"layers.{}.block_sparse_moe.gate", {"blk.{}.ffn_gate_inp"}},
                                     {"layers.{}.block_sparse_moe.experts.{}.w1", {"blk.{}.ffn_gate.{}"}},
                                     {"layers.{}.block_sparse_moe.experts.{}.w2", {"blk.{}.ffn_down.{}"}},
                                     {"layers.{}.block_sparse_moe.experts.{}.w3", {"blk.{}.ffn_up.{}"}}}),
          .gguf = {.modules = GgufExperts(), .pairing = RopeLayout::Pairing::kInterleaved},
          .public_fields = {"rope_scaling", "rope_parameters", "sliding_window", "output_router_logits",
                            "router_aux_loss_coef", "router_jitter_noise"},
          .declare = [](Builder& b) { return DeclareDecoder(b, {.experts = true}); },
          .to_gguf = [](ConfigReader& config, uint64_t n_vocab, GgufDescription& gguf) -> Status {
            return DecoderToGguf(config, n_vocab, {.reads_rope_factors = true}, gguf);
          },
          .gguf_architecture = "llama"};
}

}  // namespace isoveil
