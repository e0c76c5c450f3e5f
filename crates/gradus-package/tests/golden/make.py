#!/usr/bin/env python3
"""Write the files here with the libraries whose formats gradus-package shares.

- `all_dtypes.safetensors`: one tensor of each element type, by the safetensors library
- `sparse_bitmask.safetensors`: tensors `a` and `b` whole (`a.dense`, `b.dense`) and as compressed-tensors stores them
- `scalars.tfevents`: the events in `EVENTS`, by TensorBoard's own writer

Made with safetensors 0.8.0, torch 2.15.0, compressed-tensors 0.9.4 (with transformers 4.51.3), tensorboard 2.21.0:

    python3 -m venv target/formats
    target/formats/bin/pip install safetensors==0.8.0 torch==2.15.0 compressed-tensors==0.9.4 \
        transformers==4.51.3 tensorboard==2.21.0
    target/formats/bin/python crates/gradus-package/tests/golden/make.py

With a path as its argument, it reads that event file as TensorBoard does and prints what it holds instead.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent

# step, wall time, scalars
EVENTS = [
    (0, 1.5, [("train/loss", 2.375)]),
    (100, 2.25, [("train/loss", 0.5), ("train/learning_rate", 0.0)]),
    (70000, 1e9 + 0.125, [("validation/accuracy", 0.8875)]),
]


def make_all_dtypes():
    import torch
    from safetensors.torch import save_file

    values = torch.tensor([[1.0, -2.5, 0.0], [0.15625, 100.0, -0.0]])
    floats = {"f64": torch.float64, "f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
    tensors = {name: values.to(dtype) for name, dtype in floats.items()}
    tensors["i64"] = torch.tensor([-(2**62), 0, 2**62])
    tensors["u8"] = torch.tensor([0, 128, 255], dtype=torch.uint8)
    tensors["i8"] = torch.tensor([-128, 0, 127], dtype=torch.int8)
    tensors["scalar"] = torch.tensor(0.1, dtype=torch.float64)
    tensors["empty"] = torch.zeros(0, 3)
    save_file(tensors, HERE / "all_dtypes.safetensors", metadata={"format": "pt"})


def make_sparse_bitmask():
    import torch
    from compressed_tensors.compressors.sparse_compressors.sparse_bitmask import BitmaskTensor
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(5)
    dense = {
        # Not a product with a mask: that leaves negative zeros, which the library drops and gradus keeps.
        "a": torch.randn(7, 21, generator=generator).masked_fill(torch.rand(7, 21, generator=generator) > 0.2, 0.0),
        "b": torch.randint(-5, 6, (3, 64), generator=generator).clamp(min=3).sub(3).to(torch.int8),
    }
    tensors = {f"{name}.dense": tensor for name, tensor in dense.items()}
    for name, tensor in dense.items():
        parts = BitmaskTensor.from_dense(tensor).dict(name_prefix=name, device="cpu")
        tensors.update({key: part.contiguous() for key, part in parts.items()})
    save_file(tensors, HERE / "sparse_bitmask.safetensors")


def make_events():
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    with open(HERE / "scalars.tfevents", "wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(file_version="brain.Event:2").SerializeToString())
        for step, wall_time, scalars in EVENTS:
            values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars]
            writer.write(Event(step=step, wall_time=wall_time, summary=Summary(value=values)).SerializeToString())
        writer.flush()


def show_events(path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(path)
    events.Reload()
    for tag in events.Tags()["scalars"]:
        for event in events.Scalars(tag):
            print(tag, event.step, event.wall_time, event.value)


if len(sys.argv) > 1:
    show_events(sys.argv[1])
else:
    make_all_dtypes()
    make_sparse_bitmask()
    make_events()
