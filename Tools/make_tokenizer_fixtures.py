"""Makes Tests/Fixtures/tokenizer: tiny tokenizers, and what Hugging Face makes of an adversarial corpus.

    python Tools/make_tokenizer_fixtures.py [--real tokenizer.json]

`--real` names the tokenizer.json of a Gemma 3 (Tools/export_hf.py writes one from a GGUF); without it
real-goldens.json is left as it is. Needs tokenizers, transformers and gguf. The same input gives the same files.

tiny.json, tiny.gguf       one small vocabulary of Gemma's structure in both formats
scrambled.json             its merges in an order that no vocabulary implies, some left out
*-goldens.json             `vocabulary`: FNV-1a of all pieces, each with a zero byte after it
                           `texts`: ids without <bos>, and `as_text` where special tokens taken as text differ
                           `long`: texts of a megabyte without a space by recipe, with count and FNV-1a of the ids
                           `invalid`: bytes that are not UTF-8, repaired; `chats`: conversations as rendered
"""

import argparse
import json
import random
import re
from collections import Counter
from pathlib import Path

import gguf
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

VERSION = 1
MARK = "\u2581"
FOLDER = Path(__file__).resolve().parent.parent / "Tests/Fixtures/tokenizer"

SCRIPTS = [
    "The quick brown fox jumps over the lazy dog; it doesn't care, does it?",
    "Ünïcödé àccents: café naïve Ångström œuvre straße İstanbul ğüşıöç",
    "cafe\u0301 nai\u0308ve A\u030angstro\u0308m e\u0301e\u0300e\u0302 o\u0323\u0302",
    "Привет, мир! Съешь ещё этих мягких французских булок, да выпей чаю.",
    "Ελληνικά: η γρήγορη καφέ αλεπού πηδάει πάνω από το τεμπέλικο σκυλί.",
    "नमस्ते दुनिया! क्षत्रिय श्रीमती विद्यार्थी हिन्दी में लिखा हुआ पाठ।",
    "வணக்கம் உலகம் தமிழ் மொழி கற்றுக்கொள்",
    "বাংলা ভাষা আমার মাতৃভাষা। শ্রদ্ধা",
    "สวัสดีชาวโลก ภาษาไทยไม่มีช่องว่างระหว่างคำ น้ำแข็ง",
    "مرحبا بالعالم! اللغة العربية جميلة، ومُشَكَّلَة. ١٢٣٤٥",
    "שלום עולם! הַשָּׂפָה הָעִבְרִית",
    "你好，世界！今天天气很好，我们去公园散步吧。繁體字也可以。",
    "こんにちは世界。カタカナとひらがなと漢字が混ざった文章です。ｶﾞｷﾞｸﾞ",
    "안녕하세요 세계! 한국어 문장입니다. \u1112\u1161\u11ab\u1100\u1173\u11af",
    "ქართული ენა, Հայերեն լեզու, አማርኛ ቋንቋ, ភាសាខ្មែរ, မြန်မာဘာသာ, ᏣᎳᎩ",
    "👋🏽 👨‍👩‍👧‍👦 🏳️‍🌈 🇫🇷🇯🇵 ❤️‍🔥 🧑🏿‍🚀 1️⃣ #️⃣ ☺️☺",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝕄𝕒𝕥𝕙 ∑∫√∞≠≤ ℵ₀ 𓀀𓁐 🜁 \U0010fffd \ue000",
    "zero\u200bwidth\u200cjoin\u200der \ufeffBOM \u00adsoft \u2028line\u2029para \u202ertl\u202c",
    "\u00a0nbsp\u3000ideographic\u2003em\u1680ogham\u0085nel",
    "ﬁ ﬂ ㎏ ① Ⅷ ½ ａｂｃ ＡＢＣ ™",
]

