// NativeSession, NativeState and NativeProgram as plain objects whose methods hold what they need, so that a
// method called on the wrong receiver does no harm.
#include "session.h"

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine.h"
#include "errors.h"

namespace crossover {
namespace {

constexpr napi_type_tag kStateTag = {0x6c3f2f1be1a14a5dULL, 0x9d0b6f0f7c2e4b11ULL};
constexpr double kMaxSafe = 9007199254740991.0;

/// Everything one environment has open.
struct Environment {
  std::vector<std::shared_ptr<Session>> sessions;
  bool closed = false;

  /// Forgets sessions whose worker has ended.
  void prune() {
    for (std::size_t i = 0; i < sessions.size();) {
      if (sessions[i]->finished()) {
        sessions[i]->join();
        sessions.erase(sessions.begin() + static_cast<std::ptrdiff_t>(i));
      } else {
        ++i;
      }
    }
  }

  /// Cancels every run and waits for it. No run starts afterwards.
  void close() {
    closed = true;
    for (const auto& session : sessions) session->stop();
    for (const auto& session : sessions) session->join();
    sessions.clear();
  }
};

/// What the objects of one session share. `session` is null once disposed; disposing goes top-down.
struct StateHandle {
  std::shared_ptr<StateBlock> block;
};
struct ProgramHandle {
  std::shared_ptr<LoadedProgram> program;
  std::shared_ptr<StateHandle> state;

  void dispose() {
    if (program) program->cancel = true;
    program.reset();
  }
};
struct SessionHandle {
  std::shared_ptr<Session> session;
  std::vector<std::weak_ptr<StateHandle>> states;
  std::vector<std::weak_ptr<ProgramHandle>> programs;

  void disposeState(StateHandle& state) {
    for (const auto& weak : programs) {
      const auto program = weak.lock();
      if (program && program->state.get() == &state) program->dispose();
    }
    state.block.reset();
  }
  void dispose() {
    for (const auto& weak : states) {
      if (const auto state = weak.lock()) disposeState(*state);
    }
    if (session) session->stop();
    session.reset();
  }
};

Napi::Error toJs(Napi::Env env, const Error& error) {
  Napi::Error result = Napi::Error::New(env, error.what());
  result.Set("code", Napi::String::New(env, error.code));
  if (error.needed != 0) {
    result.Set("needed", Napi::Number::New(env, static_cast<double>(error.needed)));
    result.Set("available", Napi::Number::New(env, static_cast<double>(error.available)));
  }
  return result;
}

/// A method that turns Error into a JavaScript Error with `code`.
template <class F>
void method(Napi::Object object, const char* name, F body) {
  object.Set(name, Napi::Function::New(
                       object.Env(),
                       [body](const Napi::CallbackInfo& info) -> Napi::Value {
                         try {
                           return body(info);
                         } catch (const Error& error) {
                           throw toJs(info.Env(), error);
                         } catch (const std::bad_alloc&) {
                           throw toJs(info.Env(), Error("memory", "There is no memory left for this call."));
                         }
                       },
                       name));
}

/// A whole number in [0, 2^53) from an argument.
int64_t wholeNumber(const Napi::Value& value, const char* what) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0 && number <= kMaxSafe) || number != std::floor(number)) {
    throw Error("program", std::string("The ") + what + " must be a whole number from 0.");
  }
  return static_cast<int64_t>(number);
}

Napi::Uint8Array bytesOf(const Napi::Value& value) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    throw Error("program", "The bytes must be a Uint8Array.");
  }
  return value.As<Napi::Uint8Array>();
}

template <class T>
T& opened(const std::shared_ptr<T>& pointer, const char* what) {
  if (!pointer)
    throw Error("disposed", std::string("This ") + what + " was disposed and cannot be used any more.");
  return *pointer;
}

Napi::Value copyOut(Napi::Env env, const uint8_t* bytes, int64_t length) {
  Napi::Uint8Array result = Napi::Uint8Array::New(env, static_cast<std::size_t>(length));
  std::copy(bytes, bytes + length, result.Data());
  return result;
}

Napi::Value toJs(Napi::Env env, const RunReport& report, bool profile) {
  const auto floats = [&](const double* values, std::size_t count) {
    Napi::Float64Array array = Napi::Float64Array::New(env, count);
    std::copy(values, values + count, array.Data());
    return array;
  };
  Napi::Object result = Napi::Object::New(env);
  result["totalNs"] = static_cast<double>(report.totalNs);
  result["phaseNs"] = floats(report.phaseNs, kPhases);
  if (profile) result["instructionNs"] = floats(report.instructionNs.data(), report.instructionNs.size());
  return result;
}

