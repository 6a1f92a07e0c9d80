// HTTP over libcurl.
#include <curl/curl.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>

#include "isoveil/net/http.h"

namespace isoveil {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};

class HeaderList {
 public:
  HeaderList() = default;
  ~HeaderList() { curl_slist_free_all(list_); }
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  void Add(const std::string& line) { list_ = curl_slist_append(list_, line.c_str()); }
  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

// What the callbacks of one request fill in.
struct Transfer {
  CURL* easy = nullptr;
  const OnHead* on_head = nullptr;
  const ChunkCallback* on_body = nullptr;
  HttpHead head = {};
  bool has_begun = false;
  Status status = Ok();  // of the callbacks
  Clock::time_point last_byte = Clock::now();

  Status Begin() {
    has_begun = true;
    long code = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
    head.status = static_cast<int>(code);
    return (*on_head)(head);
  }
};

size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  transfer.last_byte = Clock::now();
  std::string_view line(data, size * count);
  // An interim answer, such as 100, comes before the answer.
  if (line.starts_with("HTTP/")) transfer.head.headers.clear();
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size * count;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  std::string_view value = line.substr(colon + 1);
  while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
  transfer.head.headers[name] = std::string(value);
  return size * count;
}

size_t OnBytes(char* data, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  transfer.last_byte = Clock::now();
  if (!transfer.has_begun && !(transfer.status = transfer.Begin())) return CURL_WRITEFUNC_ERROR;
  transfer.status = (*transfer.on_body)({data, size * count});
  return transfer.status ? size * count : CURL_WRITEFUNC_ERROR;
}

class CurlConnection final : public HttpConnection {
 public:
  explicit CurlConnection(const HttpOptions& options)
      : options_(options), multi_(curl_multi_init()), easy_(curl_easy_init()) {}
  ~CurlConnection() override {
    if (socket_ >= 0) ::close(socket_);
  }
  CurlConnection(const CurlConnection&) = delete;
  CurlConnection& operator=(const CurlConnection&) = delete;

  Status Send(const HttpRequest& request, const OnHead& on_head, const ChunkCallback& on_body,
              std::stop_token cancel) override {
    if (easy_ == nullptr || multi_ == nullptr) return Fail(ErrorCode::kNoMemory, "libcurl", "cannot start");
    Transfer transfer{.easy = easy_.get(), .on_head = &on_head, .on_body = &on_body};
    HeaderList headers;
    headers.Add("Accept-Encoding: identity");
    headers.Add("Expect:");  // libcurl would wait for leave to send a long body
    for (const auto& [name, value] : request.headers) headers.Add(name + ": " + value);
    Prepare(request, headers, transfer);
    const Outcome outcome = Perform(transfer, cancel);
    if (!transfer.status) return std::move(transfer.status);
    if (outcome.cancelled) return Fail(ErrorCode::kCancelled, request.where, "was stopped");
    if (outcome.silent) {
      return Fail(ErrorCode::kUnavailable, request.where,
                  fmt::format("no byte came for {} s", std::chrono::duration<double>(options_.read_timeout).count()));
    }
    if (outcome.code != CURLE_OK) return TransferError(outcome.code, request.where);
    return transfer.has_begun ? Ok() : transfer.Begin();
  }

  uint64_t n_opened() const override { return n_opened_; }
  bool stands() const override {
    const std::lock_guard lock(mutex_);
    char one = 0;
    const ssize_t n = socket_ < 0 ? 0 : ::recv(socket_, &one, 1, MSG_PEEK | MSG_DONTWAIT);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
  }

 private:
  struct Outcome {
    CURLcode code = CURLE_OK;
    bool cancelled = false;
    bool silent = false;
  };

