#!/usr/bin/env bash
# Does every CPU source compile for NEON? Syntax and types only, with a cross compiler; nothing is run.
# Debian: apt-get install g++-aarch64-linux-gnu
set -euo pipefail
cd "$(dirname "$0")/.."
compiler="${CXX_AARCH64:-aarch64-linux-gnu-g++}"
command -v "$compiler" >/dev/null || { echo "neon: no $compiler (apt-get install g++-aarch64-linux-gnu)" >&2; exit 2; }
# Highway is header-only; its folder alone, so that no header of the host is found.
headers="$(mktemp -d)"
trap 'rm -rf "$headers"' EXIT
ln -s "${HIGHWAY_INCLUDE:-/usr/include}/hwy" "$headers/hwy"
[ $# -gt 0 ] || set -- native/core/*.cc native/backend/cpu/*.cc native/ops/*/*.cc native/check/*.cc native/pipeline/*.cc
printf '%s\n' "$@" | xargs -P 2 -n 4 "$compiler" -fsyntax-only -std=c++17 -O1 -Wall -Wextra -Werror -Wno-psabi \
  -ffp-contract=off -DHWY_DISABLE_PCLMUL_AES "-DHWY_DISABLED_TARGETS=(~(HWY_NEON))" -Inative -Inative/include \
  -isystem "$headers"
echo "neon: $# files compile"
