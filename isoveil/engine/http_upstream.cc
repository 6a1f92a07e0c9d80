#include "isoveil/engine/http_upstream.h"

#include "isoveil/engine/json_fields.h"

namespace isoveil {
namespace {

using json = nlohmann::ordered_json;

class HttpUpstream : public Upstream {
 public:
  HttpUpstream(HttpClient client, HttpWatch watch, const ServerKind& kind, std::string cache_salt, int64_t n_vocab)
      : client_(std::move(client)),
        watch_(std::move(watch)),
        kind_(kind),
        cache_salt_(std::move(cache_salt)),
        n_vocab_(n_vocab) {}

  Result<UpstreamInfo> Probe(std::stop_token cancel) override {
    ISOVEIL_ASSIGN_OR_RETURN(UpstreamInfo info, ReadFacts(cancel));
    if (n_vocab_ > 0 && info.n_vocab && *info.n_vocab != n_vocab_) {
      return Fail(ErrorCode::kMismatch, client_.url().ToString(),
                  fmt::format("expected a vocabulary of {} ids, found {}", n_vocab_, *info.n_vocab),
                  "the server runs another model than the key is for");
    }
    std::optional<Error> why;
    for (const TaskRow& task : TaskTable()) {
      const Status has = task.probe(*this, kind_, &info, cancel);
      if (has) info.tasks.push_back(task.kind);
      // What a server that has the task says of itself tells more than that another one is not there.
      const auto is_away = [](const Error& error) { return error.code == ErrorCode::kUnavailable; };
      if (!has && (!why || (is_away(has.error()) && !is_away(*why)))) why = has.error();
    }
    if (info.tasks.empty()) return tl::unexpected(*why);
    return info;
  }

  Result<Contact> Look(std::stop_token cancel) override {
    const std::string path(kind_.info_paths.front());
    ISOVEIL_ASSIGN_OR_RETURN(const std::string body, watch_.Get(path, std::move(cancel)));
    ISOVEIL_ASSIGN_OR_RETURN(const json answer, ParseAnswer(body, path));
    return Contact{watch_.contact(), FactsOf(path, answer)};
  }

  bool Stands(const Contact& contact) const override {
    return watch_.contact() == contact.connection && watch_.stands();
  }

  Status Run(Task& task, std::stop_token cancel, const TaskWatch& watch) override {
    return task.Try({.client = client_, .kind = kind_, .n_vocab = n_vocab_, .cache_salt = cache_salt_}, watch,
                    std::move(cancel));
  }

 private:
  // Names and sizes; the times that servers tell are those of the question.
  std::string FactsOf(std::string_view path, const json& answer) const {
    UpstreamInfo info;
    kind_.read_info(path, answer, &info);
    std::string facts =
        fmt::format("{} {} {}", info.n_vocab.value_or(0), info.n_context.value_or(0), info.n_embd.value_or(0));
    const json* models = FieldOrNull(answer, "data");
    if (models == nullptr || !models->is_array()) return facts;
    for (const json& model : *models) {
      for (const char* name : {"id", "root", "owned_by"}) facts += "\n" + TextOrEmpty(model, name);
    }
    return facts;
  }

  Result<UpstreamInfo> ReadFacts(const std::stop_token& cancel) {
    UpstreamInfo info;
    info.kind = kind_.name;
    for (const std::string_view path : kind_.info_paths) {
      const Result<std::string> body = client_.Get(path, cancel);
      if (!body && path == kind_.info_paths.front()) return tl::unexpected(body.error());
      if (!body) continue;
      ISOVEIL_ASSIGN_OR_RETURN(const json answer, ParseAnswer(*body, std::string(path)));
      kind_.read_info(path, answer, &info);
    }
    return info;
  }

  HttpClient client_;
  HttpWatch watch_;
  const ServerKind& kind_;
  const std::string cache_salt_;
  const int64_t n_vocab_;
};

}  // namespace

std::unique_ptr<Upstream> NewHttpUpstream(HttpClient client, HttpWatch watch, const ServerKind& kind,
                                          std::string cache_salt, int64_t n_vocab) {
  return std::make_unique<HttpUpstream>(std::move(client), std::move(watch), kind, std::move(cache_salt), n_vocab);
}

}  // namespace isoveil
