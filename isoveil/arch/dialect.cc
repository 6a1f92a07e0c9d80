#include "isoveil/arch/dialect.h"

#include <algorithm>

namespace isoveil {
namespace {

// "blk.3.attn_q" -> "blk.{}.attn_q" and {"3"}.
struct Pattern {
  std::string text;
  std::vector<std::string> numbers;
};

Pattern PatternOf(std::string_view name) {
  Pattern pattern;
  while (!name.empty()) {
    const size_t dot = name.find('.');
    const std::string_view part = name.substr(0, dot);
    const bool number = std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (number) pattern.numbers.emplace_back(part);
    pattern.text += number ? "{}" : part;
    if (dot == std::string_view::npos) break;
    pattern.text += '.';
    name.remove_prefix(dot + 1);
  }
  return pattern;
}

std::string Instance(std::string text, const std::vector<std::string>& numbers) {
  size_t from = 0;
  for (const std::string& number : numbers) {
    const size_t at = text.find("{}", from);
    if (at == std::string::npos) break;
    text.replace(at, 2, number);
    from = at + number.size();
  }
  return text;
}

}  // namespace

StoredTensor Dialect::Find(std::string_view role) const {
  const size_t dot = role.rfind('.');
  const std::string suffix(role.substr(dot));
  const Pattern pattern = PatternOf(role.substr(0, dot));
  for (const StoredTensor& module : modules) {
    if (std::find(module.roles.begin(), module.roles.end(), pattern.text) == module.roles.end()) continue;
    StoredTensor stored = module;
    stored.name = Instance(module.name, pattern.numbers) + suffix;
    if (suffix != ".weight") stored.origin = 0;
    for (std::string& one : stored.roles) one = Instance(one, pattern.numbers) + suffix;
    return stored;
  }
  return {.name = std::string(role), .roles = {std::string(role)}};
}

std::vector<std::string> Dialect::Spellings(const StoredTensor& stored) const {
  std::vector<std::string> spellings = {stored.name};
  for (const std::string& prefix : prefixes) spellings.push_back(prefix + stored.name);
  return spellings;
}

std::string Dialect::Prefixed(const StoredTensor& stored) const {
  if (prefixes.empty() || stored.unprefixed || stored.name.starts_with(prefixes.front())) return stored.name;
  return prefixes.front() + stored.name;
}

bool Dialect::IsBuffer(std::string_view name) const {
  const auto is = [&](std::string_view spelled) {
    return std::find(buffers.begin(), buffers.end(), PatternOf(spelled).text) != buffers.end();
  };
  return is(name) || std::any_of(prefixes.begin(), prefixes.end(), [&](const std::string& prefix) {
           return name.starts_with(prefix) && is(name.substr(prefix.size()));
         });
}

Dialect Dialect::With(std::vector<StoredTensor> other) const {
  Dialect dialect = *this;
  const auto clash = [](const StoredTensor& a, const StoredTensor& b) {
    return a.name == b.name ||
           std::find_first_of(a.roles.begin(), a.roles.end(), b.roles.begin(), b.roles.end()) != a.roles.end();
  };
  std::erase_if(dialect.modules, [&](const StoredTensor& module) {
    return std::any_of(other.begin(), other.end(), [&](const StoredTensor& o) { return clash(module, o); });
  });
  dialect.modules.insert(dialect.modules.end(), other.begin(), other.end());
  return dialect;
}

Dialect LlamaDialect() {
  Dialect dialect{.modules = {{"embed_tokens", {"token_embd"}},
                              {"norm", {"output_norm"}},
                              {"lm_head", {"output"}, false, true},
                              {"layers.{}.input_layernorm", {"blk.{}.attn_norm"}},
                              {"layers.{}.self_attn.q_proj", {"blk.{}.attn_q"}},
                              {"layers.{}.self_attn.k_proj", {"blk.{}.attn_k"}},
                              {"layers.{}.self_attn.v_proj", {"blk.{}.attn_v"}},
                              {"layers.{}.self_attn.o_proj", {"blk.{}.attn_output"}},
                              {"layers.{}.post_attention_layernorm", {"blk.{}.ffn_norm"}},
                              {"layers.{}.mlp.gate_proj", {"blk.{}.ffn_gate"}},
                              {"layers.{}.mlp.up_proj", {"blk.{}.ffn_up"}},
                              {"layers.{}.mlp.down_proj", {"blk.{}.ffn_down"}}},
                  .prefixes = {"model."}};
  for (const std::string module : {"layers.{}.self_attn.rotary_emb.", "rotary_emb."}) {
    for (const std::string buffer : {"inv_freq", "original_inv_freq", "cos_cached", "sin_cached"}) {
      dialect.buffers.push_back(module + buffer);
    }
  }
  return dialect;
}

std::vector<StoredTensor> GgufExperts() {
  std::vector<StoredTensor> modules = {
      {.name = "blk.{}.ffn_gate_inp", .roles = {"blk.{}.ffn_gate_inp"}, .fp32 = true},
      {.name = "blk.{}.ffn_gate_inp_shexp", .roles = {"blk.{}.ffn_gate_inp_shexp"}, .flat = true, .fp32 = true}};
  for (const std::string matrix : {"blk.{}.ffn_gate", "blk.{}.ffn_up", "blk.{}.ffn_down"}) {
    modules.push_back({.name = matrix + "_exps", .roles = {matrix + ".{}"}, .experts = true});
  }
  return modules;
}

}  // namespace isoveil
