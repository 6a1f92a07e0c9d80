// isoveil classify: labels of texts, through a blind server.
#include <algorithm>

#include "isoveil/apps/encoder_run.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

struct Labelled {
  std::string text;
  std::vector<std::pair<std::string, double>> scores;  // the best first
};

Result<std::vector<Labelled>> LabelTexts(const EncoderFlags& flags) {
  ISOVEIL_ASSIGN_OR_RETURN(const auto texts, ReadTexts(flags));
  ISOVEIL_ASSIGN_OR_RETURN(const auto run, EncoderRun::Open(flags, PortKind::kLabels));
  ISOVEIL_ASSIGN_OR_RETURN(const auto inputs, run->Tokenize(texts));
  ISOVEIL_ASSIGN_OR_RETURN(const PlainVectors numbers, run->Each(inputs, &EncoderClient::Label));
  std::vector<Labelled> labelled;
  for (size_t i = 0; i < texts.size(); ++i) {
    Labelled one{.text = texts[i], .scores = {}};
    const std::vector<double> scores = Scores(run->encoder().labels()->function, numbers[i]);
    for (size_t label = 0; label < scores.size(); ++label) {
      one.scores.emplace_back(run->encoder().LabelName(label), scores[label]);
    }
    std::stable_sort(one.scores.begin(), one.scores.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    labelled.push_back(std::move(one));
  }
  return labelled;
}

int Run(const EncoderFlags& flags) {
  const Result<std::vector<Labelled>> labelled = LabelTexts(flags);
  if (!labelled) return Report(labelled.error(), flags.json);
  std::string lines;
  ordered_json list = ordered_json::array();
  for (const Labelled& one : *labelled) {
    lines += fmt::format("{:.4f}  {}\t{}\n", one.scores.front().second, one.scores.front().first, one.text);
    ordered_json scores = ordered_json::object();
    for (const auto& [name, score] : one.scores) scores[name] = score;
    list.push_back({{"text", one.text}, {"label", one.scores.front().first}, {"scores", std::move(scores)}});
  }
  return Print({{"results", std::move(list)}}, lines, flags.json);
}

}  // namespace

Command AddClassify(CLI::App& parent) {
  CLI::App* app = parent.add_subcommand("classify", "Label texts through a blind server");
  app->footer(
      "The best label of each text and its score, as the plaintext classifier gives them. The server sees\n"
      "encrypted ids; its labels have no names and a secret order, or do not exist there at all.\n\n"
      "  isoveil classify out/client -k my.key \"what a lovely day\"\n"
      "  isoveil classify out/client -k my.key --json < reviews.txt");
  auto flags = std::make_shared<EncoderFlags>();
  AddEncoderFlags(*app, *flags, "TEXT", "The texts");
  return {app, [flags] { return Run(*flags); }};
}

}  // namespace isoveil
