import ArgumentParser
import Foundation
import Needletail
import TensorModel

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run a model or an engine once on tensors from .npy files.",
    discussion: """
      Without --input, inputs are seeded random numbers. A name may be left out where there is one input
      or output.

      needletail run model.engine --input image=cat.npy --output logits=logits.npy
      """)

  @Argument(help: "An engine, a model, or a name of the zoo.")
  var model: String

  @Option(help: ArgumentHelp("A tensor to read; repeatable.", valueName: "name=file.npy"))
  var input: [FileArgument] = []

  @Option(help: ArgumentHelp("A tensor to write; repeatable.", valueName: "name=file.npy"))
  var output: [FileArgument] = []

  @OptionGroup var common: CommonOptions
  @OptionGroup var build: BuildOptions

  func run() throws {
    var build = build
    // One run does not pay for tuning.
    if build.timingCache == nil { build.tuning = 0 }
    let source = try EngineSource(model)
    let engine = try source.engine(common, build, progress: nil)
    let inputs = try readInputs(engine)
    let results = try engine.runNow(inputs)
    try write(results, engine)
    let summaries = engine.outputs.compactMap { output in
      results[output.name].map { TensorSummary(name: output.name, tensor: $0) }
    }
    if common.json {
      try Output.json(["outputs": summaries])
    } else {
      Output.table(
        [["output", "type", "shape", "min", "mean", "max"]] + summaries.map(\.row),
        leftAligned: [0, 1, 2])
    }
  }

  private func readInputs(_ engine: Engine) throws -> [String: Tensor] {
    var inputs =
      input.isEmpty
      ? try RandomInputs.tensors(for: engine, shapes: common.shapesByName, seed: common.seed) : [:]
    for file in input {
      let name = try Self.name(file, engine.inputs.map(\.name), "input")
      guard inputs.updateValue(try NPYFile.read(file.path), forKey: name) == nil else {
        throw NeedletailError(.input, "input '\(name)' is given twice")
      }
    }
    return inputs
  }

  private func write(_ results: [String: Tensor], _ engine: Engine) throws {
    for file in output {
      let name = try Self.name(file, engine.outputs.map(\.name), "output")
      guard let tensor = results[name] else {
        throw NeedletailError(
          .input,
          "there is no output '\(name)'; the engine has \(engine.outputs.map { "'\($0.name)'" }.joined(separator: ", "))"
        )
      }
      try NPYFile.write(tensor, to: file.path)
    }
  }

  private static func name(
    _ file: FileArgument, _ names: [String], _ kind: String
  ) throws(NeedletailError) -> String {
    if let name = file.name { return name }
    guard names.count == 1 else {
      throw NeedletailError(
        .input,
        "--\(kind) \(file.path): say which of \(names.map { "'\($0)'" }.joined(separator: ", ")), as NAME=\(file.path)"
      )
    }
    return names[0]
  }
}

/// What a user wants to know of a result at a glance.
struct TensorSummary: Encodable {
  var name: String
  var dataType: String
  var shape: [Int]
  var minimum: Double?
  var mean: Double?
  var maximum: Double?

  init(name: String, tensor: Tensor) {
    self.name = name
    dataType = tensor.dataType.rawValue
    shape = tensor.shape
    guard let numbers = tensor.numbers(), !numbers.isEmpty else { return }
    minimum = Self.finite(numbers.min())
    maximum = Self.finite(numbers.max())
    mean = Self.finite(numbers.reduce(0, +) / Double(numbers.count))
  }

  /// JSON has no infinity.
  private static func finite(_ value: Double?) -> Double? {
    value.flatMap { $0.isFinite ? $0 : nil }
  }

  var row: [String] {
    let numbers = [minimum, mean, maximum].map { $0.map { String(format: "%.6g", $0) } ?? "-" }
    return [name, dataType, shape.map(String.init).joined(separator: "x")] + numbers
  }
}
