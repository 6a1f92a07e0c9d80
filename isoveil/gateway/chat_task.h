// A conversation to an answer: template, ids, generation, parsing and checking. What chat completions and responses
// have in common, in values of its own.
//
//   ISOVEIL_ASSIGN_OR_RETURN(ChatTask task, MakeChatTask(service, std::move(request), options, check));
//   ISOVEIL_ASSIGN_OR_RETURN(Answer answer, RunChat(service, task, 0, [&](const AnswerPart& part) { ... return true;
//   }));
#pragma once

#include <functional>
#include <stop_token>

#include "isoveil/gateway/answer_check.h"
#include "isoveil/gateway/generator.h"
#include "isoveil/gateway/message_builder.h"
#include "isoveil/gateway/model_service.h"

namespace isoveil {

struct ChatTask {
  RenderedPrompt prompt;
  GenerationOptions options;
  AnswerCheck check;
  std::vector<PlainId> ids;
  std::vector<PlainId> kept;
};

// One step of a stream.
struct AnswerPart {
  MessageDelta delta;
  std::vector<PlainToken> tokens;
};
using PartCallback = std::function<bool(const AnswerPart&)>;

struct Answer {
  Json message;
  std::string finish_reason;       // stop, length, tool_calls
  std::string stop;                // the stop string that ended it, if one did
  Usage usage;                     // the tokens of all attempts, where an answer had to be asked for again
  uint64_t reasoning_tokens = 0;   // of the completion tokens
  std::vector<PlainToken> tokens;  // only where log probabilities were asked for
};

// Members of a chat request that the template needs: messages, tools, tool_choice, reasoning and template arguments.
Result<ChatRequest> ReadChatRequest(const Json& body, const RequestLimits& limits, AnswerCheck& check);

// The conversation as ids, however long: what counting needs. kUnsupported for a model without a chat template.
Result<ChatTask> RenderChat(const ModelService& service, ChatRequest request, AnswerCheck check);

// The same with what an answer needs; kInvalidArgument if the context cannot hold it.
Result<ChatTask> MakeChatTask(const ModelService& service, ChatRequest request, GenerationOptions options,
                              AnswerCheck check);

// Choice `index` of the answers. An answer that must be checked arrives as one part, after at most three attempts;
// kUnfulfilled if none is as required. One that max_tokens cut off is given as it is.
Result<Answer> RunChat(const ModelService& service, const ChatTask& task, int index, const PartCallback& on_part,
                       std::stop_token cancel = {});

}  // namespace isoveil
