# Three test programs, so that the engine's tests neither wait for the window's build nor need it.

if(POLARSCOPE_WINDOW OR NOT POLARSCOPE_FUZZ)
  find_package(Catch2 REQUIRED)
  set(catch2_version 2)
  if(Catch2_VERSION VERSION_GREATER_EQUAL 3)
    set(catch2_version 3)
  endif()

  file(GLOB support_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/*.cpp)
  add_library(polarscope_test_support OBJECT ${support_sources})
  # Catch2's own runner: 22 s at -O2
  set_source_files_properties(${CMAKE_SOURCE_DIR}/tests/support/main.cpp PROPERTIES COMPILE_OPTIONS $<$<CONFIG:Release>:-O1>)
  target_compile_definitions(polarscope_test_support PUBLIC POLARSCOPE_CATCH2=${catch2_version}
                             POLARSCOPE_SOURCE_DIR="${CMAKE_SOURCE_DIR}" POLARSCOPE_PROGRAM="$<TARGET_FILE:polarscope>"
                             PRIVATE POLARSCOPE_VERSION="${PROJECT_VERSION}")
  target_compile_options(polarscope_test_support PUBLIC -fopenmp-simd ${POLARSCOPE_WARNINGS} ${POLARSCOPE_PREFIX_MAP})
  target_link_libraries(polarscope_test_support PUBLIC polarscope_engine Catch2::Catch2 Eigen3::Eigen polarscope_text
                        nlohmann_json::nlohmann_json polarscope_toml)

  function(polarscope_test_program name)
    if(ARGN)
      add_executable(${name} ${ARGN})
      target_link_libraries(${name} PRIVATE polarscope_test_support)
    endif()
  endfunction()

  # kernels, engine and the tree itself
  file(GLOB engine_tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/*.cpp)
  file(GLOB_RECURSE engine_tests_below CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/kernels/*.cpp ${CMAKE_SOURCE_DIR}/tests/engine/*.cpp)
  polarscope_test_program(polarscope_tests ${engine_tests} ${engine_tests_below})

  # the command line, with or without the window: these run the built program, POLARSCOPE_PROGRAM
  file(GLOB cli_tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/app/cli*.cpp)
  polarscope_test_program(polarscope_cli_tests ${cli_tests})
  if(cli_tests)
    target_link_libraries(polarscope_cli_tests PRIVATE polarscope_app)
    add_dependencies(polarscope_cli_tests polarscope)
    if(POLARSCOPE_WINDOW AND POLARSCOPE_TEST_ENGINE)
      target_sources(polarscope_cli_tests PRIVATE ${CMAKE_SOURCE_DIR}/app/third_party/no_test_engine.cpp)
    endif()
  endif()

  # the window
  file(GLOB_RECURSE window_tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/app/*.cpp)
  list(REMOVE_ITEM window_tests ${cli_tests} "")
  if(POLARSCOPE_WINDOW AND POLARSCOPE_TEST_ENGINE AND window_tests)
    polarscope_test_program(polarscope_window_tests ${window_tests})
    target_link_libraries(polarscope_window_tests PRIVATE imgui_test_engine polarscope_app stb)
  endif()
endif()

if(POLARSCOPE_FUZZ)
  # what is read is guided by the branches that it takes in the engine
  target_compile_options(polarscope_engine PRIVATE -fsanitize=fuzzer-no-link)
  file(GLOB fuzz_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/*.cpp)
  foreach(source IN LISTS fuzz_sources)
    get_filename_component(name ${source} NAME_WE)
    add_executable(fuzz_${name} ${source})
    target_compile_options(fuzz_${name} PRIVATE ${POLARSCOPE_WARNINGS} -fsanitize=fuzzer)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(fuzz_${name} PRIVATE polarscope_engine)
  endforeach()
endif()
