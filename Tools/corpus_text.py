"""Plain paragraphs out of HTML, OSIS, wiki text, dictionaries and R data: what the sources of the corpus are read with."""

import html
import re
import struct
import zlib
from html.parser import HTMLParser


def tidy(text: str) -> str:
    """One paragraph on one line."""
    return re.sub(r"\s+", " ", text.replace("\u00b6", "")).strip()


def unwrapped(text: str) -> list[str]:
    """Paragraphs of text that was broken into lines: those between blank lines."""
    return [p for p in (tidy(block) for block in re.split(r"\n\s*\n", text)) if p]


class _Page(HTMLParser):
    BLOCKS = set("p div li ul ol dl dt dd td th tr table h1 h2 h3 h4 h5 h6 section article blockquote br title".split())
    DROPPED = set("script style pre nav head footer form table svg".split())

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.paragraphs, self.text, self.dropping = [], [], []

    def flush(self):
        if paragraph := tidy("".join(self.text)):
            self.paragraphs.append(paragraph)
        self.text = []

    def handle_starttag(self, tag, attributes):
        if tag in self.BLOCKS:
            self.flush()
        if tag in self.DROPPED:
            self.dropping.append(tag)

    def handle_endtag(self, tag):
        if tag in self.BLOCKS:
            self.flush()
        if tag in self.dropping:
            while self.dropping.pop() != tag:
                pass

    def handle_data(self, data):
        if not self.dropping:
            self.text.append(data)


def page(source: str) -> list[str]:
    """Paragraphs of an HTML page, without code, tables, menus and other short lines."""
    parser = _Page()
    parser.feed(source)
    parser.flush()
    # Prose ends like a sentence; scripts without spaces say as much in fewer characters.
    return [p for p in parser.paragraphs if len(p) >= 40 and p[-1] in ".!?:;)\"'…。！？"
            or len(p) >= 20 and ord(max(p)) > 0x2FFF]


def osis(source: str) -> list[str]:
    """Paragraphs of OSIS or ThML, the formats of SWORD modules; notes are left out."""
    source = re.sub(r"<note\b.*?</note>", "", source, flags=re.S)
    source = re.sub(r"<(title|div|p|lg|l|chapter|br|/title|/div|/p|/lg)\b[^>]*>", "\n\n", source)
    return unwrapped(html.unescape(re.sub(r"<[^>]*>", "", source)))


def sword(folder, index: str, data: str) -> list[str]:
    """Blocks of a compressed SWORD module: entries of three 32-bit numbers (offset, size, unpacked size)."""
    blocks = []
    for testament in ("ot", "nt"):
        entries = (folder / f"{testament}.{index}").read_bytes()
        packed = (folder / f"{testament}.{data}").read_bytes()
        for offset, size, _ in struct.iter_unpack("<III", entries[: len(entries) // 12 * 12]):
            if size:
                blocks.append(zlib.decompress(packed[offset : offset + size]).decode("utf-8", "replace"))
    return blocks


def r_strings(database: bytes) -> list[list[str]]:
    """The character vectors of an R lazy-load database: length and zlib stream of each, in R's XDR serialisation."""
    vectors, offset = [], 0
    while offset < len(database):
        unpacker = zlib.decompressobj()
        value = unpacker.decompress(database[offset + 4 :])
        offset = len(database) - len(unpacker.unused_data)
        version, = struct.unpack_from(">i", value, 2)
        at = 14
        if version == 3:
            at += 4 + struct.unpack_from(">i", value, at)[0]
        flags, count = struct.unpack_from(">ii", value, at)
        at += 8
        if flags & 0xFF != 16:
            continue
        strings = []
        for _ in range(count):
            _, length = struct.unpack_from(">ii", value, at)
            at += 8
            strings.append(value[at : at + max(length, 0)].decode("utf-8", "replace"))
            at += max(length, 0)
        vectors.append(strings)
    return vectors


def dictionary_entries(index: str, data: bytes) -> list[str]:
    """Entries of a dictd dictionary, each once, in the order of the file."""
    digits = {c: i for i, c in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")}

    def number(text):
        value = 0
        for c in text:
            value = value * 64 + digits[c]
        return value

    places = set()
    for line in index.splitlines():
        word, offset, length = line.split("\t")
        if not word.startswith("00"):
            places.add((number(offset), number(length)))
    return [data[o : o + n].decode("utf-8", "replace") for o, n in sorted(places)]


def wiki(text: str) -> list[str]:
    """Paragraphs of wiki text, without templates, tables, references, files and lists of links."""
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r"<ref[^>]*/>|<ref.*?</ref>|<(math|gallery|timeline|code|pre)\b.*?</\1>", "", text, flags=re.S)
    for pattern in (r"\{\{[^{}]*\}\}", r"\{\|[^{}]*\|\}"):
        previous = None
        while previous != text:
            previous, text = text, re.sub(pattern, "", text)
    text = re.sub(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]", lambda m: "" if ":" in m[0].split("|")[0] else m[1], text)
    text = re.sub(r"\[\[(?:File|Image|Category|[a-z-]{2,12}):[^\n]*", "", text)
    text = re.sub(r"\[(?:https?|ftp)://\S+\s*([^\]]*)\]", r"\1", text)
    text = html.unescape(re.sub(r"'{2,}|<[^>]*>", "", text))
    text = re.split(r"\n==+ *(?:See also|References|Notes|External links|Further reading|Bibliography)", text)[0]
    lines = (line.strip() for line in text.splitlines())
    return [tidy(line) for line in lines if len(line) > 60 and line[0] not in "*#:;|!=<{[" and line[-1] in ".!?\")"]
