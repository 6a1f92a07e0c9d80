// Against a real llama-server and libllama, on a tiny random model.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <future>
#include <numeric>
#include <set>

#include "isoveil/base/temp_folder_for_test.h"
#include "isoveil/base/token_ids_for_test.h"
#include "isoveil/engine/server_process.h"
#include "isoveil/engine/upstream_factory.h"
#include "isoveil/net/fake_server_for_test.h"
#include "isoveil/net/http_client.h"
#include "isoveil/reference/llama_evaluator.h"
#include "isoveil/reference/tiny_model_for_test.h"

namespace isoveil {
namespace {

using namespace std::chrono_literals;

const std::vector<std::string> kOneThread = {"-t", "1", "-tb", "1", "--threads-http", "4"};
constexpr int32_t kEnd = 298;
const std::vector<int32_t> kPrompt = {1, 2, 3, 299, 150, 42};
const std::vector<WireId> kSent = FromModel<WireId>(kPrompt);

std::vector<std::string> With(std::vector<std::string> extra) {
  extra.insert(extra.begin(), kOneThread.begin(), kOneThread.end());
  return extra;
}

// One server for all tests of the suite: starting one takes a second.
class LlamaServerTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string name = (std::filesystem::temp_directory_path() / "isoveil-test.XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    const auto model = WriteTinyModel(folder_, {.eog = {kEnd}});
    ASSERT_TRUE(model) << model.error().Message();
    model_ = *model;
    auto server = ServerProcess::Start(
        {.model = model_, .extra_args = With({"-np", "2", "-c", "512", "-fa", "off", "-ctk", "f32", "-ctv", "f32"})});
    ASSERT_TRUE(server) << server.error().Message();
    server_ = std::make_unique<ServerProcess>(std::move(*server));
    upstream_ = *OpenUpstream({.url = server_->url(), .n_vocab = 300});
    evaluator_ = std::make_unique<LlamaEvaluator>(*LlamaEvaluator::Load(model_, {.n_context = 256, .n_threads = 1}));
  }
  static void TearDownTestSuite() {
    server_.reset();
    upstream_.reset();
    evaluator_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  struct Answer {
    std::vector<int32_t> ids;  // as the evaluator has them
    std::vector<GeneratedToken> tokens;
    GenerateResult result;
  };
  static Result<Answer> Generate(GenerateRequest request) {
    if (request.prompt.empty()) request.prompt = kSent;
    Answer answer;
    const auto on_token = [&](const GeneratedToken& token) {
      answer.ids.push_back(Value(token.id));
      answer.tokens.push_back(token);
      return true;
    };
    ISOVEIL_ASSIGN_OR_RETURN(answer.result, isoveil::Generate(*upstream_, request, on_token));
    return answer;
  }

  static inline Path folder_;
  static inline Path model_;
  static inline std::unique_ptr<ServerProcess> server_;
  static inline std::unique_ptr<Upstream> upstream_;
  static inline std::unique_ptr<LlamaEvaluator> evaluator_;
};

TEST_F(LlamaServerTest, ProbeFindsEverything) {
  const auto info = upstream_->Probe();
  ASSERT_TRUE(info) << info.error().Message();
  EXPECT_EQ(info->n_vocab, 300);
  EXPECT_EQ(info->n_context, 256);
  EXPECT_EQ(info->n_embd, 64);
  EXPECT_EQ(info->n_slots, 2);
  EXPECT_EQ(info->tasks, std::vector{TaskKind::kGenerate});
  EXPECT_TRUE(info->missing.empty());
  EXPECT_FALSE(info->version.empty());
}

TEST_F(LlamaServerTest, ProbeRefusesAModelOfAnotherSize) {
  const auto other = *OpenUpstream({.url = server_->url(), .n_vocab = 301});
  EXPECT_EQ(other->Probe().error().code, ErrorCode::kMismatch);
}

TEST_F(LlamaServerTest, GreedyIdsAreThoseOfTheModel) {
  const auto answer = Generate({.sampling = {.max_tokens = 40, .temperature = 0, .ignore_eos = true}});
  ASSERT_TRUE(answer) << answer.error().Message();
  const std::vector<int32_t> greedy = *evaluator_->Greedy(kPrompt, 40);
  // llama-server never draws an end id under ignore_eos, the evaluator would.
  ASSERT_EQ(std::count(greedy.begin(), greedy.end(), kEnd), 0);
  EXPECT_EQ(answer->ids, greedy);
  EXPECT_GT(std::set<int32_t>(answer->ids.begin(), answer->ids.end()).size(), 5U);
  EXPECT_EQ(answer->result.finish, FinishReason::kLength);
  EXPECT_EQ(answer->result.stop_id, std::nullopt);
  EXPECT_EQ(answer->result.usage.prompt_tokens, kPrompt.size());
  EXPECT_EQ(answer->result.usage.completion_tokens, 40U);
  EXPECT_GT(answer->result.timings.predict_ms.value_or(0), 0);
  EXPECT_GT(answer->result.timings.first_token_ms, 0);
  EXPECT_GE(answer->result.timings.total_ms, answer->result.timings.first_token_ms);
}

TEST_F(LlamaServerTest, LogprobsAreThoseOfTheModel) {
  const auto answer = Generate({.sampling = {.max_tokens = 3, .temperature = 0, .ignore_eos = true, .n_probs = 4}});
  ASSERT_TRUE(answer) << answer.error().Message();
  const std::vector<float> logits = *evaluator_->Logits(kPrompt);
  const std::span<const float> last(logits.end() - 300, logits.end());
  double sum = 0;
  for (const float logit : last) sum += std::exp(logit);
  const GeneratedToken& first = answer->tokens.at(0);
  ASSERT_TRUE(first.logprob);
  EXPECT_NEAR(*first.logprob, last[Value(first.id)] - std::log(sum), 1e-3);
  ASSERT_EQ(first.top.size(), 4U);
  EXPECT_EQ(first.top[0].id, first.id);
  for (const TokenLogprob& top : first.top) EXPECT_NEAR(top.logprob, last[Value(top.id)] - std::log(sum), 1e-3);
  EXPECT_GE(first.top[0].logprob, first.top[1].logprob);
}

TEST_F(LlamaServerTest, TheCheckpointsEndIdEndsTheAnswer) {
  const auto answer =
      Generate({.sampling = {.max_tokens = 40, .temperature = 0}, .logit_bias = {{WireId{kEnd}, 1000.0F}}});
  ASSERT_TRUE(answer) << answer.error().Message();
  EXPECT_EQ(answer->ids, (std::vector<int32_t>{kEnd}));
  EXPECT_EQ(answer->result.finish, FinishReason::kStop);
  EXPECT_EQ(answer->result.stop_id, WireId{kEnd});
  EXPECT_TRUE(answer->result.timings.predict_ms);
}

TEST_F(LlamaServerTest, AStopIdOfTheCallerEndsTheAnswer) {
  const std::vector<int32_t> greedy = *evaluator_->Greedy(kPrompt, 40);
  const int32_t stop = greedy[10];
  const auto end = std::find(greedy.begin(), greedy.end(), stop) + 1;
  const auto answer =
      Generate({.sampling = {.max_tokens = 40, .temperature = 0, .ignore_eos = true}, .stop_ids = {WireId{stop}}});
  ASSERT_TRUE(answer) << answer.error().Message();
  EXPECT_EQ(answer->ids, std::vector<int32_t>(greedy.begin(), end));
  EXPECT_EQ(answer->result.finish, FinishReason::kStop);
  EXPECT_EQ(answer->result.stop_id, WireId{stop});
}

TEST_F(LlamaServerTest, ABannedIdDoesNotCome) {
  const std::vector<int32_t> greedy = *evaluator_->Greedy(kPrompt, 1);
  const auto answer = Generate({.sampling = {.max_tokens = 1, .temperature = 0, .ignore_eos = true},
                                .logit_bias = {{WireId{greedy[0]}, -INFINITY}}});
  ASSERT_TRUE(answer) << answer.error().Message();
  EXPECT_NE(answer->ids, greedy);
}

TEST_F(LlamaServerTest, ASeedDrawsTheSameAgain) {
  const SamplingParams sampling{.max_tokens = 30, .temperature = 2, .seed = 0xFFFFFFF0, .ignore_eos = true};
  const std::vector<int32_t> once = Generate({.sampling = sampling})->ids;
  EXPECT_EQ(Generate({.sampling = sampling})->ids, once);
  SamplingParams other = sampling;
  other.seed = 5;
  EXPECT_NE(Generate({.sampling = other})->ids, once);
}

TEST_F(LlamaServerTest, TheCallbackEndsTheAnswer) {
  int n = 0;
  const auto result =
      isoveil::Generate(*upstream_, {.prompt = kSent, .sampling = {.max_tokens = 200, .ignore_eos = true}},
                        [&](const GeneratedToken&) { return ++n < 5; });
  ASSERT_TRUE(result) << result.error().Message();
  EXPECT_EQ(n, 5);
  EXPECT_EQ(result->finish, FinishReason::kCancelled);
  EXPECT_EQ(result->usage.completion_tokens, 5U);
}

TEST_F(LlamaServerTest, APromptThatIsTooLongIsRefused) {
  std::vector<int32_t> prompt(400, 1);
  const auto answer = Generate({.prompt = FromModel<WireId>(prompt)});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(LlamaServerTest, AFullContextEndsTheAnswerByLength) {
  const auto answer = Generate({.sampling = {.max_tokens = 1000, .temperature = 0, .ignore_eos = true}});
  ASSERT_TRUE(answer) << answer.error().Message();
  EXPECT_EQ(answer->result.finish, FinishReason::kLength);
  EXPECT_LT(answer->ids.size(), 256U);
}

TEST_F(LlamaServerTest, ConcurrentAnswersDoNotMix) {
  std::vector<std::vector<int32_t>> expected;
  for (int32_t i = 0; i < 6; ++i) expected.push_back(*evaluator_->Greedy({{i + 10, i}}, 20));
  std::vector<std::future<Result<Answer>>> answers;
  for (int32_t i = 0; i < 6; ++i) {
    answers.push_back(std::async(std::launch::async, [i] {
      return Generate(
          {.prompt = WireIds({i + 10, i}), .sampling = {.max_tokens = 20, .temperature = 0, .ignore_eos = true}});
    }));
  }
  for (size_t i = 0; i < answers.size(); ++i) {
    const auto answer = answers[i].get();
    ASSERT_TRUE(answer) << answer.error().Message();
    EXPECT_EQ(answer->ids, expected[i]);
  }
}

TEST_F(LlamaServerTest, OnlyTheNeededEndpointsAreOpen) {
  const HttpClient client = *HttpClient::Create(server_->url(), {});
  EXPECT_FALSE(client.Get("/slots"));
  EXPECT_FALSE(client.Get("/"));
}

using ServerProcessTest = TempFolderTest;

TEST_F(ServerProcessTest, EmbedsRawVectors) {
  const auto model = WriteTinyModel(folder());
  ASSERT_TRUE(model);
  const auto server =
      ServerProcess::Start({.model = *model, .extra_args = With({"--embeddings", "--pooling", "mean"})});
  ASSERT_TRUE(server) << server.error().Message();
  const auto upstream = *OpenUpstream({.url = server->url(), .n_vocab = 300});
  const auto info = upstream->Probe();
  ASSERT_TRUE(info) << info.error().Message();
  EXPECT_TRUE(info->Has(TaskKind::kEmbed));
  const auto vectors = Embed(*upstream, {.inputs = {kSent, WireIds({5}), kSent}, .dim = 64});
  ASSERT_TRUE(vectors) << vectors.error().Message();
  const std::vector<float>& vector = vectors->front();
  // Batched with others, up to the rounding of another order of sums.
  const auto alone = Embed(*upstream, {.inputs = {WireIds({5})}});
  ASSERT_TRUE(alone) << alone.error().Message();
  for (size_t i = 0; i < 64; ++i) {
    EXPECT_NEAR(vectors->at(2)[i], vector[i], 1e-4);
    EXPECT_NEAR(vectors->at(1)[i], alone->front()[i], 1e-4);
  }
  EXPECT_NE(vectors->at(1), vector);
  // Not normalised: the final norm leaves a length of about sqrt(width), averaging makes it smaller.
  const float norm = std::sqrt(std::inner_product(vector.begin(), vector.end(), vector.begin(), 0.0F));
  EXPECT_GT(norm, 1.5F);
  EXPECT_EQ(Embed(*upstream, {.inputs = {WireIds({300})}}).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ServerProcessTest, RefusesAPortInUse) {
  const auto model = WriteTinyModel(folder());
  const FakeServer other([](FakeServer::Peer& peer) { peer.SendJson("{}"); });
  const auto port = static_cast<uint16_t>(std::stoi(other.url().substr(other.url().rfind(':') + 1)));
  const auto server = ServerProcess::Start({.model = *model, .port = port});
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ErrorCode::kExists);
  EXPECT_NE(server.error().where.find(std::to_string(port)), std::string::npos);
}

TEST_F(ServerProcessTest, TellsWhyAModelCannotBeLoaded) {
  ASSERT_TRUE(WriteNewFile(folder() / "bad.gguf", "no model"));
  const auto server = ServerProcess::Start({.model = folder() / "bad.gguf", .extra_args = kOneThread});
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(server.error().problem.find("exit status 1"), std::string::npos) << server.error().problem;
  EXPECT_NE(server.error().problem.find("bad.gguf"), std::string::npos) << server.error().problem;
}

TEST_F(ServerProcessTest, MissingFilesAreNamed) {
  EXPECT_EQ(ServerProcess::Start({.model = folder() / "none.gguf"}).error().code, ErrorCode::kNotFound);
  const auto binary = FindLlamaServer(folder() / "none");
  ASSERT_FALSE(binary);
  EXPECT_EQ(binary.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(binary.error().where, (folder() / "none").string());
  EXPECT_FALSE(binary.error().hint.empty());
  EXPECT_FALSE(FindLlamaServer(folder()));  // a folder is no program
}

TEST_F(ServerProcessTest, TheEnvironmentNamesTheBinary) {
  ASSERT_TRUE(WriteNewFile(folder() / "server", "#!/bin/sh\n", 0755));
  ::setenv("ISOVEIL_LLAMA_SERVER", (folder() / "server").c_str(), 1);
  EXPECT_EQ(*FindLlamaServer(), folder() / "server");
  EXPECT_EQ(*FindLlamaServer("/bin/sh"), "/bin/sh");
  ::unsetenv("ISOVEIL_LLAMA_SERVER");
  EXPECT_EQ(FindLlamaServer()->filename(), "llama-server");
}

// A stand-in for the server writes down what it was given, then ends.
TEST_F(ServerProcessTest, TheChildGetsNoVariablesAndNoFilesOfOurs) {
  ASSERT_TRUE(
      WriteNewFile(folder() / "server",
                   fmt::format("#!/bin/sh\nenv > {0}/env\nls -l /proc/self/fd > {0}/fds\necho \"$@\" > {0}/args\n"
                               "echo the reason >&2\nexit 3\n",
                               folder().string()),
                   0755));
  ASSERT_TRUE(WriteNewFile(folder() / "model.gguf", "x"));
  const int secret = ::open((folder() / "model.gguf").c_str(), 0);  // inherited unless closed
  ::setenv("ISOVEIL_PASSPHRASE", "s3cret", 1);
  const auto server = ServerProcess::Start(
      {.model = folder() / "model.gguf", .binary = folder() / "server", .port = 0, .extra_args = {"--last", "x"}});
  ::unsetenv("ISOVEIL_PASSPHRASE");
  ::close(secret);
  ASSERT_FALSE(server);
  EXPECT_NE(server.error().problem.find("exit status 3"), std::string::npos);
  EXPECT_NE(server.error().problem.find("the reason"), std::string::npos);
  EXPECT_EQ(ReadTextFile(folder() / "env")->find("s3cret"), std::string::npos);
  EXPECT_EQ(ReadTextFile(folder() / "fds")->find("model.gguf"), std::string::npos);
  const std::string args = *ReadTextFile(folder() / "args");
  EXPECT_NE(args.find("--host 127.0.0.1 --port "), std::string::npos);
  EXPECT_TRUE(args.ends_with("--last x\n")) << args;
}

// A server that neither answers nor ends, and does not mind SIGTERM.
TEST_F(ServerProcessTest, StubbornServersAreKilled) {
  ASSERT_TRUE(WriteNewFile(
      folder() / "server",
      fmt::format("#!/bin/sh\ntrap '' TERM\necho $$ > {}/pid\nwhile :; do sleep 0.05; done\n", folder().string()),
      0755));
  ASSERT_TRUE(WriteNewFile(folder() / "model.gguf", "x"));
  const auto server = ServerProcess::Start(
      {.model = folder() / "model.gguf", .binary = folder() / "server", .start_timeout = 500ms, .stop_grace = 200ms});
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(server.error().problem.find("not become ready"), std::string::npos);
  const int pid = std::stoi(*ReadTextFile(folder() / "pid"));
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST_F(ServerProcessTest, StopsCleanlyAndReportsADeath) {
  const auto model = WriteTinyModel(folder());
  auto server = ServerProcess::Start({.model = *model, .extra_args = kOneThread, .log_file = folder() / "log"});
  ASSERT_TRUE(server) << server.error().Message();
  EXPECT_TRUE(server->running());
  EXPECT_EQ(server->ending(), std::nullopt);
  EXPECT_GT(std::filesystem::file_size(folder() / "log"), 0U);
  auto second = ServerProcess::Start({.model = *model, .extra_args = kOneThread});
  ASSERT_TRUE(second);
  const int first_pid = server->pid();
  *server = std::move(*second);  // the first one ends
  EXPECT_EQ(::kill(first_pid, 0), -1);
  ::kill(server->pid(), SIGKILL);
  for (int i = 0; i < 100 && server->running(); ++i) std::this_thread::sleep_for(20ms);
  EXPECT_FALSE(server->running());
  EXPECT_EQ(server->ending(), "signal 9 (Killed)");
  EXPECT_TRUE(server->Stop());
}

TEST_F(ServerProcessTest, SurvivesTheThreadThatStartedIt) {
  const auto model = WriteTinyModel(folder());
  std::optional<ServerProcess> server;
  std::thread([&] {
    auto started = ServerProcess::Start({.model = *model, .extra_args = kOneThread});
    if (started) server = std::move(*started);
  }).join();
  ASSERT_TRUE(server);
  std::this_thread::sleep_for(300ms);
  EXPECT_TRUE(server->running());
}

// Even a process that is killed takes its server with it.
TEST_F(ServerProcessTest, DiesWithItsParent) {
  const auto model = WriteTinyModel(folder());
  int pipe[2] = {};
  ASSERT_EQ(::pipe(pipe), 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    const auto server = ServerProcess::Start({.model = *model, .extra_args = kOneThread});
    const int pid = server ? server->pid() : -1;
    (void)!::write(pipe[1], &pid, sizeof(pid));
    ::pause();
    ::_exit(0);
  }
  int server = -1;
  ASSERT_EQ(::read(pipe[0], &server, sizeof(server)), static_cast<ssize_t>(sizeof(server)));
  ASSERT_GT(server, 0);
  EXPECT_EQ(::kill(server, 0), 0);
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  // A zombie whose new parent has not yet collected it is as good as gone.
  const auto gone = [&] {
    const auto stat = ReadTextFile(fmt::format("/proc/{}/stat", server));
    return !stat || stat->find(") Z ") != std::string::npos;
  };
  for (int i = 0; i < 250 && !gone(); ++i) std::this_thread::sleep_for(20ms);
  EXPECT_TRUE(gone());
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_F(ServerProcessTest, AKilledServerBreaksTheStream) {
  const auto model = WriteTinyModel(folder());
  auto server = ServerProcess::Start({.model = *model, .extra_args = kOneThread});
  ASSERT_TRUE(server);
  const auto upstream = *OpenUpstream({.url = server->url()});
  const auto result = Generate(*upstream, {.prompt = kSent, .sampling = {.max_tokens = 200, .ignore_eos = true}},
                               [&](const GeneratedToken&) {
                                 ::kill(server->pid(), SIGKILL);
                                 std::this_thread::sleep_for(5ms);
                                 return true;
                               });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace isoveil
