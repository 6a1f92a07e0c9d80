#include "isoveil/apps/gateway_run.h"

#include <sodium.h>

#include <csignal>
#include <iostream>
#include <sstream>

#include "isoveil/engine/upstream_factory.h"
#include "isoveil/gateway/canary.h"

namespace isoveil {
namespace {

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  return signals;
}

Result<std::vector<std::string>> ReadLines(const std::string& path) {
  std::vector<std::string> lines;
  if (path.empty()) return lines;
  ISOVEIL_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path, 1 << 20));
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty() && line.front() != '#') lines.push_back(line);
  }
  if (lines.empty()) return Fail(ErrorCode::kFormat, path, "holds no key", "write one key in each line");
  return lines;
}

// A random salt keeps other users of a shared server from sensing which prefixes this gateway has sent.
std::string RandomSalt() {
  std::array<std::byte, 16> bytes = {};
  randombytes_buf(bytes.data(), bytes.size());
  return Hex(bytes);
}

Result<std::unique_ptr<Upstream>> OpenOne(const std::string& url, const UpstreamFlags& flags,
                                          const std::string& bearer_key, uint64_t n_vocab) {
  UpstreamOptions options;
  options.url = url;
  ISOVEIL_ASSIGN_OR_RETURN(options.kind, FindServerKind(flags.kind));
  options.http.bearer_key = bearer_key;
  options.http.ca_file = flags.ca_file;
  options.n_vocab = static_cast<int64_t>(n_vocab);
  options.cache_salt = RandomSalt();
  return OpenUpstream(std::move(options));
}

std::string DefaultName(const Path& client_folder) {
  const Path folder = AbsolutePath(client_folder);
  const Path parent = (folder.has_filename() ? folder : folder.parent_path()).parent_path();
  const std::string name = parent.filename().string();
  return name.empty() ? "isoveil" : name;
}

}  // namespace

void AddGatewayFlags(CLI::App& app, GatewayFlags& flags) {
  app.add_option("--host", flags.host, "Address to listen on; others than this machine's own need an API key")
      ->capture_default_str();
  app.add_option("--port", flags.port, "Port to listen on; 0 picks a free one")->capture_default_str();
  app.add_option("--name", flags.name, "What clients call the model (default: the folder's name)");
  app.add_option("--api-key-file", flags.api_key_file, "File with one accepted API key in each line");
  app.add_option("--allowed-host", flags.allowed_hosts, "Further name of this machine in Host headers");
  app.add_option("--allowed-origin", flags.allowed_origins, "Origin whose pages may use the gateway");
  app.add_option("--max-concurrent", flags.max_concurrent, "Most requests of one API key at a time")
      ->capture_default_str();
  app.add_option("--max-per-minute", flags.max_per_minute, "Most requests of one API key a minute; 0 is unlimited")
      ->capture_default_str();
  app.add_option("--max-body", flags.max_body, "Largest request")->transform(CLI::AsSizeValue(false));
  app.add_flag("--metrics", flags.metrics, "Serve counters at /metrics");
  AddChoice<std::optional<LogForm>>(app, "--log", flags.log,
                                    {{"none", std::nullopt}, {"text", LogForm::kText}, {"json", LogForm::kJson}},
                                    "A line on standard error for each request: numbers, no content")
      ->default_str("none");
  app.add_flag("--parse-special", flags.parse_special,
               "Control tokens that stand in a message as text become control tokens, as with llama-server");
  app.add_flag("--no-page", flags.no_page, "Do not serve the chat page");
}

void AddUpstreamFlags(CLI::App& app, UpstreamFlags& flags) {
  app.add_option("--upstream", flags.urls, "URL of a server with the encrypted checkpoint; may be given often")
      ->capture_default_str();
  std::vector<std::pair<std::string, std::string>> kinds = {{"auto", "auto"}};
  for (const ServerKind* kind : ServerKinds()) {
    kinds.emplace_back(kind->name, kind->name);
    if (kind->owner != kind->name) kinds.emplace_back(kind->owner, kind->name);
  }
  AddChoice<std::string>(app, "--upstream-kind", flags.kind, kinds, "What runs there")->default_str(flags.kind);
  app.add_option("--upstream-key-file", flags.key_file, "File with the server's API key");
  app.add_option("--upstream-ca", flags.ca_file, "PEM file of the certificates to trust for https");
}

