// What the sanitizers say about graphics drivers is excused by the drivers' names. Drivers leak a few
// kilobytes per context, and unloaded ones have no name any more, so under AddressSanitizer they stay loaded.
#if defined(__SANITIZE_ADDRESS__)

extern "C" int dlclose(void*) { return 0; }

extern "C" const char* __lsan_default_suppressions() {
  return "leak:swrast_dri\nleak:libgallium\nleak:libEGL\nleak:libGLX\nleak:libGLdispatch\nleak:libLLVM\n";
}

#elif defined(__SANITIZE_THREAD__)

// Their threads synchronise in ways that ThreadSanitizer does not see.
extern "C" const char* __tsan_default_suppressions() {
  return "race:swrast_dri.so\nrace:libgallium\nrace:libLLVM\nmutex:swrast_dri.so\nmutex:libgallium\nthread:"
         "swrast_dri.so\n"
         "thread:libgallium\ndeadlock:swrast_dri.so\ndeadlock:libgallium\n";
}

#endif
