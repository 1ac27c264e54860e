// Dear ImGui's settings, read by every file that includes imgui.h (IMGUI_USER_CONFIG).
#pragma once

#define IMGUI_DISABLE_OBSOLETE_FUNCTIONS
#define IMGUI_ENABLE_FREETYPE  // light hinting; Inter comes as OpenType with cubic outlines
#define IMGUI_USE_WCHAR32      // mathematical letters lie above U+FFFF
#define ImDrawIdx unsigned int // plots with more than 65,536 vertices

#ifdef POLARSCOPE_TEST_ENGINE
#  define IMGUI_TEST_ENGINE_ENABLE_COROUTINE_STDTHREAD_IMPL 1
#  define IMGUI_TEST_ENGINE_ENABLE_STD_FUNCTION 1
#  define IMGUI_TEST_ENGINE_ENABLE_CAPTURE 1
#  include "imgui_te_imconfig.h"
#endif
