import Foundation
import GraphModel
import ONNXFormat
import ONNXImport
import Operators
import TensorModel
import Testing

private func load(
  _ model: Onnx_ModelProto, directory: String? = nil, limits: Limits = Limits()
) throws -> Graph {
  try ONNXImporter.load(bytes: try Proto.bytes(model), directory: directory, limits: limits)
}

/// The one-line message of what the importer throws.
private func refusal(_ model: Onnx_ModelProto, limits: Limits = Limits()) throws -> String {
  do {
    _ = try load(model, limits: limits)
    return "no error"
  } catch {
    let text = "\(error)"
    #expect(error is ImportError && !text.contains("\n"))
    return text
  }
}

private func run(_ model: Onnx_ModelProto, _ inputs: [String: Tensor]) throws -> [String: Tensor] {
  try GraphInterpreter.run(try GraphExpansion.expand(try load(model)), inputs: inputs)
}

@Suite struct ImporterStructureTests {
  @Test func symbolsAndInputs() throws {
    var model = Proto.small
    model.graph.input = [
      Proto.value("x", .float, [.name("batch"), .unknown, .number(3)]), Proto.value("w"),
      Proto.value("free"),
    ]
    model.graph.initializer = [Proto.floats("w", [1])]
    let graph = try load(model)
    #expect(graph.inputs.map { graph[$0].name } == ["x", "free"])
    #expect(
      graph[graph.inputs[0]].type
        == TensorType(.float32, Shape([.symbol("batch"), .symbol("x_1"), 3])))
    #expect(graph[graph.inputs[1]].type == nil)
  }

  @Test func unnamedExtentsDifferFromNamedOnes() throws {
    var model = Proto.small
    model.graph.input = [Proto.value("x", .float, [.unknown, .name("x_0")])]
    let graph = try load(model)
    let type = try #require(graph[graph.inputs[0]].type)
    #expect(type.shape[0] != type.shape[1])
  }

  @Test func nodesAreSorted() throws {
    var model = Proto.small
    model.graph.node = [
      Proto.node("Add", ["a", "b"], ["y"]), Proto.node("Neg", ["a"], ["b"]),
      Proto.node("Relu", ["x"], ["a"]),
    ]
    let x = try Tensor([1, 2, -3] as [Float], shape: [1, 3])
    let outputs = try run(model, ["x": x])
    #expect(try outputs["y"]?.elements(as: Float.self) == [0, 0, 0])
  }

  @Test func branchesShareOneListOfCaptures() throws {
    var model = Proto.small
    model.graph.input.append(Proto.value("c", .bool, []))
    model.graph.initializer = [Proto.floats("k", [10])]
    let then = Proto.graph(nodes: [Proto.node("Add", ["x", "a"], ["t"])], outputs: ["t"])
    // The inner branch takes a value from two graphs further out.
    let inner = Proto.graph(nodes: [Proto.node("Mul", ["x", "k"], ["i"])], outputs: ["i"])
    let other = Proto.graph(nodes: [Proto.node("Neg", ["a"], ["o"])], outputs: ["o"])
    let nested = Proto.node(
      "If", ["c"], ["n"],
      [
        Proto.attribute("then_branch", .graph) { $0.g = other },
        Proto.attribute("else_branch", .graph) { $0.g = inner },
      ])
    let otherwise = Proto.graph(nodes: [nested], outputs: ["n"])
    model.graph.node = [
      Proto.node("Relu", ["x"], ["a"]),
      Proto.node(
        "If", ["c"], ["y"],
        [
          Proto.attribute("then_branch", .graph) { $0.g = then },
          Proto.attribute("else_branch", .graph) { $0.g = otherwise },
        ]),
    ]
    let graph = try load(model)
    let node = try #require(graph.liveNodes.last?.node)
    guard case .pending(let record) = node.operation else {
      Issue.record("the branch is not pending")
      return
    }
    #expect(record.captureCount == node.inputs.count - 1)
    #expect(Set(record.graphs.map(\.inputs.count)) == [record.captureCount])
    let x = try Tensor([1, -2, 3] as [Float], shape: [1, 3])
    let yes = try run(model, ["x": x, "c": Tensor(scalar: true)])
    #expect(try yes["y"]?.elements(as: Float.self) == [2, -2, 6])
    let no = try run(model, ["x": x, "c": Tensor(scalar: false)])
    #expect(try no["y"]?.elements(as: Float.self) == [10, -20, 30])
  }

  @Test func functionsAreInlined() throws {
    var scaled = Onnx_FunctionProto()
    scaled.name = "Scaled"
    scaled.domain = "custom"
    scaled.input = ["v", "offset"]
    scaled.output = ["r"]
    scaled.attribute = ["slope"]
    scaled.attributeProto = [Proto.attribute("unused", .int) { $0.i = 1 }]
    scaled.opsetImport = [Proto.operatorSet(16)]
    scaled.node = [
      Proto.node(
        "LeakyRelu", ["v"], ["l"],
        [Proto.attribute("alpha", .float) { $0.refAttrName = "slope" }]),
      Proto.node("Add", ["l", "offset"], ["r"]),
    ]
    var twice = Onnx_FunctionProto()
    twice.name = "Twice"
    twice.domain = "custom"
    twice.input = ["v"]
    twice.output = ["r"]
    twice.attribute = ["s"]
    twice.opsetImport = [Proto.operatorSet(16), Proto.operatorSet(1, domain: "custom")]
    let slope = Proto.attribute("slope", .float) { $0.refAttrName = "s" }
    twice.node = [
      Proto.node("Scaled", ["v", "v"], ["l"], domain: "custom", [slope]),
      Proto.node("Scaled", ["l", "v"], ["r"], domain: "custom", [slope]),
    ]
    var model = Proto.small
    model.functions = [scaled, twice]
    model.opsetImport.append(Proto.operatorSet(1, domain: "custom"))
    model.graph.node = [
      Proto.node(
        "Twice", ["x"], ["y"], domain: "custom",
        [Proto.attribute("s", .float) { $0.f = 0.5 }])
    ]
    let x = try Tensor([2, -4] as [Float], shape: [1, 2])
    model.graph.input = [Proto.value("x", .float, [.number(1), .number(2)])]
    let outputs = try run(model, ["x": x])
    #expect(try outputs["y"]?.elements(as: Float.self) == [6, -7])
  }

  @Test func functionsThatCallThemselvesAreRefused() throws {
    var endless = Onnx_FunctionProto()
    endless.name = "Endless"
    endless.domain = "custom"
    endless.input = ["v"]
    endless.output = ["r"]
    endless.node = [Proto.node("Endless", ["v"], ["r"], domain: "custom")]
    var model = Proto.small
    model.functions = [endless]
    model.graph.node = [Proto.node("Endless", ["x"], ["y"], domain: "custom")]
    #expect(try refusal(model).contains("functions inside functions"))
  }

  @Test func elementTypesInAttributesAreTypes() throws {
    var model = Proto.small
    model.graph.node = [
      Proto.node("Cast", ["x"], ["y"], [Proto.attribute("to", .int) { $0.i = 10 }])
    ]
    let graph = try load(model)
    guard case .pending(let record)? = graph.liveNodes.first?.node.operation else {
      Issue.record("the node is not pending")
      return
    }
    #expect(record.attributes["to"] == .type(.float16))
    model.graph.node[0].attribute[0].i = 99
    #expect(try refusal(model).contains("99"))
  }

  @Test func descriptionTellsWhatTheFileSays() throws {
    let folder = try TemporaryFolder()
    var model = Proto.small
    model.producerName = "exporter"
    model.opsetImport = [Proto.operatorSet(6)]
    try folder.file("net.onnx", try Proto.bytes(model))
    let result = try ONNXImporter.read(contentsOf: folder.path)
    #expect(result.description.producerName == "exporter")
    #expect(result.description.operatorSets.map(\.domain) == ["onnx"])
    #expect(result.description.operatorSets.map(\.version) == [6])
    #expect(result.description.warnings.count == 1)
  }
}

