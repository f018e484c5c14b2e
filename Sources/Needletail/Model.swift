public import Foundation
package import GraphModel
import ModelZoo
package import ONNXImport
public import TensorModel

/// A trained network, as its file describes it.
public struct Model: Sendable {
  /// The file's name without its extension, or the zoo's name.
  public let name: String
  package let graph: Graph
  /// What the file says about itself; nil for a graph that came from none.
  package let description: ModelDescription?
  let source: ModelSource

  /// Reads an ONNX model.
  ///
  /// - Parameters:
  ///   - url: the file, or a folder that holds one.
  ///   - limits: bounds on what the file may ask for.
  /// - Throws: `NeedletailError` that names the node or tensor, what was found and what to do.
  public init(contentsOf url: URL, limits: Limits = Limits()) throws(NeedletailError) {
    do {
      let result = try ONNXImporter.read(contentsOf: url.path, limits: limits)
      graph = result.graph
      description = result.description
    } catch { throw NeedletailError(.model, error.description) }
    name = url.deletingPathExtension().lastPathComponent
    source = .file(url)
  }

  package init(name: String, graph: Graph) {
    self.name = name
    self.graph = graph
    description = nil
    source = .graph
  }

  /// An architecture of the built-in zoo with seeded weights.
  package init(zoo name: String, seed: UInt64) throws(NeedletailError) {
    do {
      let result = try ONNXImporter.read(bytes: try Zoo.serialized(name, seed: seed))
      graph = result.graph
      description = result.description
    } catch let error as ZooError {
      throw NeedletailError(.model, error.description)
    } catch { throw NeedletailError(.model, "\(error)") }
    self.name = name
    source = .zoo(name, seed: seed)
  }

  /// The tensors that the network takes.
  public var inputs: [TensorDescription] {
    graph.inputs.map { TensorDescription(name: graph[$0].name, type: graph[$0].type) }
  }

  /// The tensors that the network gives.
  public var outputs: [TensorDescription] {
    graph.outputs.map { TensorDescription(name: $0.name, type: graph[$0.value].type) }
  }
}

/// The name, element type and shape of an input or output.
public struct TensorDescription: Sendable, Hashable {
  /// The name in the model.
  public let name: String
  /// The element type; nil where only a run can tell.
  public let dataType: DataType?
  /// The extents: integers, or names and expressions for those that a run decides; nil where not even
  /// their count is known.
  public let shape: [String]?
  /// The extents as integers, where all are fixed.
  public let fixedShape: [Int]?

  package init(name: String, type: TensorType?) {
    self.name = name
    dataType = type?.dataType
    shape = type?.shape.dimensions.map(\.description)
    fixedShape = type?.shape.constants
  }
}
