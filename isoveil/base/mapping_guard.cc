#include "isoveil/base/mapping_guard.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstring>

namespace isoveil {
namespace {

constexpr size_t kMostMappings = 4096;
constexpr size_t kMostPath = 4096;

struct Mapping {
  std::atomic<uintptr_t> begin = 0;  // 0: free
  std::atomic<uintptr_t> end = 0;
  std::atomic<const char*> path = nullptr;
};

// A signal's handler reaches static memory alone. Written by it once, before `set`.
struct Fault {
  std::atomic_flag claimed = ATOMIC_FLAG_INIT;
  std::atomic<bool> set = false;
  char path[kMostPath] = {};
  size_t offset = 0;
};

constinit std::array<Mapping, kMostMappings> mappings;
constinit Fault fault;
constinit uintptr_t page_size = 4096;

const Mapping* MappingOf(uintptr_t address) {
  for (const Mapping& mapping : mappings) {
    const uintptr_t begin = mapping.begin;
    if (begin != 0 && begin <= address && address < mapping.end) return &mapping;
  }
  return nullptr;
}

// Only async-signal-safe calls. The mapping that faults is being read, so its path is alive.
void Replace(int signal, siginfo_t* info, void*) {
  const int error = errno;
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  const Mapping* mapping = MappingOf(address);
  const uintptr_t begin = address / page_size * page_size;
  if (mapping == nullptr || ::mmap(reinterpret_cast<void*>(begin), mapping->end - begin, PROT_READ,
                                   MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == MAP_FAILED) {
    // The same read faults again, and nobody catches it.
    ::signal(signal, SIG_DFL);
    return;
  }
  if (!fault.claimed.test_and_set()) {
    ::strncpy(fault.path, mapping->path, kMostPath - 1);
    fault.offset = address - mapping->begin;
    fault.set = true;
  }
  errno = error;
}

}  // namespace

void GuardMappings() {
  page_size = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  struct sigaction action = {};
  action.sa_sigaction = Replace;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, nullptr);
}

Status CheckMappings() {
  if (!fault.set) return Ok();
  return Fail(ErrorCode::kIo, fmt::format("{}: offset {}", fault.path, fault.offset),
              "cannot be read any more: the file was cut off while it was read, or its disk fails",
              "restore the file, then repeat the command");
}

void AddGuardedMapping(const void* data, size_t size, const char* path) {
  const auto begin = reinterpret_cast<uintptr_t>(data);
  for (Mapping& mapping : mappings) {
    // Without its end a mapping covers nothing yet.
    uintptr_t free = 0;
    if (!mapping.begin.compare_exchange_strong(free, begin)) continue;
    mapping.path = path;
    mapping.end = begin + size;
    return;
  }
}

void RemoveGuardedMapping(const void* data) {
  for (Mapping& mapping : mappings) {
    if (mapping.begin != reinterpret_cast<uintptr_t>(data)) continue;
    mapping.end = 0;
    mapping.begin = 0;
    return;
  }
}

}  // namespace isoveil
