#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

extension ThreadPool {
  /// How many processors the calling thread may keep busy: those it is bound to, or fewer where its
  /// control group has less processor time. At least 1.
  package static var availableProcessors: Int {
    let allowed = max(allowedProcessors().count, 1)
    return min(allowed, max(controlGroupLimit() ?? allowed, 1))
  }

  #if os(Linux)
    private typealias Affinity = @convention(c) (Int32, Int, UnsafeMutableRawPointer) -> Int32

    /// The system's function; it is behind a macro that Swift does not see.
    private static func affinityFunction(_ name: String) -> Affinity? {
      dlsym(nil, name).map { unsafeBitCast($0, to: Affinity.self) }
    }

    /// The numbers of the processors that the calling thread may run on.
    static func allowedProcessors() -> [Int] {
      guard let function = affinityFunction("sched_getaffinity") else {
        return Array(0..<max(Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))), 1))
      }
      var wordCount = 16
      while wordCount <= 1 << 12 {
        var words = [UInt](repeating: 0, count: wordCount)
        let byteCount = wordCount * MemoryLayout<UInt>.size
        let status = words.withUnsafeMutableBytes { bytes in
          bytes.baseAddress.map { function(0, byteCount, $0) } ?? -1
        }
        if status >= 0 {
          return (0..<wordCount * UInt.bitWidth).filter {
            words[$0 / UInt.bitWidth] >> ($0 % UInt.bitWidth) & 1 == 1
          }
        }
        wordCount *= 2
      }
      return [0]
    }

    /// Binds the calling thread to one processor; without effect where the system refuses.
    static func bindCallingThread(to processor: Int) {
      guard processor >= 0, let function = affinityFunction("sched_setaffinity") else { return }
      var words = [UInt](repeating: 0, count: max(16, processor / UInt.bitWidth + 1))
      words[processor / UInt.bitWidth] = 1 << (processor % UInt.bitWidth)
      words.withUnsafeMutableBytes { bytes in
        if let address = bytes.baseAddress { _ = function(0, bytes.count, address) }
      }
    }

    /// The processors' worth of time that the process's control group and those above it may use.
    private static func controlGroupLimit() -> Int? {
      guard let groups = contents(of: "/proc/self/cgroup") else { return nil }
      var limit: Int?
      for line in groups.split(separator: "\n") {
        let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard fields.count == 3 else { continue }
        let isUnified = fields[1].isEmpty
        guard isUnified || fields[1].split(separator: ",").contains("cpu") else { continue }
        var path = fields[2].split(separator: "/")
        while true {
          let root = isUnified ? "/sys/fs/cgroup/" : "/sys/fs/cgroup/cpu/"
          let folder = root + path.map { "\($0)/" }.joined()
          let quota = isUnified ? unifiedQuota(in: folder) : legacyQuota(in: folder)
          if let quota { limit = min(limit ?? quota, quota) }
          if path.popLast() == nil { break }
        }
      }
      return limit
    }

    private static func unifiedQuota(in folder: String) -> Int? {
      processors(contents(of: folder + "cpu.max")?.split { $0 == " " || $0 == "\n" } ?? [])
    }

    private static func legacyQuota(in folder: String) -> Int? {
      let files = ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
      return processors(files.flatMap { contents(of: folder + $0)?.split(separator: "\n") ?? [] })
    }

    /// Processors from a quota and a period of time; nil where there is no limit.
    private static func processors(_ fields: [Substring]) -> Int? {
      guard fields.count == 2, let quota = Int(fields[0]), let period = Int(fields[1]), quota > 0,
        period > 0
      else { return nil }
      return (quota - 1) / period + 1
    }

    private static func contents(of path: String) -> String? {
      guard let file = fopen(path, "r") else { return nil }
      defer { fclose(file) }
      var bytes = [UInt8](repeating: 0, count: 4096)
      let count = fread(&bytes, 1, bytes.count, file)
      return String(decoding: bytes[..<count], as: UTF8.self)
    }
  #else
    static func allowedProcessors() -> [Int] {
      Array(0..<max(Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))), 1))
    }

    static func bindCallingThread(to processor: Int) {}

    private static func controlGroupLimit() -> Int? { nil }
  #endif
}
