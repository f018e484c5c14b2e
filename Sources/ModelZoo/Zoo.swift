package import ONNXFormat
import SwiftProtobuf

/// Well-known architectures as ONNX models (opset 17) with seeded weights, so that tests and
/// benchmarks need no download.
///
/// The graphs have the form that PyTorch's exporter gives to torchvision's and Hugging Face's modules.
/// The weights are random but scaled so that activations stay near unit variance at any depth and
/// outputs depend on inputs; batch normalisation carries the statistics that its input has. Channels of
/// convolutional networks share latent features (`ChannelCode`), or rounding would do more than in trained ones.
package enum Zoo {
  /// The names of all models, in the order in which tables print them.
  package static let names: [String] = architectures.map(\.name)

  /// One line about a model.
  ///
  /// - Throws: `ZooError.unknownName`.
  package static func summary(of name: String) throws(ZooError) -> String {
    try architecture(named: name).summary
  }

  /// The model of this name; the same name and seed give the same model on every machine.
  ///
  /// - Throws: `ZooError.unknownName`.
  package static func model(_ name: String, seed: UInt64) throws(ZooError) -> Onnx_ModelProto {
    let architecture = try architecture(named: name)
    var graph = ONNXGraphBuilder(name: name, seed: seed)
    architecture.build(&graph)
    return graph.model()
  }

  /// The bytes of the ONNX file of this name; the same name and seed give the same bytes.
  ///
  /// - Throws: `ZooError.unknownName`.
  package static func serialized(_ name: String, seed: UInt64) throws(ZooError) -> [UInt8] {
    let model = try model(name, seed: seed)
    do {
      return try model.serializedBytes()
    } catch {
      throw .notSerializable(name: name, reason: "\(error)")
    }
  }

  private static func architecture(named name: String) throws(ZooError) -> Architecture {
    guard let found = architectures.first(where: { $0.name == name }) else {
      throw .unknownName(name)
    }
    return found
  }
}

/// A name, what it stands for, and the function that writes its graph.
private struct Architecture: Sendable {
  let name: String
  let summary: String
  let build: @Sendable (inout ONNXGraphBuilder) -> Void
}

private let architectures: [Architecture] = [
  Architecture(
    name: "resnet18", summary: "ResNet-18, image classification at 224x224, 11.7 M parameters",
    build: { ResNet.resnet18.build(&$0) }),
  Architecture(
    name: "resnet50",
    summary: "ResNet-50 v1.5, image classification at 224x224, 25.6 M parameters",
    build: { ResNet.resnet50.build(&$0) }),
  Architecture(
    name: "mobilenet_v2",
    summary: "MobileNetV2, image classification at 224x224, 3.5 M parameters",
    build: { MobileNetV2.build(&$0) }),
  Architecture(
    name: "squeezenet",
    summary: "SqueezeNet 1.1, image classification at 224x224, 1.2 M parameters",
    build: { SqueezeNet.build(&$0) }),
  Architecture(
    name: "inception",
    summary: "GoogLeNet (Inception v1), image classification at 224x224, 6.6 M parameters",
    build: { GoogLeNet.build(&$0) }),
  Architecture(
    name: "vgg16", summary: "VGG-16, image classification at 224x224, 138.4 M parameters",
    build: { VGG.vgg16.build(&$0) }),
  Architecture(
    name: "bert_base",
    summary: "BERT base, text encoder of 12 layers of 768 features, 109.5 M parameters",
    build: { BERT.base.build(&$0) }),
  Architecture(
    name: "bert_minilm",
    summary: "MiniLM-L6-H384, text encoder of 6 layers of 384 features, 22.7 M parameters",
    build: { BERT.miniLM.build(&$0) }),
  Architecture(
    name: "vit_b_16",
    summary: "ViT-B/16, vision transformer at 224x224, 86.6 M parameters",
    build: { VisionTransformer.base16.build(&$0) }),
  Architecture(
    name: "tiny_cnn",
    summary: "a small network of every convolutional pattern above, at 32x32, for tests",
    build: { TinyCNN.build(&$0) }),
  Architecture(
    name: "tiny_transformer",
    summary: "BERT of 2 layers of 32 features, for tests",
    build: { BERT.tiny.build(&$0) }),
  Architecture(
    name: "tiny_vit",
    summary: "a vision transformer of 2 layers of 32 features, at 32x32, for tests",
    build: { VisionTransformer.tiny.build(&$0) }),
]
