import Foundation

/// Writes to standard output.
enum Output {
  static func line(_ text: String = "") {
    FileHandle.standardOutput.write(Data((text + "\n").utf8))
  }

  static func json(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    line(String(decoding: try encoder.encode(value), as: UTF8.self))
  }

  /// Columns as wide as their widest cell; the first is left-aligned, the others right-aligned unless
  /// `leftAligned` says otherwise.
  static func table(_ rows: [[String]], header: Bool = true, leftAligned: Set<Int> = [0]) {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in
      rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    for (index, row) in rows.enumerated() {
      let cells = row.enumerated().map { column, cell in
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        return leftAligned.contains(column) ? cell + padding : padding + cell
      }
      line(trimmed(cells.joined(separator: "  ")))
      if header, index == 0 {
        line(widths.map { String(repeating: "-", count: $0) }.joined(separator: "  "))
      }
    }
  }

  private static func trimmed(_ text: String) -> String {
    var end = text.endIndex
    while end > text.startIndex, text[text.index(before: end)] == " " {
      end = text.index(before: end)
    }
    return String(text[..<end])
  }

  static func bytes(_ count: Int) -> String {
    switch count {
    case ..<1024: "\(count) B"
    case ..<(1 << 20): String(format: "%.1f KiB", Double(count) / 1024)
    case ..<(1 << 30): String(format: "%.1f MiB", Double(count) / 0x1p20)
    default: String(format: "%.2f GiB", Double(count) / 0x1p30)
    }
  }

  /// Three digits.
  static func short(_ value: Double) -> String { String(format: "%.3g", value) }

  static func seconds(_ value: Double) -> String {
    switch value {
    case ..<1e-3: String(format: "%.1f us", value * 1e6)
    case ..<1: String(format: "%.3f ms", value * 1e3)
    default: String(format: "%.2f s", value)
    }
  }
}

/// What the system says of this process.
enum ProcessMemory {
  /// The largest resident size so far, in bytes.
  static var peakBytes: Int { field("VmHWM:") }
  /// The resident size now, in bytes.
  static var residentBytes: Int { field("VmRSS:") }

  private static func field(_ name: String) -> Int {
    guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else {
      return 0
    }
    for line in text.split(separator: "\n") where line.hasPrefix(name) {
      let number = line.split(whereSeparator: \.isWhitespace).dropFirst().first
      return (number.flatMap { Int($0) } ?? 0) * 1024
    }
    return 0
  }
}
