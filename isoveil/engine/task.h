// What a server can be asked for: a task, from its request to its answer.
//
//   VectorTask task(TaskKind::kEmbed, {.inputs = {encrypted_ids}});
//   ISOVEIL_RETURN_IF_ERROR(server.Run(task));
//   Use(task.vectors());                              // Embed(server, request), in vectors.h, does the same
//
// A new task is one file with its request, its answer, its class and how a server writes it (its dialect), a line in
// task.cc, and an entry in the row of each kind of server that has it (server_kind.h). Connections, pools, meters and
// canaries know no task.
#pragma once

#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "isoveil/base/result.h"

namespace isoveil {

class HttpClient;
class Upstream;
struct ServerKind;
struct UpstreamInfo;

enum class TaskKind {
  kGenerate,  // ids that follow a prompt; generate.h
  kScore,     // how likely a prompt's ids are; score.h
  kEmbed,     // one vector for each sequence of ids; vectors.h
  kClassify   // the numbers of a classifier's labels for each; vectors.h
};

// A POST with a JSON body.
struct HttpCall {
  std::string path;
  std::string body;
};

// A way to one server, for the length of a try.
struct ServerLine {
  const HttpClient& client;
  const ServerKind& kind;
  int64_t n_vocab = 0;               // ids outside are refused, in both directions; 0 leaves the upper bound open
  std::string_view cache_salt = {};  // see UpstreamOptions
};

// What a task's way through pools and meters is told of it.
struct TaskWatch {
  // The server of this number is asked next.
  std::function<void(size_t server)> on_server = [](size_t) {};
  // Some of the answer has come, this many tokens of it, and is about to be taken. An error ends the try.
  std::function<Status(size_t n_tokens)> on_answer = [](size_t) { return Ok(); };
};

// Used by one thread at a time.
class Task {
 public:
  virtual ~Task() = default;
  virtual TaskKind kind() const = 0;
  // Ids that are sent, as they were asked for.
  virtual size_t n_prompt_tokens() const = 0;

  // One try at one server; the answer, or its beginning, stays in the task. Errors as Upstream::Run.
  virtual Status Try(const ServerLine& line, const TaskWatch& watch, std::stop_token cancel) = 0;
  // After that error: whether another try, at another server, may go on from here.
  virtual bool CanGoOn(const Error&) const { return true; }
};

// A line of the table of tasks.
struct TaskRow {
  TaskKind kind;
  std::string_view name;
  // Asks for the least that there is, and adds what the server lacks of it. Ok if the server has the task.
  Status (*probe)(Upstream& server, const ServerKind& kind, UpstreamInfo* info, const std::stop_token& cancel);
};
std::span<const TaskRow> TaskTable();
// "generate", "score", "embed", "classify".
std::string_view TaskName(TaskKind kind);

}  // namespace isoveil
