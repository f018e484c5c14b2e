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
        On the CPU, fp16 and bf16 are how numbers are stored; it computes in fp32 (bf16 where there is \
        AMX), and tf32 as fp32. On GPUs, tf32 multiplies on tensor cores, with at least the bits of TF32. \
        int8 and auto need --calibration or --calibration-table; what they do not compute on integers is fp32 on \
        the CPU and fp16 on GPUs.
        """), transform: { $0.lowercased() })
  var precision = "fp32"

  @Option(
    name: .customLong("shapes"),
    help: ArgumentHelp(
      "The extents of an input, such as image:1x3x224x224; repeatable.", valueName: "name:shape"))
  var shapes: [ShapeArgument] = []

  @Option(
    help: ArgumentHelp(
      "What a TensorFlow model, or an engine made of one, is to compute; repeatable where engines are built.",
      discussion: """
        serving_default, or the only signature, where it is not given; 'build' then takes all signatures.
        """))
  var signature: [String] = []

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

  @Option(
    name: .customLong("workspace"),
    help: ArgumentHelp(
      "The most that a layer may use beside its operands while it runs, such as 8GB or 512MiB.",
      discussion: """
        Ways to compute a layer that need more are not chosen where there are others. It bounds neither weights nor         activations. No bound where it is not given.
        """, valueName: "size"))
  var workspace: ByteCount?

  @Option(
    help: ArgumentHelp(
      "The fewest operators that go to the GPU between two steps of the host.",
      discussion:
        "Smaller segments run on the host too. Without effect on the CPU, which is the host.",
      valueName: "count"))
  var minimumSegmentSize = 1

  @Flag(
    help: "Fail, naming the node, where something would not run on the device's own kernels.")
  var noFallback = false

  func validate() throws {
    guard (0...5).contains(tuning) else {
      throw ValidationError("--tuning must be 0 to 5, not \(tuning)")
    }
    guard minimumSegmentSize >= 1 else {
      throw ValidationError("--minimum-segment-size must be at least 1, not \(minimumSegmentSize)")
    }
  }
}

/// A size of memory: `8GB` (powers of 1000), `512MiB` (powers of 1024), or bytes.
struct ByteCount: ExpressibleByArgument {
  var bytes: Int

  private static let units = [
    "": 1, "B": 1, "KB": 1000, "MB": 1_000_000, "GB": 1_000_000_000, "KIB": 1 << 10,
    "MIB": 1 << 20, "GIB": 1 << 30,
  ]

  init?(argument: String) {
    let digits = argument.prefix { $0.isNumber || $0 == "." }
    let unit = argument.dropFirst(digits.count).uppercased()
    guard let number = Double(digits), let factor = Self.units[unit],
      let bytes = Int(exactly: (number * Double(factor)).rounded())
    else { return nil }
    self.bytes = bytes
  }
}
