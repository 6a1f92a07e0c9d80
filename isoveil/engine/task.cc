#include "isoveil/engine/task.h"

#include "isoveil/engine/generate.h"
#include "isoveil/engine/score.h"
#include "isoveil/engine/vectors.h"

namespace isoveil {

std::span<const TaskRow> TaskTable() {
  static constexpr TaskRow kTasks[] = {
      {TaskKind::kGenerate, "generate", &ProbeGenerate},
      {TaskKind::kScore, "score", &ProbeScore},
      {TaskKind::kEmbed, "embed", &ProbeEmbed},
      {TaskKind::kClassify, "classify", &ProbeClassify},
  };
  return kTasks;
}

std::string_view TaskName(TaskKind kind) {
  for (const TaskRow& row : TaskTable()) {
    if (row.kind == kind) return row.name;
  }
  return "unknown";
}

}  // namespace isoveil
