// Plain and encrypted ids do not mix: each case is a program that must not compile, tried by one test
// (CMakeLists.txt). Without a case this is a program that does.
#include "isoveil/engine/vectors.h"
#include "isoveil/gateway/generator.h"
#include "isoveil/tokenizer/placeholder.h"

namespace isoveil {

Result<PlainId> ThereAndBack(const VocabCipher& cipher, PlainId plain) {
  ISOVEIL_ASSIGN_OR_RETURN(const WireId wire, cipher.Encrypt(plain));
  return cipher.Decrypt(wire);
}

Status Wrong(const ClientFolder& client, Upstream& server, const GenerateRequest& sent, GeneratedToken token) {
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<PlainId> plain, client.vocabulary.Tokenize("text"));
  GenerateRequest request = sent;
#ifdef PLAIN_PROMPT
  request.prompt = plain;
#endif
#ifdef PLAIN_STOP
  request.stop_ids = client.vocabulary.special_ids().end_of_generation;
#endif
#ifdef PLAIN_BIAS
  request.logit_bias.emplace_back(plain.front(), 1.0F);
#endif
#ifdef PLAIN_SCORE
  (void)Score(server, plain, 0);
#endif
#ifdef PLAIN_EMBED
  (void)VectorTask({.inputs = {plain}});
#endif
#ifdef WIRE_TO_TEXT
  (void)client.vocabulary.Piece(token.id);
#endif
#ifdef ENCRYPTED_TWICE
  (void)client.cipher.Encrypt(token.id);
#endif
#ifdef PLAIN_PLACEHOLDER
  (void)PlaceholderVocabulary::Make(8, client.vocabulary.special_ids().end_of_generation);
#endif
#ifdef COMPARED
  if (plain.front() == token.id) return Ok();
#endif
#ifdef NUMBER
  token.id = 7;
#endif
  (void)plain, (void)server, (void)token;
  return Ok();
}

}  // namespace isoveil
