// JavaScript objects of sessions, states and programs. Only this and addon.cc know Node.
#pragma once

#include <napi.h>

namespace crossover {

/// createSession({ threads? }) -> NativeSession.
Napi::Value createSession(const Napi::CallbackInfo& info);

/// Makes the exit of this environment, and of the process, cancel and await every run.
void installCleanup(Napi::Env env);

}  // namespace crossover
