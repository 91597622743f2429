// The engine without Node: parsing of random and mutated bytes, lifetimes, cancellation. Runs once, not per
// instruction set: these tests look at the session's own choice of kernels.
#include "../engine.h"

#include <cmath>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <random>

#include "../cpu/fusedOps.h"
#include "../errors.h"
#include "check.h"

namespace crossover {
namespace {

using check::expect;

/// Words of a program under construction.
struct Writer {
  std::vector<uint8_t> bytes;
  void word(int64_t value) {
    for (int i = 0; i < 8; ++i)
      bytes.push_back(static_cast<uint8_t>(static_cast<uint64_t>(value) >> (8 * i)));
  }
  void real(double value) {
    int64_t bits;
    std::memcpy(&bits, &value, 8);
    word(bits);
  }
  void words(std::initializer_list<int64_t> values) {
    for (int64_t value : values) word(value);
  }
};

/// An arena of three n x n matrices; a fused operation with a reduction, a matrix product, a softmax, draws.
std::vector<uint8_t> sample(int64_t n) {
  Writer w;
  const int64_t size = n * n * 4;
  w.words({kProgramMagic, kProgramVersion, 64, 3 * size, 64, 5, 5, 8});
  for (int64_t i = 0; i < 3; ++i) w.words({1, 0, i * size, 2, n, n, n, 1});
  w.words({1, 0, 0, 2, n, n, 0, 1});  // a row, as the sum over rows
  w.words({0, 0, 0, 1, 2, 1});        // two state elements
  w.words({static_cast<int64_t>(Opcode::constant), 0, 1, 2, 0, 4, 0, 8});
  w.words({static_cast<int64_t>(Opcode::rng_normal), 0, 1, 1, 2, 1, 0});
  w.real(0), w.real(1);
  w.words({static_cast<int64_t>(Opcode::matmul), 1, 5, 2, 1, 2, 1, 1, -1, -1, 0, 0});
  w.real(1);
  w.words({static_cast<int64_t>(Opcode::softmax), 1, 2, 0, 0, 2, 2});
  const int64_t exp = static_cast<int64_t>(FusedOp::exp);
  w.words({static_cast<int64_t>(Opcode::fused), 2, 2, 11, 0, 3, 2, 0, 1, 1, 1, 1, 0, exp, 1, 0, -1, -1});
  w.real(0);
  return w.bytes;
}

bool refused(const std::vector<uint8_t>& bytes) {
  try {
    parseProgram(bytes.data(), bytes.size());
    return false;
  } catch (const Error& error) {
    expect(std::string(error.code) == "program", std::string("code ") + error.code);
    return true;
  }
}

/// Runs to the end on this thread and returns the error's code, or "".
std::string runAndWait(Session& session, const std::shared_ptr<LoadedProgram>& program,
                       const std::function<void()>& meanwhile = {}) {
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
  if (meanwhile) meanwhile();
  std::unique_lock<std::mutex> lock(mutex);
  ended.wait(lock, [&] { return done; });
  return code;
}

bool firstTable(const KernelTable& kernels) { return std::strcmp(kernels.instructionSet, "portable") == 0; }

KERNEL_TEST(programFuzz, "program: random and mutated bytes are refused or run") {
  if (!firstTable(kernels)) return;
  std::mt19937_64 random(7);
  const std::vector<uint8_t> good = sample(6);
  expect(!refused(good), "the sample program is legal");
  for (int round = 0; round < 300; ++round) {
    std::vector<uint8_t> bytes(random() % 400);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    expect(refused(bytes), "random bytes");
  }
  Session session(2);
  int ran = 0;
  for (int round = 0; round < 6000; ++round) {
    std::vector<uint8_t> bytes = good;
    for (uint64_t changes = 1 + random() % 3; changes > 0; --changes) {
      const std::size_t word = random() % (bytes.size() / 8);
      static const int64_t kValues[] = {-2, -1, 0,  1,   2,   3,    5,         7,
                                        8,  36, 64, 100, 144, 1000, INT64_MAX, INT64_MIN};
      int64_t value = kValues[random() % 16];
      if (random() % 4 == 0) value = static_cast<int64_t>(random());
      std::memcpy(&bytes[word * 8], &value, 8);
    }
    if (random() % 8 == 0) bytes.resize(random() % bytes.size());
    try {
      auto program = session.load(bytes.data(), bytes.size(), session.createState(64));
      if (program->arena.size() > (1 << 20)) continue;
      // Legal programs may still loop for long over broadcast space; a cancelled run must come back.
      const std::string code = runAndWait(session, program, [&] {
        if (round % 2 == 0) program->cancel = true;
      });
      expect(code.empty() || code == "cancelled" || code == "data", "code " + code);
      ++ran;
    } catch (const Error& error) {
      const std::string code = error.code;
      expect(code == "program" || code == "memory", "code " + code);
    }
  }
  expect(ran > 100, "some mutated programs are legal: " + std::to_string(ran));
}

KERNEL_TEST(programLifetime, "session: programs and states outlive what their runs need") {
  if (!firstTable(kernels)) return;
  const std::vector<uint8_t> bytes = sample(64);
  for (int round = 0; round < 20; ++round) {
    auto session = std::make_unique<Session>(2);
    auto state = session->createState(64);
    auto program = session->load(bytes.data(), bytes.size(), state);
    state.reset();
    expect(runAndWait(*session, program).empty(), "a run");
    std::atomic<int> settled{0};
    session->run(program, 0, 5, [&](RunOutcome) { ++settled; });
    program.reset();
    session->stop();
    session.reset();  // joins
    expect(settled == 1, "the last run settles");
  }
}

KERNEL_TEST(programBusy,
            "session: one run of a program at a time; memory too large is refused with its size") {
  if (!firstTable(kernels)) return;
  Session session(1);
  const std::vector<uint8_t> bytes = sample(256);
  auto program = session.load(bytes.data(), bytes.size(), session.createState(64));
  std::string second;
  runAndWait(session, program, [&] {
    try {
      session.run(program, 0, 1, [](RunOutcome) {});
    } catch (const Error& error) {
      second = error.code;
    }
  });
  expect(second == "busy" || second.empty(), "second run: " + second);
  try {
    session.createState(int64_t{1} << 50);
    expect(false, "2^50 bytes were given");
  } catch (const Error& error) {
    expect(std::string(error.code) == "memory" && error.needed == int64_t{1} << 50, "memory error");
  }
}

}  // namespace
}  // namespace crossover
