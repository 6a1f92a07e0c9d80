// Whether a server's folder is what encryption wrote.
//
//   ISOVEIL_RETURN_IF_ERROR(CheckServerFiles("out/server", manifest));
//   ISOVEIL_RETURN_IF_ERROR(CheckServerDescription("out/server", planned, root));
//
// The first compares bytes with the hashes that encryption noted, and finds what happened to the folder since. The
// second says again, from the source and the key, what the server is told beside the weights, and finds what was noted
// wrong too: ids that end an answer, context, epsilons, the base of RoPE.
#pragma once

#include "isoveil/base/file.h"
#include "isoveil/key/key_file.h"
#include "isoveil/package/manifest.h"
#include "isoveil/transform/encrypt.h"

namespace isoveil {

// kMismatch names the first file that is missing, has changed or was added. Files whose name begins with a dot may be
// there.
Status CheckServerFiles(const Path& server, const Manifest& manifest);

// kMismatch names the file and the field, what was expected and what was found.
Status CheckServerDescription(const Path& server, const PlannedEncryption& planned, const RootKey& root);

}  // namespace isoveil
