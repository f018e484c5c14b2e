import ONNXFormat

/// What a model file says about itself, besides its graph.
package struct ModelDescription: Sendable, Hashable {
  package struct OperatorSet: Sendable, Hashable {
    /// `onnx` for the default domain.
    package var domain: String
    package var version: Int
  }

  package struct Entry: Sendable, Hashable {
    package var key: String
    package var value: String
  }

  /// The version of the file format.
  package var formatVersion: Int
  package var operatorSets: [OperatorSet]
  package var producerName: String
  package var producerVersion: String
  package var domain: String
  package var modelVersion: Int
  package var documentation: String
  package var graphName: String
  /// Functions that the file defines for its own nodes.
  package var functionCount: Int
  package var metadata: [Entry]
  /// What the importer accepted but does not vouch for, one line each.
  package var warnings: [String]

  init(_ model: Onnx_ModelProto) {
    formatVersion = Int(model.irVersion)
    operatorSets = model.opsetImport.map {
      OperatorSet(domain: ModelFormat.domain($0.domain), version: Int($0.version))
    }
    producerName = model.producerName
    producerVersion = model.producerVersion
    domain = model.domain
    modelVersion = Int(model.modelVersion)
    documentation = model.docString
    graphName = model.graph.name
    functionCount = model.functions.count
    metadata = model.metadataProps.map { Entry(key: $0.key, value: $0.value) }
    warnings = []
    for set in operatorSets
    where set.domain == ModelFormat.defaultDomain
      && set.version < ModelFormat.oldestOperatorSet
    {
      warnings.append(
        "opset \(set.version) is older than \(ModelFormat.oldestOperatorSet): operators are read as if it were newer where the difference is not known"
      )
    }
    if !model.trainingInfo.isEmpty {
      warnings.append("the model's training graphs are ignored")
    }
  }
}
