"""How much a network's outputs change where its numbers are rounded, and how much they depend on the input.

    python3 Benchmarks/rounding_sensitivity.py [--data SAMPLES.npy] MODEL.onnx ...

Needs numpy, onnx and onnxruntime, which computes everything in FP32. Without samples the inputs are standard
normal. Batch normalisation is folded before rounding. "TF32" rounds weights and activations of convolutions and
matrix products to the 11 bits of FP16, which TF32 has too.
"""

import argparse
import os
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

SAMPLES = 6
PRODUCTS = ("Conv", "Gemm", "MatMul")


def session(model):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def folded(path):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = os.path.join(folder, "model.onnx")
        onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)


def round_weights(model):
    weights = {node.input[1] for node in model.graph.node if node.op_type in PRODUCTS}
    for tensor in model.graph.initializer:
        if tensor.name in weights and tensor.data_type == onnx.TensorProto.FLOAT:
            rounded = numpy_helper.to_array(tensor).astype(np.float16).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(rounded, tensor.name))


def round_activations(model):
    nodes = []
    for index, node in enumerate(list(model.graph.node)):
        if node.op_type in PRODUCTS:
            half, full = f"rounded_{index}", f"widened_{index}"
            nodes.append(helper.make_node("Cast", [node.input[0]], [half], to=onnx.TensorProto.FLOAT16))
            nodes.append(helper.make_node("Cast", [half], [full], to=onnx.TensorProto.FLOAT))
            node.input[0] = full
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def distance(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def measure(path, data):
    model = folded(path)
    exact = session(model)
    value = exact.get_inputs()[0]
    shape = [SAMPLES] + [d if isinstance(d, int) and d > 0 else 1 for d in value.shape[1:]]
    generator = np.random.default_rng(0)
    x = generator.standard_normal(shape).astype(np.float32) if data is None else data[:SAMPLES].astype(np.float32)
    y = exact.run(None, {value.name: x})[0]
    noise = generator.standard_normal(x[:2].shape).astype(np.float32)
    noise *= 1e-3 * np.linalg.norm(x[:2]) / np.linalg.norm(noise)
    amplification = distance(exact.run(None, {value.name: x[:2] + noise})[0], y[:2]) / 1e-3
    round_weights(model)
    weights = distance(session(model).run(None, {value.name: x[:2]})[0], y[:2])
    round_activations(model)
    tf32 = session(model).run(None, {value.name: x[:2]})[0]
    varying = np.linalg.norm(tf32 - y[:2]) / np.linalg.norm(y[:2] - y.mean(0))
    pairs = " ".join(f"{distance(y[i], y[i + 1]):.2f}" for i in range(0, SAMPLES, 2))
    print(
        f"{path}: weights {weights:.1e}, TF32 {tf32_error(tf32, y):.1e} ({varying:.1e} of what varies), "
        f"pairs differ by {pairs}, mean {y.mean():.2f}, deviation {y.std():.2f}, "
        f"amplification {amplification:.2f}", flush=True)


def tf32_error(found, expected):
    return distance(found, expected[: len(found)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data")
    parser.add_argument("models", nargs="+")
    arguments = parser.parse_args()
    samples = np.load(arguments.data) if arguments.data else None
    for path in arguments.models:
        measure(path, samples)
