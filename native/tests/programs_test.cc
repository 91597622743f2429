// Real programs, as the compiler makes them: every one runs to its end, and changed ones are refused or run.
// They are read from the folder that CROSSOVER_PROGRAMS names (test/native/programs.main.ts writes it).
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <random>

#include "../engine.h"
#include "../errors.h"
#include "check.h"

namespace crossover {
namespace {

using check::expect;

using Bytes = std::vector<uint8_t>;

/// Programs by the name before the first dot, in the order of their numbers.
std::map<std::string, std::vector<Bytes>> readPrograms(const char* folder) {
  std::map<std::string, Bytes> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    files[entry.path().filename().string()] =
        Bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  }
  std::map<std::string, std::vector<Bytes>> programs;
  for (auto& [name, bytes] : files) programs[name.substr(0, name.find('.'))].push_back(std::move(bytes));
  return programs;
}

int64_t wordOf(const Bytes& bytes, std::size_t index) {
  int64_t value;
  std::memcpy(&value, &bytes[index * 8], 8);
  return value;
}

/// Runs to the end, or until `limit`, when it is cancelled; gives the error's code, or "".
std::string runFor(Session& session, const std::shared_ptr<LoadedProgram>& program,
                   std::chrono::milliseconds limit) {
  std::mutex mutex;
  std::condition_variable ended;
  bool done = false;
  std::string code;
  session.run(program, 0, program->program.instructions.size(), [&](RunOutcome outcome) {
    const std::lock_guard<std::mutex> lock(mutex);
    code = outcome.error ? outcome.error->code : "";
    done = true;
    ended.notify_one();
  });
  std::unique_lock<std::mutex> lock(mutex);
  if (!ended.wait_for(lock, limit, [&] { return done; })) program->cancel = true;
  ended.wait(lock, [&] { return done; });
  return code;
}

constexpr std::chrono::milliseconds kLong{120'000}, kShort{150};
constexpr int kChanges = 40;  // of each model's programs
constexpr std::size_t kMostBytes = std::size_t{1} << 27;

bool mayRun(const KernelTable& kernels) {
  return std::strcmp(kernels.instructionSet, "portable") == 0 && std::getenv("CROSSOVER_PROGRAMS") != nullptr;
}

KERNEL_TEST(realPrograms, "real programs: every zoo model initialises, trains and decodes") {
  if (!mayRun(kernels)) return;
  const auto programs = readPrograms(std::getenv("CROSSOVER_PROGRAMS"));
  expect(programs.size() > 20, "the folder has programs");
  for (const auto& [name, parts] : programs) {
    Session session(2);
    const auto state = session.createState(static_cast<std::size_t>(wordOf(parts[0], 2)));
    for (std::size_t i = 0; i < parts.size(); ++i) {
      std::string code;
      try {
        const auto program = session.load(parts[i].data(), parts[i].size(), state);
        code = runFor(session, program, kLong);
      } catch (const Error& error) {
        code = error.what();
      }
      expect(code.empty(), name + " program " + std::to_string(i) + ": " + code);
    }
  }
}

KERNEL_TEST(changedPrograms, "real programs: changed ones are refused or run") {
  if (!mayRun(kernels)) return;
  std::mt19937_64 random(11);
  int ran = 0, refused = 0;
  for (const auto& [name, parts] : readPrograms(std::getenv("CROSSOVER_PROGRAMS"))) {
    Session session(2);
    const std::size_t stateBytes = static_cast<std::size_t>(wordOf(parts[0], 2));
    for (int round = 0; round < kChanges; ++round) {
      Bytes bytes = parts[random() % parts.size()];
      for (uint64_t changes = 1 + random() % 2; changes > 0; --changes) {
        // Another word of the same program is more often legal than any number.
        const std::size_t at = 8 + random() % (bytes.size() / 8 - 8),
                          from = 8 + random() % (bytes.size() / 8 - 8);
        int64_t value = random() % 3 == 0 ? wordOf(bytes, from)
                                          : wordOf(bytes, at) + static_cast<int64_t>(random() % 5) - 2;
        std::memcpy(&bytes[at * 8], &value, 8);
      }
      try {
        const auto program = session.load(bytes.data(), bytes.size(), session.createState(stateBytes));
        if (program->arena.size() > kMostBytes) continue;
        const std::string code = runFor(session, program, kShort);
        expect(code.empty() || code == "cancelled" || code == "data", name + ": code " + code);
        ++ran;
      } catch (const Error& error) {
        const std::string code = error.code;
        expect(code == "program" || code == "memory", name + ": code " + code);
        ++refused;
      }
    }
  }
  expect(ran > 100 && refused > 100,
         "some run and some are refused: " + std::to_string(ran) + ", " + std::to_string(refused));
}

}  // namespace
}  // namespace crossover
