// Graphics drivers leak a few kilobytes per context, and unloaded ones cannot be named in a suppression: under
// AddressSanitizer they stay loaded and are excused by name.
#if defined(__SANITIZE_ADDRESS__)

extern "C" int dlclose(void*) { return 0; }

extern "C" const char* __lsan_default_suppressions() {
  return "leak:swrast_dri\nleak:libgallium\nleak:libEGL\nleak:libGLX\nleak:libGLdispatch\nleak:libLLVM\n";
}

#endif
