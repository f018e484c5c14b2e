#!/usr/bin/env python3
"""Writes graphs of one or a few TensorFlow operators as signatures of saved models.

    pip install tensorflow-cpu
    python make_operators.py OUT

Each case is a signature with the inputs and what TensorFlow computes from them; extents are odd on purpose, and
those written as None are open in the signature.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import tensorflow as tf

CASES = {}
GENERATOR = np.random.default_rng(5)


def spec(shape, kind="normal", dtype=np.float32, open_axes=()):
    return shape, kind, dtype, open_axes


def case(name, function, *specs):
    assert name not in CASES, name
    CASES[name] = (function, specs)


def numbers(shape, kind, dtype):
    g = GENERATOR
    if kind == "normal":
        return g.normal(size=shape).astype(dtype)
    if kind == "positive":
        return g.uniform(0.2, 3, shape).astype(dtype)
    if kind == "unit":
        return g.uniform(-0.95, 0.95, shape).astype(dtype)
    if kind == "bool":
        return g.random(shape) < 0.5
    low, high = kind
    return g.integers(low, high, shape).astype(dtype)


def images():
    for padding in ("SAME", "VALID"):
        for size in (1, 3, 17, 13):
            for kernel, stride, dilation in ((1, 1, 1), (3, 1, 1), (3, 2, 1), (5, 3, 1), (3, 1, 2),
                                             (2, 2, 1), (4, 1, 3), (1, 2, 1)):
                reach = (kernel - 1) * dilation + 1
                if padding == "VALID" and reach > size:
                    continue
                w = numbers((kernel, kernel, 3, 5), "normal", np.float32)
                d = numbers((kernel, kernel, 3, 2), "normal", np.float32)
                tag = f"{padding}_{size}_{kernel}_{stride}_{dilation}"
                x = spec((2, size, size + 2, 3), open_axes=(0,))
                case(f"conv2d_{tag}", lambda x, w=w, s=stride, p=padding, d=dilation: tf.nn.conv2d(
                    x, w, s, p, dilations=d), x)
                case(f"depthwise_{tag}", lambda x, w=d, s=stride, p=padding, d=dilation:
                     tf.nn.depthwise_conv2d(x, w, [1, s, s, 1], p, dilations=[d, d]), x)
                if dilation == 1:
                    case(f"maxpool_{tag}", lambda x, k=kernel, s=stride, p=padding:
                         tf.nn.max_pool2d(x, k, s, p), x)
                    case(f"avgpool_{tag}", lambda x, k=kernel, s=stride, p=padding:
                         tf.nn.avg_pool2d(x, k, s, p), x)
    w = numbers((3, 2, 3, 4), "normal", np.float32)
    case("conv2d_explicit", lambda x: tf.nn.conv2d(
        x, w, [1, 2, 1, 1], [[0, 0], [1, 2], [0, 3], [0, 0]]), spec((1, 9, 7, 3)))
    case("conv2d_open_space", lambda x: tf.nn.conv2d(x, w, 2, "SAME"),
         spec((2, 9, 7, 3), open_axes=(0, 1, 2)))
    case("conv2d_grouped", lambda x: tf.nn.conv2d(x, w, 1, "SAME"), spec((1, 5, 7, 6)))
    case("conv1d", lambda x: tf.nn.conv1d(x, w[0], 2, "SAME"), spec((2, 17, 3)))
    w3 = numbers((3, 2, 3, 2, 4), "normal", np.float32)
    for padding in ("SAME", "VALID"):
        case(f"conv3d_{padding}", lambda x, p=padding: tf.nn.conv3d(x, w3, [1, 1, 2, 1, 1], p),
             spec((2, 5, 7, 3, 2)))
        case(f"maxpool3d_{padding}", lambda x, p=padding: tf.nn.max_pool3d(x, [2, 3, 2], 2, p),
             spec((2, 5, 7, 3, 2)))
        case(f"avgpool3d_{padding}", lambda x, p=padding: tf.nn.avg_pool3d(x, [2, 3, 2], 2, p),
             spec((2, 5, 7, 3, 2)))
        for size, kernel, stride in ((1, 3, 2), (3, 3, 2), (5, 4, 3), (4, 2, 2), (3, 5, 1), (3, 1, 2)):
            t = numbers((kernel, kernel, 4, 3), "normal", np.float32)
            out = size * stride if padding == "SAME" else (size - 1) * stride + kernel
            for extra in range(0, stride if padding == "VALID" else 1):
                shape = [2, out + extra, out + extra, 4]
                case(f"transposed_{padding}_{size}_{kernel}_{stride}_{extra}",
                     lambda x, t=t, s=stride, p=padding, o=shape: tf.nn.conv2d_transpose(
                         x, t, o, s, p), spec((2, size, size, 3)))
        if padding == "SAME":
            t = numbers((3, 3, 4, 3), "normal", np.float32)
            case("transposed_less", lambda x: tf.nn.conv2d_transpose(
                x, t, [2, 9, 9, 4], 2, "SAME"), spec((2, 5, 5, 3)))
            t3 = numbers((3, 2, 3, 4, 2), "normal", np.float32)
            case("transposed3d", lambda x: tf.nn.conv3d_transpose(
                x, t3, [2, 6, 10, 8, 4], 2, "SAME"), spec((2, 3, 5, 4, 2)))
    for method in ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian",
                   "mitchellcubic"):
        for h, w_ in ((3, 5), (17, 13), (7, 9), (1, 1), (14, 18)):
            case(f"resize_{method}_{h}_{w_}", lambda x, m=method, h=h, w=w_: tf.image.resize(
                x, (h, w), method=m), spec((2, 7, 9, 3)))
            if method != "nearest":
                case(f"resize_anti_{method}_{h}_{w_}",
                     lambda x, m=method, h=h, w=w_: tf.image.resize(
                         x, (h, w), method=m, antialias=True), spec((2, 7, 9, 3)))
    for align, half in ((True, False), (False, False)):
        for name in ("resize_bilinear", "resize_nearest_neighbor", "resize_bicubic"):
            op = getattr(tf.compat.v1.image, name)
            for h, w_ in ((3, 5), (17, 13), (1, 7)):
                case(f"v1_{name}_{align}_{h}_{w_}", lambda x, op=op, a=align, h=h, w=w_: op(
                    x, (h, w), align_corners=a, half_pixel_centers=False), spec((2, 7, 9, 3)))
    boxes = np.array([[0.1, 0.2, 0.7, 0.9], [0, 0, 1, 1], [-0.2, 0.3, 1.2, 0.5], [0.8, 0.9, 0.2, 0.1]],
                     np.float32)
    for method in ("bilinear", "nearest"):
        case(f"crop_and_resize_{method}", lambda x, m=method: tf.image.crop_and_resize(
            x, boxes, [0, 1, 1, 0], (3, 5), method=m, extrapolation_value=0.5), spec((2, 7, 9, 3)))
    case("space_to_depth", lambda x: tf.nn.space_to_depth(x, 3), spec((2, 9, 6, 5)))
    case("depth_to_space", lambda x: tf.nn.depth_to_space(x, 3), spec((2, 3, 5, 18)))
    case("space_to_batch", lambda x: tf.space_to_batch(x, [2, 3], [[1, 0], [2, 2]]),
         spec((2, 5, 5, 3)))
    case("batch_to_space", lambda x: tf.batch_to_space(x, [2, 3], [[1, 0], [2, 1]]),
         spec((12, 3, 5, 3)))
    case("lrn", lambda x: tf.nn.local_response_normalization(x, 2, 1.0, 0.3, 0.7),
         spec((2, 5, 3, 11)))
    case("batch_norm", lambda x, a, b, m, v: tf.compat.v1.nn.fused_batch_norm(
        x, a, b, m, v, 0.01, is_training=False)[0], spec((2, 3, 5, 7)), spec((7,)), spec((7,)),
        spec((7,)), spec((7,), "positive"))
    case("batch_norm_training", lambda x, a, b: tf.compat.v1.nn.fused_batch_norm(
        x, a, b, epsilon=0.01, is_training=True)[0], spec((2, 3, 5, 7)), spec((7,)), spec((7,)))
    case("extract_patches", lambda x: tf.image.extract_patches(
        x, [1, 3, 2, 1], [1, 2, 2, 1], [1, 1, 2, 1], "VALID"), spec((2, 9, 7, 3)))
    case("extract_patches_same", lambda x: tf.image.extract_patches(
        x, [1, 3, 3, 1], [1, 2, 1, 1], [1, 1, 1, 1], "SAME"), spec((2, 9, 7, 3)))
    case("dilation2d", lambda x: tf.nn.dilation2d(
        x, w3[0, :, :, :, 0][:, :2, :2], [1, 1, 1, 1], "SAME", "NHWC", [1, 1, 1, 1]),
        spec((2, 5, 7, 2)))
    case("max_pool_argmax", lambda x: tf.nn.max_pool_with_argmax(x, 2, 2, "VALID"),
         spec((2, 6, 8, 3)))
    case("bias_add", lambda x, b: tf.nn.bias_add(x, b), spec((2, 3, 5, 7)), spec((7,)))
    case("grayscale", lambda x: tf.image.rgb_to_grayscale(x), spec((2, 5, 7, 3), "positive"))
    case("hsv", lambda x: tf.image.rgb_to_hsv(x), spec((2, 5, 7, 3), "positive"))
    case("hsv_back", lambda x: tf.image.hsv_to_rgb(tf.abs(x)), spec((2, 5, 7, 3), "unit"))
    case("contrast", lambda x: tf.image.adjust_contrast(x, 1.7), spec((2, 5, 7, 3)))
    case("standardization", lambda x: tf.image.per_image_standardization(x), spec((2, 5, 7, 3)))
    case("flip", lambda x: tf.image.flip_left_right(tf.image.flip_up_down(x)), spec((2, 5, 7, 3)))
    case("central_crop", lambda x: tf.image.central_crop(x, 0.6), spec((2, 15, 17, 3)))
    case("resize_with_pad", lambda x: tf.image.resize_with_pad(x, 9, 9), spec((2, 5, 7, 3)))
    case("total_variation", lambda x: tf.image.total_variation(x), spec((2, 5, 7, 3)))


def scalars():
    unary = {
        "normal": "abs negative sign square exp sin cos tanh sigmoid floor ceil round rint erf erfc "
        "is_nan is_inf is_finite sinh cosh asinh softplus expm1 atan softsign",
        "positive": "sqrt rsqrt log log1p lgamma reciprocal digamma reciprocal_no_nan",
        "unit": "asin acos atanh tan erfinv",
    }
    for kind, names in unary.items():
        for name in names.split():
            function = getattr(tf.math, name, None) or getattr(tf.nn, name, None) or getattr(tf, name)
            case(f"unary_{name}", lambda x, f=function: f(x), spec((3, 17), kind))
    for name in "relu relu6 elu selu silu gelu leaky_relu softmax log_softmax".split():
        case(f"nn_{name}", lambda x, f=getattr(tf.nn, name): f(x), spec((3, 17)))
    case("gelu_tanh", lambda x: tf.nn.gelu(x, approximate=True), spec((3, 17)))
    case("acosh", lambda x: tf.acosh(x + 1.5), spec((3, 17), "positive"))
    binary = ("add subtract multiply divide divide_no_nan floordiv floormod maximum minimum "
              "squared_difference atan2 pow multiply_no_nan xlogy xdivy xlog1py truncatemod nextafter")
    for name in binary.split():
        kind = "positive" if name in ("pow", "xlogy", "xlog1py", "xdivy") else "normal"
        function = getattr(tf.math, name, None) or getattr(tf, name)
        case(f"binary_{name}", lambda a, b, f=function: f(a, b), spec((3, 1, 17), kind),
             spec((5, 1), kind))
    for name in "less less_equal greater greater_equal equal not_equal".split():
        case(f"compare_{name}", lambda a, b, f=getattr(tf.math, name): f(a, b),
             spec((3, 17), (0, 4), np.int32), spec((17,), (0, 4), np.int32))
    for name in "logical_and logical_or logical_xor".split():
        case(name, lambda a, b, f=getattr(tf.math, name): f(a, b), spec((3, 17), "bool"),
             spec((17,), "bool"))
    case("logical_not", lambda a: tf.logical_not(a), spec((3, 17), "bool"))
    for name in "add subtract multiply floordiv floormod maximum minimum truncatediv".split():
        function = getattr(tf.math, name, None) or getattr(tf, name)
        for dtype in (np.int32, np.int64):
            case(f"integer_{name}_{np.dtype(dtype).name}", lambda a, b, f=function: f(
                a, tf.where(b == 0, tf.ones_like(b), b)), spec((3, 17), (-9, 9), dtype),
                spec((17,), (-4, 5), dtype))
    for name in "bitwise_and bitwise_or bitwise_xor left_shift right_shift".split():
        case(name, lambda a, b, f=getattr(tf.bitwise, name): f(a, b), spec((3, 17), (0, 99), np.int32),
             spec((17,), (0, 5), np.int32))
    for target in (tf.float64, tf.int32, tf.int64, tf.bool, tf.float16, tf.uint8, tf.bfloat16):
        case(f"cast_{target.name}", lambda x, t=target: tf.cast(tf.cast(x * 3, t), tf.float32),
             spec((3, 17), "positive"))
    case("saturate_cast", lambda x: tf.cast(tf.saturate_cast(x * 200, tf.uint8), tf.float32),
         spec((3, 17)))
    case("clip", lambda x: tf.clip_by_value(x, -0.3, 0.5), spec((3, 17)))
    case("clip_by_norm", lambda x: tf.clip_by_norm(x, 1.5, axes=[1]), spec((3, 17)))
    case("where3", lambda c, a, b: tf.where(c, a, b), spec((3, 17), "bool"), spec((3, 17)),
         spec((17,)))
    case("where_v1_rows", lambda c, a, b: tf.raw_ops.Select(condition=c, x=a, y=b),
         spec((3,), "bool"), spec((3, 17)), spec((3, 17)))
    case("add_n", lambda a, b, c: tf.add_n([a, b, c]), *[spec((3, 17))] * 3)
    case("polyval", lambda x: tf.math.polyval([1.0, -2.0, 0.5], x), spec((3, 17)))
    case("double", lambda x: tf.cast(tf.math.sqrt(tf.cast(x, tf.float64)), tf.float32),
         spec((3, 17), "positive"))


def movement():
    x5 = spec((5, 7, 3, 9), open_axes=(0,))
    slices = {
        "plain": np.s_[1:4, :, 2], "negative": np.s_[:, ::-1, :, -3:-1], "ellipsis": np.s_[..., 1],
        "new": np.s_[:, None, 2:5, ..., None], "steps": np.s_[::2, 1::3, ::-2, 8:1:-3],
        "single": np.s_[-1, 2], "empty": np.s_[:, 3:3], "middle": np.s_[1, ..., 2:],
        "far": np.s_[:, 0:100, -100:2], "backwards": np.s_[:, 5:1:-1],
        "new_ellipsis": np.s_[None, ..., 3, None],
    }
    for name, index in slices.items():
        case(f"slice_{name}", lambda x, i=index: x[i], x5)
    case("slice_by_value", lambda x, i: x[:, i[0]:i[1]], x5,
         spec((2,), (1, 2), np.int32))
    case("slice_one_by_value", lambda x, i: x[:, i], x5, spec((), (1, 5), np.int32))
    case("slice_op", lambda x: tf.slice(x, [1, 0, 2, 3], [2, -1, 1, 4]), spec((5, 7, 3, 9)))
    case("slice_by_shape", lambda x: x[:, : tf.shape(x)[2]], x5)
    case("pad_constant", lambda x: tf.pad(x, [[1, 0], [2, 3], [0, 0], [0, 1]], constant_values=1.5),
         x5)
    for mode in ("REFLECT", "SYMMETRIC"):
        case(f"pad_{mode}", lambda x, m=mode: tf.pad(x, [[1, 0], [2, 3], [0, 2], [0, 1]], m), x5)
        case(f"pad_{mode}_1d", lambda x, m=mode: tf.pad(x, [[2, 1]], m), spec((3,)))
    case("pad_SYMMETRIC_whole", lambda x: tf.pad(x, [[3, 3], [1, 0]], "SYMMETRIC"), spec((3, 1)))
    for axis in (0, 1, -1, 2):
        case(f"gather_{axis}", lambda x, i, a=axis: tf.gather(x, i, axis=a), x5,
             spec((2, 3), (0, 3), np.int32))
    case("gather_batch", lambda x, i: tf.gather(x, i, axis=1, batch_dims=1), spec((5, 7, 3)),
         spec((5, 2), (0, 7), np.int32))
    case("gather_batch_further", lambda x, i: tf.gather(x, i, axis=2, batch_dims=1),
         spec((5, 7, 3)), spec((5, 2, 2), (0, 3), np.int32))
    case("gather_batch_two", lambda x, i: tf.gather(x, i, axis=2, batch_dims=2), spec((5, 7, 3, 2)),
         spec((5, 7, 4), (0, 3), np.int64))
    case("gather_scalar", lambda x, i: tf.gather(x, i, axis=1), x5, spec((), (0, 7), np.int64))
    case("gather_nd", lambda x, i: tf.gather_nd(x, i), x5, spec((4, 2), (0, 5), np.int32))
    case("gather_nd_batch", lambda x, i: tf.gather_nd(x, i, batch_dims=1), spec((5, 7, 3)),
         spec((5, 2, 1), (0, 7), np.int32))
    case("embedding", lambda i: tf.nn.embedding_lookup(
        tf.constant(numbers((11, 5), "normal", np.float32)), i), spec((3, 4), (0, 11), np.int32))
    case("scatter_nd", lambda i, u: tf.scatter_nd(i, u, [7, 3]), spec((4, 1), (0, 7), np.int32),
         spec((4, 3)))
    for name in "add sub max min".split():
        case(f"scatter_{name}", lambda x, i, u, f=getattr(tf, f"tensor_scatter_nd_{name}"): f(x, i, u),
             spec((7, 3)), spec((4, 1), (0, 7), np.int32), spec((4, 3)))
    case("scatter_update", lambda x, u: tf.tensor_scatter_nd_update(x, [[1], [5]], u), spec((7, 3)),
         spec((2, 3)))
    case("concat", lambda a, b: tf.concat([a, b, a], 1), spec((3, 1, 5), open_axes=(0,)),
         spec((3, 7, 5), open_axes=(0,)))
    case("stack", lambda a, b: tf.stack([a, b], -1), spec((3, 5)), spec((3, 5)))
    case("unstack", lambda a: tf.unstack(a, axis=1), spec((3, 5, 2)))
    case("split", lambda a: tf.split(a, 3, axis=-1), spec((3, 15)))
    case("split_sizes", lambda a: tf.split(a, [2, -1, 4], axis=1), spec((3, 15)))
    case("transpose", lambda a: tf.transpose(a, [2, 0, 3, 1]), x5)
    case("reverse", lambda a: tf.reverse(a, [1, -1]), x5)
    case("reverse_sequence", lambda a, n: tf.reverse_sequence(a, n, seq_axis=1, batch_axis=0),
         spec((5, 7, 3)), spec((5,), (0, 8), np.int32))
    case("reverse_sequence_other", lambda a, n: tf.reverse_sequence(a, n, seq_axis=0, batch_axis=1),
         spec((7, 5, 3)), spec((5,), (0, 8), np.int32))
    case("roll", lambda a: tf.roll(a, [2, -1], [1, 3]), x5)
    case("roll_large", lambda a: tf.roll(a, -17, 1), x5)
    case("tile", lambda a: tf.tile(a, [2, 1, 3]), spec((3, 5, 2)))
    case("repeat", lambda a: tf.repeat(a, 3, axis=1), spec((3, 5, 2)))
    case("repeat_counts", lambda a: tf.repeat(a, [1, 0, 2, 3, 1], axis=1), spec((3, 5, 2)))
    case("broadcast_to", lambda a: tf.broadcast_to(a, [3, 5, 7]), spec((5, 1)))
    case("reshape_open", lambda a: tf.reshape(a, [tf.shape(a)[0], -1]), x5)
    case("squeeze", lambda a: tf.squeeze(a, [1]), spec((3, 1, 1)))
    case("squeeze_all", lambda a: tf.squeeze(a), spec((3, 1, 1, 5)))
    case("expand", lambda a: tf.expand_dims(a, -2), spec((3, 5)))
    case("shape", lambda a: tf.shape(a), x5)
    case("size_rank", lambda a: tf.size(a) + tf.rank(a), x5)
    case("range", lambda a: tf.range(tf.shape(a)[1] * 2, dtype=tf.int32), x5)
    case("range_float", lambda a: tf.range(0.0, 1.0, 0.13) + a, spec((1,)))
    case("linspace", lambda a: tf.linspace(a[0], a[1], 7), spec((2,)))
    case("fill", lambda a: tf.fill([tf.shape(a)[0], 3], a[0, 0, 0, 0]), x5)
    case("zeros_like", lambda a: tf.zeros_like(a) + tf.ones_like(a), x5)
    case("one_hot", lambda i: tf.one_hot(i, 5, on_value=2.0, off_value=-1.0, axis=1),
         spec((3, 7), (-1, 6), np.int32))
    case("meshgrid", lambda a, b: tf.meshgrid(a, b), spec((3,)), spec((5,)))
    case("band_part", lambda a: tf.linalg.band_part(a, 1, 2), spec((2, 5, 7)))
    case("band_part_lower", lambda a: tf.linalg.band_part(a, -1, 0), spec((5, 5)))
    case("diag", lambda a: tf.linalg.diag(a), spec((2, 5)))
    case("diag_offset", lambda a: tf.linalg.diag(a, k=1), spec((2, 5)))
    case("diag_part", lambda a: tf.linalg.diag_part(a), spec((2, 5, 7)))
    case("set_diag", lambda a, b: tf.linalg.set_diag(a, b), spec((2, 5, 7)), spec((2, 5)))
    case("eye", lambda a: a + tf.eye(5), spec((5, 5)))
    case("where_indices", lambda c: tf.where(c), spec((3, 7), "bool"))
    case("boolean_mask", lambda a, c: tf.boolean_mask(a, c), spec((7, 3)), spec((7,), "bool"))
    case("unique", lambda a: tf.unique(a), spec((17,), (0, 7), np.int32))
    case("unique_counts", lambda a: tf.unique_with_counts(a), spec((17,), (0, 7), np.int32))
    case("sequence_mask", lambda n: tf.sequence_mask(n, 9, dtype=tf.float32),
         spec((5,), (0, 9), np.int32))
    case("bincount", lambda a: tf.math.bincount(a, minlength=9, maxlength=9, dtype=tf.int32),
         spec((17,), (0, 8), np.int32))
    case("segment_sum", lambda a: tf.math.segment_sum(a, [0, 0, 1, 1, 1, 3, 3]), spec((7, 3)))
    case("unsorted_segment_sum", lambda a, i: tf.math.unsorted_segment_sum(a, i, 5), spec((7, 3)),
         spec((7,), (0, 5), np.int32))
    case("invert_permutation", lambda a: tf.math.invert_permutation([2, 0, 1, 3]) + a,
         spec((4,), (0, 3), np.int32))
    case("searchsorted", lambda a, b: tf.searchsorted(tf.sort(a), b), spec((2, 9)), spec((2, 4)))
    case("dynamic_stitch", lambda a, b: tf.dynamic_stitch([[0, 2], [1, 3]], [a, b]), spec((2, 3)),
         spec((2, 3)))
    case("nms", lambda b, s: tf.image.non_max_suppression(
        tf.sort(tf.abs(b), axis=-1), tf.abs(s), 5, 0.3), spec((17, 4)), spec((17,)))
    case("nms_scores", lambda b, s: tf.image.non_max_suppression_with_scores(
        tf.sort(tf.abs(b), axis=-1), tf.abs(s), 5, 0.3, 0.1), spec((17, 4)), spec((17,)))
    case("nms_padded", lambda b, s: tf.image.non_max_suppression_padded(
        tf.sort(tf.abs(b), axis=-1), tf.abs(s), 5, 0.3, 0.1, True), spec((17, 4)), spec((17,)))
    case("nms_combined", lambda b, s: tf.image.combined_non_max_suppression(
        tf.sort(tf.abs(b), axis=-1)[:, :, None], tf.abs(s), 3, 5, 0.3, 0.1), spec((2, 17, 4)),
        spec((2, 17, 2)))


def reductions():
    for name in "sum mean max min prod euclidean_norm logsumexp variance std".split():
        for axis in (None, 0, 1, -1, [0, 2]):
            for keep in (False, True):
                tag = str(axis).replace(" ", "").strip("[]").replace(",", "_").replace("-", "m")
                case(f"reduce_{name}_{tag}_{keep}", lambda x, f=getattr(
                    tf.math, f"reduce_{name}"), a=axis, k=keep: f(x, axis=a, keepdims=k),
                    spec((3, 17, 5), open_axes=(0,)))
    for name in ("all", "any"):
        case(f"reduce_{name}", lambda x, f=getattr(tf, f"reduce_{name}"): f(x, axis=1),
             spec((7, 3), "bool"))
    case("moments", lambda x: tf.nn.moments(x, [0, 2]), spec((3, 17, 5)))
    for name in ("argmax", "argmin"):
        for kind in (np.int32, np.int64):
            case(f"{name}_{np.dtype(kind).name}", lambda x, f=getattr(tf, name), k=kind: f(
                x, axis=1, output_type=k), spec((3, 17, 5)))
    for exclusive in (False, True):
        for reverse in (False, True):
            for name in ("cumsum", "cumprod"):
                case(f"{name}_{exclusive}_{reverse}", lambda x, f=getattr(tf.math, name),
                     e=exclusive, r=reverse: f(x, axis=1, exclusive=e, reverse=r), spec((3, 7, 5)))
    case("cumulative_logsumexp", lambda x: tf.math.cumulative_logsumexp(x, axis=1), spec((3, 7)))
    case("top_k", lambda x: tf.math.top_k(x, 4), spec((3, 17)))
    case("in_top_k", lambda x: tf.math.in_top_k([3, 5, 1], x, 4), spec((3, 17)))
    case("sort", lambda x: tf.sort(x, axis=-1), spec((3, 17)))
    case("sort_first", lambda x: tf.sort(x, axis=0, direction="DESCENDING"), spec((7, 3)))
    case("argsort", lambda x: tf.argsort(x, axis=-1), spec((3, 17)))
    for a, b in (((3, 5), (5, 7)), ((2, 3, 5), (2, 5, 7)), ((2, 1, 3, 5), (4, 5, 7))):
        for ta in (False, True):
            for tb in (False, True):
                sa = a[:-2] + (a[-1], a[-2]) if ta else a
                sb = b[:-2] + (b[-1], b[-2]) if tb else b
                case(f"matmul_{len(a)}_{ta}_{tb}", lambda x, y, p=ta, q=tb: tf.matmul(
                    x, y, transpose_a=p, transpose_b=q), spec(sa), spec(sb))
    equations = {
        "bij,bjk->bik": ((2, 3, 5), (2, 5, 7)), "abc,cde->abde": ((2, 3, 5), (5, 7, 3)),
        "bqhd,bkhd->bhqk": ((2, 3, 4, 5), (2, 7, 4, 5)), "bhqk,bkhd->bqhd": ((2, 4, 3, 7), (2, 7, 4, 5)),
        "...i,ij->...j": ((2, 3, 5), (5, 7)), "ij,j->i": ((3, 5), (5,)), "i,j->ij": ((3,), (5,)),
        "ii->i": ((5, 5),), "ij->ji": ((3, 5),), "ijk->k": ((3, 5, 7),), "aecd,abcd->acbe": (
            (2, 3, 4, 5), (2, 7, 4, 5)),
    }
    for index, (equation, shapes) in enumerate(equations.items()):
        case(f"einsum_{index}", lambda *x, e=equation: tf.einsum(e, *x), *[spec(s) for s in shapes])
    case("tensordot", lambda a, b: tf.tensordot(a, b, [[1, 2], [0, 1]]), spec((2, 3, 5)),
         spec((3, 5, 7)))
    case("l2_normalize", lambda x: tf.nn.l2_normalize(x, 1), spec((3, 17)))
    case("normalize", lambda x: tf.linalg.normalize(x, axis=1)[0], spec((3, 17)))
    case("softmax_axis", lambda x: tf.nn.softmax(x, 1), spec((3, 7, 5)))
    case("cross_entropy", lambda x, i: tf.nn.sparse_softmax_cross_entropy_with_logits(i, x),
         spec((3, 7)), spec((3,), (0, 7), np.int32))
    case("cross_entropy_dense", lambda x, y: tf.nn.softmax_cross_entropy_with_logits(
        tf.nn.softmax(y), x), spec((3, 7)), spec((3, 7)))
    case("cosine", lambda a, b: tf.keras.losses.cosine_similarity(a, b), spec((3, 7)), spec((3, 7)))
    case("inverse", lambda a: tf.linalg.inv(a + 4 * tf.eye(3)), spec((2, 3, 3)))
    case("det", lambda a: tf.linalg.det(a), spec((2, 3, 3)))
    case("cross", lambda a, b: tf.linalg.cross(a, b), spec((5, 3)), spec((5, 3)))
    case("fft", lambda a: tf.abs(tf.signal.rfft(a)), spec((3, 16)))
    case("stft", lambda a: tf.abs(tf.signal.stft(a, 16, 8)), spec((2, 64)))


def control():
    case("cond", lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2, lambda: x - 1), spec((3, 5)))
    case("switch_case", lambda i, x: tf.switch_case(
        i, [lambda: x * 2, lambda: x - 1, lambda: tf.exp(x)]), spec((), (0, 3), np.int32), spec((3, 5)))
    case("switch_case_default", lambda i, x: tf.switch_case(
        i + 7, [lambda: x * 2, lambda: x - 1, lambda: tf.exp(x)]), spec((), (0, 3), np.int32),
        spec((3, 5)))
    case("while", lambda x: tf.while_loop(
        lambda v, n: tf.reduce_sum(v) < 99.0, lambda v, n: (v * 1.5, n + 1),
        (tf.abs(x), tf.constant(0)))[0], spec((3, 5)))
    case("while_counted", lambda x: tf.while_loop(
        lambda i, v: i < 7, lambda i, v: (i + 1, tf.tanh(v) + 0.1), (tf.constant(0), x))[1],
        spec((3, 5)))
    case("map_fn", lambda x: tf.map_fn(lambda r: r * tf.reduce_max(r), x), spec((5, 3)))
    case("map_fn_open", lambda x: tf.map_fn(lambda r: r * tf.reduce_max(r), x),
         spec((5, 3), open_axes=(0,)))
    case("scan", lambda x: tf.scan(lambda a, r: a * 0.5 + r, x), spec((5, 3)))
    case("foldl", lambda x: tf.foldl(lambda a, r: a * 0.5 + r, x), spec((5, 3)))
    case("vectorized_map", lambda x: tf.vectorized_map(lambda r: r / tf.norm(r), x), spec((5, 3)))

    def array(x):
        cells = tf.TensorArray(tf.float32, 0, dynamic_size=True)
        for i in tf.range(tf.shape(x)[0]):
            cells = cells.write(i, x[i] * tf.cast(i, tf.float32))
        return cells.stack()

    case("tensor_array_grows", tf.autograph.to_graph(array), spec((5, 3)))

    def concatenated(x):
        cells = tf.TensorArray(tf.float32, 5)
        for i in tf.range(5):
            cells = cells.write(i, x[i : i + 2] * 2.0)
        return cells.concat()

    case("tensor_array_concat", tf.autograph.to_graph(concatenated), spec((7, 3)))

    def unrolled(x):
        total = tf.zeros_like(x[0])
        for row in x:
            if tf.reduce_sum(row) > 0:
                total += row
            else:
                total -= 0.5 * row
        return total

    case("autograph", tf.autograph.to_graph(unrolled), spec((5, 3)))

    def broken(x):
        i = 0
        while tf.constant(True):
            x = x * 1.1
            i += 1
            if tf.reduce_sum(tf.abs(x)) > 50:
                break
        return x

    case("break", tf.autograph.to_graph(broken), spec((5, 3)))


def flatten(result):
    leaves = tf.nest.flatten(result)
    return {f"output_{i}": y for i, y in enumerate(leaves)}


def write(folder):
    images()
    scalars()
    movement()
    reductions()
    control()
    groups = {}
    for name in CASES:
        groups.setdefault(len(groups) if len(groups) == 0 else max(groups), []).append(name)
        if len(groups[max(groups)]) == 40:
            groups[max(groups) + 1] = []
    for group, names in groups.items():
        module, signatures = tf.Module(), {}
        path = os.path.join(folder, f"group{group}")
        for name in names:
            function, specs = CASES[name]
            arguments = [
                tf.TensorSpec([None if i in open_axes else d for i, d in enumerate(shape)],
                              tf.as_dtype(np.bool_ if kind == "bool" else dtype), name=f"x{n}")
                for n, (shape, kind, dtype, open_axes) in enumerate(specs)]
            values = [numbers(s, k, d) for s, k, d, _ in specs]
            try:
                traced = tf.function(lambda *x, f=function: flatten(f(*x))).get_concrete_function(
                    *arguments)
                results = traced(*[tf.constant(v) for v in values])
            except Exception as error:
                print(f"{name}: TensorFlow refuses: {str(error).splitlines()[0][:120]}", flush=True)
                continue
            signatures[name] = traced
            for kind, tensors in (("inputs", {f"x{n}": v for n, v in enumerate(values)}),
                                  ("outputs", {k: v.numpy() for k, v in results.items()})):
                place = os.path.join(path, "cases", name, kind)
                os.makedirs(place, exist_ok=True)
                for key, value in tensors.items():
                    np.save(os.path.join(place, key + ".npy"), value)
        tf.saved_model.save(module, os.path.join(path, "saved_model"), signatures=signatures)
        print(f"group {group}: {len(signatures)} signatures", flush=True)


if __name__ == "__main__":
    write(sys.argv[1])
