public import Foundation
package import PrecisionCalibration
public import TensorModel

/// The ranges of a network's tensors, found by running it on data of the user's.
///
/// The same data gives the same table in any order of its batches, on any device.
public struct Calibration: Sendable {
  package let table: CalibrationTable

  package init(_ table: CalibrationTable) { self.table = table }

  /// Reads a calibration table.
  public init(contentsOf url: URL) throws(NeedletailError) {
    let data: Data
    do { data = try Data(contentsOf: url) } catch {
      throw NeedletailError(.input, "calibration table '\(url.path)' cannot be read")
    }
    do { table = try JSONDecoder().decode(CalibrationTable.self, from: data) } catch {
      throw NeedletailError(
        .input, "'\(url.path)' is no calibration table: \(Self.reason(error))")
    }
  }

  /// Writes the table whole as JSON, or leaves the file as it was.
  public func write(to url: URL) throws(NeedletailError) {
    do { try json().write(to: url, options: .atomic) } catch {
      throw NeedletailError(.input, "calibration table '\(url.path)' cannot be written")
    }
  }

  package func json() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(table) + Data("\n".utf8)
  }

  /// The ranges of a network's tensors over samples as they come: `CalibrationData`, or a sequence of one's
  /// own.
  ///
  /// - Throws: as `measure` does.
  public init<Samples: AsyncSequence>(
    samples: Samples, for model: Model
  ) async throws where Samples.Element == [String: Tensor] {
    self = try await Self.measure(model, over: samples)
  }

  /// Runs a network in FP32 over batches of inputs by name.
  ///
  /// - Throws: whatever the batches throw; `NeedletailError` where they do not fit, or there are none.
  public static func measure<Batches: AsyncSequence>(
    _ model: Model, over batches: Batches
  ) async throws -> Calibration where Batches.Element == [String: Tensor] {
    var builder = Builder()
    builder.tuning = 0
    var calibrator = try Calibrator(model, builder: builder)
    for try await batch in batches { try calibrator.observe(batch) }
    return try calibrator.finish(method: nil)
  }

  /// The table of all data that the tables were made of.
  package static func merge(_ parts: [Calibration]) throws(NeedletailError) -> Calibration {
    do { return Calibration(try CalibrationTable.merge(parts.map(\.table))) } catch {
      throw NeedletailError(.input, error.description)
    }
  }

  /// - Throws: `NeedletailError` where the table is another model's.
  func verify(_ model: Model) throws(NeedletailError) {
    let hash = try model.sha256()
    do { try table.verify(modelSHA256: hash) } catch {
      throw NeedletailError(.input, error.description)
    }
  }

  private static func reason(_ error: any Error) -> String {
    switch error {
    case let error as CalibrationError: error.description
    case DecodingError.keyNotFound(let key, _): "'\(key.stringValue)' is missing"
    case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context),
      DecodingError.dataCorrupted(let context):
      context.codingPath.isEmpty
        ? "it is not JSON"
        : "'\(context.codingPath.map(\.stringValue).joined(separator: "."))': "
          + context.debugDescription
    default: "\(error)"
    }
  }
}
