import Foundation
import Needletail
import TensorFlowFormat
import TensorModel
import Testing

/// Graphs of one or a few operators, written by hand.
@Suite struct FrozenGraphTests {
  private static func floats(_ tensor: Tensor?) throws -> [Float] {
    try #require(tensor).elements(as: Float.self)
  }

  private static let row = try? Tensor([Float(1), 2, 3, 4, 5], shape: [5])

  @Test func symmetricPadsRepeatTheEdge() async throws {
    var graph = FrozenGraph()
    graph.placeholder("x", [5])
    graph.constant("pads", [2, 3], [1, 2])
    graph.node("y", "MirrorPad", ["x", "pads"], ["mode": .s(Data("SYMMETRIC".utf8))])
    let y = try await graph.run(["x": try #require(Self.row)])["y"]
    #expect(try Self.floats(y) == [2, 1, 1, 2, 3, 4, 5, 5, 4, 3])
  }

  @Test func rollMovesElementsAroundTheEnd() async throws {
    var graph = FrozenGraph()
    graph.placeholder("x", [5])
    graph.constant("shift", [-7], [1])
    graph.constant("axis", [0], [1])
    graph.node("y", "Roll", ["x", "shift", "axis"])
    let y = try await graph.run(["x": try #require(Self.row)])["y"]
    #expect(try Self.floats(y) == [3, 4, 5, 1, 2])
  }

  @Test func whereGivesCoordinatesInRows() async throws {
    var graph = FrozenGraph()
    graph.placeholder("x", [2, 3])
    graph.node("y", "Where", ["x"])
    let x = try Tensor([Float(0), 2, 0, 4, 0, 6], shape: [2, 3])
    let y = try #require(try await graph.run(["x": x])["y"])
    #expect(y.shape == [3, 2])
    #expect(try y.elements(as: Int64.self) == [0, 1, 1, 0, 1, 2])
  }

  @Test func uniqueKeepsTheOrderOfFirstOccurrence() async throws {
    var graph = FrozenGraph()
    graph.placeholder("x", [5])
    graph.node("u", "Unique", ["x"], ["out_idx": .type(.dtInt32)])
    graph.node("y", "Identity", ["u:0"])
    graph.node("i", "Identity", ["u:1"])
    let x = try Tensor([Float(7), 3, 7, 7, 1], shape: [5])
    let results = try await graph.run(["x": x])
    #expect(try Self.floats(results["y"]) == [7, 3, 1])
    #expect(try #require(results["i"]).elements(as: Int32.self) == [0, 1, 0, 0, 2])
  }

  @Test func areaResizeByAWholeFactorIsTheMean() async throws {
    var graph = FrozenGraph()
    graph.placeholder("x", [1, 2, 4, 1])
    graph.constant("size", [1, 2], [2])
    graph.node("y", "ResizeArea", ["x", "size"])
    let x = try Tensor([Float(1), 2, 3, 4, 5, 6, 7, 8], shape: [1, 2, 4, 1])
    let y = try await graph.run(["x": x])["y"]
    #expect(try Self.floats(y) == [3.5, 5.5])
  }

  /// The weights are tabulated once the image's size is known.
  @Test func aResizeOfOpenExtentsWaitsForThem() async throws {
    var graph = FrozenGraph()
    graph.placeholder("x", [1, -1, -1, 1])
    graph.constant("size", [1, 2], [2])
    graph.node("r", "ResizeArea", ["x", "size"])
    graph.node("y", "Relu", ["r"])
    var builder = Builder()
    builder.tuning = 0
    let engine = try await builder.build(try graph.model())
    for width in [4, 6, 2] {
      let numbers = (0..<(2 * width)).map { Float($0) }
      let x = try Tensor(numbers, shape: [1, 2, width, 1])
      let y = try Self.floats(try await engine.run(["x": x])["y"])
      let half = width / 2
      for side in 0..<2 {
        let part = (0..<half).flatMap {
          [numbers[side * half + $0], numbers[width + side * half + $0]]
        }
        #expect(abs(y[side] - part.reduce(0, +) / Float(part.count)) < 1e-5)
      }
    }
  }

  @Test(arguments: [0, 1, 2, 5, -1]) func casesChooseByNumber(_ number: Int) async throws {
    var graph = FrozenGraph()
    for (name, operation) in [("first", "Neg"), ("second", "Square"), ("third", "Exp")] {
      var body = FrozenGraph()
      body.node("r", operation, ["a"])
      graph.function(name, arguments: ["a"], results: ["out": "r:y:0"], body)
    }
    graph.placeholder("i", [], .dtInt32)
    graph.placeholder("x", [5])
    graph.node(
      "y", "StatelessCase", ["i", "x"],
      ["branches": FrozenGraph.functions(["first", "second", "third"])])
    let x = try #require(Self.row)
    let y = try await graph.run(["x": x, "i": try Tensor([Int32(number)], shape: [])])["y"]
    let expected = try x.elements(as: Float.self).map { value -> Float in
      switch number {
      case 0: -value
      case 1: value * value
      default: Float(exp(Double(value)))
      }
    }
    for (found, wanted) in zip(try Self.floats(y), expected) {
      #expect(abs(found - wanted) <= 1e-5 * abs(wanted))
    }
  }

  @Test func aFunctionThatCallsItselfIsRefused() {
    var graph = FrozenGraph()
    var body = FrozenGraph()
    body.node("r", "PartitionedCall", ["a"], ["f": FrozenGraph.function("loop")])
    graph.function("loop", arguments: ["a"], results: ["out": "r:output:0"], body)
    graph.placeholder("x", [5])
    graph.node("y", "PartitionedCall", ["x"], ["f": FrozenGraph.function("loop")])
    #expect(throws: NeedletailError.self) { try graph.model() }
    do { _ = try graph.model() } catch { #expect("\(error)".contains("calls itself")) }
  }

  @Test func controlFlowOfTensorFlow1IsRefusedWithWhatToDo() {
    var graph = FrozenGraph()
    graph.placeholder("x", [5])
    graph.placeholder("p", [], .dtBool)
    graph.node("s", "Switch", ["x", "p"])
    graph.node("y", "Merge", ["s:0", "s:1"])
    do {
      _ = try graph.model()
      Issue.record("the graph was imported")
    } catch { #expect("\(error)".contains("enable_control_flow_v2")) }
  }

  @Test func noFallbackNamesTheNode() async throws {
    var graph = FrozenGraph()
    graph.placeholder("x", [5])
    graph.node("places", "Where", ["x"])
    do {
      _ = try await graph.run(["x": try #require(Self.row)]) { $0.allowsFallback = false }
      Issue.record("an engine was built")
    } catch { #expect("\(error)".contains("'places'"), "\(error)") }
    graph = FrozenGraph()
    graph.placeholder("x", [5])
    graph.node("y", "Relu", ["x"])
    let y = try await graph.run(["x": try #require(Self.row)]) { $0.allowsFallback = false }["y"]
    #expect(try Self.floats(y) == [1, 2, 3, 4, 5])
  }
}
