// Errors that come from the world: files, scenes, devices. Contract violations are asserts instead.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace polarscope {

// What kind of thing went wrong; the value is the process's exit code (interface.md, "Program").
enum class ErrorKind { expectation = 1, bad_input = 2, machine_lacks = 3 };

// A place in a file the user wrote. Line and column start at 1; 0 means "the file as a whole".
struct Place {
  std::string file;
  int line = 0;
  int column = 0;
};

struct Error {
  ErrorKind kind = ErrorKind::bad_input;
  Place place;
  std::string message; // one sentence, no full stop, no line break

  // "FILE:LINE:COL: message", leaving out the parts that are not known.
  std::string text() const;
};

Error bad_input(std::string message, Place place = {});
Error machine_lacks(std::string message);

// A value or an Error. `if (!r) return r.error();`
template <class T> class [[nodiscard]] Result {
public:
  Result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : held_(std::in_place_index<1>, std::move(error)) {}
  bool ok() const { return held_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & {
    assert(ok());
    return *std::get_if<0>(&held_);
  }
  const T& value() const& {
    assert(ok());
    return *std::get_if<0>(&held_);
  }
  T&& value() && {
    assert(ok());
    return std::move(*std::get_if<0>(&held_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const {
    assert(!ok());
    return *std::get_if<1>(&held_);
  }

private:
  std::variant<T, Error> held_;
};

template <> class [[nodiscard]] Result<void> {
public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}
  bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    assert(error_);
    return *error_;
  }

private:
  std::optional<Error> error_;
};

} // namespace polarscope
