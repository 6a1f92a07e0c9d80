// States a family's network: operations by the roles of their weights, with optional biases where the checkpoint has
// them.
//
//   Builder& b = ...;
//   const SpaceId residual = b.AddSpace("residual", width);
//   b.Embedding("token_embd", residual);
//   for (uint64_t i = 0; i < n_layers; ++i) {
//     Builder layer = b.Layer(i);                              // "blk.3.", spaces "layer.3."
//     SelfAttention(layer, layer.RmsNorm("attn_norm", residual), residual, shape);
//     GatedFfn(layer, layer.RmsNorm("ffn_norm", residual), residual, ffn_width);
//   }
//   b.Head("output", b.RmsNorm("output_norm", residual));
//
// Roles stand without ".weight" and ".bias". The meaning of each operation and its proof stand in graph.h and rules.cc,
// how a format spells a role in the family's dialect. Builders of layers share the network that they state; they must
// not outlive it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "isoveil/algebra/client_head.h"
#include "isoveil/arch/config_reader.h"
#include "isoveil/graph/graph.h"

namespace isoveil {

// The network that builders state, and what they need of the checkpoint.
struct Network {
  Graph graph;
  ConfigReader config;
  // Whether the checkpoint stores a weight, such as "blk.3.attn_q.bias".
  std::function<bool(std::string_view role)> has;
  uint64_t n_vocab = 0;  // rows of the embedding, unused ones included
  // What a config.json without tie_word_embeddings means.
  bool tied_by_default = false;
  // Heads above an encoder stay with the client.
  bool heads_stay = false;

  SpaceId vocab = 0;
  bool tied_head = false;
  // Stored weights that the network does not read, with why.
  std::map<std::string, std::string, std::less<>> unread;
  std::optional<ClientHead> client_head;
};

class Builder {
 public:
  explicit Builder(Network& network) : network_(&network) {}
  // Of one layer: roles "blk.3.*", labels "layer.3.*".
  Builder Layer(uint64_t i) const;
  // Of one expert of a layer: roles "blk.3.*.7", labels "layer.3.expert.7.*".
  Builder Expert(uint64_t i) const;

  ConfigReader& config() const { return network_->config; }
  Graph& graph() const { return network_->graph; }
  // Of the key stream: "layer.3".
  const std::string& label() const { return label_; }
  SpaceId AddSpace(std::string_view name, uint64_t dim) const;

  void Embedding(std::string_view role, SpaceId out) const;
  // Of positions or other public numbers.
  void PublicEmbedding(std::string_view role, uint64_t n, SpaceId out) const;
  // An input that says which of n texts an id belongs to; in plaintext.
  void Segments(std::string_view name, uint64_t n) const;
  Reader RmsNorm(std::string_view role, SpaceId x) const;
  // In front of the maps `readers`, which decide where a bias of the norm goes.
  Reader LayerNorm(std::string_view role, SpaceId x, const std::vector<std::string_view>& readers) const;
  // A norm without weights.
  Reader BareLayerNorm(SpaceId x) const { return graph().LayerNorm("", "", x); }
  void KeptRmsNorm(std::string_view role, SpaceId x) const;
  void KeptLayerNorm(std::string_view role, SpaceId x) const;
  void NormHeads(std::string_view role, const Axis& x, Graph::HeadNorm how) const;
  // {n, n_heads}: numbers that engines add to the scores of heads.
  void PerHead(std::string_view role, uint64_t n, HeadSetId heads) const { graph().PerHead(Weight(role), n, heads); }
  void Linear(std::string_view role, const Reader& in, const Axis& out) const;
  // A public vector that only some formats store.
  void OptionalConstant(std::string_view role, uint64_t dim) const;
  // Whether the checkpoint stores the weight, and its bias.
  bool Has(std::string_view role) const { return network_->has(Weight(role)); }
  bool HasBias(std::string_view role) const { return network_->has(Bias(role)); }
  // An output of vectors, as engines call it.
  void Vectors(std::string_view name, SpaceId space) const {
    graph().AddPort(std::string(name), PortKind::kVectors, space);
  }
  // An output of labels, with the names that the configuration gives them. kFormat if the names are no list of texts
  // that fits.
  Result<SpaceId> Labels(std::string_view name) const;
  // Whether heads above an encoder stay with the client; then the network ends below them.
  bool heads_stay() const { return network_->heads_stay; }
  // The client makes labels of vectors by these layers; names as above.
  Status LabelsByClient(std::string_view name, ClientHead head) const;
  // Stored weights that the network does not read.
  void LeaveOut(std::string_view role, const std::string& why) const;
  // Holds an id in its place, because engines tell by it what is padding.
  Status FixId(uint64_t id) const;
  // Logits of tokens, tied to the embedding as the configuration or, in GGUF, the missing tensor says. kNotFound if
  // neither a tensor nor a tie is there.
  Status Head(std::string_view role, const Reader& in, std::string_view embedding = "token_embd") const;
  // The same with a bias that may be stored apart from the weight.
  Status HeadWithBias(std::string_view role, std::string_view bias, const Reader& in) const;

 private:
  std::string Weight(std::string_view role) const { return blk_ + std::string(role) + expert_ + ".weight"; }
  std::string Bias(std::string_view role) const { return blk_ + std::string(role) + expert_ + ".bias"; }
  // Empty for none.
  std::string BiasIfThere(std::string_view role) const { return HasBias(role) ? Bias(role) : std::string(); }

  Status Logits(std::string_view role, std::string bias, const Reader& in, std::string_view embedding) const;

  Network* network_;
  std::string blk_;
  std::string expert_;
  std::string label_;
};

}  // namespace isoveil
