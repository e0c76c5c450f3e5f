"""Fashion-MNIST in memory: the full set where Debian's package put it, else the sample in the repository."""

import gzip
import pathlib

import numpy as np

DEBIAN = pathlib.Path("/usr/share/datasets/fashion-mnist")
SAMPLE = pathlib.Path(__file__).resolve().parent.parent / "data" / "fashion-mnist-sample"
IMAGE_HEADER_BYTES, LABEL_HEADER_BYTES = 16, 8


def find():
    """The folder to read, and whether it is the full data set."""
    full = (DEBIAN / "train-images-idx3-ubyte.gz").exists()
    return (DEBIAN if full else SAMPLE), full


def load(folder, split="train"):
    """Pixels in [0, 1] as float32 [rows, 784] and labels as int64 [rows]; `split` is `train` or `t10k`."""
    folder = pathlib.Path(folder)
    images = gzip.decompress((folder / f"{split}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{split}-labels-idx1-ubyte.gz").read_bytes())
    pixels = np.frombuffer(images, np.uint8, offset=IMAGE_HEADER_BYTES).reshape(-1, 28 * 28)
    return pixels.astype(np.float32) / np.float32(255), np.frombuffer(labels, np.uint8, offset=LABEL_HEADER_BYTES).astype(np.int64)
