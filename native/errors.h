// The one error class of the engine. `code` becomes the `code` property of the JavaScript Error.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace crossover {

/// Codes: program, memory, disposed, busy, cancelled, data.
class Error : public std::runtime_error {
 public:
  Error(const char* errorCode, const std::string& message) : std::runtime_error(message), code(errorCode) {}
  const char* code;
  /// Only for `memory`: bytes asked for, and bytes that can be had.
  int64_t needed = 0, available = 0;
};

}  // namespace crossover
