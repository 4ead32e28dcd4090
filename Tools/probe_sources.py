"""Sets of labelled texts read from packages and files at hand: what make_probe_sets.py --open writes.

languages  which of five languages a paragraph of the Debian handbook is in (SAEBench asks the same of Europarl)
sources    which source of the reference corpus's held-out documents a passage is from
code       Python, C, HTML or shell (SAEBench asks the same of GitHub code)

Their licences are those of their sources, so they are not committed. Texts of one document are in one split; the pages
of the handbook, which are translations of one another, too.
"""

import gzip
import json
import random
import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from corpus_packages import debian
from corpus_sources import DEBIAN
from corpus_text import page
from probe_records import SEED, records

PASSAGE = 500
HANDBOOK = {"en-US": "english", "fr-FR": "french", "de-DE": "german", "es-ES": "spanish", "nl-NL": "dutch"}
CODE_DOCUMENTS = 400


def unpacked(name, corpus, read):
    """What `read` finds in the folder that a source's Debian package unpacks to; nothing without the package."""
    (corpus / "downloads").mkdir(parents=True, exist_ok=True)
    file = debian(DEBIAN[name][0], corpus / "downloads")
    if not file:
        print(f"notice: no package for '{name}'", file=sys.stderr)
        return {}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["dpkg-deb", "-x", file, folder], check=True)
        return read(Path(folder))


def languages(corpus):
    def read(root):
        folder = next(root.glob("**/debian-handbook/html"))
        documents = {}
        for code, language in HANDBOOK.items():
            for file in sorted((folder / code).glob("*.html")):
                paragraphs = [p for p in page(file.read_text("utf-8", "replace")) if 100 <= len(p) <= 800]
                if code != "en-US":
                    # Paragraphs that nobody translated are English.
                    paragraphs = [p for p in paragraphs if not re.search(r" (the|and|of) .* (is|to|a|in) ", p)]
                documents.setdefault(language, []).append((file.name, paragraphs))
        return documents

    return records("language", unpacked("debian-handbook", corpus, read))


def passages(text):
    """Pieces of about PASSAGE characters that begin with a word."""
    cuts = range(0, max(len(text) - PASSAGE // 2, 1), PASSAGE)
    return [piece for start in cuts if len(piece := text[start : start + PASSAGE].partition(" ")[2].strip()) >= 150]


def sources(corpus):
    file = corpus / "heldout.jsonl.gz"
    if not file.exists():
        print(f"notice: no {file}: run Tools/make_corpus.py", file=sys.stderr)
        return []
    documents = {}
    for line in gzip.decompress(file.read_bytes()).decode().splitlines():
        record = json.loads(line)
        if "text" in record:
            document = record["id"].rpartition("#")[0]
            documents.setdefault(record["source"], []).append((document, passages(record["text"])))
    return records("source", documents)


def code(corpus):
    def read(path):
        # The first lines often are a licence, or the head of a page.
        text = path.read_text("utf-8", "replace")
        return passages(text[1500:5000])[:3] if len(text) > 2200 and "\ufffd" not in text else []

    def chosen(files, root=Path("/")):
        # Named from `root` on: a package is unpacked somewhere else each time.
        files = sorted(set(files))
        random.Random(f"{SEED} code").shuffle(files)
        return [(file.relative_to(root), read(file)) for file in files[:CODE_DOCUMENTS]]

    def is_shell(path):
        try:
            with open(path, "rb") as file:
                return file.readline().split()[:1] in ([b"#!/bin/sh"], [b"#!/bin/bash"], [b"#!/usr/bin/bash"])
        except OSError:
            return False

    library = Path(sysconfig.get_path("stdlib"))
    folders = (Path("/usr/bin"), Path("/etc/init.d"), Path("/usr/sbin"), Path("/usr/share"), Path("/usr/lib"))
    shell = [f for folder in folders for pattern in ("*", "*/*.sh", "*/*/*.sh") for f in folder.glob(pattern)
             if f.is_file() and not f.is_symlink() and is_shell(f)]
    documents = {
        "python": chosen(p for p in library.rglob("*.py") if "site-packages" not in p.parts and p.is_file()),
        "c": chosen(p for p in Path("/usr/include").rglob("*.h") if p.is_file()),
        "shell": chosen(shell),
        "html": unpacked("python-doc", corpus, lambda root: {"": chosen(root.rglob("*.html"), root)}).get("", []),
    }
    return records("language", documents)


def sets(corpus):
    made = {"languages": languages(corpus), "sources": sources(corpus), "code": code(corpus)}
    return {name: found for name, found in made.items() if found}
