#include "isoveil/format/hf_foreign.h"

#include <array>

#include "isoveil/base/folder.h"
#include "isoveil/base/strict_json.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

constexpr uint64_t kMaxJson = 16 << 20;

struct Method {
  std::string_view field;  // quantization_config.quant_method
  std::string_view name;
  // How its weights become plain ones, if llama.cpp's converter cannot: transformers' words.
  std::string_view convert;
};

constexpr std::string_view kWithConverter =
    "convert it to plain weights: python convert_hf_to_gguf.py FOLDER --outtype bf16 --outfile model.gguf "
    "(of "
    "llama.cpp), and encrypt model.gguf; better start from the unquantised checkpoint";
constexpr std::string_view kWithTransformers =
    "start from the unquantised checkpoint, or write plain weights with transformers: model = "
    "AutoModelForCausalLM.from_pretrained(FOLDER); model.dequantize().save_pretrained(OUT)";
constexpr std::string_view kFromTheStart = "start from the unquantised checkpoint";

constexpr std::array kMethods = {
    Method{"gptq", "GPTQ", kWithConverter},
    Method{"awq", "AWQ", kFromTheStart},
    Method{"bitsandbytes", "bitsandbytes", kWithTransformers},
    Method{"fbgemm_fp8", "FP8 (fbgemm)", kFromTheStart},
    Method{"compressed-tensors", "compressed-tensors", kWithConverter},
    Method{"modelopt", "ModelOpt", kWithConverter},
    Method{"mxfp4", "MXFP4", kWithConverter},
};

tl::unexpected<Error> Refused(const Path& file, std::string_view name, std::string_view convert) {
  return Fail(ErrorCode::kUnsupported, file.string(),
              fmt::format("the weights are quantised with {}, whose packing has no rule here", name),
              std::string(convert));
}

tl::unexpected<Error> RefusedMethod(const Path& file, const std::string& method) {
  for (const Method& known : kMethods) {
    if (known.field == method) return Refused(file, known.name, known.convert);
  }
  return Refused(file, method.empty() ? "a method without a name" : Quoted(method), kFromTheStart);
}

// The field of bitsandbytes before quant_method came.
bool IsOldBitsAndBytes(const ordered_json& settings) {
  return settings.contains("load_in_4bit") || settings.contains("load_in_8bit");
}

}  // namespace

Status RefuseQuantized(const ordered_json& config, const Path& folder) {
  for (const char* field : {"quantization_config", "compression_config"}) {
    const auto settings = config.find(field);
    if (settings == config.end() || !settings->is_object()) continue;
    std::string method;
    if (settings->contains("quant_method") && (*settings)["quant_method"].is_string())
      method = (*settings)["quant_method"].get<std::string>();
    if (method.empty() && IsOldBitsAndBytes(*settings)) method = "bitsandbytes";
    if (method == "fp8") return Ok();  // read with its scales, see hf_fp8.h
    return RefusedMethod(folder / "config.json", method);
  }
  if (FileExists(folder / "quantize_config.json")) return RefusedMethod(folder / "quantize_config.json", "gptq");
  if (FileExists(folder / "quant_config.json")) return RefusedMethod(folder / "quant_config.json", "awq");
  return Ok();
}

Status RefuseAdapter(const Path& folder) {
  const Path path = folder / "adapter_config.json";
  const bool has_weights = FileExists(folder / "adapter_model.safetensors") || FileExists(folder / "adapter_model.bin");
  if (!FileExists(path) && !has_weights) return Ok();
  std::string base;
  if (const auto text = ReadTextFile(path, kMaxJson)) {
    const auto config = ParseStrictJson(*text, path.string());
    if (config && config->is_object() && config->contains("base_model_name_or_path") &&
        (*config)["base_model_name_or_path"].is_string())
      base = " for " + Quoted((*config)["base_model_name_or_path"].get<std::string>());
  }
  return Fail(ErrorCode::kUnsupported, folder.string(), fmt::format("holds a LoRA adapter{} and no model", base),
              "encrypt its model with --lora FOLDER, or merge the two with PEFT, then encrypt MERGED: "
              "AutoPeftModelForCausalLM.from_pretrained(FOLDER).merge_and_unload().save_pretrained(MERGED), and "
              "AutoTokenizer.from_pretrained(BASE).save_pretrained(MERGED)");
}

}  // namespace isoveil
