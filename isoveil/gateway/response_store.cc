#include "isoveil/gateway/response_store.h"

#include <algorithm>

namespace isoveil {
namespace {

constexpr const char* kForgotten =
    "send the items themselves: what is stored here is in memory, and goes with the process or when newer responses "
    "need the place";

// A list, or the message that a string stands for.
Json ItemsOf(const Json& input) {
  if (input.is_null()) return Json::array();
  return input.is_string() ? Json::array({{{"role", "user"}, {"content", input}}}) : input;
}

const std::string* TextMember(const Json& object, const char* name) {
  const Json& value = object.is_object() ? Member(object, name) : object;
  return value.is_string() ? value.get_ptr<const std::string*>() : nullptr;
}

// The API leaves out the type of a reference where only the id is given.
bool IsReference(const Json& item) {
  if (!item.is_object()) return false;
  return Member(item, "type") == "item_reference" || (item.size() == 1 && item.contains("id"));
}

// What an entry takes in memory: its text, and JSON's nodes beside it.
size_t SizeOf(const Json& json) {
  size_t size = sizeof(Json);
  if (json.is_string()) return size + json.get_ref<const std::string&>().size();
  if (json.is_object()) {
    for (const auto& [name, value] : json.items()) size += sizeof(std::string) + name.size() + SizeOf(value);
  } else if (json.is_array()) {
    for (const Json& value : json) size += SizeOf(value);
  }
  return size;
}

}  // namespace

bool ResponseStore::Put(size_t who, StoredResponse response) {
  response.input = ItemsOf(response.input);
  const size_t size = SizeOf(response.input) + SizeOf(response.output) + SizeOf(response.body) + sizeof(Entry);
  if (size > max_bytes_) return false;
  const std::lock_guard lock(mutex_);
  if (responses_.contains(response.id)) return false;
  while (bytes_ + size > max_bytes_) Erase(std::prev(entries_.end()));
  bytes_ += size;
  entries_.push_front({who, size, std::move(response)});
  const auto entry = entries_.begin();
  responses_[entry->response.id] = entry;
  for (size_t i = 0; i < entry->response.output.size(); ++i) {
    if (const std::string* id = TextMember(entry->response.output[i], "id")) items_[*id] = {entry, i};
  }
  return true;
}

void ResponseStore::Erase(Entries::iterator entry) {
  bytes_ -= entry->size;
  responses_.erase(entry->response.id);
  for (const Json& item : entry->response.output) {
    if (const std::string* id = TextMember(item, "id")) items_.erase(*id);
  }
  entries_.erase(entry);
}

const ResponseStore::Entry* ResponseStore::Touch(size_t who, const std::string& id) {
  const auto found = responses_.find(id);
  if (found == responses_.end() || found->second->who != who) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return &*found->second;
}

Result<StoredResponse> ResponseStore::Find(size_t who, const std::string& id) {
  const std::lock_guard lock(mutex_);
  if (const Entry* entry = Touch(who, id)) return entry->response;
  return Fail(ErrorCode::kNotFound, "response_id", "no response of this id is stored here", kForgotten);
}

Status ResponseStore::Remove(size_t who, const std::string& id) {
  const std::lock_guard lock(mutex_);
  if (!Touch(who, id)) return Fail(ErrorCode::kNotFound, "response_id", "no response of this id is stored here");
  Erase(entries_.begin());
  return Ok();
}

Status ResponseStore::Resolve(size_t who, const Json& input, std::vector<Json>& items, size_t& size) {
  for (size_t i = 0; i < input.size(); ++i) {
    const Json* item = &input[i];
    if (IsReference(*item)) {
      const std::string place = fmt::format("input[{}].id", i);
      const std::string* id = TextMember(*item, "id");
      if (!id) return BadMember(place, "a string");
      const auto found = items_.find(*id);
      if (found == items_.end() || found->second.first->who != who) {
        return Fail(ErrorCode::kNotFound, place, "no item of this id is stored here", kForgotten);
      }
      const auto [entry, index] = found->second;
      entries_.splice(entries_.begin(), entries_, entry);
      item = &entry->response.output[index];
    }
    size += SizeOf(*item);
    if (size > max_bytes_)
      return BadMember("input", fmt::format("at most {} bytes with all that it refers to", max_bytes_));
    items.push_back(*item);
  }
  return Ok();
}

Result<Json> ResponseStore::Expand(size_t who, const Json& input, const std::string& previous) {
  const Json own = ItemsOf(input);
  if (!own.is_array() || (input.is_null() && previous.empty()))
    return BadMember("input", "a string or a list of items");
  const std::lock_guard lock(mutex_);
  std::vector<const StoredResponse*> earlier;
  for (const std::string* id = &previous; !id->empty(); id = &earlier.back()->previous) {
    const Entry* entry = Touch(who, *id);
    if (!entry) {
      return Fail(ErrorCode::kInvalidArgument, "previous_response_id", "no response of this id is stored here",
                  kForgotten);
    }
    earlier.push_back(&entry->response);
  }
  std::vector<Json> items;
  size_t size = 0;
  for (auto response = earlier.rbegin(); response != earlier.rend(); ++response) {
    ISOVEIL_RETURN_IF_ERROR(Resolve(who, (*response)->input, items, size));
    ISOVEIL_RETURN_IF_ERROR(Resolve(who, (*response)->output, items, size));
  }
  ISOVEIL_RETURN_IF_ERROR(Resolve(who, own, items, size));
  return Json(items);
}

size_t ResponseStore::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace isoveil