/// Starts a run and settles its promise on the JavaScript thread.
Napi::Value startRun(Napi::Env env, Session& session, const std::shared_ptr<LoadedProgram>& program,
                     const Napi::Value& options) {
  std::size_t start = 0, end = program->program.instructions.size();
  bool profile = false;
  if (options.IsObject()) {
    const Napi::Object object = options.As<Napi::Object>();
    const Napi::Value first = object.Get("start"), last = object.Get("end");
    if (!first.IsUndefined()) start = static_cast<std::size_t>(wholeNumber(first, "start of the run"));
    if (!last.IsUndefined()) end = static_cast<std::size_t>(wholeNumber(last, "end of the run"));
    profile = object.Get("profile").ToBoolean();
  }
  const Napi::Promise::Deferred deferred = Napi::Promise::Deferred::New(env);
  const Napi::Function nothing = Napi::Function::New(env, [](const Napi::CallbackInfo&) {});
  Napi::ThreadSafeFunction settle = Napi::ThreadSafeFunction::New(env, nothing, "crossover run", 0, 1);
  try {
    session.run(program, start, end, [deferred, settle, profile](RunOutcome outcome) {
      auto* result = new RunOutcome(std::move(outcome));
      const napi_status status =
          settle.BlockingCall(result, [deferred, profile](Napi::Env jsEnv, Napi::Function, RunOutcome* done) {
            const std::unique_ptr<RunOutcome> owned(done);
            if (jsEnv == nullptr) return;
            if (owned->error) {
              deferred.Reject(toJs(jsEnv, *owned->error).Value());
            } else {
              deferred.Resolve(toJs(jsEnv, owned->report, profile));
            }
          });
      if (status == napi_ok) {
        settle.Release();
      } else {
        delete result;  // the environment is closing; nobody awaits the promise any more
      }
    });
  } catch (const Error& error) {
    settle.Release();
    deferred.Reject(toJs(env, error).Value());
  }
  return deferred.Promise();
}

Napi::Object programObject(Napi::Env env, const std::shared_ptr<SessionHandle>& owner,
                           const std::shared_ptr<ProgramHandle>& handle) {
  Napi::Object object = Napi::Object::New(env);
  const auto segment = [handle](const Napi::CallbackInfo& info, int64_t length) {
    LoadedProgram& program = opened(handle->program, "program");
    const int64_t index = wholeNumber(info[0], "segment");
    if (index >= kSegments) throw Error("program", "The segment must be 0 (state), 1 (arena) or 2 (io).");
    const Memory& memory = index == 0 ? program.state->memory : index == 1 ? program.arena : program.io;
    const int runs = index == 0 ? program.state->runs.load() : program.running.load() ? 1 : 0;
    return segmentBytes(memory, wholeNumber(info[1], "offset"), length, runs);
  };
  method(object, "run", [owner, handle](const Napi::CallbackInfo& info) -> Napi::Value {
    opened(handle->program, "program");
    return startRun(info.Env(), opened(owner->session, "session"), handle->program, info[0]);
  });
  method(object, "cancel", [handle](const Napi::CallbackInfo& info) -> Napi::Value {
    opened(handle->program, "program").cancel = true;
    return info.Env().Undefined();
  });
  method(object, "write", [segment](const Napi::CallbackInfo& info) -> Napi::Value {
    const Napi::Uint8Array data = bytesOf(info[2]);
    std::copy(data.Data(), data.Data() + data.ByteLength(),
              segment(info, static_cast<int64_t>(data.ByteLength())));
    return info.Env().Undefined();
  });
  method(object, "read", [segment](const Napi::CallbackInfo& info) -> Napi::Value {
    const int64_t length = wholeNumber(info[2], "length");
    return copyOut(info.Env(), segment(info, length), length);
  });
  method(object, "dispose", [handle](const Napi::CallbackInfo& info) -> Napi::Value {
    handle->dispose();
    return info.Env().Undefined();
  });
  return object;
}

