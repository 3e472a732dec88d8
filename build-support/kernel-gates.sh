#!/usr/bin/env bash
# What nvcc makes of the kernels, without a GPU: registers, stack, static shared memory and spills as ptxas tells, and
# the tensor-core and asynchronous-copy instructions in the PTX. Fails on any spill, where ptxas cannot keep wgmma
# asynchronous, and where a kernel differs from native/backend/cuda/resources.txt. A change on purpose is written there
# with
#   build-support/kernel-gates.sh --update
set -euo pipefail
cd "$(dirname "$0")/.."
table=native/backend/cuda/resources.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One architecture of one source → one line a kernel.
measure() {
  local source=$1 arch=$2 work=$3
  local at; at=$work/$(basename "$source" .cu).$arch
  nvcc -std=c++17 --expt-relaxed-constexpr -O3 -Inative -ptx "-arch=compute_$arch" "$source" -o "$at.ptx"
  ptxas -v "-arch=sm_$arch" "$at.ptx" -o "$at.cubin" >"$at.info" 2>&1 || { cat "$at.info" >&2; return 1; }
  if grep -i 'wgmma.*serialized' "$at.info" >&2; then return 1; fi
  awk -v arch="sm_$arch" '
    FNR == NR {  # the PTX
      if (match($0, /\.entry [A-Za-z0-9_$]+/)) kernel = substr($0, RSTART + 7, RLENGTH - 7)
      if (/mma\.sync/) mma[kernel]++
      if (/ldmatrix\.sync/) ldmatrix[kernel]++
      if (/cp\.async\.c[ag]\./) copies[kernel]++
      if (/wgmma\.mma_async/) wgmma[kernel]++
      if (/cp\.async\.bulk\./) bulk[kernel]++
      next
    }
    /Compiling entry function/ { split($0, part, "\047"); kernel = part[2] }
    /bytes stack frame/ { stack = $1; stores = $5; loads = $9 }
    /: Used [0-9]+ registers/ {
      match($0, /Used [0-9]+/); registers = substr($0, RSTART + 5, RLENGTH - 5)
      shared = match($0, /[0-9]+ bytes smem/) ? substr($0, RSTART, RLENGTH - 11) : 0
      printf "%s %d %d %d %d %d %d %d %d %d %s\n", arch, registers, stack, stores + loads, shared, mma[kernel],
             ldmatrix[kernel], copies[kernel], wgmma[kernel], bulk[kernel], kernel
    }' "$at.ptx" "$at.info" >"$at.rows"
}
export -f measure

printf '%s\n' native/ops/*/*_cuda.cu | while read -r source; do
  architectures="80 90a"
  grep -q gemm_tile_cuda.h "$source" || architectures="75 $architectures" # no bfloat16 on tensor cores before 8.0
  for arch in $architectures; do printf '%s %s\n' "$source" "$arch"; done
done | xargs -P "$(nproc)" -L 1 bash -c 'measure "$0" "$1" "'"$work"'"'

version=$(nvcc --version | sed -n 's/.*release .*, V//p')
{
  echo "# nvcc $version: arch registers stack spills shared mma.sync ldmatrix cp.async wgmma bulk kernel"
  # The name of a kernel without its file's hash, its namespaces and its arguments.
  cat "$work"/*.rows | c++filt |
    sed -E 's/\(anonymous namespace\)::|\((int|bool|[a-z:]*Passes)\)//g; s/sns::(gpu::)?//g; s/ void / /; s/\(.*$//' |
    LC_ALL=C sort -k 11 -k 1,1
} >"$work/table"

if awk '!/^#/ && $4 > 0 { print "spills: " $0; bad = 1 } END { exit !bad }' "$work/table"; then exit 1; fi
if [ "${1:-}" = --update ]; then
  cp "$work/table" "$table"
elif [ "$(head -1 "$table")" != "$(head -1 "$work/table")" ]; then
  echo "no spills; $table was made by another nvcc ($(head -1 "$table" | cut -d: -f1)) and was not compared"
elif ! diff "$table" "$work/table"; then
  echo "$table differs: a kernel's resources changed; if that is meant, run build-support/kernel-gates.sh --update"
  exit 1
fi
echo "$(grep -vc '^#' "$work/table") kernels, no spills"
