// A child process that answers questions, for work on foreign input that may crash, hang or eat memory.
//
//   ISOVEIL_ASSIGN_OR_RETURN(FramedChild child, FramedChild::Start({"/proc/self/exe", "worker"}));
//   const auto answer = child.Ask(question, 10s, 1 << 20);      // kUnavailable: it died, or took too long
//
//   ServeFrames({.memory_bytes = 1 << 30}, [](const std::string& question) { return Answer(question); });  // its main
//
// Each question and each answer travels as its length and its bytes. The child sees none of this process's open
// files, gets no core dump, and ends when its parent is gone. One thread may use a child at a time.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "isoveil/base/result.h"

namespace isoveil {

class FramedChild {
 public:
  // The program, then its arguments. kIo if it cannot be started.
  static Result<FramedChild> Start(const std::vector<std::string>& command);
  FramedChild(FramedChild&& other) noexcept;
  FramedChild& operator=(FramedChild&& other) noexcept;
  ~FramedChild();  // kills it

  // kUnavailable if it dies, answers with more than `max_answer` bytes or not within `limit`: then it is dead.
  Result<std::string> Ask(std::string_view question, std::chrono::milliseconds limit, size_t max_answer);

 private:
  FramedChild(int pid, int socket) : pid_(pid), socket_(socket) {}
  void Kill();

  int pid_ = -1;
  int socket_ = -1;
};

struct ChildLimits {
  size_t memory_bytes = size_t{1} << 30;  // of address space beyond what is mapped at the start
  int cpu_seconds = 30;                   // for one question
};

// The child's side: standard input carries the questions. Returns when the parent is gone.
void ServeFrames(const ChildLimits& limits, const std::function<std::string(const std::string&)>& answer);

}  // namespace isoveil
