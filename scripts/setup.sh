#!/usr/bin/env bash
# Installs what building needs on a fresh Debian or Ubuntu that has Swift.
source "$(dirname "$0")/common.sh"

command -v swift >/dev/null || die "swift is not on the PATH: install Swift 6.2 or newer from swift.org/install"
swift --version 2>&1 | grep -E 'version (6\.([2-9]|[1-9][0-9])|[7-9])' >/dev/null ||
  die "Swift 6.2 or newer is needed, found: $(swift --version 2>&1 | head -n 1)"
need_packages git ca-certificates libc6-dev zlib1g-dev libsqlite3-dev
