// A display of one's own: an Xvfb server that ends with the object, with DISPLAY pointing at it.
#pragma once

#include <string>

#include <sys/types.h>

class Xvfb {
public:
  Xvfb();
  ~Xvfb();
  Xvfb(const Xvfb&) = delete;
  Xvfb& operator=(const Xvfb&) = delete;

  bool running() const { return process_ > 0; }

private:
  pid_t process_ = -1;
  std::string old_display_;
};
