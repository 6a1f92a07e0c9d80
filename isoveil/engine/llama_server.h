// How a stock llama-server writes requests and answers: `/completion` with ids both ways.
//
// Stop ids: llama-server has no stop by id. It stops by itself on the end ids of the checkpoint, and for
// any other id the caller ends the stream, which needs nothing of the server.
#pragma once

#include "isoveil/engine/dialect.h"

namespace isoveil {

std::unique_ptr<Dialect> LlamaServerDialect();

}  // namespace isoveil
