// What `embed`, `classify` and `rerank` share: a client's folder and its servers, and texts from the command line or
// from standard input.
//
//   EncoderFlags flags;
//   AddEncoderFlags(*app, flags, "TEXT", "...");
//   ISOVEIL_ASSIGN_OR_RETURN(const auto run, EncoderRun::Open(flags));
//   ISOVEIL_ASSIGN_OR_RETURN(const auto vectors, run->Each(texts, &EncoderClient::Embed));
#pragma once

#include "isoveil/apps/gateway_run.h"
#include "isoveil/gateway/encoder_client.h"

namespace isoveil {

struct EncoderFlags {
  std::string client;
  KeyOptions key;
  UpstreamFlags upstreams;
  std::string positional;          // what the command line calls its texts
  std::vector<std::string> texts;  // of the command line
  bool show_wire = false;
  bool json = false;
};
// CLIENT, the texts under the name `positional`, key, servers, --show-wire and --json.
void AddEncoderFlags(CLI::App& app, EncoderFlags& flags, const std::string& positional, const std::string& description);

// Those of the command line, else the lines of standard input that are not empty. kInvalidArgument if there is none.
Result<std::vector<std::string>> ReadTexts(const EncoderFlags& flags);

class EncoderRun {
 public:
  // kUnsupported if the model does not have `output`.
  static Result<std::unique_ptr<EncoderRun>> Open(const EncoderFlags& flags, PortKind output);

  const ClientFolder& client() const { return client_; }
  const EncoderClient& encoder() const { return *encoder_; }

  using Ask = Result<PlainVectors> (EncoderClient::*)(const std::vector<std::vector<PlainId>>&, std::stop_token) const;
  // One vector for each input; a few at a time, so that no request grows with a file.
  Result<PlainVectors> Each(const std::vector<std::vector<PlainId>>& inputs, Ask ask) const;
  // The ids of texts, each with what the model expects around it.
  Result<std::vector<std::vector<PlainId>>> Tokenize(const std::vector<std::string>& texts) const;

 private:
  EncoderRun(ClientFolder client, bool show_wire) : client_(std::move(client)), show_wire_(show_wire) {}

  const ClientFolder client_;
  const bool show_wire_;
  std::unique_ptr<UpstreamPool> pool_;
  std::optional<EncoderClient> encoder_;
};

}  // namespace isoveil
