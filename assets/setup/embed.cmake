# Files inside the program, so that it works from any folder. The assembler's .incbin copies them in at build time.

# polarscope_embed(OUT_VAR HEADER LOOKUP LISTING FILE...): writes a source file that defines, in namespace polarscope,
# EmbeddedFile LOOKUP(std::string_view) and std::vector<std::string_view> LISTING(), which HEADER declares.
# A FILE is a path from the repository root, or NAME=ABSOLUTE_PATH.
function(polarscope_embed out_var header lookup listing)
  set(output ${CMAKE_BINARY_DIR}/generated/${lookup}.cpp)
  set(blobs "")
  set(declarations "")
  set(entries "")
  set(paths "")
  set(index 0)
  set(files ${ARGN})
  list(SORT files)
  foreach(file IN LISTS files)
    if(file MATCHES "^([^=]+)=(.+)$")
      set(name ${CMAKE_MATCH_1})
      set(path ${CMAKE_MATCH_2})
    else()
      set(name ${file})
      set(path ${CMAKE_SOURCE_DIR}/${file})
    endif()
    set(symbol polarscope_${lookup}_${index})
    string(APPEND blobs "    \".balign 16\\n${symbol}:\\n.incbin \\\"${path}\\\"\\n${symbol}_end:\\n.byte 0\\n\"\n")
    string(APPEND declarations "extern \"C\" const unsigned char ${symbol}[], ${symbol}_end[];\n")
    string(APPEND entries "    {\"${name}\", ${symbol}, ${symbol}_end},\n")
    list(APPEND paths ${path})
    math(EXPR index "${index} + 1")
  endforeach()
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT [[// Made by assets/setup/embed.cmake.
#include "@header@"

#include <array>

__asm__(
    ".section .rodata\n"
@blobs@    ".text\n");

@declarations@
namespace polarscope {
namespace {
struct Entry {
  std::string_view name;
  const unsigned char* begin;
  const unsigned char* end;
};
const std::array<Entry, @index@> kEntries{{
@entries@}};
} // namespace

EmbeddedFile @lookup@(std::string_view name) {
  for (const Entry& entry : kEntries)
    if (entry.name == name) return {entry.begin, static_cast<std::size_t>(entry.end - entry.begin)};
  return {};
}

std::vector<std::string_view> @listing@() {
  std::vector<std::string_view> names;
  for (const Entry& entry : kEntries) names.push_back(entry.name);
  return names;
}
} // namespace polarscope
]])
  set_source_files_properties(${output} PROPERTIES OBJECT_DEPENDS "${paths}")
  set(${out_var} ${output} PARENT_SCOPE)
endfunction()

# polarscope_embed_fonts(OUT_VAR): the five faces of the window, from the system's font packages.
function(polarscope_embed_fonts out_var)
  set(fonts "")
  foreach(face Inter-Regular Inter-Medium Inter-SemiBold JetBrainsMono-Regular DejaVuSans)
    find_file(POLARSCOPE_FONT_${face} NAMES ${face}.ttf ${face}.otf
      PATHS /usr/share/fonts PATH_SUFFIXES opentype/inter truetype/inter truetype/jetbrains-mono truetype/dejavu
      DOC "Font embedded as ${face}" NO_DEFAULT_PATH)
    if(NOT POLARSCOPE_FONT_${face})
      message(FATAL_ERROR "Font ${face} not found: run ./dev setup, or set POLARSCOPE_FONT_${face}")
    endif()
    list(APPEND fonts ${face}=${POLARSCOPE_FONT_${face}})
  endforeach()
  polarscope_embed(source app/fonts_data.hpp embedded_font embedded_font_names ${fonts})
  set(${out_var} ${source} PARENT_SCOPE)
endfunction()
