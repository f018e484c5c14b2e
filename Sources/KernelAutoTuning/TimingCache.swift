import Foundation
import KernelModel
package import ProgramModel
import TensorModel

/// What tactics took, by device class and by problem: the evidence for every choice.
///
/// Caches merge, and a build that finds all it needs in a cache measures nothing and gives the same engine
/// again. Losing tactics are kept too.
package struct TimingCache: Sendable, Equatable {
  /// Seconds by device class, problem key and tactic.
  package private(set) var entries: [String: [String: [String: Double]]] = [:]

  package init() {}

  package func times(deviceClass: String, key: String) -> [String: Double] {
    entries[deviceClass]?[key] ?? [:]
  }

  package mutating func record(deviceClass: String, key: String, tactic: String, seconds: Double) {
    entries[deviceClass, default: [:]][key, default: [:]][tactic] = seconds
  }

  /// Takes over what another cache knows; where both know a time, the shorter one stays.
  package mutating func merge(_ other: TimingCache) {
    for (device, problems) in other.entries {
      for (key, times) in problems {
        entries[device, default: [:]][key, default: [:]].merge(times) { min($0, $1) }
      }
    }
  }

  package var count: Int { entries.values.reduce(0) { $0 + $1.count } }

  /// The same text for the same step on every machine: the problem, and the types and strides of its
  /// operands, but not their numbers.
  package static func key(for step: Step, in program: Program) -> String {
    var names: [BufferID: Int] = [:]
    func describe(_ view: View) -> String {
      let name = names[view.buffer] ?? names.count
      names[view.buffer] = name
      let kind = program.constant(view) == nil ? "v" : "c"
      return "\(kind)\(name) \(view.dataType) \(view.shape) \(view.strides)"
    }
    let outputs = step.outputs.map(describe).joined(separator: "; ")
    let inputs = step.inputs.map { $0.map(describe) ?? "-" }.joined(separator: "; ")
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let problem = (try? encoder.encode(step.problem)).map { String(decoding: $0, as: UTF8.self) }
    let arithmetic = step.arithmetic == .exact ? "" : " | \(step.arithmetic.rawValue)"
    return "\(problem ?? step.problem.family) | \(inputs) -> \(outputs)\(arithmetic)"
  }
}

// MARK: - Files

/// A timing cache that cannot be read or written.
package struct TimingCacheError: Error, Sendable, CustomStringConvertible {
  package var description: String
}

extension TimingCache {
  private struct Document: Codable {
    var format: String
    var version: Int
    var devices: [String: [String: [String: Double]]]
  }

  private static let format = "needletail timing cache"

  package init(contentsOf path: String) throws(TimingCacheError) {
    let document: Document
    do {
      let data = try Data(contentsOf: URL(fileURLWithPath: path))
      document = try JSONDecoder().decode(Document.self, from: data)
    } catch {
      throw TimingCacheError(description: "timing cache '\(path)' cannot be read: \(error)")
    }
    guard document.format == Self.format, document.version == 1 else {
      throw TimingCacheError(
        description: "'\(path)' is not a timing cache of version 1; remove it or name another file")
    }
    entries = document.devices
  }

  /// Writes the cache whole, or leaves the file as it was.
  package func write(to path: String) throws(TimingCacheError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    do {
      let data = try encoder.encode(Document(format: Self.format, version: 1, devices: entries))
      try data.write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw TimingCacheError(description: "timing cache '\(path)' cannot be written: \(error)")
    }
  }
}
