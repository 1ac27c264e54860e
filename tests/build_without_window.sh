#!/usr/bin/env bash
# Checks a build with the window switched off: no header of OpenGL, X11 or ImGui was read for it,
# it links none of their libraries, and it runs. Usage: tests/build_without_window.sh BUILD_FOLDER
set -euo pipefail
folder=$1
fail() { echo "build_without_window: $*" >&2; exit 1; }

ninja=$(command -v /usr/bin/ninja || command -v ninja)
headers=$("$ninja" -C "$folder" -t deps | grep -E '/(GL|EGL|GLFW|X11)/|/imgui|/implot' | sort -u || true)
[ -z "$headers" ] || fail "headers of the window were read:"$'\n'"$headers"
libraries=$(ldd "$folder/polarscope" | grep -E 'libGL|libEGL|libX|libfreetype' || true)
[ -z "$libraries" ] || fail "libraries of the window are linked:"$'\n'"$libraries"
"$folder/polarscope" --version >/dev/null || fail "the program does not run"
