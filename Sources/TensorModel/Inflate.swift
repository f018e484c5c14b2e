/// Decodes data compressed with Deflate. Source: RFC 1951.
struct Inflate {
  private let input: [UInt8]
  private var position = 0
  private var bits: UInt64 = 0
  private var bitCount = 0
  private var output: [UInt8] = []
  private let size: Int

  /// - Parameter size: how many bytes must come out.
  /// - Returns: nil where the data are damaged or of another size.
  static func decode(_ input: [UInt8], size: Int) -> [UInt8]? {
    var decoder = Inflate(input: input, size: size)
    return decoder.run() ? decoder.output : nil
  }

  private init(input: [UInt8], size: Int) {
    self.input = input
    self.size = size
    // What compressed data say of their size is believed no further than they can reach.
    output.reserveCapacity(min(size, input.count.multipliedReportingOverflow(by: 8).partialValue))
  }

  private mutating func run() -> Bool {
    while true {
      guard let isLast = take(1), let kind = take(2) else { return false }
      switch kind {
      case 0: guard storedBlock() else { return false }
      case 1: guard block(Self.fixedLiterals, Self.fixedDistances) else { return false }
      case 2:
        guard let (literals, distances) = tables(), block(literals, distances) else { return false }
      default: return false
      }
      if isLast == 1 { return output.count == size }
    }
  }

  // MARK: Bits

  private mutating func fill() {
    while bitCount <= 56, position < input.count {
      bits |= UInt64(input[position]) << UInt64(bitCount)
      position += 1
      bitCount += 8
    }
  }

  private mutating func take(_ count: Int) -> Int? {
    if bitCount < count { fill() }
    guard bitCount >= count else { return nil }
    let value = Int(bits & (1 << UInt64(count) - 1))
    bits >>= UInt64(count)
    bitCount -= count
    return value
  }

  // MARK: Blocks

  private mutating func storedBlock() -> Bool {
    _ = take(bitCount % 8)
    guard let length = take(16), let check = take(16), length ^ check == 0xFFFF,
      length <= size - output.count
    else { return false }
    for _ in 0..<length {
      guard let byte = take(8) else { return false }
      output.append(UInt8(byte))
    }
    return true
  }

  private static let lengthBases = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
    163, 195, 227, 258,
  ]
  private static let distanceBases = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049,
    3073, 4097, 6145, 8193, 12289, 16385, 24577,
  ]

  private mutating func block(_ literals: HuffmanCode, _ distances: HuffmanCode) -> Bool {
    while true {
      guard let symbol = symbol(literals) else { return false }
      if symbol < 256 {
        guard output.count < size else { return false }
        output.append(UInt8(symbol))
        continue
      }
      if symbol == 256 { return true }
      let index = symbol - 257
      guard index < Self.lengthBases.count else { return false }
      let lengthBits = index < 8 || index == 28 ? 0 : (index - 4) / 4
      guard let more = take(lengthBits), let code = self.symbol(distances),
        code < Self.distanceBases.count, let far = take(code < 4 ? 0 : (code - 2) / 2)
      else { return false }
      let length = Self.lengthBases[index] + more
      let distance = Self.distanceBases[code] + far
      guard distance <= output.count, length <= size - output.count else { return false }
      // The copy may overlap what it writes.
      for _ in 0..<length { output.append(output[output.count - distance]) }
    }
  }

  private mutating func symbol(_ code: HuffmanCode) -> Int? {
    if bitCount < HuffmanCode.maximumLength { fill() }
    guard let (symbol, length) = code.decode(bits), length <= bitCount else { return nil }
    bits >>= UInt64(length)
    bitCount -= length
    return symbol
  }

  // MARK: Codes

  private static let fixedLiterals = HuffmanCode(
    [Int](repeating: 8, count: 144) + [Int](repeating: 9, count: 112)
      + [Int](repeating: 7, count: 24) + [Int](repeating: 8, count: 8))
  private static let fixedDistances = HuffmanCode([Int](repeating: 5, count: 30))

  private static let lengthOrder = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
  ]

  private mutating func tables() -> (HuffmanCode, HuffmanCode)? {
    guard let literals = take(5), let distances = take(5), let count = take(4) else { return nil }
    var lengths = [Int](repeating: 0, count: 19)
    for index in 0..<(count + 4) {
      guard let length = take(3) else { return nil }
      lengths[Self.lengthOrder[index]] = length
    }
    let code = HuffmanCode(lengths)
    let total = literals + 257 + distances + 1
    var all: [Int] = []
    while all.count < total {
      guard let symbol = symbol(code) else { return nil }
      switch symbol {
      case ..<16: all.append(symbol)
      case 16:
        guard let last = all.last, let more = take(2) else { return nil }
        all += [Int](repeating: last, count: 3 + more)
      case 17:
        guard let more = take(3) else { return nil }
        all += [Int](repeating: 0, count: 3 + more)
      default:
        guard let more = take(7) else { return nil }
        all += [Int](repeating: 0, count: 11 + more)
      }
    }
    guard all.count == total else { return nil }
    return (
      HuffmanCode(Array(all[..<(literals + 257)])), HuffmanCode(Array(all[(literals + 257)...]))
    )
  }
}

/// A canonical prefix code, whose words are read from their first bit on.
private struct HuffmanCode: Sendable {
  static let maximumLength = 15

  /// For the next bits, a symbol and the length of its word; a length of zero is no word.
  private var table: [UInt32]
  private let bits: Int

  /// - Parameter lengths: the length of each symbol's word; zero for none.
  init(_ lengths: [Int]) {
    let longest = lengths.max() ?? 0
    bits = Swift.max(longest, 1)
    table = [UInt32](repeating: 0, count: 1 << bits)
    var counts = [Int](repeating: 0, count: Self.maximumLength + 2)
    for length in lengths where length > 0 { counts[length] += 1 }
    var next = [Int](repeating: 0, count: Self.maximumLength + 2)
    var word = 0
    for length in 1...Self.maximumLength {
      next[length] = word
      word = (word + counts[length]) << 1
    }
    for (symbol, length) in lengths.enumerated() where length > 0 {
      let code = next[length]
      next[length] += 1
      // A code with too many words is caught by the size of what comes out, and by checksums.
      guard code < 1 << length else { continue }
      let reversed = Self.reversed(code, length)
      for index in stride(from: reversed, to: table.count, by: 1 << length) {
        table[index] = UInt32(symbol) << 4 | UInt32(length)
      }
    }
  }

  private static func reversed(_ code: Int, _ length: Int) -> Int {
    (0..<length).reduce(0) { $0 | (code >> $1 & 1) << (length - 1 - $1) }
  }

  func decode(_ next: UInt64) -> (symbol: Int, length: Int)? {
    let entry = table[Int(next & UInt64(table.count - 1))]
    return entry & 15 == 0 ? nil : (Int(entry >> 4), Int(entry & 15))
  }
}
