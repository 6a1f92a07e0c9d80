// What /v1/responses remembers, so that a later request can refer to it: OpenAI's `previous_response_id` and
// `{"type": "item_reference"}`, which clients send instead of the text where `store` is not false.
//
//   ResponseStore store(64 << 20);
//   store.Put(who, {.id = "resp_1", .input = input, .output = output, .body = response});
//   ISOVEIL_ASSIGN_OR_RETURN(const Json input, store.Expand(who, body));      // the whole conversation, nothing
//   referred to
//
// In memory alone: nothing is written anywhere, and all of it is gone with the process. The least recently used
// responses go first once all together are larger than the bound. What was stored with one API key is not found with
// another. Safe to use from many threads.
#pragma once

#include <list>
#include <map>
#include <mutex>
#include <vector>

#include "isoveil/gateway/fields.h"

namespace isoveil {

struct StoredResponse {
  std::string id;
  std::string previous;         // id of the response that this one continues; may be empty
  Json input = Json::array();   // items as they were sent, references among them
  Json output = Json::array();  // items, each with an id
  Json body;                    // the answer, for GET /v1/responses/{id}
};

class ResponseStore {
 public:
  static constexpr size_t kDefaultBytes = size_t{64} << 20;

  // 0 stores nothing.
  explicit ResponseStore(size_t max_bytes = kDefaultBytes) : max_bytes_(max_bytes) {}

  // False if it is larger than the bound.
  bool Put(size_t who, StoredResponse response);
  // kNotFound.
  Result<StoredResponse> Find(size_t who, const std::string& id);
  Status Remove(size_t who, const std::string& id);

  // The items of `input` (a list, or a string that becomes a user's message) with every reference replaced by what it
  // refers to, after those of `previous` and all that it continues. kNotFound names the reference; kInvalidArgument for
  // a response that is not here, and if all together is larger than the store.
  Result<Json> Expand(size_t who, const Json& input, const std::string& previous);

  size_t bytes() const;

 private:
  struct Entry {
    size_t who = 0;
    size_t size = 0;
    StoredResponse response;
  };
  using Entries = std::list<Entry>;  // most recently used first

  const Entry* Touch(size_t who, const std::string& id);
  Status Resolve(size_t who, const Json& input, std::vector<Json>& items, size_t& size);
  void Erase(Entries::iterator entry);

  const size_t max_bytes_;
  mutable std::mutex mutex_;
  Entries entries_;
  std::map<std::string, Entries::iterator, std::less<>> responses_;
  std::map<std::string, std::pair<Entries::iterator, size_t>, std::less<>> items_;  // the response, place in its output
  size_t bytes_ = 0;
};

}  // namespace isoveil
