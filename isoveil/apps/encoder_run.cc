#include "isoveil/apps/encoder_run.h"

#include <csignal>
#include <iostream>
#include <sstream>

#include "isoveil/apps/out_folder.h"

namespace isoveil {
namespace {

constexpr size_t kAtATime = 32;

Status ShowWire(const VocabCipher& cipher, const std::vector<std::vector<PlainId>>& inputs) {
  for (const auto& ids : inputs) {
    ISOVEIL_ASSIGN_OR_RETURN(const std::vector<WireId> sent, cipher.Encrypt(ids));
    std::cerr << "sent  " << nlohmann::ordered_json(sent).dump() << "\n";
  }
  return Ok();
}

}  // namespace

void AddEncoderFlags(CLI::App& app, EncoderFlags& flags, const std::string& positional,
                     const std::string& description) {
  flags.positional = positional;
  app.add_option("CLIENT", flags.client, "The client folder that `isoveil encrypt` wrote")->required();
  app.add_option(positional, flags.texts, description + "; without any, the lines of standard input");
  AddKeyOptions(app, flags.key);
  AddUpstreamFlags(app, flags.upstreams);
  app.add_flag("--show-wire", flags.show_wire, "Print the ids that are sent, on stderr");
  AddJsonOption(app, flags.json);
}

Result<std::vector<std::string>> ReadTexts(const EncoderFlags& flags) {
  std::vector<std::string> texts = flags.texts;
  if (texts.empty()) {
    std::istringstream lines(ReadStdin());
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (!line.empty()) texts.push_back(std::move(line));
    }
  }
  for (const std::string& text : texts) {
    if (text.empty()) return Fail(ErrorCode::kInvalidArgument, flags.positional, "is empty");
  }
  if (texts.empty())
    return Fail(ErrorCode::kInvalidArgument, flags.positional, "expected at least one text, found none");
  return texts;
}

Result<std::unique_ptr<EncoderRun>> EncoderRun::Open(const EncoderFlags& flags, PortKind output) {
  std::signal(SIGPIPE, SIG_IGN);
  ISOVEIL_RETURN_IF_ERROR(ExpectPart(flags.client, OutPart::kClient));
  ISOVEIL_ASSIGN_OR_RETURN(const RootKey key, OpenKey(flags.key));
  ISOVEIL_ASSIGN_OR_RETURN(ClientFolder client, ClientFolder::Open(flags.client, key));
  ISOVEIL_RETURN_IF_ERROR(client.Gives(flags.client, output));
  std::unique_ptr<EncoderRun> run(new EncoderRun(std::move(client), flags.show_wire));
  ISOVEIL_ASSIGN_OR_RETURN(run->pool_, OpenPool(flags.client, run->client_, flags.upstreams));
  run->encoder_.emplace(run->client_, *run->pool_);
  return run;
}

Result<PlainVectors> EncoderRun::Each(const std::vector<std::vector<PlainId>>& inputs, Ask ask) const {
  if (show_wire_) ISOVEIL_RETURN_IF_ERROR(ShowWire(client_.cipher, inputs));
  PlainVectors all;
  for (size_t first = 0; first < inputs.size(); first += kAtATime) {
    const size_t last = std::min(inputs.size(), first + kAtATime);
    ISOVEIL_ASSIGN_OR_RETURN(PlainVectors some, ((*encoder_).*ask)({inputs.begin() + static_cast<std::ptrdiff_t>(first),
                                                                    inputs.begin() + static_cast<std::ptrdiff_t>(last)},
                                                                   {}));
    for (auto& vector : some) all.push_back(std::move(vector));
  }
  return all;
}

Result<std::vector<std::vector<PlainId>>> EncoderRun::Tokenize(const std::vector<std::string>& texts) const {
  std::vector<std::vector<PlainId>> inputs;
  for (const std::string& text : texts) {
    ISOVEIL_ASSIGN_OR_RETURN(std::vector<PlainId> ids, client_.vocabulary.Tokenize(text, {.add_special = true}));
    inputs.push_back(std::move(ids));
  }
  return inputs;
}

}  // namespace isoveil
