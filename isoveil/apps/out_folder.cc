#include "isoveil/apps/out_folder.h"

#include <optional>

#include "isoveil/package/manifest.h"

namespace isoveil {
namespace {

struct Found {
  OutPart part;
  Path out;
};

bool IsOut(const Path& folder) { return FileExists(folder / "client" / kManifestFile); }

std::optional<Found> Recognise(Path folder) {
  if (!folder.has_filename()) folder = folder.parent_path();  // "out/client/"
  const Path parent = folder.has_parent_path() ? folder.parent_path() : Path(".");
  if (IsOut(folder)) return Found{OutPart::kWhole, folder};
  if (!IsOut(parent)) return std::nullopt;
  if (folder.filename() == "client") return Found{OutPart::kClient, parent};
  if (folder.filename() == "server") return Found{OutPart::kServer, parent};
  return std::nullopt;
}

std::string Describe(OutPart part) {
  switch (part) {
    case OutPart::kClient: return "the client's part of an encrypted model";
    case OutPart::kServer: return "the server's part of an encrypted model";
    case OutPart::kWhole: break;
  }
  return "the whole folder that `isoveil encrypt` wrote";
}

Path In(const Path& out, OutPart part) {
  switch (part) {
    case OutPart::kClient: return out / "client";
    case OutPart::kServer: return out / "server";
    case OutPart::kWhole: break;
  }
  return out;
}

}  // namespace

Status ExpectPart(const Path& folder, OutPart wanted) {
  const std::optional<Found> found = Recognise(folder);
  if (!found || found->part == wanted) return Ok();
  return Fail(ErrorCode::kNotFound, folder.string(),
              fmt::format("is {}, and {} is needed here", Describe(found->part), Describe(wanted)),
              "name " + In(found->out, wanted).string());
}

}  // namespace isoveil
