"""Draws the text of the suite's atlas: text.jsonl.gz and manifest.json, from the reference corpus, the package of
conversations it was made with, and this repository's own files at one commit.

The tokens of this text are passed on with the packed atlas, so it holds only what is in the public domain, under the
BSD licence (conversations in many languages), or the project's own. An excerpt is a run of whole paragraphs of about
EXCERPT characters from a random place of a document; excerpts are shuffled, so that any beginning of the file has
about the shares of the whole. The same corpus gives the same bytes. `make suite-atlas` runs it.

    python Tools/make_atlas_text.py --corpus .cache/corpus --output .cache/atlas-text
"""

import argparse
import collections
import gzip
import hashlib
import json
import random
import subprocess
import zipfile
from pathlib import Path

import yaml

VERSION = 1
SEED = 20260102
EXCERPT = 2_000
# Characters of each source of the corpus.
SHARES = {"sotu": 650_000, "jargon": 400_000, "austen": 250_000, "web": 220_000, "spurgeon": 120_000}
# Characters of each language but English, of which all is taken.
LANGUAGE = 20_000
PROJECT = 200_000
COMMIT = "1186b6c"
SUFFIXES = (".swift", ".py", ".c", ".h", ".sh", ".md")


def runs(name, paragraphs, size):
    """Paragraphs in excerpts of at least EXCERPT characters, until `size` of them are used up."""
    current, used = [], 0
    for paragraph in paragraphs:
        current.append(paragraph)
        used += len(paragraph)
        if sum(map(len, current)) >= EXCERPT or used >= size:
            yield {"source": name, "text": "\n\n".join(current)}
            current = []
        if used >= size:
            return
    if current:
        yield {"source": name, "text": "\n\n".join(current)}


def excerpts(name, records, size):
    """One excerpt of each record in turn, from a place of its own, until there are `size` characters."""
    order = random.Random(f"{SEED} {name}")
    order.shuffle(records)
    taken = 0
    while taken < size:
        for record in records:
            paragraphs = record["text"].split("\n\n")
            first = order.randrange(len(paragraphs))
            excerpt = next(runs(name, paragraphs[first:], EXCERPT))
            taken += len(excerpt["text"])
            yield {"id": f"{record['id']}:{first}", **excerpt}
            if taken >= size:
                return


def conversations(wheel):
    """The conversations of every language, one turn a line."""
    languages = collections.defaultdict(list)
    for name in sorted(n for n in wheel.namelist() if n.endswith(".yml")):
        for turns in yaml.safe_load(wheel.read(name)).get("conversations") or []:
            turns = [str(turn).strip() for turn in turns or [] if turn is not None]
            if len(turns) > 1:
                languages[name.split("/")[2]].append("\n".join(turns))
    for language, texts in sorted(languages.items()):
        texts = sorted(set(texts))
        random.Random(f"{SEED} {language}").shuffle(texts)
        size = sum(map(len, texts)) if language == "english" else LANGUAGE
        for number, excerpt in enumerate(runs("chatterbot", texts, size)):
            yield {"id": f"chatterbot/{language}-{number:04d}", **excerpt}


def project(commit):
    """Code and documents of this repository."""
    git = ["git", "-C", str(Path(__file__).parent)]
    top = subprocess.run([*git, "rev-parse", "--show-toplevel"], check=True, capture_output=True, text=True).stdout
    git = ["git", "-C", top.strip()]
    names = subprocess.run([*git, "ls-tree", "-r", "--name-only", commit], check=True, capture_output=True, text=True)
    records = []
    for name in sorted(n for n in names.stdout.splitlines() if n.endswith(SUFFIXES)):
        text = subprocess.run([*git, "show", f"{commit}:{name}"], check=True, capture_output=True).stdout.decode()
        records.append({"id": f"gemmascope/{name}", "text": text})
    return list(excerpts("gemmascope", records, PROJECT))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of the reference corpus (scripts/corpus.sh)")
    parser.add_argument("--output", type=Path, required=True, help="folder to write into")
    parser.add_argument("--commit", default=COMMIT, help="where the project's own files are taken from")
    options = parser.parse_args()
    about = json.loads((options.corpus / "manifest.json").read_text())["sources"]

    records = collections.defaultdict(list)
    with gzip.open(options.corpus / "train.jsonl.gz", "rt", encoding="utf-8") as file:
        for record in map(json.loads, file):
            if record["source"] in SHARES:
                records[record["source"]].append(record)
    lines = [line for name, size in SHARES.items() for line in excerpts(name, records[name], size)]
    with zipfile.ZipFile(options.corpus / "downloads" / about["chatterbot"]["file"]) as wheel:
        lines += conversations(wheel)
    lines += project(options.commit)
    random.Random(f"{SEED} order").shuffle(lines)

    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    packed = gzip.compress(text, 9, mtime=0)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "text.jsonl.gz").write_bytes(packed)

    sizes = collections.Counter()
    for line in lines:
        sizes[line["source"]] += len(line["text"])
    sources = {}
    for name, size in sorted(sizes.items()):
        if name == "gemmascope":
            sources[name] = {"licence": "Apache-2.0", "commit": options.commit, "characters": size}
        else:
            origin = {key: about[name][key] for key in ("package", "version", "licence", "sha256")}
            sources[name] = {**origin, "characters": size}
    manifest = {"schema": 1, "version": VERSION, "seed": SEED, "sha256": sha256(packed), "bytes_unpacked": len(text),
                "excerpts": len(lines), "sources": sources}
    (options.output / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    print(json.dumps(manifest, indent=2))


if __name__ == "__main__":
    main()
