// The encoder that BERT and its kin are: norms behind the residual sums, learned positions, and on top what the
// checkpoint holds: a pooler, a classifier, a head for masked tokens.
//
//   Status Declare(Builder& b) { return DeclareEncoder(b); }                                    // BERT
//   Status Declare(Builder& b) { return DeclareEncoder(b, {.pad_stays = true}); }               // RoBERTa
#pragma once

#include "isoveil/arch/blocks.h"
#include "isoveil/arch/family.h"

namespace isoveil {

// What one family does otherwise than BERT.
struct EncoderOptions {
  std::string_view activation = "hidden_act";
  // Positions count from the id of padding, which engines find in the ids.
  bool pad_stays = false;
  // Scores take numbers of heads from relative_attn_bias, {that many, n_heads}, in all layers alike.
  uint64_t relative_rows = 0;
  // All layers are one.
  bool one_layer = false;
  // Behind `cls`, the layer in front of a classifier where there is no pooler.
  HeadFunction classifier_function = HeadFunction::kTanh;
};

// Roles besides those of attention and feed-forward layer: position_embd, unused_positions, token_types,
// token_embd_norm, embd_project (a narrower embedding), attn_output_norm, layer_output_norm; pooler; cls, classifier;
// token_classifier, where labels of tokens are made by a module of another name; mlm, mlm_norm, output, output_bias;
// next_sentence, which nothing reads.
Status DeclareEncoder(Builder& b, const EncoderOptions& options = {});

// The class of a config.json; empty where it names none. Engines take the head that it names, whatever else a
// checkpoint holds.
std::string EncoderClass(const ConfigReader& config);

// BERT's names, with modules of their own instead of those with the same roles, under `prefix` where a head stands
// above the encoder.
Dialect BertDialect(std::string prefix, std::vector<StoredTensor> other = {});

// RoBERTa's: the same encoder, positions that count from the id of padding, and heads of other names.
Dialect RobertaDialect(std::string prefix);

// How GGUF stores an encoder: without the rows of positions that no token has.
Dialect EncoderGguf();

// Hugging Face to GGUF, of an encoder whose declaration has read `config`: llama.cpp's "bert".
Status EncoderToGguf(ConfigReader& config, uint64_t n_vocab, GgufDescription& gguf);

// The members of config.json that engines of encoders read besides.
std::vector<std::string_view> EncoderPublicFields();

}  // namespace isoveil