CODE = [
    'def f(x: int) -> str:\n    if x > 0:\n        return f"{x!r}"\n\telse:\n\t\tpass\n',
    "for (int i = 0; i < n; ++i) { a[i] = b[i] * 0x1F + 3.14e-10f; } // done\r\n",
    "SELECT * FROM t WHERE a='b' AND c<>\"d\";\r\n\r\nGO\r\n",
    '{"key": [1, 2.5, -3e10, null, true], "nested": {"a\\u00e9": "\\n"}}',
    '<div class="a"> </div> <p>text</p> <b>bold</b> > </ > </b> >  </ >\u2581</ > </table></i>',
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n```sh\n$ ls -la | grep '^d'\n```\n",
    "https://example.org/path?q=1&r=%20x#frag user@example.org C:\\Users\\x\\y.txt",
    "0 1 12 123 1234 12345 3.14159265358979 1,000,000 1e-5 0b1010 v1.2.3-rc4 12:34:56 2026-11-23",
    "!!! ... ??? --- === ### $$$ %%% ^^^ &&& *** ((())) [[[]]] {{{}}} ~~~ ``` ''' \"\"\" <<<>>>",
]

LOOKALIKES = [
    "<start_of_turn",
    "<start_of_turn>",
    "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n",
    "<start_of_turn><start_of_turn>",
    "<<start_of_turn>>",
    "< start_of_turn>",
    "<start_of_turn >",
    "<unused1",
    "<unused1>",
    "<unused12>",
    "<unused>",
    "<unused99999>",
    "a<unused0>b",
    "<bos>x<eos>",
    "x<bos>",
    "<pad><unk><mask>",
    "<0x0A>",
    "<0x0a>",
    "<0xZZ>",
    "[multimodal]",
    "[multimodal",
    "<b",
    "<b>",
    "</b",
    "<h1>x</h1>",
    " <b> ",
    "\n<b>\n",
    "\u2581<b>\u2581",
    "<start_of_turn\u2581>",
    "<START_OF_TURN>",
    "<end_of_turn>\n\n\n<eos>",
]

MARKS = [
    "\u2581",
    "\u2581\u2581",
    " \u2581",
    "\u2581 ",
    " \u2581 ",
    "a\u2581b",
    "a \u2581b",
    "a\u2581 b",
    "\u2581\u2581\u2581a",
    "x >\u2581</y",
    ">\u2581 </",
    "> \u2581</",
    "> </",
    ">  </",
    "x> </x> </x",
    "\u2581> </",
]

SMALL = ["", " ", "  ", "\n", "\r", "\r\n", "\r\n\r\n", "\t", "\0", "a", "é", "e\u0301", "😀", "\x7f", "\x01\x02\x1f"]


def runs() -> list[str]:
    """Runs of one white space character, alone and inside text."""
    texts = []
    for count in [*range(1, 36), 40, 47, 48, 62, 63, 64, 65, 79]:
        for character in " \n\t":
            texts.append(character * count)
        texts.append("a" + " " * count + "b" + "\n" * count + "c" + "\t" * count + "d")
    return texts


