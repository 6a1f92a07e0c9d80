// Chat templates in processes of their own.
//
//   ISOVEIL_ASSIGN_OR_RETURN(auto worker, TemplateWorker::Start({"/proc/self/exe", kTemplateWorkerCommand}, source,
//   10s)); ISOVEIL_ASSIGN_OR_RETURN(RawPrompt raw, worker->Render(request));
//
// A template is a program of whoever made the model: it may loop, recurse, or ask for all memory, at the start or for
// one conversation alone. In a child it can end nobody but itself: each rendering has a limit of time and a gigabyte,
// and a child that fails is replaced. Safe to use from many threads; at most four children run.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "isoveil/base/framed_child.h"
#include "isoveil/tokenizer/chat_template.h"

namespace isoveil {

inline constexpr char kTemplateWorkerCommand[] = "chat-template-worker";

class TemplateWorker {
 public:
  // Tries the template in a first child. kFormat if it is none that can be run, or if it does not end.
  static Result<std::unique_ptr<TemplateWorker>> Start(std::vector<std::string> command, TemplateSource source,
                                                       std::chrono::milliseconds limit);

  // kInvalidArgument as ChatTemplate::Render; also for a conversation on which the template fails or does not end.
  Result<RawPrompt> Render(const ChatRequest& request);

 private:
  TemplateWorker(std::vector<std::string> command, TemplateSource source, std::chrono::milliseconds limit);
  Result<FramedChild> NewChild();
  Result<FramedChild> Take();
  void GiveBack(std::optional<FramedChild> child);

  const std::vector<std::string> command_;
  const TemplateSource source_;
  const std::chrono::milliseconds limit_;  // of one rendering
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<FramedChild> idle_;
  int n_children_ = 0;
};

// The child's main.
void RunTemplateWorker();

}  // namespace isoveil
