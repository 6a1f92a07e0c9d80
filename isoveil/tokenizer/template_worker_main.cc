// The process of a chat template, for tests: what `isoveil` does as kTemplateWorkerCommand.
#include "isoveil/tokenizer/template_worker.h"

int main() { isoveil::RunTemplateWorker(); }
