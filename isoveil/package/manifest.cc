#include "isoveil/package/manifest.h"

#include <nlohmann/json.hpp>

#include "isoveil/base/strict_json.h"
#include "isoveil/crypto/hash.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

constexpr uint64_t kVersion = 2;

// No space of a published network comes near it; it bounds what is drawn on the word of a file.
constexpr uint64_t kLargestSpace = uint64_t{1} << 24;

ordered_json FilesJson(const std::vector<FileHash>& files) {
  ordered_json list = ordered_json::array();
  for (const FileHash& file : files) {
    list.push_back({{"name", file.name}, {"bytes", file.bytes}, {"tree_hash", file.tree_hash}});
  }
  return list;
}

ordered_json FilesJson(const std::vector<SourceFile>& files) {
  ordered_json list = ordered_json::array();
  for (const SourceFile& file : files) list.push_back({{"name", file.name}, {"bytes", file.bytes}});
  return list;
}

ordered_json TensorsJson(const std::vector<TensorTreatment>& tensors) {
  ordered_json list = ordered_json::array();
  for (const TensorTreatment& t : tensors) {
    list.push_back({{"name", t.name}, {"type", t.type}, {"shape", t.shape}, {"treatment", t.treatment}});
  }
  return list;
}

// Throws unless it is a whole number: nlohmann would cut a fraction, or what is too large, to some integer.
uint64_t Whole(const ordered_json& value) { return value.get_ref<const uint64_t&>(); }

Shape ShapeOf(const ordered_json& list) {
  Shape shape;
  for (const auto& value : list) shape.push_back(Whole(value));
  return shape;
}

ordered_json DrawnJson(const std::vector<DrawnSpace>& drawn) {
  ordered_json list = ordered_json::array();
  for (const DrawnSpace& d : drawn) list.push_back({{"space", d.space}, {"dim", d.dim}, {"drawn", d.drawn}});
  return list;
}

ordered_json SpacesJson(const std::vector<SpaceRecord>& spaces) {
  ordered_json list = ordered_json::array();
  for (const SpaceRecord& s : spaces) {
    ordered_json space = {
        {"label", s.label}, {"dim", s.dim}, {"moves", s.group.MoveNames()}, {"granularity", s.group.granularity()}};
    for (const Partition& p : s.group.partitions()) {
      space["partitions"].push_back({{"ends", p.ends}, {"blocks_move", p.blocks == Partition::Blocks::kMove}});
    }
    list.push_back(std::move(space));
  }
  return list;
}

std::string_view LabelFunctionName(LabelFunction function) {
  switch (function) {
    case LabelFunction::kSoftmax: return "softmax";
    case LabelFunction::kSigmoid: return "sigmoid";
    case LabelFunction::kNone: return "none";
  }
  return "";
}

std::string_view HeadFunctionName(HeadFunction function) {
  switch (function) {
    case HeadFunction::kNone: return "none";
    case HeadFunction::kTanh: return "tanh";
    case HeadFunction::kRelu: return "relu";
    case HeadFunction::kGelu: return "gelu";
  }
  return "";
}

ordered_json PortsJson(const std::vector<Port>& ports) {
  ordered_json list = ordered_json::array();
  for (const Port& port : ports) {
    list.push_back({{"name", port.name}, {"kind", PortKindName(port.kind)}, {"space", port.space}});
    if (!port.names.empty()) list.back()["names"] = port.names;
    if (port.kind == PortKind::kLabels) list.back()["function"] = LabelFunctionName(port.function);
  }
  return list;
}

ordered_json HeadJson(const ClientHead& head) {
  ordered_json layers = ordered_json::array();
  for (const HeadLayer& layer : head.layers) {
    layers.push_back({{"role", layer.role}, {"function", HeadFunctionName(layer.function)}});
  }
  return {{"input", head.input}, {"layers", std::move(layers)}};
}