@Suite struct ImporterRefusalTests {
  private func changed(_ change: (inout Onnx_ModelProto) -> Void) -> Onnx_ModelProto {
    var model = Proto.small
    change(&model)
    return model
  }

  @Test func versions() throws {
    #expect(try refusal(changed { $0.irVersion = 0 }).contains("IR version 0"))
    #expect(try refusal(changed { $0.irVersion = 15 }).contains("IR version 15"))
    #expect(
      try refusal(changed { $0.opsetImport = [Proto.operatorSet(29)] }).contains("opset 29"))
    #expect(
      try refusal(changed { $0.opsetImport = [Proto.operatorSet(0)] }).contains("opset 0"))
    #expect(try refusal(changed { $0.clearGraph() }).contains("no graph"))
  }

  @Test func unknownOperatorsAreListedAtOnce() throws {
    let model = changed {
      $0.graph.node = [
        Proto.node("Nonsense", ["x"], ["a"]), Proto.node("Nonsense", ["a"], ["b"]),
        Proto.node("Relu", ["b"], ["c"]), Proto.node("Other", ["c"], ["y"], domain: "custom"),
      ]
    }
    let text = try refusal(model)
    #expect(text.contains("Nonsense (opset 17, node 'a' and 1 more)"))
    #expect(text.contains("custom::Other (opset 1, node 'y')"))
  }

  @Test func graphsThatAreNotGraphs() throws {
    #expect(try refusal(changed { $0.graph.output = [] }).contains("no outputs"))
    #expect(
      try refusal(changed { $0.graph.output = [Proto.value("z")] }).contains("reads 'z'"))
    #expect(
      try refusal(changed { $0.graph.node[0].input = ["q"] }).contains("reads 'q'"))
    #expect(
      try refusal(changed { $0.graph.node.append(Proto.node("Neg", ["x"], ["y"])) })
        .contains("defined twice"))
    #expect(
      try refusal(changed { $0.graph.input.append(Proto.value("x")) }).contains("defined twice"))
    #expect(
      try refusal(changed { $0.graph.node[0].output = ["x"] }).contains("defined twice"))
    let cycle = changed {
      $0.graph.node = [Proto.node("Add", ["x", "b"], ["a"]), Proto.node("Neg", ["a"], ["b"])]
    }
    #expect(try refusal(cycle).contains("depends on its own result"))
  }

  @Test func types() throws {
    let negative = changed {
      $0.graph.input = [Proto.value("x", .float, [.number(-1)])]
    }
    #expect(try refusal(negative).contains("extent -1"))
    #expect(
      try refusal(changed { $0.graph.input[0].type.tensorType.elemType = 77 }).contains("77"))
    let sequence = changed {
      $0.graph.input[0].type.sequenceType = Onnx_TypeProto.Sequence()
    }
    #expect(try refusal(sequence).contains("sequence"))
  }

  @Test func limits() throws {
    var limits = Limits()
    limits.nodes = 2
    let model = changed {
      $0.graph.node = (0..<3).map { Proto.node("Relu", ["x"], [$0 == 0 ? "y" : "y\($0)"]) }
    }
    #expect(try refusal(model, limits: limits).contains("the limit is 2"))
    limits = Limits()
    limits.rank = 1
    #expect(try refusal(Proto.small, limits: limits).contains("the limit is 1"))
    limits = Limits()
    limits.tensorBytes = 8
    let large = changed { $0.graph.initializer = [Proto.floats("w", [1, 2, 3])] }
    #expect(try refusal(large, limits: limits).contains("the limit is 8"))
  }

  @Test func deepNestingIsRefused() throws {
    for depth in [20, 40, 400] {
      var body = Proto.graph(nodes: [Proto.node("Relu", ["x"], ["r"])], outputs: ["r"])
      for _ in 0..<depth {
        let branch = Proto.node(
          "If", ["c"], ["r"],
          [
            Proto.attribute("then_branch", .graph) { $0.g = body },
            Proto.attribute("else_branch", .graph) {
              $0.g = Proto.graph(nodes: [Proto.node("Neg", ["x"], ["r"])], outputs: ["r"])
            },
          ])
        body = Proto.graph(nodes: [branch], outputs: ["r"])
      }
      let model = changed {
        $0.graph.input.append(Proto.value("c", .bool, []))
        $0.graph.node = body.node
        $0.graph.output = [Proto.value("r")]
      }
      #expect(try refusal(model) == "no error" || depth > Limits().nesting)
      if depth > Limits().nesting { #expect(try refusal(model).contains("\(Limits().nesting)")) }
    }
  }

  @Test func filesThatAreNotModels() throws {
    let folder = try TemporaryFolder()
    func message(_ path: String) -> String {
      do {
        _ = try ONNXImporter.load(contentsOf: path)
        return "no error"
      } catch { return "\(error)" }
    }
    #expect(message("\(folder.path)/none").contains("cannot be read"))
    #expect(message(folder.path).contains("no single .onnx file"))
    #expect(message(try folder.file("empty", [])).contains("empty"))
    #expect(message(try folder.file("text", "hello, world\n".utf8)).contains("not an ONNX model"))
    let whole = try Proto.bytes(Proto.small)
    #expect(
      message(try folder.file("cut", whole.dropLast(3))).contains("not an ONNX model"))
  }

  /// Every cut and every flipped bit of a small model is read or refused with a typed error.
  @Test func damagedModelsNeverTrap() throws {
    let model = changed {
      $0.graph.initializer = [
        Proto.floats("w", [1, 2, 3]),
        Proto.tensor("i", .int4, [3]) { $0.rawData = Data([0x21, 0x03]) },
      ]
      $0.graph.node = [
        Proto.node("Add", ["x", "w"], ["a"]),
        Proto.node(
          "Softmax", ["a"], ["y"], [Proto.attribute("axis", .int) { $0.i = -1 }]),
      ]
    }
    let whole = try Proto.bytes(model)
    for count in 0..<whole.count {
      _ = try? ONNXImporter.load(bytes: Array(whole[..<count]))
    }
    for index in whole.indices {
      for bit in 0..<8 {
        var damaged = whole
        damaged[index] ^= 1 << UInt8(bit)
        if let graph = try? ONNXImporter.load(bytes: damaged) {
          _ = try? GraphExpansion.expand(graph)
        }
      }
    }
  }
}
