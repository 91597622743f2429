// Sessions, states and programs; see engine.h.
#include "engine.h"

#include <algorithm>
#include <exception>
#include <new>
#include <string>
#include <utility>

#include "errors.h"

namespace crossover {

Session::Session(int threads) : backend_(makeCpuBackend(threads)) {}

std::shared_ptr<StateBlock> Session::createState(int64_t bytes) {
  return std::make_shared<StateBlock>(bytes);
}

std::shared_ptr<LoadedProgram> Session::load(const uint8_t* bytes, std::size_t length,
                                             std::shared_ptr<StateBlock> state) {
  auto loaded = std::make_shared<LoadedProgram>();
  loaded->program = parseProgram(bytes, length);
  const int64_t* sizes = loaded->program.segmentBytes;
  if (sizes[0] > state->memory.size()) {
    throw Error("program", "The program needs a state of " + std::to_string(sizes[0]) +
                               " bytes and this one has " + std::to_string(state->memory.size()) +
                               "; create the state from the same compilation.");
  }
  requireMemory(sizes[1] + sizes[2], "program");
  loaded->arena = Memory(sizes[1], "arena of the program");
  loaded->io = Memory(sizes[2], "inputs and results of the program");
  const Segments segments{{state->memory.data(), loaded->arena.data(), loaded->io.data()}};
  loaded->state = std::move(state);
  loaded->prepared = backend_->prepare(loaded->program, segments, random_);
  programs_.erase(
      std::remove_if(programs_.begin(), programs_.end(), [](const auto& p) { return p.expired(); }),
      programs_.end());
  programs_.push_back(loaded);
  return loaded;
}

void Session::run(const std::shared_ptr<LoadedProgram>& program, std::size_t start, std::size_t end,
                  std::function<void(RunOutcome)> done) {
  const std::size_t count = program->program.instructions.size();
  if (start > end || end > count) {
    throw Error("program", "The run's instructions " + std::to_string(start) + " to " + std::to_string(end) +
                               " are not within the program's " + std::to_string(count) + ".");
  }
  if (stopped_) throw Error("disposed", "This session has ended and runs nothing any more.");
  if (program->running.exchange(true))
    throw Error("busy", "This program is already running; await its run first.");
  program->cancel = false;
  ++program->state->runs;
  ++runs_;
  worker_.submit([this, owned = program, start, end, done = std::move(done)]() mutable {
    LoadedProgram* program = owned.get();
    RunOutcome outcome;
    try {
      outcome.report = runInstructions(program->program, *program->prepared, start, end, program->cancel);
    } catch (const Error& error) {
      outcome.error = std::make_unique<Error>(error);
    } catch (const std::bad_alloc&) {
      outcome.error = std::make_unique<Error>("memory", "The run found no memory for its working space.");
    } catch (const std::exception& error) {
      outcome.error =
          std::make_unique<Error>("program", std::string("The run failed: ") + error.what() + ".");
    }
    program->running = false;
    --program->state->runs;
    --runs_;
    owned.reset();
    done(std::move(outcome));
  });
}

void Session::seed(uint64_t seed) {
  if (runs_ != 0) throw Error("busy", "The generator cannot be restarted during a run; await the run first.");
  random_.seed(seed);
}

void Session::stop() {
  stopped_ = true;
  for (const auto& weak : programs_) {
    if (const auto program = weak.lock()) program->cancel = true;
  }
  worker_.stop();
}

uint8_t* segmentBytes(const Memory& memory, int64_t offset, int64_t length, int runs) {
  if (runs != 0) throw Error("busy", "This memory is in use by a run; await the run first.");
  if (offset < 0 || length < 0 || offset > memory.size() || length > memory.size() - offset) {
    throw Error("program", "Bytes " + std::to_string(offset) + " to " + std::to_string(offset + length) +
                               " are outside the segment of " + std::to_string(memory.size()) + " bytes.");
  }
  return memory.data() + offset;
}

}  // namespace crossover
