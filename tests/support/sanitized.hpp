// Sanitizers slow everything down ten to a hundred times: tests that try all pairs of long lists then try some of them.
#pragma once

namespace polarscope {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

// Counts pairs; true for those to be tried: all, or one of eight.
class EighthWhenSanitized {
public:
  bool operator()() { return !kSanitized || count_++ % 8 == 0; }

private:
  int count_ = 0;
};

} // namespace polarscope
