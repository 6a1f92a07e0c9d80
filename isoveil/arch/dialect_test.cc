#include "isoveil/arch/dialect.h"

#include <gtest/gtest.h>

#include <set>

#include "isoveil/arch/family.h"

namespace isoveil {
namespace {

TEST(Dialect, SpellsARoleWithItsNumbers) {
  const Dialect hf = LlamaDialect();
  EXPECT_EQ(hf.Find("blk.12.attn_q.weight").name, "layers.12.self_attn.q_proj.weight");
  EXPECT_EQ(hf.Find("blk.12.attn_q.bias").name, "layers.12.self_attn.q_proj.bias");
  EXPECT_EQ(hf.Find("output.weight").name, "lm_head.weight");
}

TEST(Dialect, WhatIsNotListedIsCalledAsItsRole) {
  const StoredTensor stored = Dialect{}.Find("blk.3.ffn_up.weight");
  EXPECT_EQ(stored.name, "blk.3.ffn_up.weight");
  EXPECT_EQ(stored.roles, std::vector<std::string>{"blk.3.ffn_up.weight"});
  EXPECT_FALSE(stored.transposed);
}

TEST(Dialect, StackedWeightsShareATensor) {
  const Dialect dialect{.modules = {{"h.{}.attn.c_attn", {"blk.{}.attn_q", "blk.{}.attn_k"}, true}}};
  for (const std::string role : {"blk.7.attn_q.bias", "blk.7.attn_k.bias"}) {
    const StoredTensor stored = dialect.Find(role);
    EXPECT_EQ(stored.name, "h.7.attn.c_attn.bias");
    EXPECT_EQ(stored.roles, (std::vector<std::string>{"blk.7.attn_q.bias", "blk.7.attn_k.bias"}));
    EXPECT_TRUE(stored.transposed);
  }
}

TEST(Dialect, TwoNumbersKeepTheirOrder) {
  const Dialect dialect{.modules = {{"layers.{}.experts.{}.w1", {"blk.{}.ffn_gate.{}"}}}};
  EXPECT_EQ(dialect.Find("blk.3.ffn_gate.41.weight").name, "layers.3.experts.41.w1.weight");
}

TEST(Dialect, GgufStacksTheExpertsOfALayer) {
  const Dialect dialect{.modules = GgufExperts()};
  for (const std::string expert : {"0", "41"}) {
    const StoredTensor stored = dialect.Find("blk.3.ffn_gate." + expert + ".weight");
    EXPECT_EQ(stored.name, "blk.3.ffn_gate_exps.weight");
    EXPECT_TRUE(stored.experts);
  }
  EXPECT_EQ(dialect.Find("blk.3.ffn_gate.weight").name, "blk.3.ffn_gate.weight");
  EXPECT_TRUE(dialect.Find("blk.3.ffn_gate_inp.weight").fp32);
}

TEST(Dialect, BareModelsHaveNoPrefixAndGetOne) {
  const Dialect hf = LlamaDialect();
  const StoredTensor norm = hf.Find("output_norm.weight");
  EXPECT_EQ(hf.Spellings(norm), (std::vector<std::string>{"norm.weight", "model.norm.weight"}));
  EXPECT_EQ(hf.Prefixed(norm), "model.norm.weight");
  EXPECT_EQ(hf.Prefixed({.name = "model.norm.weight"}), "model.norm.weight");
  EXPECT_EQ(hf.Prefixed(hf.Find("output.weight")), "lm_head.weight");
}

TEST(Dialect, BuffersAreKnownInEveryLayerAndWithAPrefix) {
  const Dialect hf = LlamaDialect();
  EXPECT_TRUE(hf.IsBuffer("model.layers.3.self_attn.rotary_emb.inv_freq"));
  EXPECT_TRUE(hf.IsBuffer("rotary_emb.cos_cached"));
  EXPECT_FALSE(hf.IsBuffer("model.layers.x.self_attn.rotary_emb.inv_freq"));
  EXPECT_FALSE(hf.IsBuffer("model.layers.3.self_attn.q_proj.weight"));
}

// A role that two tensors hold, or a tensor that is listed twice, would be written twice or not at all.
TEST(Families, NameEveryRoleAndEveryTensorOnce) {
  for (const Family& family : Families()) {
    for (const Dialect* dialect : {&family.hf, &family.gguf}) {
      std::set<std::string> names, roles;
      for (const StoredTensor& module : dialect->modules) {
        EXPECT_TRUE(names.insert(module.name).second) << family.name << " " << module.name;
        for (const std::string& role : module.roles)
          EXPECT_TRUE(roles.insert(role).second) << family.name << " " << role;
      }
    }
  }
}

}  // namespace
}  // namespace isoveil
