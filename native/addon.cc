// Registration: what the addon exports. `extension/core/engine/binding.ts` is its typed mirror.
#include <fstream>
#include <string>

#include "backend.h"
#include "memory.h"
#include "session.h"

namespace crossover {
namespace {

std::string cpuModel() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

Napi::Value devices(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const CpuDescription cpu = describeCpu();
  Napi::Object result = Napi::Object::New(env);
  result["model"] = cpuModel();
  result["threads"] = cpu.threads;
  result["instructionSet"] = cpu.instructionSet;
  result["oneDnn"] =
      cpu.oneDnn == nullptr ? env.Null() : Napi::String::New(env, cpu.oneDnn).As<Napi::Value>();
  result["bf16"] = cpu.bf16;
  result["memoryBytes"] = static_cast<double>(physicalMemory());
  return result;
}

Napi::Value tables(const Napi::CallbackInfo& info) {
  const auto list = [&](const std::vector<std::string>& names) {
    Napi::Array array = Napi::Array::New(info.Env());
    for (const std::string& name : names) array[array.Length()] = name;
    return array;
  };
  Napi::Object result = Napi::Object::New(info.Env());
  result["opcodes"] = list(opcodeNames());
  result["fusedOps"] = list(fusedOpNames());
  return result;
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  installCleanup(env);
  exports["version"] = "1";
  exports["devices"] = Napi::Function::New(env, devices, "devices");
  exports["tables"] = Napi::Function::New(env, tables, "tables");
  exports["createSession"] = Napi::Function::New(env, createSession, "createSession");
  return exports;
}

}  // namespace
}  // namespace crossover

static Napi::Object initializeAddon(Napi::Env env, Napi::Object exports) {
  return crossover::initialize(env, exports);
}
NODE_API_MODULE(crossover, initializeAddon)
