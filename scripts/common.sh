# Shared by the scripts beside it: where the repository is, what a step is called, how a missing package is installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

step() { printf '\n==> %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Installs Debian or Ubuntu packages when one of them is missing (as root, or with sudo).
need_packages() {
  local missing=() package
  command -v dpkg-query >/dev/null || return 0
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  step "Installing ${missing[*]}"
  local as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
}

# Puts the Python given by the first argument's requirements file into .venv (once per version of that file).
need_python() {
  local requirements=$1 stamp=.venv/.$(basename "$1" .txt).stamp
  python3 -c 'import ensurepip, venv' 2>/dev/null || need_packages python3 python3-venv
  [ -x .venv/bin/python ] || python3 -m venv .venv
  cmp -s "$requirements" "$stamp" && return 0
  step "Installing the Python packages of $requirements into .venv"
  .venv/bin/python -m pip install -q -r "$requirements"
  cp "$requirements" "$stamp"
}
