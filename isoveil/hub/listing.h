// What a repository holds: the commit that a revision means now, and the files of that commit.
//
//   ISOVEIL_ASSIGN_OR_RETURN(HubListing listing, ListRepository(client, repo, "main", policy, stop));
//
// The file list is asked for by commit, so that it and every later download belong together even if the
// branch moves meanwhile.
#pragma once

#include <string>
#include <vector>

#include "isoveil/hub/hub_client.h"
#include "isoveil/hub/repo.h"

namespace isoveil {

struct HubListing {
  std::string commit;
  std::vector<HubFile> files;  // in the server's order; paths are not checked here, see ChooseFiles
};

// Answers that are too large, of the wrong form or endless are kFormat.
Result<HubListing> ListRepository(HubClient& client, const RepoId& repo, const std::string& revision,
                                  const RetryPolicy& policy, const std::stop_token& stop);

// One page of the hub's tree API: a JSON array. Folders are left out. Exposed for tests.
Result<std::vector<HubFile>> ParseTreePage(std::string_view text);

}  // namespace isoveil
