import ArgumentParser
import CPUDevice
import CUDADevice
import DeviceInterface
import Foundation
import GraphModel
import ModelZoo
import Needletail
import Operators

struct DevicesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "devices", abstract: "List the devices of this machine.")

  @Flag(help: "Write one JSON value to standard output and nothing else.")
  var json = false

  func run() throws {
    let cpu = try CPU()
    var entries = [
      Entry(
        name: cpu.name, summary: cpu.summary, instructionSets: cpu.processor.instructionSets,
        threads: cpu.threads, hasVNNI: cpu.processor.hasVNNI, hasAMX: cpu.processor.hasAMX)
    ]
    var missing: String?
    do {
      for index in 0..<(try CUDA.count()) {
        let gpu = try CUDA(index: index)
        entries.append(Entry(name: gpu.name, summary: gpu.summary))
      }
    } catch { missing = error.description }
    if json {
      try Output.json(entries)
      return
    }
    Output.table(
      [["device", "what it is"]] + entries.map { [$0.name, $0.summary] }, leftAligned: [0, 1])
    if let missing {
      Output.line()
      Output.line("No GPU: \(missing)")
    }
  }

  private struct Entry: Encodable {
    var name: String
    var summary: String
    var instructionSets: [String]?
    var threads: Int?
    var hasVNNI: Bool?
    var hasAMX: Bool?
  }
}

struct OperatorsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "operators", abstract: "List the operators that models may use.")

  @Option(help: "Only those of one domain: onnx, com.microsoft, tensorflow.")
  var domain: String?

  @Flag(help: "Write one JSON value to standard output and nothing else.")
  var json = false

  func run() throws {
    let domains = Set(Catalog.operators.flatMap { $0.spellings.map(\.domain) }).sorted()
    if let domain, !domains.contains(domain) {
      throw ValidationError("--domain '\(domain)' is not one of \(domains.joined(separator: ", "))")
    }
    let chosen = domain.map { [$0] } ?? domains
    let names = Dictionary(uniqueKeysWithValues: chosen.map { ($0, Catalog.names(domain: $0)) })
    if json {
      try Output.json(names)
      return
    }
    for domain in chosen {
      let list = names[domain] ?? []
      Output.line("\(domain): \(list.count) operators")
      for line in Self.columns(list) { Output.line("  " + line) }
    }
  }

  private static func columns(_ names: [String]) -> [String] {
    let width = (names.map(\.count).max() ?? 0) + 2
    let perLine = max(1, 96 / width)
    return stride(from: 0, to: names.count, by: perLine).map { start in
      names[start..<min(start + perLine, names.count)]
        .map { $0.padding(toLength: width, withPad: " ", startingAt: 0) }.joined()
    }
  }
}

struct ZooCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "zoo", abstract: "Write a well-known architecture with seeded weights as ONNX.",
    discussion: "Without a name, the models are listed.")

  @Argument(help: "The architecture.")
  var name: String?

  @Argument(help: "The ONNX file to write.")
  var file: String?

  @Option(help: "Where random numbers begin.")
  var seed: UInt64 = 1

  @Flag(help: "Write one JSON value to standard output and nothing else.")
  var json = false

  func validate() throws {
    if let name, file == nil {
      throw ValidationError(
        "'zoo \(name)' needs the file to write: needletail zoo \(name) \(name).onnx")
    }
  }

  func run() throws {
    guard let name, let file else {
      let models = try Zoo.names.map { [$0, try Zoo.summary(of: $0)] }
      if json {
        try Output.json(Dictionary(uniqueKeysWithValues: models.map { ($0[0], $0[1]) }))
      } else {
        Output.table([["name", "what it is"]] + models, leftAligned: [0, 1])
      }
      return
    }
    let bytes = try Zoo.serialized(name, seed: seed)
    do {
      try Data(bytes).write(to: URL(fileURLWithPath: file), options: .atomic)
    } catch {
      throw NeedletailError(.model, "'\(file)' cannot be written: \(error.localizedDescription)")
    }
    if json {
      try Output.json(Written(name: name, file: file, bytes: bytes.count))
    } else {
      Output.line("\(file): \(name), \(Output.bytes(bytes.count))")
    }
  }

  private struct Written: Encodable {
    var name: String
    var file: String
    var bytes: Int
  }
}