  void Prepare(const HttpRequest& request, const HeaderList& headers, Transfer& transfer) {
    CURL* c = easy_.get();
    curl_easy_reset(c);
    detail_[0] = '\0';
    curl_easy_setopt(c, CURLOPT_URL, request.url.ToString().c_str());
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(c, CURLOPT_USERAGENT, "isoveil");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, detail_);
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
                     static_cast<long>(std::min(options_.connect_timeout, options_.read_timeout).count()));
    if (!options_.ca_file.empty()) curl_easy_setopt(c, CURLOPT_CAINFO, options_.ca_file.c_str());
    if (!request.body.empty()) {
      curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      curl_easy_setopt(c, CURLOPT_POSTFIELDS, request.body.data());
    }
    if (request.method != "GET") curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, std::string(request.method).c_str());
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, &OnHeader);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, &transfer);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, &OnBytes);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &transfer);
  }

  // A handle that is taken out in the middle loses its connection at once.
  Outcome Perform(Transfer& transfer, const std::stop_token& cancel) {
    Outcome outcome;
    CURLM* multi = multi_.get();
    curl_multi_add_handle(multi, easy_.get());
    {
      const std::stop_callback wake(cancel, [multi] { curl_multi_wakeup(multi); });
      for (int n_running = 1; n_running > 0;) {
        outcome.cancelled = cancel.stop_requested();
        if (outcome.cancelled || curl_multi_perform(multi, &n_running) != CURLM_OK || n_running == 0) break;
        const auto left = options_.read_timeout - std::chrono::floor<milliseconds>(Clock::now() - transfer.last_byte);
        outcome.silent = left.count() <= 0;
        if (outcome.silent) break;
        curl_multi_poll(multi, nullptr, 0, static_cast<int>(std::min<int64_t>(left.count(), 3'600'000)), nullptr);
      }
    }
    int n_left = 0;
    if (const CURLMsg* message = curl_multi_info_read(multi, &n_left)) outcome.code = message->data.result;
    NoteSocket();
    curl_multi_remove_handle(multi, easy_.get());
    return outcome;
  }

  // A descriptor of our own for the same socket, to look at.
  void NoteSocket() {
    long n_connects = 0;
    curl_socket_t socket = CURL_SOCKET_BAD;
    curl_easy_getinfo(easy_.get(), CURLINFO_NUM_CONNECTS, &n_connects);
    curl_easy_getinfo(easy_.get(), CURLINFO_ACTIVESOCKET, &socket);
    n_opened_ += static_cast<uint64_t>(n_connects);
    const std::lock_guard lock(mutex_);
    if (socket_ >= 0 && (n_connects > 0 || socket == CURL_SOCKET_BAD)) {
      ::close(socket_);
      socket_ = -1;
    }
    if (socket_ < 0 && socket != CURL_SOCKET_BAD) socket_ = ::fcntl(socket, F_DUPFD_CLOEXEC, 0);
  }

  Status TransferError(CURLcode code, const std::string& where) const {
    const std::string text = *detail_ != '\0' ? detail_ : curl_easy_strerror(code);
    switch (code) {
      case CURLE_PEER_FAILED_VERIFICATION:
      case CURLE_SSL_CACERT_BADFILE:
        return Fail(ErrorCode::kAuth, where, "the server's certificate is not trusted: " + text);
      case CURLE_OUT_OF_MEMORY: return Fail(ErrorCode::kNoMemory, where, text);
      default: return Fail(ErrorCode::kUnavailable, where, "the connection failed: " + text);
    }
  }

  const HttpOptions options_;
  std::unique_ptr<CURLM, FreeMulti> multi_;  // keeps the connections, and goes last
  std::unique_ptr<CURL, FreeEasy> easy_;
  char detail_[CURL_ERROR_SIZE] = {};
  std::atomic<uint64_t> n_opened_ = 0;
  mutable std::mutex mutex_;
  int socket_ = -1;
};

}  // namespace

std::unique_ptr<HttpConnection> NewCurlConnection(const HttpOptions& options) {
  return std::make_unique<CurlConnection>(options);
}

}  // namespace isoveil
