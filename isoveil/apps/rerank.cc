// isoveil rerank: the documents that answer a query best, through a blind server.
#include <algorithm>

#include "isoveil/apps/encoder_run.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

struct Options {
  EncoderFlags encoder;
  std::string query;
  size_t top_n = 0;  // 0 for all
};

struct Ranked {
  size_t index = 0;
  double score = 0;
  std::string document;
};

Result<std::vector<Ranked>> Rank(const Options& options) {
  ISOVEIL_ASSIGN_OR_RETURN(const auto documents, ReadTexts(options.encoder));
  ISOVEIL_ASSIGN_OR_RETURN(const auto run, EncoderRun::Open(options.encoder, PortKind::kLabels));
  ISOVEIL_RETURN_IF_ERROR(run->encoder().ExpectReranker());
  std::vector<std::vector<PlainId>> pairs;
  for (const std::string& document : documents) {
    ISOVEIL_ASSIGN_OR_RETURN(std::vector<PlainId> ids,
                             run->encoder().Pair(options.query, document, {.add_special = true}));
    pairs.push_back(std::move(ids));
  }
  ISOVEIL_ASSIGN_OR_RETURN(const PlainVectors numbers, run->Each(pairs, &EncoderClient::Label));
  std::vector<Ranked> ranked;
  for (size_t i = 0; i < documents.size(); ++i) {
    ranked.push_back({i, Scores(run->encoder().labels()->function, numbers[i]).front(), documents[i]});
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) { return a.score > b.score; });
  if (options.top_n != 0 && options.top_n < ranked.size()) ranked.resize(options.top_n);
  return ranked;
}

int Run(const Options& options) {
  const Result<std::vector<Ranked>> ranked = Rank(options);
  if (!ranked) return Report(ranked.error(), options.encoder.json);
  std::string lines;
  ordered_json list = ordered_json::array();
  for (const Ranked& one : *ranked) {
    lines += fmt::format("{:.4f}  {}\n", one.score, one.document);
    list.push_back({{"index", one.index}, {"relevance_score", one.score}, {"document", one.document}});
  }
  return Print({{"results", std::move(list)}}, lines, options.encoder.json);
}

}  // namespace

Command AddRerank(CLI::App& parent) {
  CLI::App* app = parent.add_subcommand("rerank", "Sort documents by a query through a blind server");
  app->footer(
      "Documents with their scores, the best first, as the plaintext reranker gives them, from a server that\n"
      "sees encrypted ids of query and documents.\n\n"
      "  isoveil rerank out/client -k my.key --query \"opening hours\" \"We open at nine.\" \"A red ball.\"\n"
      "  isoveil rerank out/client -k my.key --query \"opening hours\" -n 3 < paragraphs.txt");
  auto options = std::make_shared<Options>();
  AddEncoderFlags(*app, options->encoder, "DOCUMENT", "The documents");
  app->add_option("-q,--query", options->query, "What the documents are to answer")->required();
  app->add_option("-n,--top-n", options->top_n, "Most documents to print; 0 prints all")->capture_default_str();
  return {app, [options] { return Run(*options); }};
}

}  // namespace isoveil
