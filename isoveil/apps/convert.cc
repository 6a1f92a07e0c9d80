// isoveil convert: Hugging Face to GGUF without encryption.
#include "isoveil/apps/cli.h"
#include "isoveil/transform/encrypt.h"

namespace isoveil {

Command AddConvert(CLI::App& parent) {
  CLI::App* app = parent.add_subcommand("convert", "Convert a plaintext checkpoint to GGUF, for comparing");
  app->footer(
      "Convert a plaintext checkpoint to GGUF with its own vocabulary, NOT encrypted: what llama-server needs to\n"
      "serve the plaintext model beside the encrypted one, for comparing.\n\n"
      "  isoveil convert Llama-3.2-1B-Instruct -o plain        writes plain/model.gguf");
  struct Options {
    std::string model;
    std::string output;
    std::string lora;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  app->add_option("MODEL", options->model, "Hugging Face folder or GGUF file")->required();
  app->add_option("-o,--output", options->output, "Folder to make")->required();
  AddLoraOption(*app, options->lora);
  AddJsonOption(*app, options->json);
  return {app, [options] {
            const Status status = ConvertToGguf(options->model, options->output, {.lora = options->lora});
            if (!status) return Report(status.error(), options->json);
            return Print({{"output", options->output}}, options->output + "\n", options->json);
          }};
}

}  // namespace isoveil
