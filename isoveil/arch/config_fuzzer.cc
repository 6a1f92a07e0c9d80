// Any text as config.json, beside weights of each family: what binds lies within its tensors, and what becomes of the
// configuration in GGUF is finite.
#include <unistd.h>

#include <cmath>
#include <fstream>

#include "isoveil/arch/bind.h"
#include "isoveil/format/safetensors.h"
#include "tests/fuzz/require.h"

namespace isoveil {
namespace {

using Shapes = std::vector<std::pair<std::string, Shape>>;

// One layer of eight coordinates, two heads and one for keys and values, a vocabulary of sixteen.
Shapes Decoder(bool biases) {
  const std::string layer = "model.layers.0.";
  Shapes shapes = {{"model.embed_tokens.weight", {16, 8}},
                   {layer + "self_attn.q_proj.weight", {8, 8}},
                   {layer + "self_attn.k_proj.weight", {4, 8}},
                   {layer + "self_attn.v_proj.weight", {4, 8}},
                   {layer + "self_attn.o_proj.weight", {8, 8}},
                   {layer + "mlp.gate_proj.weight", {16, 8}},
                   {layer + "mlp.up_proj.weight", {16, 8}},
                   {layer + "mlp.down_proj.weight", {8, 16}},
                   {layer + "input_layernorm.weight", {8}},
                   {layer + "post_attention_layernorm.weight", {8}},
                   {"model.norm.weight", {8}},
                   {"lm_head.weight", {16, 8}}};
  if (biases) {
    for (const auto& [name, dim] : {std::pair{"q", 8U}, {"k", 4U}, {"v", 4U}}) {
      shapes.push_back({fmt::format("{}self_attn.{}_proj.bias", layer, name), {dim}});
    }
  }
  return shapes;
}

Shapes Gpt2() {
  return {{"wte.weight", {16, 8}},
          {"wpe.weight", {32, 8}},
          {"h.0.ln_1.weight", {8}},
          {"h.0.ln_1.bias", {8}},
          {"h.0.attn.c_attn.weight", {8, 24}},
          {"h.0.attn.c_attn.bias", {24}},
          {"h.0.attn.c_proj.weight", {8, 8}},
          {"h.0.attn.c_proj.bias", {8}},
          {"h.0.ln_2.weight", {8}},
          {"h.0.ln_2.bias", {8}},
          {"h.0.mlp.c_fc.weight", {8, 32}},
          {"h.0.mlp.c_fc.bias", {32}},
          {"h.0.mlp.c_proj.weight", {32, 8}},
          {"h.0.mlp.c_proj.bias", {8}},
          {"ln_f.weight", {8}},
          {"ln_f.bias", {8}}};
}

Shapes Bert() {
  Shapes shapes = {{"embeddings.word_embeddings.weight", {16, 8}},
                   {"embeddings.position_embeddings.weight", {32, 8}},
                   {"embeddings.token_type_embeddings.weight", {2, 8}}};
  const auto with_bias = [&](const std::string& name, Shape shape) {
    shapes.push_back({name + ".bias", {shape.front()}});
    shapes.push_back({name + ".weight", std::move(shape)});
  };
  with_bias("embeddings.LayerNorm", {8});
  const std::string layer = "encoder.layer.0.";
  for (const char* name : {"self.query", "self.key", "self.value", "output.dense"})
    with_bias(layer + "attention." + name, {8, 8});
  with_bias(layer + "attention.output.LayerNorm", {8});
  with_bias(layer + "intermediate.dense", {16, 8});
  with_bias(layer + "output.dense", {8, 16});
  with_bias(layer + "output.LayerNorm", {8});
  with_bias("pooler.dense", {8, 8});
  return shapes;
}

// With the heads of all its classes.
Shapes ModernBert() {
  return {{"model.embeddings.tok_embeddings.weight", {16, 8}},
          {"model.embeddings.norm.weight", {8}},
          {"model.layers.0.attn.Wqkv.weight", {24, 8}},
          {"model.layers.0.attn.Wo.weight", {8, 8}},
          {"model.layers.0.mlp_norm.weight", {8}},
          {"model.layers.0.mlp.Wi.weight", {32, 8}},
          {"model.layers.0.mlp.Wo.weight", {8, 16}},
          {"model.final_norm.weight", {8}},
          {"head.dense.weight", {8, 8}},
          {"head.norm.weight", {8}},
          {"decoder.bias", {16}},
          {"classifier.weight", {2, 8}},
          {"classifier.bias", {2}}};
}

void WriteWeights(const Path& path, const Shapes& shapes) {
  std::vector<TensorInfo> tensors;
  for (const auto& [name, shape] : shapes) tensors.push_back({name, DType::kF32, shape});
  const FileLayout layout = LayOutSafetensors(tensors, {}).value();
  std::string file = layout.header;
  file.resize(layout.size);
  Require(WriteNewFile(path, file).has_value(), "the weights can be written");
}

// A folder for this process, with a file of weights for each family and no configuration.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "isoveil-config.XXXXXX").string();
    path_ = ::mkdtemp(name.data());
    WriteWeights(path_ / "llama.safetensors", Decoder(false));
    WriteWeights(path_ / "qwen2.safetensors", Decoder(true));
    WriteWeights(path_ / "gpt2.safetensors", Gpt2());
    WriteWeights(path_ / "bert.safetensors", Bert());
    WriteWeights(path_ / "modernbert.safetensors", ModernBert());
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const Path& path() const { return path_; }

 private:
  Path path_;
};

void CheckError(const Error& error) {
  Require(!error.where.empty() && !error.problem.empty(), "errors say where and what");
}

void CheckSlices(const BoundModel& model) {
  for (const Weight& weight : model.graph.weights()) {
    const auto bound = model.slices.find(weight.source);
    Require(bound != model.slices.end(), "every weight is stored");
    const Slice& slice = bound->second.slice;
    const uint64_t last =
        slice.offset + slice.rows.Offset(slice.rows.count - 1) + slice.cols.Offset(slice.cols.count - 1);
    Require(last + BlockBytes(slice.type) <= bound->second.tensor->bytes.size(), "weights lie within their tensors");
  }
}

bool IsFinite(const GgufValue& value) {
  const float* single = std::get_if<float>(&value);
  return single == nullptr || std::isfinite(*single);
}

void CheckDescription(BoundModel& model) {
  const auto gguf = ConvertDescription(*model.family, model.config, model.n_vocab);
  if (!gguf) return CheckError(gguf.error());
  for (const auto& [key, value] : gguf->metadata) Require(IsFinite(value), "numbers of a GGUF are finite");
  for (const DerivedTensor& tensor : gguf->derived) {
    for (const float value : tensor.values) Require(std::isfinite(value), "derived tensors are finite");
  }
}

void CheckModel(const Path& weights) {
  const auto checkpoint = Checkpoint::Open(weights);
  if (!checkpoint) return CheckError(checkpoint.error());
  (void)HfClassName(checkpoint->hf()->config());
  for (const Profile profile : {Profile::kExact, Profile::kRotated}) {
    auto model = Bind(*checkpoint, {.profile = profile});
    if (!model) return CheckError(model.error());
    CheckSlices(*model);
    CheckDescription(*model);
  }
}

}  // namespace
}  // namespace isoveil

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isoveil;
  static const Folder folder;
  std::ofstream(folder.path() / "config.json", std::ios::binary | std::ios::trunc)
      << std::string_view(reinterpret_cast<const char*>(data), size);
  for (const char* family : {"llama", "qwen2", "gpt2", "bert", "modernbert"})
    CheckModel(folder.path() / (std::string(family) + ".safetensors"));
  return 0;
}
