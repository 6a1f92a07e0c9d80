#include "isoveil/package/id_fields.h"

#include <algorithm>
#include <array>

namespace isoveil {
namespace {

constexpr std::array kHfFields = {
    IdField{"bos_token_id", IdShape::kIds},
    IdField{"eos_token_id", IdShape::kIds},
    IdField{"pad_token_id", IdShape::kIds},
    IdField{"unk_token_id", IdShape::kIds},
    IdField{"sep_token_id", IdShape::kIds},
    IdField{"cls_token_id", IdShape::kIds},
    IdField{"mask_token_id", IdShape::kIds},
    IdField{"decoder_start_token_id", IdShape::kIds},
    IdField{"forced_bos_token_id", IdShape::kIds},
    IdField{"forced_eos_token_id", IdShape::kIds},
    IdField{"suppress_tokens", IdShape::kIds},
    IdField{"begin_suppress_tokens", IdShape::kIds},
    IdField{"bad_words_ids", IdShape::kIdLists},
    IdField{"force_words_ids", IdShape::kIdLists},
    IdField{"forced_decoder_ids", IdShape::kPositionPairs},
    IdField{"sequence_bias", IdShape::kSequenceBias},
    IdField{"image_token_index", IdShape::kIds},
};

constexpr std::array kGgufFields = {
    IdField{"tokenizer.ggml.bos_token_id", IdShape::kIds},
    IdField{"tokenizer.ggml.eos_token_id", IdShape::kIds},
    IdField{"tokenizer.ggml.eot_token_id", IdShape::kIds},
    IdField{"tokenizer.ggml.eom_token_id", IdShape::kIds},
    IdField{"tokenizer.ggml.unknown_token_id", IdShape::kIds},
    IdField{"tokenizer.ggml.seperator_token_id", IdShape::kIds},  // llama.cpp's spelling
    IdField{"tokenizer.ggml.padding_token_id", IdShape::kIds},
    IdField{"tokenizer.ggml.cls_token_id", IdShape::kIds},
    IdField{"tokenizer.ggml.mask_token_id", IdShape::kIds},
    IdField{"tokenizer.ggml.prefix_token_id", IdShape::kIds},
    IdField{"tokenizer.ggml.suffix_token_id", IdShape::kIds},
    IdField{"tokenizer.ggml.middle_token_id", IdShape::kIds},
    IdField{"tokenizer.ggml.fim_pre_token_id", IdShape::kIds},
    IdField{"tokenizer.ggml.fim_suf_token_id", IdShape::kIds},
    IdField{"tokenizer.ggml.fim_mid_token_id", IdShape::kIds},
    IdField{"tokenizer.ggml.fim_pad_token_id", IdShape::kIds},
    IdField{"tokenizer.ggml.fim_rep_token_id", IdShape::kIds},
    IdField{"tokenizer.ggml.fim_sep_token_id", IdShape::kIds},
    IdField{"tokenizer.ggml.eog_token_ids", IdShape::kIds},
    IdField{"tokenizer.ggml.suppress_tokens", IdShape::kIds},
};

constexpr std::array<std::string_view, 7> kEndings = {"_token_id",  "_token_ids",   "_tokens_ids",    "_token_index",
                                                      "_words_ids", "_decoder_ids", "suppress_tokens"};

const IdField* Find(std::span<const IdField> table, std::string_view name) {
  const auto it = std::find_if(table.begin(), table.end(), [&](const IdField& f) { return f.name == name; });
  return it == table.end() ? nullptr : &*it;
}

// Rewrites ids inside one JSON document; the first error is kept and stops the walk.
template <typename Json>
class Rewriter {
 public:
  Rewriter(const VocabCipher& cipher, std::string_view where) : cipher_(cipher), where_(where) {}

  Status Walk(Json& object, const std::string& path) {
    std::vector<std::string> beyond;
    for (auto it = object.begin(); it != object.end(); ++it) {
      const std::string name = path.empty() ? it.key() : path + "." + it.key();
      if (const IdField* field = Find(kHfFields, it.key())) {
        if (it.key() == "pad_token_id" && IsBeyond(it.value())) {
          beyond.push_back(it.key());
          continue;
        }
        ISOVEIL_RETURN_IF_ERROR(Rewrite(it.value(), field->shape, name));
      } else if (LooksLikeIds(it.key())) {
        return Fail(ErrorCode::kUnsupported, fmt::format("{}: {}", where_, name),
                    "looks like token ids, but is in no table", "add it to isoveil/package/id_fields.cc");
      } else if (it.value().is_object()) {
        ISOVEIL_RETURN_IF_ERROR(Walk(it.value(), name));
      }
    }
    for (const std::string& name : beyond) object.erase(name);
    return Ok();
  }

