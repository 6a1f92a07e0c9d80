#include "isoveil/gateway/canary.h"

#include "isoveil/base/published_file.h"
#include "isoveil/gateway/embed_canary.h"
#include "isoveil/gateway/generate_canary.h"
#include "isoveil/gateway/label_canary.h"

namespace isoveil {
namespace {

// What a model that has a port is asked, and how its answer is judged.
struct Question {
  PortKind port;
  Result<std::string> (*ask)(const ClientFolder& client, Upstream& server, std::stop_token cancel);
  Result<CanaryVerdict> (*check)(std::string_view record, const std::string& name, const ClientFolder& client,
                                 Upstream& server, std::stop_token cancel);
};

constexpr Question kQuestions[] = {
    {PortKind::kLogits, &AskGenerateCanary, &CheckGenerateCanary},
    {PortKind::kVectors, &AskEmbedCanary, &CheckEmbedCanary},
    {PortKind::kLabels, &AskLabelCanary, &CheckLabelCanary},
};

Result<const Question*> QuestionFor(const ClientFolder& client) {
  for (const Question& question : kQuestions) {
    if (client.manifest.ports.SpaceOf(question.port) != nullptr) return &question;
  }
  return Fail(ErrorCode::kUnsupported, "client folder", "belongs to a model without outputs that servers give");
}

// Another process may read the record at any moment.
Status Write(const Path& path, const std::string& record) { return PublishNewFile(path, record + "\n", 0600); }

// The record is complete, old or new, whenever this is broken off.
Status Replace(const Path& path, const std::string& record) {
  const Path next = path.string() + ".new";
  Status written = Write(next, record);
  // One that is there is of a run that was killed here, or of one that is here now: as good, and whole.
  if (!written && written.error().code != ErrorCode::kExists) return written;
  std::error_code error;
  std::filesystem::rename(next, path, error);
  if (error) return Fail(ErrorCode::kIo, path.string(), "cannot be replaced: " + error.message());
  return Ok();
}

tl::unexpected<Error> Differs(const Path& path) {
  return Fail(
      ErrorCode::kMismatch, "upstream", "answers differently from the model that this client folder belongs to",
      "start the server on the server folder that was made with it; if the model was changed on purpose, delete " +
          path.string());
}

Result<CanaryRecord> Compare(const Question& question, const Path& path, const ClientFolder& client, Upstream& server,
                             std::stop_token cancel) {
  ISOVEIL_ASSIGN_OR_RETURN(const std::string record, ReadTextFile(path, 1 << 22));
  ISOVEIL_ASSIGN_OR_RETURN(const CanaryVerdict verdict,
                           question.check(record, path.string(), client, server, std::move(cancel)));
  if (!verdict.agrees) return Differs(path);
  // Where the folder cannot be written to, the old record goes on.
  if (!verdict.replacement.empty()) (void)Replace(path, verdict.replacement).has_value();
  return CanaryRecord::kMatches;
}

}  // namespace

Result<Admission> AdmitServer(const Path& client_folder, const ClientFolder& client, Upstream& server,
                              std::stop_token cancel) {
  Admission admission;
  ISOVEIL_ASSIGN_OR_RETURN(admission.info, server.Probe(cancel));
  const auto n_vocab = admission.info.n_vocab;
  if (n_vocab && static_cast<uint64_t>(*n_vocab) != client.manifest.n_vocab()) {
    return Fail(ErrorCode::kMismatch, "upstream",
                fmt::format("runs a model of {} tokens, the client folder belongs to one of {}", *n_vocab,
                            client.manifest.n_vocab()),
                "start the server on the server folder that was made with this client folder");
  }
  ISOVEIL_ASSIGN_OR_RETURN(const Question* question, QuestionFor(client));
  const Path path = client_folder / kCanaryFile;
  if (!FileExists(path)) {
    ISOVEIL_ASSIGN_OR_RETURN(const std::string seen, question->ask(client, server, cancel));
    const Status written = Write(path, seen);
    admission.record = written ? CanaryRecord::kNew : CanaryRecord::kNotWritten;
    // Another server was quicker: it is the one to agree with.
    if (written || written.error().code != ErrorCode::kExists) return admission;
  }
  ISOVEIL_ASSIGN_OR_RETURN(admission.record, Compare(*question, path, client, server, cancel));
  return admission;
}

}  // namespace isoveil