def seeded(count: int) -> list[str]:
    """Random strings over alphabets that meet at every kind of border."""
    generator = random.Random(20)
    alphabets = [
        list("ab \n"),
        list("<>/b \u2581"),
        list("aàa\u0300 "),
        ["<", "start", "_of", "_turn", ">", "\n", " ", "x", "<b>", "</b>"],
        ["the", " ", "  ", "in", "er", "\n", "\t", "!", "é", "漢", "😀", "\r"],
    ]
    texts = []
    for _ in range(count):
        alphabet = generator.choice(alphabets)
        texts.append("".join(generator.choice(alphabet) for _ in range(generator.randint(1, 60))))
    for _ in range(count // 4):
        points = [
            generator.choice(
                [
                    generator.randint(0, 0x7F),
                    generator.randint(0x80, 0x7FF),
                    generator.randint(0x800, 0xD7FF),
                    generator.randint(0xE000, 0xFFFF),
                    generator.randint(0x10000, 0x10FFFF),
                ]
            )
            for _ in range(generator.randint(1, 24))
        ]
        texts.append("".join(map(chr, points)))
    return texts


def long_texts() -> list[str]:
    generator = random.Random(30)
    word = "".join(generator.choice("etaoinshrdlu") for _ in range(900))
    return [
        word,
        "a" * 700,
        "ab" * 350,
        "漢字" * 120,
        "é" * 200,
        "ก" * 150,
        "=" * 500,
        "0123456789" * 40,
        "ha" * 33 + " " + "ha" * 34,
        " ".join(SCRIPTS),
        "\n\n".join(SCRIPTS[:6] + CODE),
    ]


def corpus() -> list[str]:
    return SMALL + SCRIPTS + CODE + LOOKALIKES + MARKS + runs() + long_texts() + seeded(240)


INVALID = [
    b"\xff",
    b"a\x80b",
    b"\xc3",
    b"\xc3(",
    b"\xe2\x96",
    b"\xe2\x96 x",
    b"\xf0\x9f\x98",
    b"\xf0\x9f\x98\xf0\x9f\x98\x80",
    b"\xed\xa0\x80",
    b"\xc0\xaf",
    b"\xf4\x90\x80\x80",
    b"\xe0\x80\xaf",
    b"ok\xfe\xffok",
    b"\xf8\x88\x80\x80\x80",
    b"x\xe2\x82\n\xe2\x82\xac",
    b"\x80\x80\x80",
]


# Seed, alphabet and length in characters of texts that have no space; the alphabets repeat for other frequencies.
LONG = [(1, "etaoinshrdlu漢字é", 900_000), (2, "ab", 1_000_000), (3, "aaab\n>/<é\u2581", 800_000)]


def seeded_letters(seed: int, alphabet: str, count: int) -> str:
    """As SeededRandom of the tests (SplitMix64) chooses them."""
    mask = (1 << 64) - 1
    state = (seed * 0x9E3779B97F4A7C15 + 0x123456789ABCDEF1) & mask
    letters = []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        letters.append(alphabet[(z ^ (z >> 31)) % len(alphabet)])
    return "".join(letters)


def fnv(data: bytes) -> str:
    """FNV-1a of 64 bits, in hexadecimal."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & ((1 << 64) - 1)
    return f"{value:016x}"


def long_goldens(tokenizer: Tokenizer) -> list[dict]:
    goldens = []
    for seed, alphabet, scalars in LONG:
        text = seeded_letters(seed, alphabet, scalars)
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        goldens.append(
            {
                "seed": seed,
                "alphabet": alphabet,
                "scalars": scalars,
                "bytes": len(text.encode()),
                "count": len(ids),
                "hash": fnv(b"".join(i.to_bytes(4, "little") for i in ids)),
            }
        )
    return goldens


def derived_merges(vocabulary: list[str]) -> list[tuple[str, str]]:
    """Every way to cut a piece into two pieces, in order of the pieces, the longer left part first."""
    known = set(vocabulary)
    return [
        (piece[:cut], piece[cut:])
        for piece in vocabulary
        for cut in range(len(piece) - 1, 0, -1)
        if piece[:cut] in known and piece[cut:] in known
    ]


def train(texts: list[str], alphabet: int = 170, count: int = 350) -> tuple[list[str], list[str]]:
    """The commonest characters, and byte-pair merges of them in the order they are found; ties by the text itself, so
    that two runs agree (those of tokenizers' own trainer do not)."""
    text = "\n".join(texts).replace(" ", MARK)
    characters = Counter(text)
    single = sorted(characters, key=lambda c: (-characters[c], c))[:alphabet]
    words = [list(word) for word in re.findall(f"{MARK}*[^{MARK}\\n]+|\\n+", text)]
    merged = []
    while len(merged) < count:
        pairs = Counter(pair for word in words for pair in zip(word, word[1:]) if all(p[0] in single for p in pair))
        left, right = min(pairs, key=lambda pair: (-pairs[pair], pair))
        if left + right not in merged:
            merged.append(left + right)
        for word in words:
            for i in range(len(word) - 1):
                if word[i : i + 2] == [left, right]:
                    word[i : i + 2] = [left + right]
    return single, merged


def tiny_vocabulary() -> tuple[list[str], list[int]]:
    """Pieces and SentencePiece types: 1 normal, 3 control, 4 user-defined, 6 byte."""
    control = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    unused = [f"<unused{i}>" for i in range(14)]
    plain = ["\n" * i for i in range(1, 6)] + [MARK * i for i in range(2, 6)] + ["<b>", "</b>", "<h1>", "</h1>", "</i>"]
    bytes_ = [f"<0x{i:02X}>" for i in range(256)]
    entries = [(p, 3) for p in control] + [("[multimodal]", 4)] + [(p, 3) for p in unused]
    entries += [("<start_of_turn>", 3), ("<end_of_turn>", 3)] + [(p, 4) for p in plain] + [(p, 6) for p in bytes_]

    single, merged = train(SCRIPTS + CODE)
    # Both spellings of an accent, a piece that spans a space as Gemma's one does, and pieces that share prefixes.
    extra = [
        f">{MARK}</",
        f">{MARK}",
        "</",
        "a\u0300",
        "à",
        "aa",
        "aaaa",
        "ab",
        "abab",
        "ba",
        "\t\t",
        "\u0300",
        f"a{MARK}b",
        ">",
        "<",
        "/",
    ]
    taken = {piece for piece, _ in entries}
    for piece in merged + extra + single + [MARK, "\t"]:
        if piece not in taken and "\n" not in piece:
            taken.add(piece)
            entries.append((piece, 1))
    return [piece for piece, _ in entries], [kind for _, kind in entries]


def build(vocabulary: list[str], types: list[int], merges: list[tuple[str, str]]) -> Tokenizer:
    ids = {piece: index for index, piece in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=merges, fuse_unk=True, unk_token="<unk>", byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", MARK)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos>:1 $B:1", special_tokens=[("<bos>", ids["<bos>"])]
    )
    # A GGUF spells runs of marks as spaces, so they are not found whole there; nor here.
    for piece, kind in zip(vocabulary, types):
        if kind == 3:
            tokenizer.add_special_tokens([AddedToken(piece, normalized=False, special=True)])
        elif kind == 4 and set(piece) != {MARK}:
            tokenizer.add_tokens([AddedToken(piece, normalized=False, special=False)])
    return tokenizer


def write_gguf(path: Path, vocabulary: list[str], types: list[int]) -> None:
    writer = gguf.GGUFWriter(path, "gemma3")
    writer.add_tokenizer_model("llama")
    writer.add_token_list([" " * len(p) if len(p) > 1 and set(p) == {MARK} else p for p in vocabulary])
    writer.add_token_scores([-float(i) for i in range(len(vocabulary))])
    writer.add_token_types(types)
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(3)
    writer.add_pad_token_id(0)
    writer.add_add_space_prefix(False)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


# The rules of the Gemma 3 models' own template, on string contents.
TEMPLATE = """\
{{- bos_token -}}
{%- set ns = namespace(prefix='', turns=messages) -%}
{%- if messages[0].role == 'system' -%}
{%- set ns.prefix = messages[0].content + '\\n\\n' -%}
{%- set ns.turns = messages[1:] -%}
{%- endif -%}
{%- for turn in ns.turns -%}
{%- if (turn.role == 'user') != (loop.index0 % 2 == 0) -%}{{- raise_exception('roles must alternate') -}}{%- endif -%}
{{- '<start_of_turn>' + ('model' if turn.role == 'assistant' else turn.role) + '\\n' -}}
{{- (ns.prefix if loop.first else '') + (turn.content | trim) + '<end_of_turn>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<start_of_turn>model\\n' -}}{%- endif -%}
"""


def user(text: str) -> dict:
    return {"role": "user", "content": text}


def model(text: str) -> dict:
    return {"role": "assistant", "content": text}


def system(text: str) -> dict:
    return {"role": "system", "content": text}


CHATS = [
    {"messages": [user("Hello")], "add_generation_prompt": True},
    {"messages": [user("Hello")]},
    {
        "messages": [user("  \n trimmed \u00a0\u2003\x1c\n"), model("\tand this \r\n"), user("again")],
        "add_generation_prompt": True,
    },
    {"messages": [system("Be brief."), user("Why is the sky blue?")], "add_generation_prompt": True},
    {"messages": [system("\n\n  not trimmed \n"), user("\nx\n")], "add_generation_prompt": True},
    {"messages": [system(""), user("empty system")]},
    {
        "messages": [user("Name a colour."), model("Blue"), user("Another?")],
        "add_generation_prompt": True,
        "prefill": "Sure: ",
    },
    {"messages": [user("go on")], "add_generation_prompt": True, "prefill": "\n\nline"},
    {"messages": [user("go on")], "add_generation_prompt": True, "prefill": "  two spaces\n"},
    {"messages": [user("")], "add_generation_prompt": True},
    {"messages": [user("a\n\n\nb <b>bold</b>"), model("```\n\tcode\n```")]},
    {"messages": [user("你好 👋🏽\r\nсистема"), model("नमस्ते")], "add_generation_prompt": True},
    {"messages": [user("hi"), model("there")], "add_generation_prompt": True, "prefill": "more"},
]


def chat_goldens(tokenizer: Tokenizer) -> list[dict]:
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<bos>", chat_template=TEMPLATE)
    goldens = []
    for chat in CHATS:
        text = wrapped.apply_chat_template(
            chat["messages"], tokenize=False, add_generation_prompt=chat.get("add_generation_prompt", False)
        ) + chat.get("prefill", "")
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        goldens.append({"chat": chat, "text": text.removeprefix("<bos>"), "ids": ids})
    return goldens


def goldens(tokenizer: Tokenizer) -> dict:
    texts = []
    for text in corpus():
        tokenizer.encode_special_tokens = False
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = True
        as_text = tokenizer.encode(text, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = False
        entry = {"text": text, "ids": ids}
        if as_text != ids:
            entry["as_text"] = as_text
        texts.append(entry)
    invalid = []
    for data in INVALID:
        repaired = data.decode("utf-8", "replace")
        invalid.append(
            {"hex": data.hex(), "text": repaired, "ids": tokenizer.encode(repaired, add_special_tokens=False).ids}
        )
    pieces = [tokenizer.id_to_token(i) for i in range(tokenizer.get_vocab_size())]
    return {
        "version": VERSION,
        "vocabulary": fnv(b"".join(piece.encode() + b"\0" for piece in pieces)),
        "long": long_goldens(tokenizer),
        "texts": texts,
        "invalid": invalid,
        "chats": chat_goldens(tokenizer),
    }


def write(name: str, value: dict) -> None:
    path = FOLDER / name
    path.write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")
    print(path.name, path.stat().st_size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path)
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)

    vocabulary, types = tiny_vocabulary()
    merges = derived_merges(vocabulary)
    tiny = build(vocabulary, types, merges)
    (FOLDER / "tiny.json").write_text(tiny.to_str() + "\n")
    write_gguf(FOLDER / "tiny.gguf", vocabulary, types)
    write("tiny-goldens.json", goldens(tiny))

    # Merges in an order that no vocabulary implies, some left out.
    random.Random(40).shuffle(merges)
    scrambled = build(vocabulary, types, merges[: len(merges) * 4 // 5])
    (FOLDER / "scrambled.json").write_text(scrambled.to_str() + "\n")
    write("scrambled-goldens.json", goldens(scrambled))

    if arguments.real:
        write("real-goldens.json", goldens(Tokenizer.from_file(str(arguments.real))))


if __name__ == "__main__":
    main()