std::vector<FileHash> ReadFiles(const ordered_json& list) {
  std::vector<FileHash> files;
  for (const auto& file : list) {
    files.push_back(
        {file.at("name").get<std::string>(), Whole(file.at("bytes")), file.at("tree_hash").get<std::string>()});
  }
  return files;
}

// What must be one of a few, by name.
template <typename T>
Result<T> OneOf(const ordered_json& json, const char* field, std::initializer_list<T> known,
                std::string_view (*name)(T)) {
  const auto text = json.at(field).get<std::string>();
  for (const T value : known) {
    if (text == name(value)) return value;
  }
  return Fail(ErrorCode::kUnsupported, field, fmt::format("{} is unknown here", Quoted(text)),
              "use the version that wrote it");
}

Result<SpaceRecord> ReadSpace(const ordered_json& json) {
  SpaceRecord space{.label = json.at("label").get<std::string>(), .dim = Whole(json.at("dim"))};
  const std::string where = fmt::format("space {}", Quoted(space.label));
  if (space.dim == 0 || space.dim > kLargestSpace) {
    return Fail(ErrorCode::kFormat, where,
                fmt::format("expected a dimension of 1 to {}, found {}", kLargestSpace, space.dim));
  }
  const auto moves = json.at("moves").get<std::vector<std::string>>();
  const uint64_t granularity = Whole(json.at("granularity"));
  std::vector<Partition> partitions;
  for (const auto& p : json.value("partitions", ordered_json::array())) {
    const auto how = p.at("blocks_move").get<bool>() ? Partition::Blocks::kMove : Partition::Blocks::kStay;
    partitions.push_back({.ends = ShapeOf(p.at("ends")), .blocks = how});
    if (!partitions.back().Covers(space.dim)) {
      return Fail(ErrorCode::kFormat, where, fmt::format("has a partition whose ends do not ascend to {}", space.dim));
    }
  }
  const std::optional<Group> group = Group::FromMoveNames(moves, granularity, std::move(partitions));
  if (!group)
    return Fail(ErrorCode::kUnsupported, where, "is moved in a way that is unknown here",
                "use the version that wrote it");
  if (space.dim % granularity != 0) {
    return Fail(ErrorCode::kFormat, where,
                fmt::format("{} coordinates are no whole number of runs of {}", space.dim, granularity));
  }
  space.group = *group;
  return space;
}

Result<Ports> ReadPorts(const ordered_json& json) {
  Ports ports;
  for (const auto& entry : json.at("spaces")) {
    ISOVEIL_ASSIGN_OR_RETURN(SpaceRecord space, ReadSpace(entry));
    if (ports.FindSpace(space.label) != nullptr) {
      return Fail(ErrorCode::kFormat, fmt::format("space {}", Quoted(space.label)), "occurs twice");
    }
    ports.spaces.push_back(std::move(space));
  }
  for (const auto& entry : json.at("ports")) {
    Port port{.name = entry.at("name").get<std::string>(), .space = entry.at("space").get<std::string>()};
    ISOVEIL_ASSIGN_OR_RETURN(port.kind, OneOf(entry, "kind",
                                              {PortKind::kIds, PortKind::kSegments, PortKind::kLogits,
                                               PortKind::kVectors, PortKind::kLabels},
                                              &PortKindName));
    if (ports.FindSpace(port.space) == nullptr) {
      return Fail(ErrorCode::kFormat, fmt::format("port {}", Quoted(port.name)),
                  fmt::format("lies in a space {} that is not listed", Quoted(port.space)));
    }
    if (entry.contains("names")) port.names = entry.at("names").get<std::vector<std::string>>();
    if (!port.names.empty() && port.names.size() != ports.FindSpace(port.space)->dim) {
      return Fail(ErrorCode::kFormat, fmt::format("port {}", Quoted(port.name)),
                  fmt::format("expected {} names, found {}", ports.FindSpace(port.space)->dim, port.names.size()));
    }
    // The first manifests with labels do not say.
    if (entry.contains("function")) {
      ISOVEIL_ASSIGN_OR_RETURN(
          port.function,
          OneOf(entry, "function", {LabelFunction::kSoftmax, LabelFunction::kSigmoid, LabelFunction::kNone},
                &LabelFunctionName));
    }
    ports.list.push_back(std::move(port));
  }
  return ports;
}

