// isoveil models: which networks can be encrypted.
#include "isoveil/apps/cli.h"
#include "isoveil/arch/family.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

ordered_json Describe(const Family& family) {
  ordered_json classes = ordered_json::array();
  for (const HfClass& hf_class : family.hf_classes) {
    classes.push_back(hf_class.name);
    for (const std::string_view alias : hf_class.aliases) classes.push_back(alias);
  }
  ordered_json formats = {"huggingface"};
  if (family.to_gguf != nullptr) formats.push_back("gguf");
  return {{"family", family.name}, {"classes", std::move(classes)}, {"formats", std::move(formats)}};
}

int Run(bool json) {
  ordered_json all = ordered_json::array();
  std::string text;
  for (const Family& family : Families()) {
    const ordered_json& described = all.emplace_back(Describe(family));
    std::string classes;
    for (const ordered_json& name : described.at("classes")) {
      classes += (classes.empty() ? "" : ", ") + name.get<std::string>();
    }
    text +=
        fmt::format("{:<12}{:<18}{}\n", family.name, family.to_gguf != nullptr ? "folder, GGUF" : "folder", classes);
  }
  return Print({{"families", std::move(all)}}, text, json);
}

}  // namespace

Command AddModels(CLI::App& parent) {
  CLI::App* app = parent.add_subcommand("models", "List the networks that can be encrypted");
  app->footer(
      "Each line is a family: its name, the formats that it is read and written in (a Hugging Face folder; a GGUF "
      "file),\n"
      "and the classes that config.json names under \"architectures\". What each was compared with stands in\n"
      "docs/models.md.");
  auto json = std::make_shared<bool>(false);
  AddJsonOption(*app, *json);
  return {app, [json] { return Run(*json); }};
}

}  // namespace isoveil
