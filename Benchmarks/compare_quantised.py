#!/usr/bin/env python3
"""Runs models that onnxruntime has quantised, in both of its formats, and counts outputs that differ from its own.

    pip install onnxruntime onnx numpy
    python3 Benchmarks/compare_quantised.py .build/release/needletail model.onnx CALIBRATION.npy TEST.npy [COUNT]

For each format, type of activations and granularity of weights: the percentage of outputs within one quantisation step of
onnxruntime's (and equal to them), as it runs by default, with its integer kernels for int8 activations
(session.qdqisint8allowed, off by default on x86: it then computes such QDQ models in floating point), and without its optimiser; the last
column is onnxruntime by default against itself without its optimiser.
"""
import itertools, os, subprocess, sys, tempfile
import numpy as np, onnx, onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

class Samples(CalibrationDataReader):
    def __init__(self, name, array): self.rows = iter([{name: array[i:i + 1]} for i in range(len(array))])
    def get_next(self): return next(self.rows, None)

def outputs(path, name, test, optimises=True, allows_int8=False):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if not optimises: options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if allows_int8: options.add_session_config_entry("session.qdqisint8allowed", "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {name: test[i:i + 1]})[0] for i in range(len(test))])

def last_scale(path):
    graph = onnx.load(path).graph
    constants = {i.name: onnx.numpy_helper.to_array(i) for i in graph.initializer}
    for node in graph.node:
        if graph.output[0].name in node.output and node.op_type == "DequantizeLinear":
            return float(constants[node.input[1]])
    return None

def main():
    program, model, calibration, test = sys.argv[1:5]
    count = int(sys.argv[5]) if len(sys.argv) > 5 else 200
    folder = tempfile.mkdtemp()
    prepared = os.path.join(folder, "prepared.onnx")
    quant_pre_process(model, prepared, skip_symbolic_shape=True)
    name = onnxruntime.InferenceSession(prepared, providers=["CPUExecutionProvider"]).get_inputs()[0].name
    samples = np.load(calibration)[:64].astype(np.float32)
    test = np.load(test)[-count:].astype(np.float32)
    given, found = os.path.join(folder, "x.npy"), os.path.join(folder, "y.npy")
    np.save(given, test)
    print("%-32s %18s %18s %18s %18s" % ("model", "default", "int8 allowed", "not optimised", "itself"))
    for format, activations, per_channel in itertools.product(("QDQ", "QOperator"), ("QUInt8", "QInt8"), (True, False)):
        path = os.path.join(folder, "quantised.onnx")
        quantize_static(prepared, path, Samples(name, samples), quant_format=getattr(QuantFormat, format),
                        per_channel=per_channel, activation_type=getattr(QuantType, activations), weight_type=QuantType.QInt8)
        subprocess.run([program, "run", path, "--tuning", "0", "--input", f"{name}={given}", "--output", found],
                       check=True, stdout=subprocess.DEVNULL)
        ours = np.load(found)
        default, allowed, plain = outputs(path, name, test), outputs(path, name, test, allows_int8=True), outputs(path, name, test, False)
        step = last_scale(path) or (default.max() - default.min()) / 255
        def agreement(a, b):
            return "%.2f (%.2f)" % ((np.abs(a - b) <= 1.01 * step).mean() * 100, (a == b).mean() * 100)
        label = "%s %s %s" % (format, activations, "per channel" if per_channel else "per tensor")
        print("%-32s %18s %18s %18s %18s" % (label, agreement(ours, default), agreement(ours, allowed),
                                             agreement(ours, plain), agreement(default, plain)), flush=True)

main()