Result<ClientHead> ReadHead(const ordered_json& json) {
  ClientHead head{.input = json.at("input").get<std::string>(), .layers = {}};
  for (const auto& entry : json.at("layers")) {
    HeadLayer layer{.role = entry.at("role").get<std::string>()};
    ISOVEIL_ASSIGN_OR_RETURN(
        layer.function,
        OneOf(entry, "function", {HeadFunction::kNone, HeadFunction::kTanh, HeadFunction::kRelu, HeadFunction::kGelu},
              &HeadFunctionName));
    head.layers.push_back(std::move(layer));
  }
  return head;
}

Result<Ports> ReadTextPorts(const ordered_json& json) {
  const uint64_t n_vocab = Whole(json.at("n_vocab"));
  if (n_vocab == 0 || n_vocab > kMaxVocabulary) return Fail(ErrorCode::kFormat, "n_vocab", "is out of range");
  return TextPorts(n_vocab);
}

Result<std::vector<PlainId>> ReadEnds(const ordered_json& list, uint64_t n_vocab) {
  std::vector<PlainId> ids;
  for (const auto& value : list) {
    if (Whole(value) >= n_vocab) {
      return Fail(ErrorCode::kFormat, "end_of_generation",
                  fmt::format("expected ids below {}, found {}", n_vocab, Whole(value)));
    }
    ids.push_back(static_cast<PlainId>(Whole(value)));
  }
  return ids;
}

// Throws what nlohmann throws on a missing or mistyped field; Parse turns it into an Error.
Result<Manifest> FromJson(const ordered_json& json, uint64_t version) {
  Manifest manifest;
  manifest.key_id = json.at("key_id").get<std::string>();
  ISOVEIL_ASSIGN_OR_RETURN(manifest.profile,
                           OneOf(json, "profile", {Profile::kExact, Profile::kRotated}, &ProfileName));
  manifest.architecture = json.at("architecture").get<std::string>();
  ISOVEIL_ASSIGN_OR_RETURN(manifest.target,
                           OneOf(json, "format", {FormatKind::kGguf, FormatKind::kHuggingFace}, &FormatName));
  ISOVEIL_ASSIGN_OR_RETURN(manifest.ports, version == 1 ? ReadTextPorts(json) : ReadPorts(json));
  if (json.contains("head")) {
    ISOVEIL_ASSIGN_OR_RETURN(manifest.head, ReadHead(json.at("head")));
  }
  ISOVEIL_ASSIGN_OR_RETURN(manifest.end_of_generation, ReadEnds(json.at("end_of_generation"), manifest.n_vocab()));
  for (const auto& file : json.at("source_files")) {
    manifest.source_files.push_back({file.at("name").get<std::string>(), Whole(file.at("bytes"))});
  }
  manifest.server_files = ReadFiles(json.at("server_files"));
  for (const auto& t : json.at("tensors")) {
    manifest.tensors.push_back({t.at("name").get<std::string>(), t.at("type").get<std::string>(),
                                ShapeOf(t.at("shape")), t.at("treatment").get<std::vector<std::string>>()});
  }
  for (const auto& [name, why] : json.at("dropped_tensors").items()) {
    manifest.dropped_tensors.emplace_back(name, why.get<std::string>());
  }
  manifest.dropped_fields = json.at("dropped_fields").get<std::vector<std::string>>();
  for (const auto& d : json.value("drawn", ordered_json::array())) {
    manifest.drawn.push_back({d.at("space").get<std::string>(), Whole(d.at("dim")), d.at("drawn").get<std::string>()});
  }
  manifest.warnings = json.value("warnings", std::vector<std::string>());
  return manifest;
}

