import DynamicLibraries
import Foundation

/// Where NVRTC may be: the system's loader, CUDA toolkits, and Python packages (nvidia-cuda-nvrtc).
struct CompilerSearch {
  /// A newer major version than the driver's makes code that the driver cannot load.
  let newestMajor: Int
  private let files = FileManager.default

  private var majors: [Int] { Array(stride(from: newestMajor, through: 12, by: -1)) }

  func find() -> DynamicLibrary? {
    if let folder = Knob.nvrtcFolder.value { return open(in: folder) }
    for major in majors {
      if let library = DynamicLibrary("libnvrtc.so.\(major)") { return library }
    }
    for folder in folders {
      if let library = open(in: folder) { return library }
    }
    return nil
  }

  /// The path of another of CUDA's libraries: the newest in the folders that are searched.
  func path(of name: String, package: String) -> String? {
    let places = folders + packageFolders.map { "\($0)/nvidia/\(package)/lib" }
    for folder in places {
      for major in majors where files.fileExists(atPath: "\(folder)/\(name).so.\(major)") {
        return "\(folder)/\(name).so.\(major)"
      }
    }
    return nil
  }

  /// The path of a library that is no part of a toolkit: in the loader's folders, or in those that are searched.
  func path(ofFile name: String, package: String) -> String? {
    let places =
      loaderFolders + folders + packageFolders.map { "\($0)/nvidia/\(package)/lib" }
    return places.map { "\($0)/\(name)" }.first { files.fileExists(atPath: $0) }
  }

  /// What a user is told where nothing is found.
  static let advice =
    "install a CUDA toolkit, or 'pip install nvidia-cuda-nvrtc', or set \(Knob.nvrtcFolder.rawValue) to the "
    + "folder of libnvrtc"

  private func open(in folder: String) -> DynamicLibrary? {
    let names = (try? files.contentsOfDirectory(atPath: folder))?.sorted() ?? []
    for major in majors {
      guard names.contains("libnvrtc.so.\(major)") else { continue }
      // NVRTC looks for its builtins by name alone, so they are opened first.
      for name in names
      where name.hasPrefix("libnvrtc-builtins.so.\(major)") && !name.contains(".alt.") {
        _ = DynamicLibrary("\(folder)/\(name)", isGlobal: true)
      }
      if let library = DynamicLibrary("\(folder)/libnvrtc.so.\(major)") { return library }
    }
    return nil
  }

  private var loaderFolders: [String] {
    (Knob.libraryPath.value ?? "").split(separator: ":").map(String.init)
      + ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"]
  }

  private var folders: [String] {
    let toolkits =
      [Knob.cudaHome.value, Knob.cudaPath.value, "/usr/local/cuda", "/opt/cuda"].compactMap { $0 }
      + entries(of: "/usr/local", withPrefix: "cuda-")
    return toolkits.flatMap { ["\($0)/lib64", "\($0)/targets/x86_64-linux/lib", "\($0)/lib"] }
      + pythonFolders
  }

  private var pythonFolders: [String] {
    packageFolders.flatMap { package in
      majors.map { "\(package)/nvidia/cu\($0)/lib" } + ["\(package)/nvidia/cuda_nvrtc/lib"]
    }
  }

  private var packageFolders: [String] {
    var roots = [Knob.virtualEnvironment.value].compactMap { $0 }
    for folder in (Knob.searchPath.value ?? "").split(separator: ":") {
      if files.fileExists(atPath: "\(folder)/python3") {
        roots.append(URL(fileURLWithPath: String(folder)).deletingLastPathComponent().path)
      }
    }
    if let home = Knob.home.value { roots.append("\(home)/.local") }
    roots.append("/usr/local")
    var packages = ["/usr/lib/python3/dist-packages"]
    for root in roots {
      for version in entries(of: "\(root)/lib", withPrefix: "python3") {
        packages += ["\(version)/site-packages", "\(version)/dist-packages"]
      }
    }
    return packages
  }

  private func entries(of folder: String, withPrefix prefix: String) -> [String] {
    ((try? files.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.hasPrefix(prefix) }
      .sorted().reversed().map { "\(folder)/\($0)" }
  }
}
