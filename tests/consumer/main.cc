// consumer CLIENT KEY TEXT: the encrypted ids of a text, and the text that they stand for.
#include <cstdio>

#include "isoveil/package/client_folder.h"

namespace {

isoveil::Status Show(const char* folder, const char* key_file, const char* text) {
  using namespace isoveil;
  ISOVEIL_ASSIGN_OR_RETURN(const RootKey key, OpenKeyFile(key_file, std::nullopt));
  ISOVEIL_ASSIGN_OR_RETURN(const ClientFolder client, ClientFolder::Open(folder, key));
  ISOVEIL_ASSIGN_OR_RETURN(const auto plain, client.vocabulary.Tokenize(text, {.add_special = true}));
  ISOVEIL_ASSIGN_OR_RETURN(const auto wire, client.cipher.Encrypt(plain));
  for (const WireId id : wire) std::printf("%d ", Value(id));
  ISOVEIL_ASSIGN_OR_RETURN(const auto back, client.cipher.Decrypt(wire));
  ISOVEIL_ASSIGN_OR_RETURN(const std::string said,
                           client.vocabulary.Detokenize(back, {.start = TextStart::kWholeText}));
  std::printf("\n%s\n", said.c_str());
  return Ok();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const isoveil::Status shown = Show(argv[1], argv[2], argv[3]);
  if (!shown) std::fprintf(stderr, "%s\n", shown.error().Message().c_str());
  return shown ? 0 : 1;
}