tl::unexpected<Error> Within(const std::string& name, Error error) {
  error.where = fmt::format("{}: {}", name, error.where);
  if (error.hint.empty()) error.hint = "encrypt the model again";
  return tl::unexpected(std::move(error));
}

}  // namespace

std::string_view ProfileName(Profile profile) { return profile == Profile::kExact ? "exact" : "rotated"; }

std::string_view FormatName(FormatKind format) { return format == FormatKind::kGguf ? "gguf" : "huggingface"; }

std::string_view PortKindName(PortKind kind) {
  switch (kind) {
    case PortKind::kIds: return "ids";
    case PortKind::kSegments: return "segments";
    case PortKind::kLogits: return "logits";
    case PortKind::kVectors: return "vectors";
    case PortKind::kLabels: return "labels";
  }
  return "";
}

Ports TextPorts(uint64_t n_vocab) {
  return {.spaces = {{"vocab", n_vocab, Group::Permutation()}},
          .list = {{"input_ids", PortKind::kIds, "vocab"}, {"logits", PortKind::kLogits, "vocab"}}};
}

uint64_t Manifest::n_vocab() const {
  const SpaceRecord* ids = ports.SpaceOf(PortKind::kIds);
  return ids == nullptr ? 0 : ids->dim;
}

std::string Manifest::ToJson() const {
  ordered_json dropped = ordered_json::object();
  for (const auto& [name, why] : dropped_tensors) dropped[name] = why;
  ordered_json json = {
      {"isoveil_manifest", kVersion},
      {"key_id", key_id},
      {"model_identity", Hex(model_identity)},
      {"profile", ProfileName(profile)},
      {"drawn", DrawnJson(drawn)},
      {"warnings", warnings},
      {"architecture", architecture},
      {"format", FormatName(target)},
      {"spaces", SpacesJson(ports.spaces)},
      {"ports", PortsJson(ports.list)},
      {"end_of_generation", end_of_generation},
      {"hash", "SHA-256 over the SHA-256 of each 16 MiB chunk"},
      {"source_files", FilesJson(source_files)},
      {"server_files", FilesJson(server_files)},
      {"tensors", TensorsJson(tensors)},
      {"dropped_tensors", std::move(dropped)},
      {"dropped_fields", dropped_fields},
  };
  if (head) json["head"] = HeadJson(*head);
  return json.dump(2) + "\n";
}

Result<Manifest> Manifest::Read(const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
  return Parse(text, path.string());
}

Result<Manifest> Manifest::Parse(std::string_view text, const std::string& name) {
  const auto malformed = [&](std::string problem) {
    return Fail(ErrorCode::kFormat, name, std::move(problem), "encrypt the model again");
  };
  try {
    ISOVEIL_ASSIGN_OR_RETURN(const ordered_json json, ParseStrictJson(text, name));
    if (!json.is_object() || !json.contains("isoveil_manifest")) return malformed("is no manifest of Isoveil");
    const uint64_t version = Whole(json.at("isoveil_manifest"));
    if (version != 1 && version != kVersion) {
      return Fail(ErrorCode::kUnsupported, name, fmt::format("expected version 1 or {}, found {}", kVersion, version),
                  "use the version that wrote it");
    }
    auto manifest = FromJson(json, version);
    if (!manifest) return Within(name, std::move(manifest).error());
    ISOVEIL_ASSIGN_OR_RETURN(manifest->model_identity,
                             ParseModelIdentity(json.at("model_identity").get<std::string>(), name));
    return manifest;
  } catch (const ordered_json::exception& error) {
    // Only the kind of error: the exception's text may quote the file.
    return malformed(fmt::format("is malformed (JSON error {})", error.id));
  }
}

}  // namespace isoveil
