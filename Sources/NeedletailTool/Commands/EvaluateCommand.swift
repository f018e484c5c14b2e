import ArgumentParser
import Foundation
import Needletail
import TensorModel

struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Measure a classifier's accuracy on labelled images.",
    discussion: """
      Images are one array [N, C, H, W] and labels one array [N], as .npy. Integer images become float32 of
      the same value. The class is the largest element of the first output.

      needletail evaluate model.onnx --images test_images.npy --labels test_labels.npy
      """)

  @Argument(help: "A model, an engine, or a name of the zoo.")
  var model: String

  @Option(help: "Images, .npy.")
  var images: String

  @Option(help: "Labels, .npy of integers.")
  var labels: String

  @Option(help: "Images of one inference.")
  var batch = 50

  @OptionGroup var common: CommonOptions
  @OptionGroup var build: BuildOptions
  @OptionGroup var calibration: CalibrationOptions

  func validate() throws {
    try common.refuseAutomatic("evaluate")
    guard batch > 0 else { throw ValidationError("--batch must be at least 1, not \(batch)") }
  }

  func run() throws {
    let display = common.json ? nil : ProgressDisplay()
    let pictures = try NPYFile.read(images)
    let truth = try integers(labels, count: pictures.shape.first ?? 0)
    let source = try EngineSource(model)
    var common = common
    if common.shapes.isEmpty, case .engine = source {
    } else if common.shapes.isEmpty {
      let size = try fixedBatch(source) ?? batch
      common.shapes = try shapeOfBatch(source, pictures, size)
    }
    let engine = try calibration.engine(source, common, build, display)
    let size = engine.inputs[0].fixedShape?.first ?? batch
    let clock = ContinuousClock()
    let start = clock.now
    var correct = 0
    for first in stride(from: 0, to: truth.count, by: size) {
      display?.show("evaluating", fraction: Double(first) / Double(max(truth.count, 1)))
      correct += try correctOnes(engine, pictures, truth, first: first, size: size)
    }
    let seconds = start.duration(to: clock.now).seconds
    display?.show("evaluating", fraction: 1)
    let report = Report(
      model: engine.name, top1: Double(correct) / Double(max(truth.count, 1)), correct: correct,
      images: truth.count, batch: size, imagesPerSecond: Double(truth.count) / max(seconds, 1e-9))
    if common.json {
      try Output.json(report)
    } else {
      Output.line(
        String(
          format: "top-1 %.2f %% (%d of %d), %.1f images/s at batch %d", report.top1 * 100,
          report.correct, report.images, report.imagesPerSecond, report.batch))
    }
  }

  private struct Report: Encodable {
    var model: String
    var top1: Double
    var correct: Int
    var images: Int
    var batch: Int
    var imagesPerSecond: Double

    enum CodingKeys: String, CodingKey {
      case model, top1, correct, images, batch
      case imagesPerSecond = "images_per_s"
    }
  }

  /// The batch that the model insists on.
  private func fixedBatch(_ source: EngineSource) throws -> Int? {
    let input = try source.model(common).inputs.first
    return input?.shape?.first.flatMap { Int($0) }
  }

  private func shapeOfBatch(
    _ source: EngineSource, _ pictures: Tensor, _ size: Int
  ) throws -> [ShapeArgument] {
    guard let name = try source.model(common).inputs.first?.name else { return [] }
    let shape = [size] + pictures.shape.dropFirst()
    return [ShapeArgument(argument: "\(name):\(shape.map(String.init).joined(separator: "x"))")]
      .compactMap { $0 }
  }

  private func integers(_ path: String, count: Int) throws -> [Int64] {
    let tensor = try NPYFile.read(path)
    guard let numbers = tensor.integers(), tensor.shape == [count] else {
      throw NeedletailError(
        .input,
        "labels '\(path)' are \(tensor.type), expected \(count) integers, one for each image")
    }
    return numbers
  }

  private func correctOnes(
    _ engine: Engine, _ pictures: Tensor, _ truth: [Int64], first: Int, size: Int
  ) throws -> Int {
    let count = min(size, truth.count - first)
    let tensor = try Self.batch(pictures, first: first, count: count, size: size)
    let results = try engine.runNow([engine.inputs[0].name: tensor])
    guard let output = engine.outputs.first.flatMap({ results[$0.name] }), output.numbers() != nil
    else {
      throw NeedletailError(.input, "the model gives no numbers")
    }
    return TopOne.correct(output, truth, from: first).correct
  }

  /// `size` images as float32, zeros after the last.
  static func batch(_ pictures: Tensor, first: Int, count: Int, size: Int) throws -> Tensor {
    let shape = [size] + pictures.shape.dropFirst()
    let perImage = pictures.shape.dropFirst().reduce(1, *)
    var tensor = try Tensor(zeros: .float32, shape: shape)
    switch pictures.dataType {
    case .uint8:
      tensor.withUnsafeMutableBytes { target in
        pictures.withUnsafeBytes { source in
          for index in 0..<(count * perImage) {
            target.storeBytes(
              of: Float(source[first * perImage + index]), toByteOffset: index * 4, as: Float.self)
          }
        }
      }
    case .float32:
      tensor.withUnsafeMutableBytes { target in
        pictures.withUnsafeBytes { source in
          let bytes = source[(first * perImage * 4)..<((first + count) * perImage * 4)]
          target.copyBytes(from: bytes)
        }
      }
    default:
      throw NeedletailError(.input, "images are \(pictures.dataType), expected uint8 or float32")
    }
    return tensor
  }
}
