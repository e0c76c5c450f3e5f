"""Real English text: six novels by Jane Austen and the King James Bible, both in the public domain.

They come from Debian (`r-cran-janeaustenr`, `bible-kjv`, `bible-kjv-text`) and are written as UTF-8 text files:

    texts.py DIR       austen.txt, kjv.txt, and the split that learning_gpt.py and a gradus recipe train on:
                       train.txt, validation.txt (the last VALIDATION_SHARE of each of the two)
                       chapter.txt: the held-out chapter that perplexities are measured on
"""

import pathlib
import re
import struct
import subprocess
import sys
import zlib

RDATA = pathlib.Path("/usr/lib/R/site-library/janeaustenr/data/Rdata.rdb")
PACKAGES = "r-cran-janeaustenr bible-kjv bible-kjv-text"
# R's serialisation, version 3, XDR form: a vector of strings has type 16, each string type 9 (the low byte of its flags).
STRING_VECTOR, STRING = 16, 9
VALIDATION_SHARE = 0.05
# A novel whose beginning is held out for perplexities.
CHAPTER_OF = "\nPersuasion\n"
CHAPTER_CHARACTERS = 60_000


class Missing(Exception):
    """A text is not installed; the message says how to get it."""


def records(blob):
    """The R objects of an .rdb file: each the big-endian length it unpacks to, and a zlib stream."""
    while blob:
        stream = zlib.decompressobj()
        yield stream.decompress(blob[4:])
        blob = stream.unused_data


def strings(record):
    """The vector of strings that an R object is: the lines of a book."""
    (encoding_size,) = struct.unpack_from(">I", record, 14)
    offset = 18 + encoding_size
    kind, count = struct.unpack_from(">II", record, offset)
    assert kind & 0xFF == STRING_VECTOR, "a book is a vector of strings"
    offset, lines = offset + 8, []
    for _ in range(count):
        flags, size = struct.unpack_from(">II", record, offset)
        assert flags & 0xFF == STRING, "a line is a string"
        lines.append(record[offset + 8 : offset + 8 + size].decode("utf-8"))
        offset += 8 + size
    return lines


def austen():
    """The novels, one after the other, lines as printed."""
    if not RDATA.exists():
        raise Missing(f"Jane Austen's novels are not installed: apt-get install {PACKAGES}")
    return "\n\n".join("\n".join(strings(record)) for record in records(RDATA.read_bytes())) + "\n"


def king_james():
    """The Bible, a verse a line."""
    command = ["bible", "-d", "bible.data", "-p", "/usr/lib", "-l0", "gen1:1-rev22:21"]
    try:
        return subprocess.run(command, check=True, capture_output=True).stdout.decode("latin-1")
    except (OSError, subprocess.CalledProcessError) as error:
        raise Missing(f"the King James Bible is not installed: apt-get install {PACKAGES}") from error


def split(text):
    """What to train on, and the last VALIDATION_SHARE, cut at a line's end."""
    cut = text.rindex("\n", 0, int(len(text) * (1 - VALIDATION_SHARE))) + 1
    return text[:cut], text[cut:]


def chapter(novels):
    """The beginning of one novel, from its first chapter on, with single line breaks joined as a reader would."""
    start = novels.index(CHAPTER_OF)
    body = novels[start : start + CHAPTER_CHARACTERS]
    body = body[: body.rindex("\n\n")]
    return re.sub(r"(?<!\n)\n(?!\n)", " ", body).strip() + "\n"


def write(folder):
    """Write all files into `folder` and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    novels, bible = austen(), king_james()
    halves = [split(novels), split(bible)]
    files = {"austen.txt": novels, "kjv.txt": bible, "train.txt": "\n".join(half[0] for half in halves),
             "validation.txt": "\n".join(half[1] for half in halves), "chapter.txt": chapter(novels)}
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return folder


if __name__ == "__main__":
    try:
        write(pathlib.Path(sys.argv[1]))
    except Missing as missing:
        sys.exit(f"skipped: {missing}")
