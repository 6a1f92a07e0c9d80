// Fetches a model from a hub into a folder that appears whole or not at all.
//
//   PullOptions options{.repository = "TinyLlama/TinyLlama-1.1B-Chat-v1.0", .folder = "tinyllama"};
//   ISOVEIL_ASSIGN_OR_RETURN(PullReport report, Pull(options));
//
// The revision is turned into a commit first and everything is asked for by that commit. Files grow in
// FOLDER.partial, several at a time; a killed run is taken up by the same call, at the byte where it ended.
// Every byte is checked against the hashes of the hub's file list; that list itself is as trustworthy as the
// endpoint and its certificate.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "isoveil/base/file.h"
#include "isoveil/hub/hub_client.h"
#include "isoveil/hub/repo.h"

namespace isoveil {

inline constexpr const char* kPublicEndpoint = "https://huggingface.co";

struct PullOptions {
  std::string repository;  // OWNER/NAME
  std::string revision = "main";
  std::vector<std::string> include;  // see ChooseFiles
  Path folder;                       // NAME in the current folder if empty
  std::string endpoint = kPublicEndpoint;
  HubToken token;
  std::string ca_file;
  std::chrono::seconds silence{60};
  unsigned connections = 4;
  RetryPolicy retry;
  // What a person waits for. Called before the downloads.
  std::function<void(const std::string& text)> on_notice;
  // Bytes that this run has fetched, of those that it has to; called from several threads, one at a time.
  std::function<void(uint64_t done, uint64_t total)> on_progress;
};

struct PullReport {
  Path folder;
  std::string commit;
  std::vector<HubFile> files;
  uint64_t bytes = 0;          // of all files
  uint64_t fetched_bytes = 0;  // by this run
  bool up_to_date = false;     // the folder was complete already
};

// kExists if the folder is there with other content; kNoSpace before anything is fetched if it does not fit
// on the disk; else the errors of ListRepository, ChooseFiles, DownloadFile and Stage.
Result<PullReport> Pull(const PullOptions& options);

}  // namespace isoveil
