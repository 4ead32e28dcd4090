#!/usr/bin/env bash
# Builds and runs all tests in release mode, so that they exercise the optimised kernels.
source "$(dirname "$0")/common.sh"

if [ -n "${GSCOPE_MODEL:-}" ]; then
  [ -e "$GSCOPE_MODEL" ] || die "GSCOPE_MODEL names '$GSCOPE_MODEL', which does not exist"
  echo "Tests on real weights: GSCOPE_MODEL=$GSCOPE_MODEL"
elif [ -e models/gemma-3-270m-q4_k_m.gguf ]; then
  echo "Tests on real weights: models/gemma-3-270m-q4_k_m.gguf"
else
  echo "Tests on real weights: SKIPPED (no model; 'make demo' fetches one, or set GSCOPE_MODEL)"
fi

# Ranks are tested over an MPI of this machine. It is small; where it cannot be installed the other tests run all the same.
has_mpi() { command -v mpirun.openmpi || command -v mpirun.mpich; } >/dev/null
has_mpi || need_packages openmpi-bin || true
if has_mpi; then
  for launcher in mpirun.openmpi mpirun.mpich; do
    if command -v "$launcher" >/dev/null; then echo "Tests over MPI: $launcher"; fi
  done
else
  echo "Tests over MPI: SKIPPED (no mpirun.openmpi or mpirun.mpich; apt-get install openmpi-bin)"
fi
swift build -c release --build-tests
exec swift test -c release --skip-build "$@"
