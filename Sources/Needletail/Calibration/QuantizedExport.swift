public import Foundation
import ModelZoo
import ONNXExport
import ONNXImport
import PrecisionCalibration

/// What became of a model that was written with 8-bit integers.
public struct QuantizedExport: Sendable, Hashable {
  /// A convolution or matrix product that stays as it is, and why.
  public struct Skipped: Sendable, Hashable {
    /// The node's name, or that of its output.
    public let node: String
    /// One line.
    public let reason: String
  }

  /// Convolutions and matrix products on integers.
  public let quantizedNodes: Int
  /// The others.
  public let skipped: [Skipped]
  /// Whether the file uses ONNX Runtime's operators, because the model's operator set is older than 13.
  public let usesRuntimeOperators: Bool
}

extension Calibration {
  /// Writes the model as ONNX with `QuantizeLinear` and `DequantizeLinear` around the inputs of its
  /// convolutions and matrix products: `uint8` activations by this table, `int8` weights with a scale for
  /// each output channel.
  ///
  /// - Throws: `NeedletailError` where the model is another than the table's, or did not come from ONNX, or
  ///   none of its layers has ranges.
  public func writeQuantized(
    _ model: Model, to url: URL
  ) throws(NeedletailError) -> QuantizedExport {
    try verify(model)
    let (bytes, directory) = try Self.source(of: model)
    let activations = table.tensors.mapValues { entry in
      QuantizedModelWriter.Activation(
        scale: max(Float(entry.asymmetricScale), .leastNormalMagnitude),
        zeroPoint: UInt8(clamping: entry.zeroPoint))
    }
    let outcome: QuantizedModelWriter.Outcome
    do {
      outcome = try QuantizedModelWriter.quantize(
        bytes, directory: directory, activations: activations)
    } catch { throw NeedletailError(.model, error.description) }
    guard outcome.quantized > 0 else {
      let first = outcome.skipped.first.map { "; node '\($0.node)': \($0.reason)" } ?? ""
      throw NeedletailError(
        .model, "model '\(model.name)' has no convolution or matrix product to quantise\(first)")
    }
    do { try outcome.bytes.write(to: url, options: .atomic) } catch {
      throw NeedletailError(.model, "'\(url.path)' cannot be written")
    }
    return QuantizedExport(
      quantizedNodes: outcome.quantized,
      skipped: outcome.skipped.map { .init(node: $0.node, reason: $0.reason) },
      usesRuntimeOperators: outcome.usesRuntimeOperators)
  }

  private static func source(
    of model: Model
  ) throws(NeedletailError) -> (bytes: Data, directory: String?) {
    do {
      switch model.source {
      case .file(let url):
        let path = URL(fileURLWithPath: try ONNXImporter.modelFile(url.path))
        let bytes = try Data(contentsOf: path, options: .mappedIfSafe)
        return (bytes, path.deletingLastPathComponent().path)
      case .zoo(let name, let seed): return (Data(try Zoo.serialized(name, seed: seed)), nil)
      case .graph:
        throw NeedletailError(
          .model, "model '\(model.name)' is not ONNX; only ONNX models are written with integers")
      }
    } catch let error as NeedletailError { throw error } catch {
      throw NeedletailError(.model, "model '\(model.name)' cannot be read again: \(error)")
    }
  }
}
