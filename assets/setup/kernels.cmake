# polarscope_kernels: numerics. The step interpreter is compiled once per instruction set and chosen at run time.

file(GLOB_RECURSE kernel_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/kernels/*.cpp)
list(FILTER kernel_sources EXCLUDE REGEX "/kernels/cuda/|/kernels/cpu/execute(_small)?\\.cpp$")

# These flags are part of the numbers contract: same flags, same bits. Never -ffast-math. Flush-to-zero is set by the
# executors themselves (kernels/cpu/flush.hpp).
set(POLARSCOPE_KERNEL_FLAGS $<$<CONFIG:Release>:-O3> -fno-math-errno -fno-trapping-math -fopenmp-simd
    --param=vect-max-peeling-for-alignment=0)
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  list(REMOVE_ITEM POLARSCOPE_KERNEL_FLAGS --param=vect-max-peeling-for-alignment=0)
endif()

set(kernel_objects)
if(EXISTS ${CMAKE_SOURCE_DIR}/kernels/cpu/execute.cpp)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    set(isas v2 v3 v4)
  else()
    set(isas base)
  endif()
  foreach(isa IN LISTS isas)
    foreach(team "" _small)
      set(target polarscope_execute${team}_${isa})
      add_library(${target} OBJECT ${CMAKE_SOURCE_DIR}/kernels/cpu/execute${team}.cpp)
      target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
      # asserts inside inner loops would keep them from being vectorised
      target_compile_definitions(${target} PRIVATE POLARSCOPE_ISA=${isa}${team} $<$<CONFIG:Release>:NDEBUG>)
      target_compile_options(${target} PRIVATE ${POLARSCOPE_WARNINGS} ${POLARSCOPE_PREFIX_MAP}
                             ${POLARSCOPE_KERNEL_FLAGS} $<$<NOT:$<STREQUAL:${isa},base>>:-march=x86-64-${isa}>
                             $<$<STREQUAL:${isa},v4>:-mprefer-vector-width=512>)
      list(APPEND kernel_objects $<TARGET_OBJECTS:${target}>)
    endforeach()
    # the same bits for a number and for a vector of them; g++ 12 warns of its own header for AVX-512
    target_compile_options(polarscope_execute_small_${isa} PRIVATE -ffp-contract=off -fno-tree-vectorize
                           -Wno-uninitialized)
  endforeach()
endif()

if(kernel_sources OR kernel_objects)
  add_library(polarscope_kernels STATIC ${kernel_sources} ${kernel_objects})
  set_target_properties(polarscope_kernels PROPERTIES LINKER_LANGUAGE CXX)
  target_include_directories(polarscope_kernels PUBLIC ${CMAKE_SOURCE_DIR})
  target_compile_options(polarscope_kernels PRIVATE ${POLARSCOPE_WARNINGS} ${POLARSCOPE_PREFIX_MAP} ${POLARSCOPE_KERNEL_FLAGS})
  # runs every body in fibres, for tests only: compile time counts, speed does not
  set_source_files_properties(${CMAKE_SOURCE_DIR}/kernels/emulate/execute.cpp PROPERTIES COMPILE_OPTIONS -O1)
else()
  add_library(polarscope_kernels INTERFACE)
  target_include_directories(polarscope_kernels INTERFACE ${CMAKE_SOURCE_DIR})
endif()

# ---- optional CUDA module ---------------------------------------------------------------------------------------
function(polarscope_without_cuda why)
  if(POLARSCOPE_CUDA STREQUAL ON)
    message(FATAL_ERROR "The CUDA module was asked for, but ${why}")
  endif()
  message(STATUS "CUDA module left out: ${why}")
endfunction()

file(GLOB_RECURSE cuda_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/kernels/cuda/*.cu)
if(NOT POLARSCOPE_CUDA STREQUAL OFF AND cuda_sources)
  set(CMAKE_CUDA_ARCHITECTURES ${POLARSCOPE_CUDA_ARCHITECTURES})
  if(NOT DEFINED CMAKE_CUDA_COMPILER)
    find_program(nvcc_program nvcc PATHS /usr/local/cuda/bin /opt/cuda/bin NO_CACHE)
    if(nvcc_program AND NOT DEFINED ENV{CUDACXX})
      set(ENV{CUDACXX} ${nvcc_program})
    endif()
    check_language(CUDA) # tries it on a program of its own, so that a broken one is no error here
  endif()
  if(POLARSCOPE_SANITIZE)
    polarscope_without_cuda("sanitizers are on")
  elseif(NOT CMAKE_CUDA_COMPILER)
    polarscope_without_cuda("there is no nvcc that works")
  else()
    enable_language(CUDA)
    if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12.0)
      polarscope_without_cuda("nvcc ${CMAKE_CUDA_COMPILER_VERSION} has no C++20")
    else()
      if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION) # CMake before 3.26 does not know that nvcc has C++20
        set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
        set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
      endif()
      add_library(polarscope_cuda MODULE ${cuda_sources})
      set_target_properties(polarscope_cuda PROPERTIES PREFIX "" CUDA_STANDARD 20 CUDA_STANDARD_REQUIRED ON
                            CUDA_RUNTIME_LIBRARY Static CUDA_ARCHITECTURES "${POLARSCOPE_CUDA_ARCHITECTURES}")
      target_include_directories(polarscope_cuda PRIVATE ${CMAKE_SOURCE_DIR})
      # --threads: one per compute capability; -ftz: numbers below the normal range are zero, as in kernels/cpu/flush.hpp
      target_compile_options(polarscope_cuda PRIVATE --threads=2 -ftz=true)
      message(STATUS "CUDA module: nvcc ${CMAKE_CUDA_COMPILER_VERSION}, compute capabilities ${POLARSCOPE_CUDA_ARCHITECTURES}")
    endif()
  endif()
endif()
