import GraphModel
import GraphSimplification
import KernelModel
import LayerTensorFusion
import ModelZoo
import ONNXImport
import Operators
import PrecisionCalibration
import TensorModel
import Testing

/// Known networks with 16-bit layers.
@Suite struct PrecisionZooTests {
  private func fused(_ name: String) throws -> Graph {
    let model = try ONNXImporter.read(bytes: try Zoo.serialized(name, seed: 1)).graph
    var report = RewriteReport()
    var graph = try GraphExpansion.expand(model)
    graph = try GraphSimplifier.simplify(graph, limits: Limits(), report: &report)
    graph = try LayerFusion.fuse(graph, report: &report)
    return try GraphSimplifier.simplify(graph, limits: Limits(), report: &report)
  }

  private func rewritten(_ graph: Graph, _ precision: Precision) throws -> Graph {
    try PrecisionRewriter.apply(graph, try PrecisionPolicy.assign(graph, precision))
  }

  private func casts(_ graph: Graph) -> [Node] {
    graph.liveNodes.map(\.node).filter { node in
      guard case .kernel(.pointwise(let pointwise)) = node.operation,
        case .cast(.operand(0), _) = pointwise.expression
      else { return false }
      return true
    }
  }

  @Test(arguments: ["tiny_cnn", "tiny_transformer", "tiny_vit"], [Precision.fp16, .bf16])
  func smallNetworksStayClose(name: String, precision: Precision) throws {
    let graph = try fused(name)
    let converted = try rewritten(graph, precision)
    #expect(try rewritten(converted, precision) == converted)
    let inputs = try inputs(graph)
    let expected = try GraphInterpreter.run(graph, inputs: inputs)
    let found = try GraphInterpreter.run(converted, inputs: inputs)
    for (name, tensor) in expected {
      let a = try #require(found[name]?.numbers()), b = try #require(tensor.numbers())
      let difference = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      let error = (difference / b.reduce(0) { $0 + $1 * $1 }).squareRoot()
      #expect(error < (precision == .fp16 ? 3e-3 : 2e-2), "output \(name)")
    }
  }

  /// Batch 2, sequence 7, the last tokens of the second row masked.
  private func inputs(_ graph: Graph) throws -> [String: Tensor] {
    var state: UInt64 = 5
    var inputs: [String: Tensor] = [:]
    for id in graph.inputs {
      let type = try #require(graph[id].type)
      let shape = try #require(type.shape.substituting(["batch": 2, "sequence": 7]).constants)
      let numbers = (0..<shape.reduce(1, *)).map { _ -> Double in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Double(state >> 40) * 0x1p-23 - 1
      }
      let isMask = graph[id].name.contains("mask")
      inputs[graph[id].name] =
        type.dataType.isFloatingPoint
        ? try Tensor(numbers: numbers, dataType: type.dataType, shape: shape)
        : try Tensor(
          integers: numbers.indices.map { isMask ? ($0 < 10 ? 1 : 0) : Int64($0 % 2) },
          dataType: type.dataType, shape: shape)
    }
    return inputs
  }

  @Test func convolutionalNetworksNeedNoCasts() throws {
    for name in ["resnet18", "mobilenet_v2", "squeezenet"] {
      let graph = try fused(name)
      let converted = try rewritten(graph, .fp16)
      #expect(casts(converted).isEmpty, "\(name)")
      #expect(converted.nodeCount == graph.nodeCount, "\(name)")
      for (_, node) in converted.liveNodes {
        for value in node.outputs where !converted.outputs.contains(where: { $0.value == value }) {
          #expect(converted[value].type?.dataType == .float16, "\(name) \(node.name)")
        }
      }
    }
  }

  @Test(arguments: ["tiny_transformer", "tiny_vit", "bert_minilm"])
  func transformersMultiplyInTensorFloat(name: String) throws {
    let graph = try fused(name)
    let assignment = try PrecisionPolicy.assign(graph, .tf32)
    let marked = try PrecisionRewriter.apply(graph, assignment)
    var families: Set<String> = []
    for (_, node) in marked.liveNodes {
      guard case .kernel(let problem) = node.operation else { continue }
      let isProduct: Bool
      switch problem {
      case .matmul, .attention, .convolution: isProduct = true
      default: isProduct = false
      }
      if isProduct { families.insert(problem.family) }
      let expected = isProduct ? Arithmetic.tensorFloat32 : .exact
      #expect(node.arithmetic == expected, "\(node.name)")
    }
    #expect(families.isSuperset(of: ["matmul", "attention"]))
  }
}
