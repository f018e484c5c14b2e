import GraphModel
import KernelModel
import Operators
import TensorModel
import Testing

/// Operators on 8-bit numbers.
@Suite struct QuantizedOperatorTests {
  /// Numbers that look random, over the whole range of a type of 8 bits.
  private func integers(_ shape: [Int], _ type: DataType, seed: Int = 1) throws -> Tensor {
    let lowest = type == .uint8 ? 0 : -128
    let numbers = (0..<shape.reduce(1, *)).map { index in
      Int64(lowest + (index * (89 + 2 * seed) + 31 * seed) % 256)
    }
    return try Tensor(integers: numbers, dataType: type, shape: shape)
  }

  /// The result with some inputs constant or none, which must be the same.
  private func results(
    _ name: String, _ inputs: [Tensor?], constants: Set<Int>, domain: String = "onnx",
    _ attributes: [String: AttributeValue] = [:]
  ) throws -> (known: Graph, [Double], [Double]) {
    var outcomes: [[Double]] = []
    var graphs: [Graph] = []
    for constants in [constants, []] {
      var draft = ModelDraft()
      var given: [String: Tensor] = [:]
      var values: [ValueID?] = []
      for (index, tensor) in inputs.enumerated() {
        guard let tensor else {
          values.append(nil)
          continue
        }
        if constants.contains(index) {
          values.append(draft.constant(tensor))
        } else {
          values.append(draft.input("x\(index)", tensor.type))
          given["x\(index)"] = tensor
        }
      }
      draft.output("y", draft.add(name, values, domain: domain, attributes)[0])
      let graph = try draft.expanded()
      let found = try #require(try GraphInterpreter.run(graph, inputs: given)["y"])
      outcomes.append(try #require(found.numbers()))
      graphs.append(graph)
    }
    return (graphs[0], outcomes[0], outcomes[1])
  }

  private func factors(_ graph: Graph) -> [DataType?] {
    for (_, node) in graph.liveNodes.reversed() {
      guard case .kernel(let problem) = node.operation, problem.isContraction else { continue }
      return graph.types(of: node.inputs).prefix(2).map { $0?.dataType }
    }
    return []
  }

  @Test(arguments: [
    (DataType.uint8, DataType.int8, 131, 0), (.uint8, .uint8, 7, 128), (.int8, .int8, -3, 5),
    (.uint8, .uint8, 0, 20),
  ]) func convolutionOfIntegers(
    _ x: DataType, _ w: DataType, _ xZero: Int64, _ wZero: Int64
  ) throws {
    let inputs = [
      try integers([2, 3, 6, 5], x), try integers([4, 3, 3, 3], w, seed: 3),
      try Tensor(integers: [xZero], dataType: x, shape: []),
      try Tensor(integers: [wZero], dataType: w, shape: []),
    ]
    let attributes: [String: AttributeValue] = ["pads": .ints([1, 0, 2, 1])]
    for constants in [[1, 2, 3], [1, 3]] as [Set<Int>] {
      let (graph, known, unknown) = try results(
        "ConvInteger", inputs, constants: constants, attributes)
      #expect(known == unknown)
      #expect(factors(graph) == [x, .int8])
    }
  }

  @Test func convolutionOfQuantizedNumbers() throws {
    let inputs: [Tensor?] = [
      try integers([1, 4, 5, 5], .uint8), Tensor(scalar: Float(0.02)), Tensor(scalar: UInt8(117)),
      try integers([4, 2, 3, 3], .int8, seed: 3),
      try Tensor([0.01, 0.02, 0.005, 0.03] as [Float], shape: [4]),
      try Tensor([0, 0, 0, 0] as [Int8], shape: [4]), Tensor(scalar: Float(0.5)),
      Tensor(scalar: UInt8(100)), try Tensor([50, -700, 3, 9000] as [Int32], shape: [4]),
    ]
    let (graph, known, unknown) = try results(
      "QLinearConv", inputs, constants: Set(1..<9),
      ["group": .int(2), "pads": .ints([1, 1, 1, 1])])
    #expect(known == unknown)
    #expect(factors(graph) == [.uint8, .int8])
  }

  @Test(arguments: [
    (DataType.uint8, DataType.int8, 131, 0), (.uint8, .uint8, 7, 128), (.int8, .int8, -3, 5),
  ]) func productOfIntegers(_ a: DataType, _ b: DataType, _ aZero: Int64, _ bZero: Int64) throws {
    let inputs = [
      try integers([2, 3, 7], a), try integers([7, 5], b, seed: 3),
      try Tensor(integers: [aZero], dataType: a, shape: []),
      try Tensor(integers: [bZero], dataType: b, shape: []),
    ]
    for constants in [[1, 2, 3], [1, 3]] as [Set<Int>] {
      let (graph, known, unknown) = try results("MatMulInteger", inputs, constants: constants)
      #expect(known == unknown)
      #expect(factors(graph) == [a, .int8])
    }
  }

  @Test func sumsOfQuantizedNumbers() throws {
    let inputs: [Tensor?] = [
      try Tensor([10, 20, 255] as [UInt8], shape: [3]), Tensor(scalar: Float(0.5)),
      Tensor(scalar: UInt8(10)), try Tensor([4, 0, 200] as [UInt8], shape: [3]),
      Tensor(scalar: Float(0.25)), nil, Tensor(scalar: Float(1)), Tensor(scalar: UInt8(3)),
    ]
    // 0 + 1, 5 + 0 and 122.5 + 50, each with 3 added; 172.5 is rounded to even.
    let (_, known, unknown) = try results(
      "QLinearAdd", inputs, constants: [1, 2, 4, 6, 7], domain: "com.microsoft")
    #expect(known == [4, 8, 175] && unknown == known)
  }

  @Test func partsOfSeveralScales() throws {
    let inputs: [Tensor?] = [
      Tensor(scalar: Float(0.5)), Tensor(scalar: UInt8(1)),
      try Tensor([8, 3] as [UInt8], shape: [1, 2]), Tensor(scalar: Float(1)),
      Tensor(scalar: UInt8(2)), try Tensor([7] as [UInt8], shape: [1, 1]),
      Tensor(scalar: Float(0.5)), Tensor(scalar: UInt8(1)),
    ]
    let (_, known, _) = try results(
      "QLinearConcat", inputs, constants: [0, 1, 3, 4, 6, 7], domain: "com.microsoft",
      ["axis": .int(1)])
    #expect(known == [13, 3, 7])
  }

  @Test func averagesOfQuantizedNumbers() throws {
    let inputs: [Tensor?] = [
      try Tensor([2, 4, 6, 8, 1, 1, 1, 2] as [UInt8], shape: [1, 2, 2, 2]),
      Tensor(scalar: Float(1)), Tensor(scalar: UInt8(1)), Tensor(scalar: Float(0.5)),
      Tensor(scalar: UInt8(0)),
    ]
    // Means 4 and 0.25; half a step of 0.5 is rounded to even.
    let (_, known, _) = try results(
      "QLinearGlobalAveragePool", inputs, constants: [1, 2, 3, 4], domain: "com.microsoft")
    #expect(known == [8, 0])
  }
}
