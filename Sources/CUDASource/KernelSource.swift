/// The text of one kernel: self-contained CUDA C++ that includes nothing.
package struct KernelSource: Hashable, Sendable {
  /// The name of the `extern "C" __global__` function.
  package let entry: String
  /// The kernel without the prelude: calls functions of `Prelude`, holds no assembly of its own.
  package let body: String

  package init(entry: String, body: String) {
    self.entry = entry
    self.body = body
  }

  /// What the compiler gets.
  package var text: String { Prelude.text + "\n" + body }
}

/// Three extents of a grid.
package struct GridSize: Hashable, Sendable {
  package var x: Int
  package var y: Int
  package var z: Int

  package init(_ x: Int, _ y: Int = 1, _ z: Int = 1) {
    self.x = x
    self.y = y
    self.z = z
  }

  /// Whether CUDA accepts it.
  package var isValid: Bool {
    x > 0 && y > 0 && z > 0 && x <= Int(Int32.max) && y <= 65535 && z <= 65535
  }
}

/// A kernel with everything but addresses. It may begin before the one that it depends on has ended: every thread waits
/// for that one before it touches anything that another kernel writes or reads.
package struct KernelLaunch: Hashable, Sendable {
  /// What the kernel takes: pointers and tensor maps, in this order.
  package enum Argument: Hashable, Sendable {
    /// The first element of the step's input or output.
    case input(Int)
    case output(Int)
    /// Bytes from the start of the step's workspace, which is aligned to 256 bytes.
    case workspace(Int)
    /// Memory of the plan's `prepared` list.
    case prepared(Int)
    /// A tensor for the copy engine of Hopper: a `TENSOR_MAP` parameter.
    case tensorMap(TensorMap)
  }

  package var source: KernelSource
  package var grid: GridSize
  /// Threads of a block, in one dimension.
  package var threads: Int
  /// Dynamic shared memory, in bytes.
  package var sharedBytes: Int
  /// Blocks of a thread block cluster along x; 1 for none.
  package var clusterSize: Int
  package var arguments: [Argument]

  package init(
    _ source: KernelSource, grid: GridSize, threads: Int, sharedBytes: Int = 0,
    clusterSize: Int = 1, arguments: [Argument]
  ) {
    self.source = source
    self.grid = grid
    self.threads = threads
    self.sharedBytes = sharedBytes
    self.clusterSize = clusterSize
    self.arguments = arguments
  }
}

/// How a step runs: kernels one after the other.
package struct StepPlan: Hashable, Sendable {
  package var launches: [KernelLaunch]
  /// Bytes of the arena that the launches share while the step runs.
  package var workspaceBytes: Int
  /// Sizes in bytes of memory that `preparation` fills once from constant inputs: repacked weights.
  package var prepared: [Int]
  /// Launches that run once, when the program is loaded. They read constant inputs and `prepared` only.
  package var preparation: [KernelLaunch]
  /// Bytes that must be zero before the first launch of every run, from the start of the workspace.
  package var zeroedWorkspaceBytes: Int
  /// What a library computes before the launches.
  package var call: LibraryCall?
  /// Whether the results are written from the last to the first.
  package var isBackward = false

  /// Whether nothing has to run.
  package var isEmpty: Bool { launches.isEmpty && call == nil }
  /// What the step takes when it runs.
  package var arguments: [KernelLaunch.Argument] {
    (call?.arguments ?? []) + launches.flatMap(\.arguments)
  }

  package init(
    launches: [KernelLaunch], workspaceBytes: Int = 0, prepared: [Int] = [],
    preparation: [KernelLaunch] = [], zeroedWorkspaceBytes: Int = 0
  ) {
    self.launches = launches
    self.workspaceBytes = workspaceBytes
    self.prepared = prepared
    self.preparation = preparation
    self.zeroedWorkspaceBytes = zeroedWorkspaceBytes
  }
}
