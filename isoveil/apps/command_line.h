// What the command line does beyond parsing: a variable of the environment for every flag, and a guess where
// a command is mistyped.
//
//   GiveVariables(app, argc, argv);                      // --max-body is also $ISOVEIL_MAX_BODY
//   if (const auto problem = UnknownCommand(app, argc, argv)) ...
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "isoveil/apps/cli.h"

namespace isoveil {

// Runs a program whose errors are values: what a library throws all the same is told as an error with a sentence.
int RunGuarded(int argc, char** argv, const std::function<int()>& run);

// Parses and runs the one of `commands` that was named, or that which is the whole program; gives the exit code.
int ParseAndRun(CLI::App& app, const std::vector<Command>& commands, int argc, char** argv);

// Every flag of the command that is run can be set by a variable: "ISOVEIL_" and the flag's name in capitals.
// It counts for each command that has the flag, and only where the flag is not given; commas separate the
// values of a flag that may be given often.
void GiveVariables(CLI::App& app, int argc, const char* const* argv);

// The first argument that stands for a command and is none, as a sentence that names the nearest one.
std::optional<std::string> UnknownCommand(const CLI::App& app, int argc, const char* const* argv);

}  // namespace isoveil
