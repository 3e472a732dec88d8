#!/bin/sh
# Are the native tools there? Installs them where that is possible (root on a Debian), else says what to install.
# Usage: toolchain.sh [--bench]
set -eu

missing=""
need() { # need <package> <test...>
  package=$1
  shift
  "$@" >/dev/null 2>&1 || missing="$missing $package"
}
fonts() { fc-list | grep -q .; } # --plot writes text, and a JRE brings no fonts
header() { [ -e "/usr/include/$1" ] || [ -e "/usr/local/include/$1" ]; }

need g++ command -v g++
need cmake command -v cmake
need ninja-build command -v ninja
need libhwy-dev header hwy/highway.h
need libgtest-dev header gtest/gtest.h
need "fontconfig fonts-dejavu-core" fonts
[ "${1:-}" != --bench ] || need libbenchmark-dev header benchmark/benchmark.h
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "toolchain: installing$missing"
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  # shellcheck disable=SC2086 # a list of words
  if (apt-get update && apt-get install -y --no-install-recommends $missing) >"$log" 2>&1; then
    rm -f "$log"
    exit 0
  fi
  tail -5 "$log" >&2
  rm -f "$log"
fi
echo "toolchain: missing native tools; run: sudo apt-get install$missing" >&2
exit 1
