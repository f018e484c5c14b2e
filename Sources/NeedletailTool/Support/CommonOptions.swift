import ArgumentParser
import Foundation
import Needletail
import PrecisionCalibration
import TensorModel

/// What every command that runs a network understands.
struct CommonOptions: ParsableArguments {
  @Option(help: "Where to run: cpu, or cuda:0 for the first GPU.")
  var device = "cpu"

  @Option(help: "Threads of the CPU; all that the process may use where it is not given.")
  var threads: Int?

  @Option(
    help: ArgumentHelp(
      "Precision of the layers: fp32, tf32, fp16, bf16, int8, or (build only) auto.",
      discussion: """
        The CPU computes fp16 and bf16 layers slowly, and tf32 as fp32. int8 and auto need --calibration or \
        --calibration-table.
        """))
  var precision = "fp32"

  @Option(
    name: .customLong("shapes"),
    help: ArgumentHelp(
      "The extents of an input, such as image:1x3x224x224; repeatable.", valueName: "name:shape"))
  var shapes: [ShapeArgument] = []

  @Option(
    help: ArgumentHelp(
      "What a TensorFlow model is to compute.",
      discussion: "serving_default, or the only signature, where it is not given."))
  var signature: String?

  @Flag(help: "Write one JSON value to standard output and nothing else.")
  var json = false

  @Option(help: "Where random numbers begin.")
  var seed: UInt64 = 1

  @Option(help: .hidden)
  var instructionSet: String?

  func validate() throws {
    if let threads, threads < 1 {
      throw ValidationError("--threads must be at least 1, not \(threads)")
    }
    if Precision(rawValue: precision) == nil, precision != Self.automatic {
      let names = (Precision.allCases.map(\.rawValue) + [Self.automatic]).joined(separator: ", ")
      throw ValidationError("--precision '\(precision)' is not one of \(names)")
    }
  }

  /// The precision that is searched for.
  static let automatic = "auto"
  var isAutomatic: Bool { precision == Self.automatic }

  /// - Throws: `ValidationError` where the command cannot search.
  func refuseAutomatic(_ command: String) throws {
    guard isAutomatic else { return }
    throw ValidationError(
      "--precision auto is for 'needletail build'; \(command) its engine, or give a precision")
  }

  var shapesByName: [String: [Int]] {
    Dictionary(shapes.map { ($0.name, $0.shape) }, uniquingKeysWith: { $1 })
  }
}

/// `name:1x3x224x224`.
struct ShapeArgument: ExpressibleByArgument {
  var name: String
  var shape: [Int]

  init?(argument: String) {
    guard let colon = argument.lastIndex(of: ":") else { return nil }
    name = String(argument[..<colon])
    let text = argument[argument.index(after: colon)...]
    shape = []
    if text == "scalar" { return }
    for part in text.split(separator: "x", omittingEmptySubsequences: false) {
      guard let extent = Int(part), extent >= 0 else { return nil }
      shape.append(extent)
    }
  }
}

/// `name=file` or `file`.
struct FileArgument: ExpressibleByArgument {
  var name: String?
  var path: String

  init?(argument: String) {
    if let equals = argument.firstIndex(of: "=") {
      name = String(argument[..<equals])
      path = String(argument[argument.index(after: equals)...])
    } else {
      path = argument
    }
    if path.isEmpty { return nil }
  }
}

/// How a model becomes an engine.
struct BuildOptions: ParsableArguments {
  @Option(help: "How hard to tune: 0 (cost model alone) to 5.")
  var tuning = 3

  @Option(help: "Seconds after which tuning leaves the rest to the cost model.")
  var tuningBudget: Double?

  @Option(
    help: "A file of timings to start from and to add to; the same file gives the same engine.")
  var timingCache: String?

  @Option(
    help: ArgumentHelp("Write what each step of the build made into a folder.", valueName: "dir"))
  var dump: String?

  func validate() throws {
    guard (0...5).contains(tuning) else {
      throw ValidationError("--tuning must be 0 to 5, not \(tuning)")
    }
  }
}
