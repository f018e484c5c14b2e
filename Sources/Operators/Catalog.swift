package import GraphModel

/// Every operator that can be imported. Adding one is its own file and a line here.
package enum Catalog {
  package static let operators: [any Operator.Type] =
    ElementwiseOperators.all + MovementOperators.all + ReductionOperators.all
    + SpatialOperators.all + NeuralOperators.all + ControlOperators.all + HostOperators.all
    + TensorFlowOperators.all

  /// The type that reads an operator of the given name and version.
  package static func find(domain: String, name: String, version: Int) -> (any Operator.Type)? {
    byName[Key(domain: domain, name: name)]?.first { $0.versions.contains(version) }?.type
  }

  /// The versions of an operator set in which a name is known; for messages.
  package static func knownVersions(domain: String, name: String) -> [ClosedRange<Int>] {
    byName[Key(domain: domain, name: name)]?.map(\.versions) ?? []
  }

  /// Names of a domain, sorted.
  package static func names(domain: String) -> [String] {
    byName.keys.filter { $0.domain == domain }.map(\.name).sorted()
  }

  private struct Key: Hashable {
    var domain: String
    var name: String
  }

  private struct Entry: Sendable {
    var versions: ClosedRange<Int>
    var type: any Operator.Type
  }

  private static let byName: [Key: [Entry]] = {
    var table: [Key: [Entry]] = [:]
    for type in operators {
      for spelling in type.spellings {
        table[Key(domain: spelling.domain, name: spelling.name), default: []]
          .append(Entry(versions: spelling.versions, type: type))
      }
    }
    return table
  }()
}
