#include "isoveil/transform/encrypt.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <numeric>

#include "isoveil/base/mapping_guard.h"
#include "isoveil/base/parallel.h"
#include "isoveil/crypto/hash.h"
#include "isoveil/format/lora_extras.h"
#include "isoveil/package/manifest.h"
#include "isoveil/transform/axis_actions.h"
#include "isoveil/transform/identity.h"
#include "isoveil/transform/label_head_file.h"
#include "isoveil/transform/source_texts.h"
#include "isoveil/transform/target.h"
#include "isoveil/transform/write_shards.h"

namespace isoveil {
namespace {

BindOptions BindOptionsOf(const EncryptOptions& options, const Target& target) {
  return {.profile = options.profile,
          .requantize = options.requantize,
          .powers_of_two = options.powers_of_two,
          .heads_stay = !target.HasEncoderHeads()};
}

Status CheckOptions(const EncryptOptions& options) {
  if (options.requantize && options.profile == Profile::kExact) {
    return Fail(ErrorCode::kInvalidArgument, "requantize", "profile exact keeps every block's bits",
                "use it with profile rotated, or leave it out");
  }
  return Ok();
}

// Everything that Encrypt knows before it writes.
struct Prepared {
  ModelIdentity identity;
  ModelKey key;
  ServerFiles server;
  std::vector<PlainId> stops;
};

Result<Prepared> Prepare(const PlannedEncryption& planned, const RootKey& root, const GgufMetadata& base) {
  ISOVEIL_ASSIGN_OR_RETURN(const ModelIdentity identity, IdentifyModel(planned.checkpoint));
  ModelKey key(root, identity);
  ISOVEIL_ASSIGN_OR_RETURN(const Vocabulary vocabulary, Vocabulary::FromMetadata(planned.vocabulary, "tokenizer"));
  const Ports ports = planned.model.graph.ports();
  ISOVEIL_ASSIGN_OR_RETURN(const VocabCipher cipher, VocabCipher::Derive(key, *ports.SpaceOf(PortKind::kIds)));
  ISOVEIL_ASSIGN_OR_RETURN(ServerFiles server, planned.plan.target->Describe(planned.model, planned.checkpoint,
                                                                             planned.plan, base, cipher, vocabulary));
  return Prepared{identity, std::move(key), std::move(server), vocabulary.special_ids().end_of_generation};
}

// A file of the stage, written again whatever an interrupted run left there.
Status WriteStaged(const Path& path, std::string_view text) {
  ::unlink(path.c_str());
  return WriteNewFile(path, text);
}

Status MakeFolder(const Path& path) {
  std::error_code error;
  std::filesystem::create_directory(path, error);
  if (error) return Fail(ErrorCode::kIo, path.string(), error.message());
  return Ok();
}

Status WriteVocabulary(const Path& path, const GgufMetadata& vocabulary, std::string_view architecture) {
  GgufMetadata metadata;
  metadata.Set("general.architecture", std::string(architecture));
  for (const auto& [key, value] : vocabulary) metadata.Set(key, value);
  ISOVEIL_ASSIGN_OR_RETURN(const FileLayout layout, LayOutGguf(metadata, {}));
  return WriteStaged(path, layout.header);
}

// A source that is written to while it is read, its weights or its texts, would give a mix of two models.
class SourceWatch {
 public:
  static Result<SourceWatch> Begin(const Checkpoint& checkpoint) {
    SourceWatch watch;
    std::vector<Path> files = checkpoint.weight_files();
    if (checkpoint.hf() != nullptr) {
      const std::vector<Path> texts = checkpoint.hf()->text_files();
      files.insert(files.end(), texts.begin(), texts.end());
    }
    for (const Path& path : files) {
      ISOVEIL_ASSIGN_OR_RETURN(const FileState state, StateOf(path));
      watch.states_.emplace_back(path, state);
    }
    return watch;
  }
  Status Check() const {
    ISOVEIL_RETURN_IF_ERROR(CheckMappings());
    for (const auto& [path, before] : states_) {
      ISOVEIL_ASSIGN_OR_RETURN(const FileState now, StateOf(path));
      if (now == before) continue;
      return Fail(ErrorCode::kMismatch, path.string(), "was changed while it was encrypted",
                  "repeat the command: what is done of an unchanged tensor is kept");
    }
    return Ok();
  }

