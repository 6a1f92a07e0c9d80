#include "isoveil/package/vocab_cipher.h"

#include <numeric>
#include <utility>

#include "isoveil/crypto/secret.h"
#include "isoveil/key/draw.h"

namespace isoveil {
namespace {

constexpr uint32_t kUnset = ~uint32_t{0};

template <typename To, typename From>
Result<To> LookUp(std::span<const uint32_t> table, From id) {
  if (Value(id) < 0 || static_cast<size_t>(id) >= table.size()) {
    return Fail(ErrorCode::kInvalidArgument, "token id", fmt::format("expected 0 to {}", table.size() - 1),
                "the ids belong to another model");
  }
  return static_cast<To>(table[static_cast<size_t>(id)]);
}

template <typename To, typename From>
Result<std::vector<To>> LookUpAll(std::span<const uint32_t> table, std::span<const From> ids) {
  std::vector<To> out;
  out.reserve(ids.size());
  for (const From id : ids) {
    const auto found = LookUp<To>(table, id);
    if (!found) {
      Error error = found.error();
      error.where = fmt::format("token id at position {}", out.size());
      return tl::unexpected(std::move(error));
    }
    out.push_back(*found);
  }
  return out;
}

}  // namespace

// Not through an Action, whose copies nobody wipes; the draws are those of DrawSpace.
Result<VocabCipher> VocabCipher::Derive(const ModelKey& key, const SpaceRecord& vocab) {
  const uint64_t runs_of = vocab.group.granularity();
  if (vocab.dim == 0 || vocab.dim > kMaxVocabulary || runs_of == 0 || vocab.dim % runs_of != 0) {
    return Fail(ErrorCode::kInvalidArgument, "vocabulary",
                fmt::format("expected 1 to {} tokens in runs of {}, found {}", kMaxVocabulary, runs_of, vocab.dim));
  }
  if (!vocab.group.IsSubgroupOf(Group::Permutation())) {
    return Fail(ErrorCode::kInvalidArgument, "vocabulary",
                fmt::format("ids cannot be moved by {}", vocab.group.Name()));
  }
  if (!vocab.group.Has(Move::kPermute)) {
    std::vector<uint32_t> unmoved(vocab.dim);
    std::iota(unmoved.begin(), unmoved.end(), 0U);
    return FromPermutation(std::move(unmoved));
  }
  KeyStream stream = key.Stream(vocab.label);
  return FromPermutation(DrawPermutation(vocab.group, vocab.dim, stream));
}

Result<VocabCipher> VocabCipher::FromPermutation(std::vector<uint32_t> source) {
  std::vector<uint32_t> inverse(source.size(), kUnset);
  for (uint32_t i = 0; i < source.size(); ++i) {
    if (source[i] >= source.size() || inverse[source[i]] != kUnset) {
      return Fail(ErrorCode::kInvalidArgument, "vocabulary", "the table is no permutation");
    }
    inverse[source[i]] = i;
  }
  return VocabCipher(std::move(source), std::move(inverse));
}

VocabCipher::VocabCipher(std::vector<uint32_t> source, std::vector<uint32_t> inverse)
    : source_(std::move(source)), inverse_(std::move(inverse)) {}

VocabCipher& VocabCipher::operator=(VocabCipher&& other) noexcept {
  Wipe();
  source_ = std::move(other.source_);
  inverse_ = std::move(other.inverse_);
  return *this;
}

VocabCipher::~VocabCipher() { Wipe(); }

void VocabCipher::Wipe() {
  isoveil::Wipe(std::as_writable_bytes(std::span(source_)));
  isoveil::Wipe(std::as_writable_bytes(std::span(inverse_)));
}

Result<WireId> VocabCipher::Encrypt(PlainId plain) const { return LookUp<WireId>(inverse_, plain); }
Result<PlainId> VocabCipher::Decrypt(WireId encrypted) const { return LookUp<PlainId>(source_, encrypted); }

Result<std::vector<WireId>> VocabCipher::Encrypt(std::span<const PlainId> plain) const {
  return LookUpAll<WireId>(inverse_, plain);
}

Result<std::vector<PlainId>> VocabCipher::Decrypt(std::span<const WireId> encrypted) const {
  return LookUpAll<PlainId>(source_, encrypted);
}

}  // namespace isoveil
