// isoveil embed: vectors of texts, through a blind server.
#include "isoveil/apps/encoder_run.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

Result<PlainVectors> EmbedTexts(const EncoderFlags& flags) {
  ISOVEIL_ASSIGN_OR_RETURN(const auto texts, ReadTexts(flags));
  ISOVEIL_ASSIGN_OR_RETURN(const auto run, EncoderRun::Open(flags, PortKind::kVectors));
  ISOVEIL_ASSIGN_OR_RETURN(const auto inputs, run->Tokenize(texts));
  return run->Each(inputs, &EncoderClient::Embed);
}

int Run(const EncoderFlags& flags) {
  const Result<PlainVectors> vectors = EmbedTexts(flags);
  if (!vectors) return Report(vectors.error(), flags.json);
  std::string lines;
  ordered_json list = ordered_json::array();
  for (const std::vector<double>& vector : *vectors) {
    list.push_back(std::vector<float>(vector.begin(), vector.end()));
    if (!flags.json) lines += list.back().dump() + "\n";
  }
  return Print({{"vectors", std::move(list)}}, lines, flags.json);
}

}  // namespace

Command AddEmbed(CLI::App& parent) {
  CLI::App* app = parent.add_subcommand("embed", "Turn texts into vectors through a blind server");
  app->footer(
      "One vector of length 1 for each text, as the plaintext model gives it, from a server that holds the\n"
      "encrypted encoder. Texts are tokenized and encrypted here, and vectors decrypted.\n\n"
      "  isoveil embed out/client -k my.key \"the front desk\" \"a red ball\"\n"
      "  isoveil embed out/client -k my.key < sentences.txt > vectors.jsonl");
  auto flags = std::make_shared<EncoderFlags>();
  AddEncoderFlags(*app, *flags, "TEXT", "The texts");
  return {app, [flags] { return Run(*flags); }};
}

}  // namespace isoveil
