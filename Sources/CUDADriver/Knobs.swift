import Foundation

/// Every environment variable that the program reads, and what for.
package enum Knob: String, CaseIterable, Sendable {
  /// A folder with libnvrtc, looked at first.
  case nvrtcFolder = "NEEDLETAIL_NVRTC"
  /// The folder that compiled kernels are kept in; empty: none are kept.
  case kernelCache = "NEEDLETAIL_KERNEL_CACHE"
  /// Where CUDA toolkits say that they are.
  case cudaHome = "CUDA_HOME"
  case cudaPath = "CUDA_PATH"
  /// An active Python environment, which may hold the compiler.
  case virtualEnvironment = "VIRTUAL_ENV"
  case cacheHome = "XDG_CACHE_HOME"
  case home = "HOME"
  case searchPath = "PATH"
  /// Where the system's loader looks, and so may cuDNN be.
  case libraryPath = "LD_LIBRARY_PATH"

  package var value: String? {
    ProcessInfo.processInfo.environment[rawValue]
  }
}
