import Foundation
import KernelAutoTuning
import Needletail
import PrecisionCalibration
import Testing

/// The text of the CUDA kernels of known networks, kept as files so that every change of it is seen.
///
/// After an intended change: `needletail inspect MODEL --shapes ... --precision ... --kernels CHIP > FILE`.
@Suite struct KernelTextTests {
  struct Sample: Sendable, CustomTestStringConvertible {
    var model: String
    var precision: Precision
    var shapes: [String: [Int]]
    var chip: String

    var testDescription: String { "\(model).\(precision.rawValue).\(chip)" }
  }

  static let samples = [
    Sample(
      model: "tiny_transformer", precision: .fp16,
      shapes: ["input_ids": [32, 64], "attention_mask": [32, 64]], chip: "sm_80"),
    Sample(
      model: "tiny_cnn", precision: .tf32, shapes: ["input": [64, 3, 32, 32]], chip: "sm_80"),
    Sample(
      model: "resnet18", precision: .fp16, shapes: ["input": [8, 3, 224, 224]], chip: "sm_90"),
  ]

  @Test(arguments: samples) func isAsKept(sample: Sample) throws {
    let file = Fixtures.root.appendingPathComponent(
      "Tests/NeedletailTests/Golden/\(sample.testDescription).cu")
    let kept = try String(contentsOf: file, encoding: .utf8)
    let found = try text(sample) + "\n"
    let lines = zip(
      kept.split(separator: "\n", omittingEmptySubsequences: false),
      found.split(separator: "\n", omittingEmptySubsequences: false))
    let line = lines.enumerated().first { $0.element.0 != $0.element.1 }
    #expect(
      kept == found,
      "line \((line?.offset ?? -1) + 1): '\(line?.element.1 ?? "")', kept '\(line?.element.0 ?? "")'"
    )
  }

  @Test func isTheSameEachTime() throws {
    #expect(try text(Self.samples[0]) == text(Self.samples[0]))
  }

  private func text(_ sample: Sample) throws -> String {
    var builder = Fixtures.builder
    builder.precision = sample.precision
    builder.shapes = sample.shapes
    let engine = try builder.buildNow(try Model(zoo: sample.model, seed: 1))
    return try KernelListing.text(
      try engine.makeContext(shapes: sample.shapes),
      for: try #require(KernelListing.chips[sample.chip]))
  }
}
