#!/usr/bin/env python3
"""The 22 shapes of ResNet-50's convolutions as one network, each between two small convolutions, to be tuned:

    python3 resnet_shapes.py shapes.onnx 128 > shapes.txt
    needletail build shapes.onnx --device cuda:0 --precision fp16 --tuning 4 $(cat shapes.txt) --timing-cache times.json

The timing cache then holds what every tactic of every shape took. Needs numpy and onnx.
"""
import sys
import numpy as np, onnx
from onnx import TensorProto, helper, numpy_helper

# Input channels, output channels, taps, stride, extent, whether a residual is added.
SHAPES = [
    (64, 64, 1, 1, 56, 0), (64, 64, 3, 1, 56, 0), (64, 256, 1, 1, 56, 1), (256, 64, 1, 1, 56, 0), (256, 128, 1, 1, 56, 0),
    (128, 128, 3, 2, 56, 0), (128, 512, 1, 1, 28, 1), (256, 512, 1, 2, 56, 0), (512, 128, 1, 1, 28, 0),
    (128, 128, 3, 1, 28, 0), (512, 256, 1, 1, 28, 0), (256, 256, 3, 2, 28, 0), (256, 1024, 1, 1, 14, 1),
    (512, 1024, 1, 2, 28, 0), (1024, 256, 1, 1, 14, 0), (256, 256, 3, 1, 14, 0), (1024, 512, 1, 1, 14, 0),
    (512, 512, 3, 2, 14, 0), (512, 2048, 1, 1, 7, 1), (1024, 2048, 1, 2, 14, 0), (2048, 512, 1, 1, 7, 0),
    (512, 512, 3, 1, 7, 0)]
EDGE = 8

nodes, weights, inputs, outputs, arguments = [], [], [], [], []
noise = np.random.default_rng(0).standard_normal(4099).astype(np.float32)
batch = int(sys.argv[2])

def add(operator, operands, name, **attributes):
    nodes.append(helper.make_node(operator, operands, [name], name=name, **attributes))
    return name

def convolution(x, name, channels, results, taps, stride):
    elements = np.resize(noise, results * channels * taps * taps).reshape(results, channels, taps, taps)
    weights.append(numpy_helper.from_array(elements * np.float32((2 / (channels * taps * taps)) ** 0.5), name + ".w"))
    weights.append(numpy_helper.from_array(noise[:results] * np.float32(0.1), name + ".b"))
    return add("Conv", [x, name + ".w", name + ".b"], name, kernel_shape=[taps, taps], strides=[stride, stride],
               pads=[taps // 2] * 4)

def source(name, extent):
    inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", EDGE, extent, extent]))
    arguments.append(f"--shapes {name}:{batch}x{EDGE}x{extent}x{extent}")
    return name

for index, (channels, results, taps, stride, extent, has_residual) in enumerate(SHAPES):
    before = convolution(source(f"x{index}", extent), f"before{index}", EDGE, channels, 1, 1)
    y = convolution(add("Relu", [before], f"{before}.relu"), f"shape{index}", channels, results, taps, stride)
    if has_residual:
        side = convolution(source(f"r{index}", extent), f"side{index}", EDGE, results, 1, 1)
        pool = add("MaxPool", [add("Relu", [side], f"{side}.relu")], f"{side}.pool", kernel_shape=[3, 3], pads=[1] * 4)
        y = add("Add", [y, pool], f"{y}.sum")
    y = convolution(add("Relu", [y], f"{y}.relu"), f"behind{index}", results, EDGE, 1, 1)
    outputs.append(helper.make_tensor_value_info(y, TensorProto.FLOAT, ["n", EDGE, extent // stride, extent // stride]))

graph = helper.make_graph(nodes, "shapes", inputs, outputs, weights)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), sys.argv[1])
print(" ".join(arguments))
