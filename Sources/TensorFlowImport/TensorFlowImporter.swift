package import GraphModel
import TensorFlowFormat
package import TensorModel

/// Reads TensorFlow's saved models and frozen graphs.
///
/// One signature becomes one graph: its functions are inlined, its variables are constants, and its nodes
/// are `pending` operators as TensorFlow spells them.
package enum TensorFlowImporter {
  /// A graph and what the file says about itself.
  package struct Import: Sendable {
    package var graph: Graph
    package var description: SavedModelDescription
    /// The graphs of further signatures that were asked for, by their names.
    package var further: [(name: String, graph: Graph)] = []
  }

  /// Whether a path means a TensorFlow model or a Keras file, rather than one of another format.
  package static func isModel(_ path: String) -> Bool { SavedModelFile.isModel(path) }

  /// - Parameters:
  ///   - path: the folder of a saved model, or a frozen graph.
  ///   - signature: nil for `serving_default`, or the only one.
  package static func read(
    contentsOf path: String, signature: String? = nil, limits: Limits = Limits()
  ) throws(TensorFlowImportError) -> Import {
    let file = try SavedModelFile(path: path, limits: limits)
    let context = try context(file, limits)
    let name = try file.signatureName(signature)
    return Import(
      graph: try graph(named: name, file, context),
      description: try description(file, context, chosen: name))
  }

  /// Several signatures, which share the elements of their variables.
  ///
  /// - Parameter signatures: the names, the first of which comes first; none for all that the model has, with
  ///   `serving_default` first.
  package static func read(
    contentsOf path: String, signatures: [String], limits: Limits = Limits()
  ) throws(TensorFlowImportError) -> Import {
    let file = try SavedModelFile(path: path, limits: limits)
    var names: [String] = []
    if signatures.isEmpty {
      let first = try? file.signatureName(nil)
      names = file.signatureNames.sorted { ($0 != first ? 1 : 0, $0) < ($1 != first ? 1 : 0, $1) }
    }
    for name in signatures where !names.contains(name) {
      names.append(try file.signatureName(name))
    }
    guard let first = names.first else { throw .unknownSignature(name: "", known: []) }
    let context = try context(file, limits)
    var result = Import(
      graph: try graph(named: first, file, context),
      description: try description(file, context, chosen: first))
    for name in names.dropFirst() {
      do { result.further.append((name, try graph(named: name, file, context))) } catch {
        throw .signature(name: name, reason: error.description)
      }
    }
    return result
  }

  private static func graph(
    named name: String, _ file: SavedModelFile, _ context: ModelContext
  ) throws(TensorFlowImportError) -> Graph {
    let definition = file.meta.signatureDef[name] ?? Tensorflow_SignatureDef()
    let survey = try survey(definition, context)
    guard survey.unsupported.isEmpty else { throw .unsupportedOperators(survey.unsupported) }
    return try graph(definition, named: name, context)
  }

  /// What a model holds, without building anything.
  package static func describe(
    contentsOf path: String, limits: Limits = Limits()
  ) throws(TensorFlowImportError) -> SavedModelDescription {
    let file = try SavedModelFile(path: path, limits: limits)
    return try description(file, try context(file, limits), chosen: nil)
  }

  private static func context(
    _ file: SavedModelFile, _ limits: Limits
  ) throws(TensorFlowImportError) -> ModelContext {
    let variables = try Variables(file.meta, bundle: file.bundle)
    return try ModelContext(file.meta.graphDef, variables: variables, limits: limits)
  }

  private static func survey(
    _ signature: Tensorflow_SignatureDef, _ context: ModelContext
  ) throws(TensorFlowImportError) -> OperatorSurvey {
    let fed = Set(signature.inputs.values.map { NodeReference($0.name).node })
    return try OperatorSurvey(
      context, outputs: signature.outputs.values.map(\.name).sorted(), feeding: fed)
  }

  private static func description(
    _ file: SavedModelFile, _ context: ModelContext, chosen: String?
  ) throws(TensorFlowImportError) -> SavedModelDescription {
    var result = SavedModelDescription(version: file.meta.metaInfoDef.tensorflowVersion)
    (result.variableCount, result.variableBytes) = context.variables.total
    for name in file.signatureNames {
      let definition = file.meta.signatureDef[name] ?? Tensorflow_SignatureDef()
      let survey = try survey(definition, context)
      result.signatures.append(
        SavedModelDescription.Signature(
          name: name, inputs: definition.inputs.sortedPorts,
          outputs: definition.outputs.sortedPorts,
          operators: survey.counts, unsupported: survey.unsupported))
    }
    result.chosen = chosen
    return result
  }
}

// MARK: - Graphs

extension TensorFlowImporter {
  private static func graph(
    _ signature: Tensorflow_SignatureDef, named name: String, _ context: ModelContext
  ) throws(TensorFlowImportError) -> Graph {
    var builder = GraphBuilder(context, name: name)
    var arguments: [String: FlowValue] = [:]
    for (input, info) in signature.inputs.sorted(by: { $0.key < $1.key }) {
      let reference = NodeReference(info.name)
      guard !info.name.isEmpty, reference.index == 0 else {
        throw .tensor(name: input, reason: "the input is no dense tensor, which is not supported")
      }
      let type = try inputType(input, info, context.limits)
      arguments[reference.node] = .tensor(builder.graph.addInput(name: input, type: type))
    }
    var frame = GraphBuilder.Frame(
      name: name, prefix: "", nodes: context.nodes, arguments: arguments, calls: [])
    let outputs = signature.outputs.sorted { $0.key < $1.key }
    let values = try builder.evaluate(outputs.map(\.value.name), in: &frame)
    for (output, value) in zip(outputs, values) {
      builder.graph.outputs.append((output.key, try builder.tensor(value)))
    }
    return builder.graph
  }

  /// The type of an input; extents that the model leaves open get names of their own.
  private static func inputType(
    _ name: String, _ info: Tensorflow_TensorInfo, _ limits: Limits
  ) throws(TensorFlowImportError) -> TensorType {
    guard let type = info.dtype.dataType else {
      throw .tensor(name: name, reason: "its type \(info.dtype.name) is not supported")
    }
    guard let extents = try info.tensorShape.extents(of: name, limits: limits) else {
      throw .tensor(
        name: name,
        reason: "the rank of the input is not known; export the model with a signature "
          + "that says it")
    }
    let dimensions = extents.enumerated().map { axis, extent in
      extent < 0
        ? Dimension.symbol(axis == 0 ? "\(name)_batch" : "\(name)_\(axis)") : Dimension(extent)
    }
    return TensorType(type, Shape(dimensions))
  }
}

extension [String: Tensorflow_TensorInfo] {
  fileprivate var sortedPorts: [SavedModelDescription.Port] {
    sorted { $0.key < $1.key }.map { name, info in
      let extents = info.tensorShape.dim.map { $0.size < 0 ? "?" : "\($0.size)" }
      return SavedModelDescription.Port(
        name: name, dataType: info.dtype.name,
        shape: info.tensorShape.unknownRank ? nil : extents)
    }
  }
}
