#!/bin/sh
# Formats the native sources, or with --check says which are not formatted. Nothing to do without clang-format:
# CI has it. Java is spotless's.
set -eu
cd "$(dirname "$0")/.."
command -v clang-format >/dev/null || { echo "format: no clang-format, native sources not checked"; exit 0; }
case "${1:-}" in
  --check) mode="--dry-run --Werror" ;;
  "") mode="-i" ;;
  *) echo "usage: $0 [--check]" >&2; exit 2 ;;
esac
files=$(find native tests/native bench/native bench/gpu -type f \
  \( -name '*.h' -o -name '*.cc' -o -name '*.cu' -o -name '*.cuh' \) ! -name sensorium.h 2>/dev/null || true)
# shellcheck disable=SC2086 # lists of words: no name has a space
if ! output=$(clang-format $mode $files 2>&1); then
  echo "format: run build-support/format.sh, these files need it:" >&2
  echo "$output" | sed -n 's/^\([^:]*\):[0-9].*: error:.*/\1/p' | sort -u >&2
  exit 1
fi
