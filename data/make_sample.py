#!/usr/bin/env python3
"""Draw the Fashion-MNIST sample that `gradus quickstart` trains on.

    python3 data/make_sample.py [SOURCE_DIR]

SOURCE_DIR holds the four original IDX files; the default is where Debian's
`dataset-fashion-mnist` package puts them. Needs nothing but Python's standard
library. The same source gives the same images and labels on any machine (the
compressed bytes also depend on the zlib version).

The sample is stratified: every class has the same number of rows, so accuracy
on it means the same as on the full, balanced test set. Rows keep the order they
have in the source, which mixes the classes.
"""

import gzip
import pathlib
import random
import struct
import sys

DEBIAN_SOURCE = "/usr/share/datasets/fashion-mnist"
TARGET = pathlib.Path(__file__).resolve().parent / "fashion-mnist-sample"
SEED = 20261123
# A tenth of the original: about 3 MB, and still enough to pass 80 % test accuracy.
ROWS_PER_CLASS = {"train": 600, "t10k": 100}
IMAGE_MAGIC, LABEL_MAGIC = 2051, 2049


def read_images(path):
    """Return (rows, cols, list of one `bytes` per image) of an IDX3 file."""
    raw = gzip.decompress(path.read_bytes())
    magic, count, rows, cols = struct.unpack(">IIII", raw[:16])
    if magic != IMAGE_MAGIC or len(raw) != 16 + count * rows * cols:
        sys.exit(f"{path}: not an IDX image file of {count} images of {rows}x{cols}")
    size = rows * cols
    return rows, cols, [raw[16 + i * size : 16 + (i + 1) * size] for i in range(count)]


def read_labels(path):
    """Return the labels of an IDX1 file as `bytes`."""
    raw = gzip.decompress(path.read_bytes())
    magic, count = struct.unpack(">II", raw[:8])
    if magic != LABEL_MAGIC or len(raw) != 8 + count:
        sys.exit(f"{path}: not an IDX label file of {count} labels")
    return raw[8:]


def choose(labels, per_class, rng):
    """Pick `per_class` rows of every class, in source order."""
    picked = []
    for label in sorted(set(labels)):
        rows = [i for i, value in enumerate(labels) if value == label]
        picked += rng.sample(rows, per_class)
    return sorted(picked)


def write_gz(path, payload):
    """Compress without a time stamp or a file name, so that a rerun gives the same bytes."""
    path.write_bytes(gzip.compress(payload, compresslevel=9, mtime=0))
    print(f"{path.name}: {path.stat().st_size:,} bytes")


def sample_split(source, split, rng):
    """Write the image and the label file of one split."""
    image_name, label_name = f"{split}-images-idx3-ubyte.gz", f"{split}-labels-idx1-ubyte.gz"
    rows, cols, images = read_images(source / image_name)
    labels = read_labels(source / label_name)
    if len(images) != len(labels):
        sys.exit(f"{source}: {len(images)} images but {len(labels)} labels in `{split}`")
    picked = choose(labels, ROWS_PER_CLASS[split], rng)
    header = struct.pack(">IIII", IMAGE_MAGIC, len(picked), rows, cols)
    write_gz(TARGET / image_name, header + b"".join(images[i] for i in picked))
    header = struct.pack(">II", LABEL_MAGIC, len(picked))
    write_gz(TARGET / label_name, header + bytes(labels[i] for i in picked))


def main():
    source = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else DEBIAN_SOURCE)
    TARGET.mkdir(parents=True, exist_ok=True)
    rng = random.Random(SEED)
    for split in ROWS_PER_CLASS:
        sample_split(source, split, rng)


if __name__ == "__main__":
    main()
