"""onnxruntime: predictions of the 784-128-10 network."""

import peer

args = peer.arguments()

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime  # noqa: E402

import fashion_mnist  # noqa: E402

SIZES = (784, 128, 10)
OPSET = 21


def make_model():
    """The network as an ONNX graph: two Gemm nodes with a Relu between them. Speed does not depend on the weights."""
    rng = np.random.default_rng(1)
    weights = []
    for i, (fan_in, fan_out) in enumerate(zip(SIZES, SIZES[1:])):
        bound = fan_in**-0.5
        for name, shape in ((f"weight{i}", (fan_out, fan_in)), (f"bias{i}", (fan_out,))):
            weights.append(onnx.numpy_helper.from_array(rng.uniform(-bound, bound, shape).astype(np.float32), name))
    nodes = [
        onnx.helper.make_node("Gemm", ["x", "weight0", "bias0"], ["h"], transB=1),
        onnx.helper.make_node("Relu", ["h"], ["r"]),
        onnx.helper.make_node("Gemm", ["r", "weight1", "bias1"], ["y"], transB=1),
    ]
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["rows", SIZES[0]])
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["rows", SIZES[-1]])
    graph = onnx.helper.make_graph(nodes, "mlp", [x], [y], weights)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


options = onnxruntime.SessionOptions()
options.intra_op_num_threads = args.threads
session = onnxruntime.InferenceSession(make_model(), options, providers=["CPUExecutionProvider"])
X, _ = fashion_mnist.load(args.data, "t10k")


def build(job):
    x = np.ascontiguousarray(X[: job["rows"]])
    return peer.repeated_calls(lambda: session.run(None, {"x": x}))


peer.serve(build, {"onnxruntime": onnxruntime.__version__})
