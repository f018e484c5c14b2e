#!/usr/bin/env python3
"""Writes Keras networks as saved models, with inputs and what TensorFlow computes from them.

    pip install tensorflow-cpu
    python make_networks.py OUT [NAME ...]

Weights are seeded. Statistics of batch normalisation are those of a random batch, so that signals neither
die nor explode, then scales and shifts are made random. Next to TensorFlow's FP32 outputs lie those of the same network in
float64, which tell how far FP32 itself is from the truth.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np
import tensorflow as tf
from keras import layers


def application(name, size=224, **options):
    def make():
        model = getattr(keras.applications, name)(
            weights=None, classifier_activation=None, input_shape=(size, size, 3), **options)
        return model, {model.inputs[0].name: ("image", (size, size, 3))}

    return make


def attention():
    """Two inputs: tokens, and lengths as a mask."""
    tokens = keras.Input((23,), dtype="int32", name="tokens")
    other = keras.Input((17, 32), name="memory")
    x = layers.Embedding(101, 32, mask_zero=True)(tokens)
    x = layers.LayerNormalization(epsilon=1e-5)(x)
    x = x + layers.MultiHeadAttention(4, 8)(x, x, use_causal_mask=True)
    x = layers.LayerNormalization()(x)
    x = x + layers.MultiHeadAttention(4, 8, value_dim=5)(x, other)
    y = layers.Dense(64, activation="gelu")(layers.LayerNormalization()(x))
    x = x + layers.Dense(32)(y)
    x = layers.GlobalAveragePooling1D()(x)
    model = keras.Model([tokens, other], layers.Dense(7, activation="softmax")(x))
    return model, {"tokens": ("tokens", (23,), 101), "memory": ("normal", (17, 32))}


def recurrent():
    x = keras.Input((19, 6), name="x")
    a = layers.LSTM(13, return_sequences=True)(x)
    b = layers.GRU(11, return_sequences=True)(a)
    c = layers.Bidirectional(layers.LSTM(5, return_sequences=True))(b)
    d = layers.Bidirectional(layers.GRU(7, reset_after=False))(c)
    e = layers.SimpleRNN(9, go_backwards=True)(b)
    return keras.Model(x, [layers.Dense(3)(d), e]), {"x": ("normal", (19, 6))}


def masked_recurrent():
    tokens = keras.Input((15,), dtype="int32", name="tokens")
    x = layers.Embedding(31, 8, mask_zero=True)(tokens)
    x = layers.Bidirectional(layers.LSTM(6, return_sequences=True))(x)
    x = layers.GRU(5)(x)
    return keras.Model(tokens, layers.Dense(2, activation="sigmoid")(x)), {
        "tokens": ("tokens", (15,), 31)}


def convolutional_recurrent():
    x = keras.Input((5, 9, 7, 3), name="x")
    y = layers.ConvLSTM2D(4, 3, padding="same", return_sequences=True)(x)
    y = layers.TimeDistributed(layers.Conv2D(2, 3))(y)
    return keras.Model(x, y), {"x": ("normal", (5, 9, 7, 3))}


def decoder():
    x = keras.Input((13, 17, 5), name="x")
    y = layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu")(x)
    y = layers.Conv2DTranspose(6, 4, strides=3, padding="valid", use_bias=False)(y)
    y = layers.UpSampling2D(2, interpolation="bilinear")(y)
    y = layers.UpSampling2D((1, 3))(y)
    y = layers.SeparableConv2D(7, 5, depth_multiplier=2, activation="swish")(y)
    y = layers.GroupNormalization(7)(y)
    y = layers.Cropping2D(((1, 2), (3, 0)))(y)
    y = layers.ZeroPadding2D(((0, 1), (2, 3)))(y)
    y = layers.Conv2D(4, 3, dilation_rate=2, padding="same")(y)
    y = layers.PReLU(shared_axes=[1, 2])(y)
    y = layers.MaxPooling2D(3, 2, padding="same")(y)
    y = layers.AveragePooling2D(3, 2, padding="same")(y)
    z = layers.GlobalMaxPooling2D()(y)
    return keras.Model(x, [y, layers.UnitNormalization()(z)]), {"x": ("normal", (13, 17, 5))}


def sequences():
    x = keras.Input((41, 6), name="x")
    y = layers.Conv1D(8, 5, padding="causal", dilation_rate=2)(x)
    y = layers.SeparableConv1D(8, 3, padding="same")(y)
    y = layers.DepthwiseConv1D(3)(y)
    y = layers.MaxPooling1D(2)(y)
    y = layers.Conv1DTranspose(5, 3, strides=2)(y)
    y = layers.AveragePooling1D(2, padding="same")(y)
    y = layers.Attention(use_scale=True)([y, y])
    y = layers.AdditiveAttention()([y, y])
    y = layers.Permute((2, 1))(y)
    y = layers.LocallyConnected1D(3, 2)(y) if hasattr(layers, "LocallyConnected1D") else y
    y = layers.RepeatVector(3)(layers.Flatten()(y))
    return keras.Model(x, layers.LeakyReLU(0.1)(y)), {"x": ("normal", (41, 6))}


def volumes():
    x = keras.Input((7, 9, 5, 2), name="x")
    y = layers.Conv3D(4, 3, padding="same", activation="elu")(x)
    y = layers.BatchNormalization()(y)
    y = layers.MaxPooling3D(2, padding="same")(y)
    y = layers.Conv3DTranspose(3, 3, strides=2, padding="same")(y)
    y = layers.AveragePooling3D((2, 3, 1))(y)
    y = layers.UpSampling3D(2)(y)
    y = layers.SpatialDropout3D(0.3)(y)
    return keras.Model(x, layers.GlobalAveragePooling3D()(y)), {"x": ("normal", (7, 9, 5, 2))}


def functions():
    """What users write between layers."""
    x = keras.Input((12, 14, 4), name="x")
    y = layers.Lambda(lambda t: tf.image.resize(t, (9, 21)))(x)
    y = layers.Lambda(lambda t: tf.image.resize(t, (17, 5), method="nearest"))(y)
    y = layers.Lambda(lambda t: t[:, 1:-1, ::2, ::-1])(y)
    y = layers.Lambda(lambda t: tf.nn.l2_normalize(tf.nn.relu6(t), axis=-1))(y)
    y = layers.Lambda(lambda t: tf.concat([t, tf.reverse(t, [1])], -1))(y)
    y = layers.Lambda(lambda t: tf.reshape(t, (-1, tf.shape(t)[1] * 3, 8)))(y)
    y = layers.Lambda(lambda t: tf.einsum("bij,bkj->bik", t, t))(y)
    return keras.Model(x, y), {"x": ("normal", (12, 14, 4))}


def recurrence(cell, steps, units=128, batch_inputs=64):
    def make():
        x = keras.Input((steps, batch_inputs), name="x")
        return keras.Model(x, getattr(layers, cell)(units)(x)), {
            "x": ("normal", (steps, batch_inputs))}

    return make


NETWORKS = {
    "resnet50": application("ResNet50"),
    "resnet50_v2": application("ResNet50V2"),
    "vgg16_small": application("VGG16", 64),
    "densenet121": application("DenseNet121"),
    "inception_v3": application("InceptionV3", 299),
    "inception_resnet_v2": application("InceptionResNetV2", 299),
    "efficientnet_b0": application("EfficientNetB0"),
    "efficientnet_v2_b0": application("EfficientNetV2B0"),
    "nasnet_mobile": application("NASNetMobile"),
    "xception": application("Xception", 299),
    "mobilenet": application("MobileNet"),
    "mobilenet_v2": application("MobileNetV2"),
    "mobilenet_v3_small": application("MobileNetV3Small"),
    "convnext_tiny": application("ConvNeXtTiny"),
    "attention": attention,
    "recurrent": recurrent,
    "masked_recurrent": masked_recurrent,
    "convolutional_recurrent": convolutional_recurrent,
    "decoder": decoder,
    "sequences": sequences,
    "volumes": volumes,
    "functions": functions,
    "lstm_100": recurrence("LSTM", 100),
    "gru_100": recurrence("GRU", 100),
}


def random_input(recipe, batch, generator):
    kind, shape = recipe[0], (batch, *recipe[1])
    if kind == "tokens":
        tokens = generator.integers(1, recipe[2], shape)
        for row, length in enumerate(generator.integers(2, shape[1], batch)):
            tokens[row, length:] = 0
        return tokens.astype(np.int32)
    if kind == "image":
        return generator.uniform(0, 255, shape).astype(np.float32)
    return generator.normal(size=shape).astype(np.float32)


def settle(model, recipes, generator):
    """Statistics of a batch for every batch normalisation, then random scales and shifts."""
    norms = [x for x in model._flatten_layers() if isinstance(x, layers.BatchNormalization)]
    for layer in norms:
        layer.momentum = 0.0
    if norms:
        model([random_input(recipe, 2, generator) for recipe in recipes.values()], training=True)
    for weight in model.weights:
        if "seed" in weight.path:
            continue
        value = np.asarray(weight)
        if weight.path.endswith("gamma"):
            weight.assign(value * generator.uniform(0.6, 1.4, value.shape))
        elif weight.path.endswith(("beta", "bias")):
            weight.assign(value + generator.normal(0, 0.2, value.shape))
        elif weight.path.endswith("moving_variance"):
            weight.assign(np.maximum(value, 1e-3) * generator.uniform(0.8, 1.25, value.shape))


def in_float64(make, weights, inputs):
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        model, _ = make()
        model.set_weights([w.astype(np.float64) if w.dtype == np.float32 else w for w in weights])
        wide = [x.astype(np.float64) if x.dtype == np.float32 else x for x in inputs]
        return flat(model(wide, training=False))
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")


def flat(outputs):
    return [np.asarray(y) for y in tf.nest.flatten(outputs)]


def write(name, make, folder):
    keras.backend.clear_session()
    keras.utils.set_random_seed(7)
    generator = np.random.default_rng(11)
    model, recipes = make()
    settle(model, recipes, generator)
    batch = 1 if name in ("inception_resnet_v2", "nasnet_mobile") else 2
    inputs = [random_input(recipe, batch, generator) for recipe in recipes.values()]
    place = os.path.join(folder, name)
    for way in ("exported", "saved"):
        path = os.path.join(place, way)
        if way == "exported":
            model.export(path, verbose=False)
            signature = tf.saved_model.load(path).signatures["serving_default"]
            names = list(signature.structured_input_signature[1])
            # The exporter keeps the order of the inputs.
            order = [t.name.split(":")[0] for t in model.inputs]
            names = order if set(order) == set(names) else names
            results = signature(**{k: tf.constant(v) for k, v in zip(names, inputs)})
            os.makedirs(os.path.join(place, "inputs"), exist_ok=True)
            os.makedirs(os.path.join(place, "outputs"), exist_ok=True)
            os.makedirs(os.path.join(place, "float64"), exist_ok=True)
            with open(os.path.join(place, "order.txt"), "w") as file:
                file.write("\n".join(names))
            for key, value in zip(names, inputs):
                np.save(os.path.join(place, "inputs", key + ".npy"), value)
            for key, value in results.items():
                np.save(os.path.join(place, "outputs", key + ".npy"), value.numpy())
        else:
            tf.saved_model.save(model, path)
    try:
        wide = in_float64(make, model.get_weights(), inputs)
    except Exception as error:  # some layers have no float64 kernels
        print(f"{name}: no float64: {str(error).splitlines()[0][:100]}", flush=True)
        wide = flat(model(inputs, training=False))
    keys = sorted(results)
    direct = flat(model(inputs, training=False))
    for key in keys:
        index = min(range(len(direct)), key=lambda i: float("inf") if direct[i].shape != results[
            key].shape else np.abs(direct[i] - results[key].numpy()).max())
        np.save(os.path.join(place, "float64", key + ".npy"), wide[index])
        own = np.linalg.norm(results[key].numpy() - wide[index]) / np.linalg.norm(wide[index])
        spread = np.std(wide[index])
        print(f"{name} {key} {results[key].shape}: TensorFlow FP32 to float64 {own:.2e}, "
              f"deviation {spread:.3g}", flush=True)


if __name__ == "__main__":
    target = sys.argv[1]
    for chosen in sys.argv[2:] or NETWORKS:
        try:
            write(chosen, NETWORKS[chosen], target)
        except Exception as error:
            print(f"{chosen}: FAILED {type(error).__name__}: {str(error)[:300]}", flush=True)
