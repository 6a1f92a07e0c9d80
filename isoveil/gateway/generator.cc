#include "isoveil/gateway/generator.h"

#include <algorithm>

#include "isoveil/gateway/stop_matcher.h"
#include "isoveil/tokenizer/detokenizer.h"

namespace isoveil {
namespace {

// Tokens to text, with control tokens shown where a parser needs them.
class Text {
 public:
  Text(const Vocabulary& vocabulary, const std::vector<PlainId>& kept)
      : vocabulary_(vocabulary), kept_(kept), detokenizer_(vocabulary, {.start = TextStart::kContinuation}) {}

  Result<std::string> Append(PlainId id) {
    if (std::find(kept_.begin(), kept_.end(), id) == kept_.end()) return detokenizer_.Append(id);
    ISOVEIL_ASSIGN_OR_RETURN(const std::string_view name, vocabulary_.Piece(id, /*special=*/true));
    return detokenizer_.Finish() + std::string(name);
  }
  std::string Finish() { return detokenizer_.Finish(); }

 private:
  const Vocabulary& vocabulary_;
  const std::vector<PlainId>& kept_;
  IncrementalDetokenizer detokenizer_;
};

// A server whose own end ids were changed cuts answers short.
Status CheckEnd(const GenerateResult& result, const GenerateRequest& request) {
  const auto& ends = request.stop_ids;
  if (result.finish != FinishReason::kStop || !result.stop_id || request.sampling.ignore_eos) return Ok();
  if (std::find(ends.begin(), ends.end(), *result.stop_id) != ends.end()) return Ok();
  return Fail(ErrorCode::kMismatch, "upstream", "ended the answer at a token that ends none",
              "its checkpoint declares other end tokens than the one that was encrypted; copy the server folder again");
}

}  // namespace

Result<GenerateRequest> Generator::Encrypt(const Generation& generation) const {
  GenerateRequest request{.prompt = {}, .sampling = generation.sampling};
  ISOVEIL_ASSIGN_OR_RETURN(request.prompt, client_.cipher.Encrypt(generation.prompt));
  for (const auto& [id, bias] : generation.logit_bias) {
    const Result<WireId> wire = client_.cipher.Encrypt(id);
    if (!wire) return Fail(wire.error().code, "logit_bias", wire.error().problem, wire.error().hint);
    request.logit_bias.emplace_back(*wire, bias);
  }
  std::vector<PlainId> stops = generation.stop_ids;
  if (!generation.sampling.ignore_eos) {
    const auto& ends = client_.vocabulary.special_ids().end_of_generation;
    stops.insert(stops.end(), ends.begin(), ends.end());
  }
  auto stop_ids = client_.cipher.Encrypt(stops);
  if (!stop_ids) return Fail(stop_ids.error().code, "stop_token_ids", stop_ids.error().problem, stop_ids.error().hint);
  request.stop_ids = std::move(*stop_ids);
  return request;
}

Result<PlainToken> Generator::Decrypt(const GeneratedToken& token) const {
  PlainToken plain{.wire = token.id, .logprob = token.logprob};
  ISOVEIL_ASSIGN_OR_RETURN(plain.id, client_.cipher.Decrypt(token.id));
  for (const TokenLogprob& other : token.top) {
    ISOVEIL_ASSIGN_OR_RETURN(const PlainId id, client_.cipher.Decrypt(other.id));
    plain.top.push_back({id, other.logprob});
  }
  return plain;
}

Result<std::vector<PlainToken>> Generator::Score(std::span<const PlainId> prompt, int n_top,
                                                 std::stop_token cancel) const {
  ISOVEIL_ASSIGN_OR_RETURN(const auto wire, client_.cipher.Encrypt(prompt));
  ISOVEIL_ASSIGN_OR_RETURN(const auto scored, isoveil::Score(upstream_, wire, n_top, std::move(cancel)));
  std::vector<PlainToken> tokens;
  for (const GeneratedToken& token : scored) {
    ISOVEIL_ASSIGN_OR_RETURN(PlainToken plain, Decrypt(token));
    tokens.push_back(std::move(plain));
  }
  return tokens;
}

Result<Outcome> Generator::Run(const Generation& generation, const PieceCallback& on_piece,
                               std::stop_token cancel) const {
  ISOVEIL_ASSIGN_OR_RETURN(const GenerateRequest request, Encrypt(generation));
  Text text(client_.vocabulary, generation.kept);
  StopMatcher stops(generation.stops);
  Status failed = Ok();
  bool reader_left = false;
  const auto on_token = [&](const GeneratedToken& token) {
    const auto plain = Decrypt(token);
    if (!plain) return failed = tl::unexpected(plain.error()), false;
    // A token that was named as an end is no part of the text.
    const auto& ends = generation.stop_ids;
    const bool ends_here = std::find(ends.begin(), ends.end(), plain->id) != ends.end();
    const Result<std::string> characters = ends_here ? Result<std::string>("") : text.Append(plain->id);
    if (!characters) return failed = tl::unexpected(characters.error()), false;
    reader_left = !on_piece({stops.Append(*characters), {*plain}});
    return !reader_left && !stops.matched();
  };
  ISOVEIL_ASSIGN_OR_RETURN(const GenerateResult result, Generate(upstream_, request, on_token, cancel));
  ISOVEIL_RETURN_IF_ERROR(failed);
  ISOVEIL_RETURN_IF_ERROR(CheckEnd(result, request));
  Outcome outcome{result.finish, result.usage};
  if (!stops.matched()) {
    const std::string rest = stops.Append(text.Finish()) + stops.Finish();
    if (!rest.empty() && !reader_left) on_piece({rest, {}});
  }
  if (stops.matched()) outcome.finish = FinishReason::kStop;
  outcome.stop = stops.found();
  return outcome;
}

}  // namespace isoveil