 private:
  std::vector<std::pair<Path, FileState>> states_;
};

Result<std::vector<SourceFile>> ListSource(const Checkpoint& checkpoint) {
  std::vector<SourceFile> files;
  for (const Path& path : checkpoint.weight_files()) {
    ISOVEIL_ASSIGN_OR_RETURN(const uint64_t size, FileSize(path));
    files.push_back({path.filename().string(), size});
  }
  return files;
}

// Reads every written shard back while the disk takes it: its structure through the reader that users'
// engines resemble most, its bytes through the hash that the manifest records.
Result<std::vector<FileHash>> SyncAndReadBack(const Path& server, const Plan& plan, const std::vector<TextFile>& texts,
                                              unsigned threads) {
  std::vector<FileHash> hashes;
  const auto note = [&](const std::string& name) -> Status {
    ISOVEIL_ASSIGN_OR_RETURN(std::string hash, TreeHash(server / name, threads));
    ISOVEIL_ASSIGN_OR_RETURN(const uint64_t size, FileSize(server / name));
    hashes.push_back({name, size, std::move(hash)});
    return Ok();
  };
  std::future<Status> synced = std::async(std::launch::async, SyncShards, std::cref(plan), std::cref(server));
  for (const ShardPlan& shard : plan.shards) {
    ISOVEIL_RETURN_IF_ERROR(CheckShard(server / shard.file, *plan.target, shard.Infos()));
    ISOVEIL_RETURN_IF_ERROR(note(shard.file));
  }
  for (const TextFile& text : texts) ISOVEIL_RETURN_IF_ERROR(note(text.name));
  ISOVEIL_RETURN_IF_ERROR(synced.get());
  return hashes;
}

template <typename File>
uint64_t SumSizes(const std::vector<File>& files) {
  return std::accumulate(files.begin(), files.end(), uint64_t{0},
                         [](uint64_t sum, const File& file) { return sum + file.bytes; });
}

// Also of a checkpoint without a tokenizer, or an encrypted one.
Result<std::unique_ptr<PlannedEncryption>> PlanWeights(const Path& source, const EncryptOptions& options) {
  ISOVEIL_RETURN_IF_ERROR(CheckOptions(options));
  ISOVEIL_ASSIGN_OR_RETURN(Checkpoint checkpoint, Checkpoint::Open(source, options.lora));
  const Target& target = TargetOf(options.target.value_or(checkpoint.kind()));
  ISOVEIL_ASSIGN_OR_RETURN(BoundModel model, Bind(checkpoint, BindOptionsOf(options, target)));
  std::unique_ptr<PlannedEncryption> planned(
      new PlannedEncryption{std::move(checkpoint), std::move(model), {}, {}, {}, {}, {}});
  ISOVEIL_ASSIGN_OR_RETURN(planned->header, target.Header(planned->model, planned->checkpoint));
  ISOVEIL_ASSIGN_OR_RETURN(planned->plan,
                           MakePlan(planned->model, planned->checkpoint, target, planned->header.derived));
  planned->dropped_fields = target.DroppedFields(planned->model, planned->checkpoint);
  planned->warnings = WarnOfDrawn(planned->model);
  if (planned->checkpoint.hf() != nullptr && planned->model.graph.ports().FindPort(PortKind::kVectors) != nullptr) {
    const auto left_out = planned->checkpoint.hf()->sentence().Warnings();
    planned->warnings.insert(planned->warnings.end(), left_out.begin(), left_out.end());
  }
  if (const LoraAdapter* lora = planned->checkpoint.lora()) {
    const auto extras = WarnOfLoraExtras(lora->path(), planned->checkpoint.hf()->path());
    planned->warnings.insert(planned->warnings.end(), extras.begin(), extras.end());
  }
  return planned;
}

}  // namespace

Result<GgufMetadata> ReadUsableVocabulary(const Checkpoint& checkpoint, uint64_t n_vocab) {
  ISOVEIL_ASSIGN_OR_RETURN(GgufMetadata metadata, ReadVocabulary(checkpoint, n_vocab));
  ISOVEIL_ASSIGN_OR_RETURN(const Vocabulary vocabulary, Vocabulary::FromMetadata(metadata, "tokenizer"));
  if (vocabulary.n_tokens() == n_vocab) return metadata;
  return Fail(
      ErrorCode::kMismatch, "tokenizer",
      fmt::format("expected {} tokens, one for each row of the embedding, found {}", n_vocab, vocabulary.n_tokens()));
}

Result<std::unique_ptr<const PlannedEncryption>> PlanEncryption(const Path& source, const EncryptOptions& options) {
  ISOVEIL_ASSIGN_OR_RETURN(std::unique_ptr<PlannedEncryption> planned, PlanWeights(source, options));
  if (HasPlaceholderVocabulary(planned->checkpoint)) {
    return Fail(ErrorCode::kInvalidArgument, source.string(),
                "is encrypted already: its vocabulary holds placeholders instead of text",
                "name the plaintext checkpoint that it was made from");
  }
  ISOVEIL_ASSIGN_OR_RETURN(planned->vocabulary, ReadUsableVocabulary(planned->checkpoint, planned->model.n_vocab));
  return std::unique_ptr<const PlannedEncryption>(std::move(planned));
}

Result<ServerFiles> DescribeEncryption(const PlannedEncryption& planned, const RootKey& root) {
  ISOVEIL_ASSIGN_OR_RETURN(Prepared prepared, Prepare(planned, root, planned.header.metadata));
  return std::move(prepared.server);
}

Result<EncryptReport> Encrypt(const Path& source, const RootKey& root, const Path& out, const EncryptOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  ISOVEIL_ASSIGN_OR_RETURN(const auto planned, PlanEncryption(source, options));
  ISOVEIL_ASSIGN_OR_RETURN(const SourceWatch watch, SourceWatch::Begin(planned->checkpoint));
  const BoundModel& model = planned->model;
  const Plan& plan = planned->plan;
  ISOVEIL_ASSIGN_OR_RETURN(const Prepared prepared, Prepare(*planned, root, planned->header.metadata));
  ISOVEIL_ASSIGN_OR_RETURN(std::vector<TextFile> client_texts, ClientTexts(planned->checkpoint));
  if (model.client_head) {
    ISOVEIL_ASSIGN_OR_RETURN(std::string head, LabelHeadFile(model));
    client_texts.push_back({kHeadFile, std::move(head)});
  }

  ISOVEIL_ASSIGN_OR_RETURN(Stage stage, Stage::Open(out, Stage::Mode::kResume));
  const Path server = stage.path() / "server";
  const Path client = stage.path() / "client";
  ISOVEIL_RETURN_IF_ERROR(MakeFolder(server));
  ISOVEIL_RETURN_IF_ERROR(MakeFolder(client));

  const KeyActions drawn(prepared.key);
  const AxisActions actions(model.graph, drawn, DialectOf(*model.family, model.format).pairing,
                            DialectOf(*model.family, plan.target->kind()).pairing);
  const WriteOptions write{.threads = options.threads,
                           .memory = options.memory,
                           .source = &planned->checkpoint,
                           .progress = options.progress,
                           .cancel = options.cancel};
  const std::string fingerprint = PlanFingerprint(plan, root.key_id(), prepared.identity);
  ISOVEIL_ASSIGN_OR_RETURN(const WriteReport written, WriteShards(plan, prepared.server.gguf, actions, server,
                                                                  {stage.path() / "journal", fingerprint}, write));

  for (const TextFile& file : prepared.server.texts) {
    ISOVEIL_RETURN_IF_ERROR(MakeFolder((server / file.name).parent_path()));
    ISOVEIL_RETURN_IF_ERROR(WriteStaged(server / file.name, file.text));
  }
  for (const TextFile& file : client_texts) ISOVEIL_RETURN_IF_ERROR(WriteStaged(client / file.name, file.text));
  ISOVEIL_RETURN_IF_ERROR(WriteVocabulary(client / kVocabularyFile, planned->vocabulary, model.family->name));

  Manifest manifest;
  manifest.key_id = root.key_id();
  manifest.model_identity = prepared.identity;
  manifest.profile = options.profile;
  manifest.drawn = DescribeDrawn(model.graph);
  manifest.warnings = planned->warnings;
  manifest.architecture = model.family->name;
  manifest.target = plan.target->kind();
  manifest.ports = model.graph.ports();
  manifest.head = model.client_head;
  manifest.end_of_generation = prepared.stops;
  ISOVEIL_ASSIGN_OR_RETURN(manifest.source_files, ListSource(planned->checkpoint));
  ISOVEIL_ASSIGN_OR_RETURN(manifest.server_files,
                           SyncAndReadBack(server, plan, prepared.server.texts, options.threads));
  manifest.tensors = DescribeTensors(plan);
  manifest.dropped_tensors = plan.dropped;
  manifest.dropped_fields = planned->dropped_fields;
  ISOVEIL_RETURN_IF_ERROR(WriteStaged(client / kManifestFile, manifest.ToJson()));

  if (options.accept && plan.target->RunsOnLlamaCpp()) {
    ISOVEIL_RETURN_IF_ERROR(options.accept(server / plan.shards.front().file));
  }
  ISOVEIL_RETURN_IF_ERROR(watch.Check());
  ::unlink((stage.path() / "journal").c_str());
  ISOVEIL_RETURN_IF_ERROR(stage.Publish());

  EncryptReport report;
  report.architecture = manifest.architecture;
  report.key_id = manifest.key_id;
  report.profile = options.profile;
  report.target = plan.target->kind();
  report.n_vocab = manifest.n_vocab();
  report.tensors = written.tensors;
  report.resumed_tensors = written.resumed;
  report.drawn = manifest.drawn;
  report.warnings = manifest.warnings;
  report.bytes_in = SumSizes(manifest.source_files);
  report.bytes_out = SumSizes(manifest.server_files);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

Status ConvertToGguf(const Path& source, const Path& out, const ConvertOptions& options) {
  EncryptOptions encrypt;
  encrypt.target = FormatKind::kGguf;
  encrypt.lora = options.lora;
  ISOVEIL_ASSIGN_OR_RETURN(const auto planned, PlanWeights(source, encrypt));
  const BoundModel& model = planned->model;
  Plan plan = planned->plan;
  if (options.widen) {
    ISOVEIL_ASSIGN_OR_RETURN(plan, Widened(std::move(plan)));
  }
  GgufMetadata metadata = planned->header.metadata;
  if (options.placeholder) {
    ISOVEIL_ASSIGN_OR_RETURN(const PlaceholderVocabulary placeholder, PlaceholderVocabulary::Make(model.n_vocab, {}));
    ISOVEIL_RETURN_IF_ERROR(placeholder.AddTo(metadata));
  } else {
    ISOVEIL_ASSIGN_OR_RETURN(const GgufMetadata vocabulary, ReadVocabulary(planned->checkpoint, model.n_vocab));
    for (const auto& [key, value] : vocabulary) metadata.Set(key, value);
  }
  const IdentityActions unmoved;
  const AxisActions unchanged(model.graph, unmoved, DialectOf(*model.family, model.format).pairing,
                              DialectOf(*model.family, plan.target->kind()).pairing);
  ISOVEIL_ASSIGN_OR_RETURN(Stage stage, Stage::Open(out, Stage::Mode::kFresh));
  const auto write = [&]() -> Status {
    const WriteOptions how{.threads = options.threads, .source = &planned->checkpoint};
    const JournalPlace journal{stage.path() / "journal", "conversion"};
    ISOVEIL_RETURN_IF_ERROR(WriteShards(plan, metadata, unchanged, stage.path(), journal, how));
    return SyncShards(plan, stage.path());
  };
  if (Status written = write(); !written) {
    ISOVEIL_RETURN_IF_ERROR(stage.Discard());
    return written;
  }
  ::unlink((stage.path() / "journal").c_str());
  return stage.Publish();
}

}  // namespace isoveil
