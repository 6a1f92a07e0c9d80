// Which files of a repository a model is made of.
//
//   ISOVEIL_ASSIGN_OR_RETURN(FileChoice choice, ChooseFiles(files, {"*Q4_K_M*"}));
//
// Weights are, in this order: what a pattern names; model.safetensors; model-0000N-of-0000M.safetensors and
// their index; every *.safetensors at the top; the only GGUF model. With them come, from the top, the
// tokenizer, configuration, chat template, card and licence. Pickles (*.bin, *.pt, *.ckpt, ...) are never
// chosen: they are programs that run when they are read.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "isoveil/hub/repo.h"

namespace isoveil {

struct FileChoice {
  std::vector<HubFile> files;  // in the order of their paths
  uint64_t bytes = 0;
};

// `include` holds shell patterns (* ? [...]; '*' also matches '/') over whole paths. kInvalidArgument if a
// pattern matches nothing or if there are several models, which the error lists; kUnsupported if there are
// weights only as pickles; kNotFound if there are none; kFormat for a path that CheckFilePath refuses or that
// comes twice, chosen or not. Only a backslash is let pass in what is not chosen: careless uploads have them.
Result<FileChoice> ChooseFiles(std::span<const HubFile> files, const std::vector<std::string>& include);

}  // namespace isoveil