Napi::Object stateObject(Napi::Env env, const std::shared_ptr<SessionHandle>& owner,
                         const std::shared_ptr<StateHandle>& handle) {
  Napi::Object object = Napi::Object::New(env);
  object["byteLength"] = static_cast<double>(handle->block->memory.size());
  method(object, "write", [handle](const Napi::CallbackInfo& info) -> Napi::Value {
    StateBlock& block = opened(handle->block, "state");
    const Napi::Uint8Array data = bytesOf(info[1]);
    const auto length = static_cast<int64_t>(data.ByteLength());
    std::copy(data.Data(), data.Data() + length,
              segmentBytes(block.memory, wholeNumber(info[0], "offset"), length, block.runs));
    return info.Env().Undefined();
  });
  method(object, "read", [handle](const Napi::CallbackInfo& info) -> Napi::Value {
    StateBlock& block = opened(handle->block, "state");
    const int64_t length = wholeNumber(info[1], "length");
    return copyOut(info.Env(), segmentBytes(block.memory, wholeNumber(info[0], "offset"), length, block.runs),
                   length);
  });
  method(object, "dispose", [owner, handle](const Napi::CallbackInfo& info) -> Napi::Value {
    owner->disposeState(*handle);
    return info.Env().Undefined();
  });
  object.TypeTag(&kStateTag);
  auto* wrapped = new std::shared_ptr<StateHandle>(handle);
  const napi_finalize release = [](napi_env, void* data, void*) {
    delete static_cast<std::shared_ptr<StateHandle>*>(data);
  };
  if (napi_wrap(env, object, wrapped, release, nullptr, nullptr) != napi_ok) {
    delete wrapped;
    throw Napi::Error::New(env, "The state object could not be made.");
  }
  return object;
}

std::shared_ptr<StateHandle> stateFrom(const Napi::Value& value) {
  void* wrapped = nullptr;
  if (value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&kStateTag) &&
      napi_unwrap(value.Env(), value, &wrapped) == napi_ok) {
    return *static_cast<std::shared_ptr<StateHandle>*>(wrapped);
  }
  throw Error("program", "The state must come from createState.");
}

}  // namespace

Napi::Value createSession(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto handle = std::make_shared<SessionHandle>();
  auto* environment = env.GetInstanceData<Environment>();
  try {
    if (environment->closed) throw Error("disposed", "The process is ending; it makes no new session.");
    int64_t threads = 0;
    if (info[0].IsObject()) {
      const Napi::Value wanted = info[0].As<Napi::Object>().Get("threads");
      if (!wanted.IsUndefined()) threads = wholeNumber(wanted, "number of threads");
    }
    if (threads > 1024) throw Error("program", "The number of threads must be at most 1024.");
    handle->session = std::make_shared<Session>(static_cast<int>(threads));
  } catch (const Error& error) {
    throw toJs(env, error);
  }
  environment->prune();
  environment->sessions.push_back(handle->session);

  Napi::Object object = Napi::Object::New(env);
  method(object, "createState", [handle](const Napi::CallbackInfo& call) -> Napi::Value {
    auto state = std::make_shared<StateHandle>();
    state->block = opened(handle->session, "session").createState(wholeNumber(call[0], "size of the state"));
    handle->states.push_back(state);
    return stateObject(call.Env(), handle, state);
  });
  method(object, "loadProgram", [handle](const Napi::CallbackInfo& call) -> Napi::Value {
    Session& session = opened(handle->session, "session");
    const Napi::Uint8Array bytes = bytesOf(call[0]);
    auto program = std::make_shared<ProgramHandle>();
    program->state = stateFrom(call[1]);
    opened(program->state->block, "state");
    program->program = session.load(bytes.Data(), bytes.ByteLength(), program->state->block);
    handle->programs.push_back(program);
    return programObject(call.Env(), handle, program);
  });
  method(object, "seed", [handle](const Napi::CallbackInfo& call) -> Napi::Value {
    Session& session = opened(handle->session, "session");
    if (!call[0].IsNumber()) throw Error("program", "The seed must be a number.");
    session.seed(static_cast<uint64_t>(call[0].As<Napi::Number>().Int64Value()));
    return call.Env().Undefined();
  });
  method(object, "dispose", [handle](const Napi::CallbackInfo& call) -> Napi::Value {
    handle->dispose();
    return call.Env().Undefined();
  });
  return object;
}

void installCleanup(Napi::Env env) {
  auto* environment = new Environment();
  env.SetInstanceData<Environment>(environment);  // deleted by Node after the hook below
  env.AddCleanupHook([](Environment* open) { open->close(); }, environment);
  // process.exit() in the main thread runs no clean-up hook: it goes on to the destructors of static objects,
  // among them the machine code of oneDNN's kernels, which a run must not execute any more.
  const Napi::Value process = env.Global().Get("process");
  const Napi::Value on = process.IsObject() ? process.As<Napi::Object>().Get("on") : env.Undefined();
  if (!on.IsFunction()) return;
  const auto close = [environment](const Napi::CallbackInfo&) { environment->close(); };
  on.As<Napi::Function>().Call(
      process, {Napi::String::New(env, "exit"), Napi::Function::New(env, close, "endCrossoverRuns")});
}

}  // namespace crossover