 private:
  bool IsBeyond(const Json& value) const {
    return value.is_number_unsigned() && value.template get<uint64_t>() >= cipher_.n_vocab();
  }

  tl::unexpected<Error> Malformed(const std::string& name, std::string_view expected) const {
    return Fail(ErrorCode::kFormat, fmt::format("{}: {}", where_, name),
                fmt::format("expected {} below {}", expected, cipher_.n_vocab()));
  }

  Status RewriteId(Json& value, const std::string& name) const {
    // The largest unsigned number would read as -1.
    if (!value.is_number_integer() || IsBeyond(value)) return Malformed(name, "token ids");
    const auto id = value.template get<int64_t>();
    if (id == -1) return Ok();
    const auto encrypted = cipher_.Encrypt(IdOf<PlainId>(id));
    if (!encrypted) return Malformed(name, "token ids");
    value = *encrypted;
    return Ok();
  }

  Status RewriteIds(Json& value, const std::string& name) const {
    if (value.is_null()) return Ok();
    if (!value.is_array()) return RewriteId(value, name);
    for (Json& id : value) ISOVEIL_RETURN_IF_ERROR(RewriteId(id, name));
    return Ok();
  }

  Status Rewrite(Json& value, IdShape shape, const std::string& name) const {
    if (value.is_null() || shape == IdShape::kNotIds) return Ok();
    if (shape == IdShape::kIds) return RewriteIds(value, name);
    // Older configurations write sequence_bias as an object whose keys are lists of ids in text form, which
    // no engine reads from a file.
    if (!value.is_array()) return Malformed(name, "lists of token ids");
    for (Json& entry : value) {
      if (!entry.is_array()) return Malformed(name, "lists of token ids");
      if (shape == IdShape::kIdLists) {
        ISOVEIL_RETURN_IF_ERROR(RewriteIds(entry, name));
        continue;
      }
      if (entry.size() != 2) return Malformed(name, "pairs");
      ISOVEIL_RETURN_IF_ERROR(RewriteIds(entry[shape == IdShape::kPositionPairs ? 1 : 0], name));
    }
    return Ok();
  }

  const VocabCipher& cipher_;
  std::string_view where_;
};

template <typename Json>
Status EncryptJson(const VocabCipher& cipher, Json& json, std::string_view where) {
  // On a copy, so that nothing is written when anything fails.
  Json copy = json;
  ISOVEIL_RETURN_IF_ERROR((Rewriter<Json>(cipher, where).Walk(copy, "")));
  json = std::move(copy);
  return Ok();
}

}  // namespace

std::span<const IdField> HfIdFields() { return kHfFields; }
std::span<const IdField> GgufIdFields() { return kGgufFields; }

bool LooksLikeIds(std::string_view name) {
  return Find(kHfFields, name) != nullptr ||
         std::any_of(kEndings.begin(), kEndings.end(), [&](std::string_view end) { return name.ends_with(end); });
}

Status EncryptIdFields(const VocabCipher& cipher, IdFormat, nlohmann::ordered_json& json, std::string_view where) {
  return EncryptJson(cipher, json, where);
}

Status EncryptIdFields(const VocabCipher& cipher, IdFormat, nlohmann::json& json, std::string_view where) {
  return EncryptJson(cipher, json, where);
}

Status EncryptIdFields(const VocabCipher& cipher, GgufMetadata& metadata, std::string_view where) {
  GgufMetadata copy = metadata;
  for (const auto& [key, value] : metadata) {
    if (!key.starts_with("tokenizer.ggml.") || !LooksLikeIds(key)) continue;
    const std::string place = fmt::format("{}: {}", where, key);
    if (Find(kGgufFields, key) == nullptr) {
      return Fail(ErrorCode::kUnsupported, place, "looks like token ids, but is in no table",
                  "add it to isoveil/package/id_fields.cc");
    }
    if (const auto list = metadata.GetIntegers(key)) {
      std::vector<int32_t> encrypted;
      for (const int64_t id : *list) {
        const auto found = cipher.Encrypt(IdOf<PlainId>(id));
        if (!found) return Fail(ErrorCode::kFormat, place, found.error().problem);
        encrypted.push_back(Value(*found));
      }
      copy.Set(key, std::move(encrypted));
      continue;
    }
    ISOVEIL_ASSIGN_OR_RETURN(const int64_t id, metadata.GetSigned(key));
    const auto found = cipher.Encrypt(IdOf<PlainId>(id));
    if (!found) return Fail(ErrorCode::kFormat, place, found.error().problem);
    copy.Set(key, static_cast<uint32_t>(*found));
  }
  metadata = std::move(copy);
  return Ok();
}

}  // namespace isoveil