void HoldStopSignals() {
  std::signal(SIGPIPE, SIG_IGN);
  const sigset_t signals = StopSignals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

bool WaitForStop(const std::function<bool()>& goes_on) {
  const sigset_t signals = StopSignals();
  constexpr timespec kHalfASecond{.tv_sec = 0, .tv_nsec = 500'000'000};
  while (goes_on()) {
    if (::sigtimedwait(&signals, nullptr, &kHalfASecond) < 0) continue;
    ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    return true;
  }
  return false;
}

Result<std::unique_ptr<UpstreamPool>> OpenPool(const Path& client_folder, const ClientFolder& client,
                                               const UpstreamFlags& flags) {
  ISOVEIL_ASSIGN_OR_RETURN(const auto keys, ReadLines(flags.key_file));
  std::vector<std::unique_ptr<Upstream>> servers;
  for (const std::string& url : flags.urls) {
    ISOVEIL_ASSIGN_OR_RETURN(auto server,
                             OpenOne(url, flags, keys.empty() ? "" : keys.front(), client.manifest.n_vocab()));
    servers.push_back(std::move(server));
  }
  // Part of the manifest and the tables; the folder outlives the pool.
  const auto admit = [client_folder, &client](Upstream& server, std::stop_token cancel) -> Result<UpstreamInfo> {
    ISOVEIL_ASSIGN_OR_RETURN(const Admission admission, AdmitServer(client_folder, client, server, std::move(cancel)));
    if (admission.record == CanaryRecord::kNew) {
      std::cerr << "isoveil: first contact: the server's answer to a test sequence is recorded in "
                << (client_folder / kCanaryFile).string() << "; every later server must give the same\n";
    } else if (admission.record == CanaryRecord::kNotWritten) {
      std::cerr << "isoveil: warning: " << client_folder.string()
                << " cannot be written to, so the server's identity is not recorded\n";
    }
    return admission.info;
  };
  PoolOptions options;
  options.on_change = [urls = flags.urls](size_t server, ServerState state, const std::string& why) {
    std::cerr << fmt::format("isoveil: server {} is {}{}{}\n", urls[server], ServerStateName(state),
                             why.empty() ? "" : ": ", why);
  };
  auto pool = std::make_unique<UpstreamPool>(std::move(servers), admit, std::move(options));
  ISOVEIL_RETURN_IF_ERROR(pool->Start());
  if (pool->n_ready() == 0) std::cerr << "isoveil: no server is ready; requests get 503 until one is\n";
  return pool;
}

Result<std::unique_ptr<Gateway>> OpenGateway(const Path& client_folder, const RootKey& key,
                                             const UpstreamFlags& upstreams, const GatewayFlags& flags) {
  GatewayOptions options;
  options.guard = {.host = flags.host,
                   .port = flags.port,
                   .api_keys = {},
                   .allowed_hosts = flags.allowed_hosts,
                   .allowed_origins = flags.allowed_origins,
                   .max_concurrent = flags.max_concurrent,
                   .max_per_minute = flags.max_per_minute};
  ISOVEIL_ASSIGN_OR_RETURN(options.guard.api_keys, ReadLines(flags.api_key_file));
  // Before anything is opened, so that a mistake costs no time.
  ISOVEIL_RETURN_IF_ERROR(Guard::Create(options.guard));
  options.limits.max_body_bytes = flags.max_body;
  options.model_name = flags.name.empty() ? DefaultName(client_folder) : flags.name;
  options.upstream_urls = upstreams.urls;
  if (flags.log) {
    options.on_request = [form = *flags.log](const LogEntry& entry) { std::cerr << LogLine(form, entry) + "\n"; };
  }
  options.template_worker = TemplateWorkerProgram();
  options.metrics = flags.metrics;
  options.page = !flags.no_page;
  options.parse_special = flags.parse_special;
  ISOVEIL_ASSIGN_OR_RETURN(ClientFolder opened, ClientFolder::Open(client_folder, key));
  auto client = std::make_unique<ClientFolder>(std::move(opened));
  ISOVEIL_ASSIGN_OR_RETURN(auto pool, OpenPool(client_folder, *client, upstreams));
  return Gateway::Start(std::move(client), std::move(pool), std::move(options));
}

std::string Welcome(const Gateway& gateway) {
  std::string text = fmt::format("\n  In your application:   base_url = \"{}/v1\"\n", gateway.url());
  if (gateway.has_page()) text += fmt::format("  In your browser:       {}/\n", gateway.url());
  return text + "\n  Ctrl-C ends it.\n";
}

}  // namespace isoveil
