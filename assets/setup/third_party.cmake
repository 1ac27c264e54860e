# Third-party parts, unmodified and without our warnings. Where they come from: assets/THIRD_PARTY.md.

find_package(fmt REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(CLI11 REQUIRED)

# Text and TOML from the system's shared libraries, or compiled in, which takes longer and needs nothing installed.
add_library(polarscope_text INTERFACE)
add_library(polarscope_toml INTERFACE)
if(POLARSCOPE_HEADER_ONLY)
  target_link_libraries(polarscope_text INTERFACE fmt::fmt-header-only)
  get_target_property(toml_include tomlplusplus::tomlplusplus INTERFACE_INCLUDE_DIRECTORIES)
  target_include_directories(polarscope_toml SYSTEM INTERFACE ${toml_include})
else()
  target_link_libraries(polarscope_text INTERFACE fmt::fmt)
  target_link_libraries(polarscope_toml INTERFACE tomlplusplus::tomlplusplus)
endif()

if(POLARSCOPE_WINDOW)
  if(DEFINED ENV{POLARSCOPE_CACHE})
    set(default_cache $ENV{POLARSCOPE_CACHE})
  else()
    set(default_cache $ENV{HOME}/.cache/polarscope)
  endif()
  set(POLARSCOPE_IMGUI_DIR ${default_cache}/imgui-bundle-1.93.0 CACHE PATH "Unpacked sources of the imgui bundle (./dev setup)")
  if(NOT EXISTS ${POLARSCOPE_IMGUI_DIR}/imgui/imgui/imgui.cpp)
    message(FATAL_ERROR "No imgui sources in ${POLARSCOPE_IMGUI_DIR}: run ./dev setup, or configure with -DPOLARSCOPE_WINDOW=OFF")
  endif()
  set(imgui_dir ${POLARSCOPE_IMGUI_DIR}/imgui/imgui)
  set(implot_dir ${POLARSCOPE_IMGUI_DIR}/implot/implot)
  set(test_engine_dir ${POLARSCOPE_IMGUI_DIR}/imgui_test_engine/imgui_test_engine/imgui_test_engine)

  set(GLFW_BUILD_WAYLAND OFF CACHE BOOL "" FORCE)
  set(GLFW_BUILD_DOCS OFF CACHE BOOL "" FORCE)
  set(GLFW_BUILD_TESTS OFF CACHE BOOL "" FORCE)
  set(GLFW_BUILD_EXAMPLES OFF CACHE BOOL "" FORCE)
  set(GLFW_INSTALL OFF CACHE BOOL "" FORCE)
  add_subdirectory(${POLARSCOPE_IMGUI_DIR}/glfw/glfw ${CMAKE_BINARY_DIR}/third_party/glfw EXCLUDE_FROM_ALL)
  get_target_property(glfw_include glfw INTERFACE_INCLUDE_DIRECTORIES)
  set_target_properties(glfw PROPERTIES INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${glfw_include}")

  find_package(Freetype REQUIRED)
  add_library(imgui STATIC EXCLUDE_FROM_ALL
    ${imgui_dir}/imgui.cpp ${imgui_dir}/imgui_draw.cpp ${imgui_dir}/imgui_tables.cpp ${imgui_dir}/imgui_widgets.cpp
    ${imgui_dir}/imgui_stacklayout.cpp ${imgui_dir}/misc/cpp/imgui_stdlib.cpp ${imgui_dir}/misc/freetype/imgui_freetype.cpp
    ${imgui_dir}/backends/imgui_impl_glfw.cpp ${imgui_dir}/backends/imgui_impl_opengl3.cpp)
  target_include_directories(imgui SYSTEM PUBLIC ${imgui_dir} PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_definitions(imgui PUBLIC IMGUI_USER_CONFIG="app/third_party/imgui_config.hpp")
  target_include_directories(imgui PUBLIC ${CMAKE_SOURCE_DIR})
  target_compile_options(imgui PRIVATE -w)
  target_link_libraries(imgui PRIVATE glfw Freetype::Freetype ${CMAKE_DL_LIBS})

  add_library(implot STATIC EXCLUDE_FROM_ALL ${implot_dir}/implot.cpp ${implot_dir}/implot_items.cpp)
  target_include_directories(implot SYSTEM PUBLIC ${implot_dir})
  # All numeric types would triple the time and take a gigabyte to compile.
  target_compile_definitions(implot PUBLIC "IMPLOT_CUSTOM_NUMERIC_TYPES=(float)(double)")
  target_compile_options(implot PRIVATE -w)
  # Curves are drawn by the program itself, so these are worth the quicker compilation.
  set_source_files_properties(${implot_dir}/implot_items.cpp PROPERTIES COMPILE_OPTIONS $<$<CONFIG:Release>:-O1>)
  target_link_libraries(implot PUBLIC imgui)

  find_path(STB_INCLUDE_DIR stb_image_write.h PATH_SUFFIXES stb REQUIRED)
  add_library(stb INTERFACE)
  target_include_directories(stb SYSTEM INTERFACE ${STB_INCLUDE_DIR})

  if(POLARSCOPE_TEST_ENGINE)
    # imgui is compiled once, with the hooks; the program links empty hooks, the tests the engine (an object library,
    # because imgui and the engine need each other).
    target_compile_definitions(imgui PUBLIC POLARSCOPE_TEST_ENGINE)
    target_include_directories(imgui SYSTEM PUBLIC ${test_engine_dir})
    add_library(imgui_test_engine OBJECT EXCLUDE_FROM_ALL
      ${test_engine_dir}/imgui_capture_tool.cpp ${test_engine_dir}/imgui_te_context.cpp ${test_engine_dir}/imgui_te_coroutine.cpp
      ${test_engine_dir}/imgui_te_engine.cpp ${test_engine_dir}/imgui_te_exporters.cpp ${test_engine_dir}/imgui_te_perftool.cpp
      ${test_engine_dir}/imgui_te_ui.cpp ${test_engine_dir}/imgui_te_utils.cpp)
    target_compile_options(imgui_test_engine PRIVATE -w $<$<CONFIG:Release>:-O1>)
    target_link_libraries(imgui_test_engine PUBLIC imgui Threads::Threads)
  endif()
endif()
