/// Lines of a kernel, indented.
package struct KernelText: Sendable {
  private var lines: [String] = []
  private var depth = 0

  package init() {}

  package mutating func line(_ text: String) {
    for part in text.split(separator: "\n", omittingEmptySubsequences: true) {
      lines.append(String(repeating: "  ", count: depth) + part)
    }
  }

  package mutating func lines(_ texts: [String]) { for text in texts { line(text) } }

  /// `head {`, what `body` writes, `}`. A `KERNEL` begins by waiting for the kernel before it.
  package mutating func block<E: Error>(
    _ head: String, end: String = "}", _ body: (inout KernelText) throws(E) -> Void
  ) throws(E) {
    line(head + " {")
    depth += 1
    if head.hasPrefix("KERNEL(") { line("kernel_begins();") }
    try body(&self)
    depth -= 1
    line(end)
  }

  package var text: String { lines.joined(separator: "\n") + "\n" }
}

/// The length of integers divided and rounded up, which grids need everywhere.
package func ceilingQuotient(_ a: Int, _ b: Int) -> Int { (a + b - 1) / b }
