import ArgumentParser
import Foundation
import Needletail
import PrecisionCalibration
import TensorModel

/// The user's data, for commands that build.
struct CalibrationOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Samples: a .npy or .npz file, a folder of INPUT.npy or of .npz, or a folder of images.",
      discussion: "Layers whose numbers would overflow in fp16 stay in fp32."))
  var calibration: String?

  @Option(help: "A table that 'needletail calibrate' wrote, in place of or beside the samples.")
  var calibrationTable: String?

  @OptionGroup var images: ImageArguments

  /// Data for a bound on the error, where there are samples.
  struct Prepared {
    var calibration: Calibration?
    /// What the ranges are of, and what is held out.
    var ranges: CalibrationData?
    var heldOut: CalibrationData?
  }

  /// - Parameter divides: whether the last quarter of the samples is held out.
  func prepare(
    _ model: Model, _ builder: Builder, divides: Bool, _ display: ProgressDisplay?
  ) throws(NeedletailError) -> Prepared {
    var result = Prepared()
    if let calibrationTable {
      result.calibration = try Calibration(contentsOf: URL(fileURLWithPath: calibrationTable))
    }
    guard let calibration else { return result }
    let all = try CalibrationData(
      contentsOf: URL(fileURLWithPath: calibration), for: model, shapes: builder.shapes,
      images: images.options)
    var ranges = all
    if divides { (ranges, result.heldOut) = try all.dividingLastQuarter() }
    result.ranges = ranges
    if result.calibration == nil {
      result.calibration = try CalibrationRun.run(model, builder, ranges, nil, display)
    }
    return result
  }

  /// The engine: read from its file, or built now with the ranges.
  func engine(
    _ source: EngineSource, _ common: CommonOptions, _ build: BuildOptions,
    _ display: ProgressDisplay?
  ) throws(NeedletailError) -> Engine {
    guard isGiven else { return try source.engine(common, build, progress: display) }
    let model = try source.model(common)
    var builder = EngineSource.builder(common, build, progress: display)
    builder.calibration = try prepare(model, builder, divides: false, display).calibration
    return try builder.buildNow(model)
  }

  var isGiven: Bool { calibration != nil || calibrationTable != nil }
}

/// How images become numbers.
struct ImageArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Images: the shorter side after resizing, before the middle is cut out.",
      valueName: "pixels"))
  var imageSize: Int?

  @Option(
    help: ArgumentHelp(
      "Images: what is subtracted from values of 0 to 1, for all channels or for each, as in 0.5,0.5,0.5.",
      valueName: "numbers"))
  var mean = NumberList([0])

  @Option(
    name: .customLong("std"),
    help: ArgumentHelp("Images: what values are then divided by.", valueName: "numbers"))
  var deviation = NumberList([1])

  @Option(help: "Images: the order of axes, nchw or nhwc; by default what the input's shape says.")
  var layout: String?

  func validate() throws {
    let known = ImageOptions.Layout.allCases.map(\.rawValue)
    guard layout.map(known.contains) ?? true else {
      throw ValidationError("--layout must be one of \(known.joined(separator: ", "))")
    }
  }

  var options: ImageOptions {
    ImageOptions(
      size: imageSize, mean: mean.numbers, deviation: deviation.numbers,
      layout: layout.flatMap(ImageOptions.Layout.init))
  }
}

/// Numbers between commas.
struct NumberList: ExpressibleByArgument, CustomStringConvertible {
  var numbers: [Double]

  init(_ numbers: [Double]) { self.numbers = numbers }

  init?(argument: String) {
    numbers = []
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let number = Double(part), number.isFinite else { return nil }
      numbers.append(number)
    }
  }

  var description: String { numbers.map { String(format: "%g", $0) }.joined(separator: ",") }
  var defaultValueDescription: String { description }
}

enum CalibrationRun {
  static func run(
    _ model: Model, _ builder: Builder, _ data: CalibrationData, _ method: CalibrationMethod?,
    _ display: ProgressDisplay?
  ) throws(NeedletailError) -> Calibration {
    var calibrator = try Calibrator(model, builder: builder)
    for index in 0..<data.batchCount {
      display?.show("calibrating", fraction: Double(index) / Double(data.batchCount))
      try calibrator.observe(try data.tensors(ofBatch: index))
    }
    display?.show("calibrating", fraction: 1)
    return try calibrator.finish(method: method)
  }
}
