// swift-tools-version: 6.2
import PackageDescription

// The order of this list is the order of the architecture: a layer imports only layers above it.
// Tests/ArchitectureTests enforces it.

/// A library layer of the package.
func layer(
  _ name: String, imports: [Target.Dependency] = [], flags: [String] = [], defines: [String] = [],
  libraries: [String] = []
) -> Target {
  .target(
    name: name, dependencies: imports, path: "Sources/\(name)",
    swiftSettings: (flags.isEmpty ? [] : [.unsafeFlags(flags)]) + defines.map { .define($0) },
    linkerSettings: libraries.map { .linkedLibrary($0) })
}

let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

// Kernels are compiled once per instruction set from one folder and chosen at run time by CPUID.
// They are unchecked in every configuration, so that a debug build runs them at full speed.
let unchecked = ["-Ounchecked", "-wmo", "-num-threads", "2"]
#if arch(x86_64)
  let wideKernels = [
    layer(
      "CPUKernelsAVX2", imports: ["CPUKernelInterface", "CPUIntrinsics"],
      flags: unchecked + ["-Xcc", "-march=haswell"], defines: ["NEEDLETAIL_AVX2"]),
    layer(
      "CPUKernelsAVX512", imports: ["CPUKernelInterface", "CPUIntrinsics"],
      flags: unchecked + ["-Xcc", "-march=skylake-avx512", "-Xcc", "-mprefer-vector-width=512"],
      defines: ["NEEDLETAIL_AVX512"]),
    // The kernels for 8-bit integers once more, for processors with dot products of bytes.
    layer(
      "CPUKernelsVNNI", imports: ["CPUKernelInterface", "CPUIntrinsics"],
      flags: unchecked + ["-Xcc", "-march=cascadelake", "-Xcc", "-mprefer-vector-width=512"],
      defines: ["NEEDLETAIL_AVX512", "NEEDLETAIL_VNNI"]),
  ]
#else
  let wideKernels: [Target] = []
#endif

let layers: [Target] =
  [
    layer("TensorModel"),
    layer("KernelModel", imports: ["TensorModel"]),
    // Naive, but tests and constant folding should not wait for a debug build of it.
    layer("ReferenceInterpreter", imports: ["TensorModel", "KernelModel"], flags: ["-O"]),
    layer("GraphModel", imports: ["TensorModel", "KernelModel"]),
    layer(
      "Operators", imports: ["TensorModel", "KernelModel", "ReferenceInterpreter", "GraphModel"]),
    layer("MappedFiles"),
    layer("DynamicLibraries"),
    layer("ONNXFormat", imports: [protobuf]),
    layer(
      "ONNXImport",
      imports: [
        "TensorModel", "KernelModel", "GraphModel", "Operators", "MappedFiles", "ONNXFormat",
        protobuf,
      ]),
    layer("ONNXExport", imports: ["TensorModel", "ONNXFormat", "ONNXImport", protobuf]),
    layer("ImageFiles", imports: ["MappedFiles", "DynamicLibraries"]),
    layer("TensorFlowFormat", imports: [protobuf]),
    layer(
      "TensorFlowImport",
      imports: [
        "TensorModel", "GraphModel", "Operators", "MappedFiles", "TensorFlowFormat", protobuf,
      ]),
    layer("ModelZoo", imports: ["TensorModel", "ONNXFormat", protobuf]),
    layer(
      "GraphSimplification",
      imports: ["TensorModel", "KernelModel", "ReferenceInterpreter", "GraphModel", "Operators"]),
    layer("LayerTensorFusion", imports: ["TensorModel", "KernelModel", "GraphModel"]),
    layer("PrecisionCalibration", imports: ["TensorModel", "KernelModel", "GraphModel"]),
    layer("ProgramModel", imports: ["TensorModel", "KernelModel"]),
    layer(
      "ProgramLowering", imports: ["TensorModel", "KernelModel", "GraphModel", "ProgramModel"]),
    layer("DeviceInterface", imports: ["TensorModel", "KernelModel", "ProgramModel"]),
    layer(
      "ReferenceExecution",
      imports: ["TensorModel", "KernelModel", "ReferenceInterpreter", "ProgramModel"]),
    layer(
      "DeviceSelfTest",
      imports: [
        "TensorModel", "KernelModel", "ReferenceInterpreter", "ProgramModel", "DeviceInterface",
      ]
    ),
    layer("CUDASource", imports: ["TensorModel", "KernelModel", "ProgramModel"]),
    layer("CUDADriver", imports: ["DynamicLibraries", crypto]),
    .target(name: "CProcessor", path: "Sources/CProcessor"),
    .target(name: "CPUIntrinsics", path: "Sources/CPUIntrinsics"),
    layer("CPUKernelInterface"),
    layer(
      "CPUKernels", imports: ["CPUKernelInterface", "CPUIntrinsics"], flags: unchecked,
      libraries: ["m"]),
  ] + wideKernels + [
    layer("DynamicTensorMemory", imports: ["TensorModel", "ProgramModel"]),
    layer(
      "KernelAutoTuning",
      imports: ["TensorModel", "KernelModel", "ProgramModel", "DeviceInterface"]),
    layer("MultiStreamExecution", imports: ["TensorModel", "ProgramModel"]),
    layer(
      "CPUDevice",
      imports: [
        "TensorModel", "KernelModel", "ReferenceExecution", "ProgramModel", "DeviceInterface",
        "DeviceSelfTest", "CProcessor", "CPUKernelInterface", "CPUKernels", "DynamicTensorMemory",
        "MultiStreamExecution",
      ] + wideKernels.map { .target(name: $0.name) }),
    layer(
      "CUDADevice",
      imports: [
        "TensorModel", "KernelModel", "ReferenceExecution", "ProgramModel", "DeviceInterface",
        "DeviceSelfTest", "CUDASource", "CUDADriver", "DynamicTensorMemory", "MultiStreamExecution",
      ]),
    layer(
      "EngineFormat",
      imports: ["TensorModel", "KernelModel", "GraphModel", "KernelAutoTuning", crypto]),
    layer(
      "Needletail",
      imports: [
        "TensorModel", "KernelModel", "ReferenceInterpreter", "GraphModel", "Operators",
        "ONNXImport", "ONNXExport", "ImageFiles", "TensorFlowImport",
        "ModelZoo", "GraphSimplification", "LayerTensorFusion", "PrecisionCalibration",
        "ProgramModel",
        "ProgramLowering", "DeviceInterface", "DynamicTensorMemory", "KernelAutoTuning",
        "MultiStreamExecution", "CPUDevice", "CUDASource", "CUDADevice", "EngineFormat", crypto,
      ]),
  ]

/// A test target; it may look at every layer.
func test(_ name: String, imports: [String]) -> Target {
  .testTarget(
    name: name, dependencies: imports.map { .byName(name: $0) }, path: "Tests/\(name)",
    exclude: ["CUDASourceTests": ["Emulator"], "NeedletailTests": ["Golden"]][name] ?? [])
}

let tests: [Target] = [
  .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
  test("ArchitectureTests", imports: []),
  test(
    "OperatorsTests",
    imports: ["TensorModel", "KernelModel", "GraphModel", "Operators", "ONNXFormat", "ONNXImport"]),
  test("TensorModelTests", imports: ["TensorModel"]),
  test(
    "ReferenceInterpreterTests", imports: ["TensorModel", "KernelModel", "ReferenceInterpreter"]),
  test(
    "LayerTensorFusionTests",
    imports: [
      "TensorModel", "KernelModel", "ReferenceInterpreter", "GraphModel", "GraphSimplification",
      "LayerTensorFusion", "PrecisionCalibration",
    ]),
  test(
    "CPUDeviceTests",
    imports: [
      "TensorModel", "KernelModel", "ReferenceInterpreter", "ProgramModel", "DeviceInterface",
      "DeviceSelfTest", "CPUKernelInterface", "MultiStreamExecution", "CPUDevice",
    ]),
  test(
    "CUDASourceTests",
    imports: [
      "TensorModel", "KernelModel", "ReferenceInterpreter", "ProgramModel", "DeviceInterface",
      "DeviceSelfTest", "CUDASource", "CUDADriver",
    ]),
  test(
    "TensorFlowImportTests",
    imports: [
      "TensorModel", "GraphModel", "Operators", "TensorFlowFormat", "TensorFlowImport",
      "Needletail",
    ]),
  test(
    "PrecisionCalibrationTests",
    imports: [
      "TensorModel", "KernelModel", "GraphModel", "PrecisionCalibration", "EngineFormat",
      "Needletail",
    ]),
  test("DynamicTensorMemoryTests", imports: ["DynamicTensorMemory"]),
  test("MultiStreamExecutionTests", imports: ["MultiStreamExecution"]),
  test(
    "ONNXConformanceTests",
    imports: [
      "TensorModel", "KernelModel", "GraphModel", "Operators", "ONNXFormat", "ONNXImport",
      "Needletail",
    ]),
  test(
    "NeedletailTests",
    imports: layers.map(\.name).filter { !["CProcessor", "CPUIntrinsics"].contains($0) } + [
      "CAllocationCounter"
    ]),
]

let package = Package(
  name: "needletail",
  products: [
    .library(name: "Needletail", targets: ["Needletail"]),
    .executable(name: "needletail", targets: ["NeedletailTool"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
  ],
  targets: layers + tests + [
    .executableTarget(
      name: "NeedletailTool",
      dependencies: [
        "TensorModel", "GraphModel", "KernelModel", "ProgramModel", "KernelAutoTuning",
        "DeviceInterface",
        "CPUDevice", "CUDADevice", "DeviceSelfTest", "Operators", "EngineFormat",
        "PrecisionCalibration", "ModelZoo", "TensorFlowImport", "Needletail",
        arguments,
      ],
      path: "Sources/NeedletailTool")
  ]
)

for target in package.targets
where !["CProcessor", "CPUIntrinsics", "CAllocationCounter"].contains(target.name) {
  target.swiftSettings =
    (target.swiftSettings ?? []) + [
      .swiftLanguageMode(.v6),
      .treatAllWarnings(as: .error),
      .enableUpcomingFeature("ExistentialAny"),
      .enableUpcomingFeature("MemberImportVisibility"),
      .enableUpcomingFeature("InternalImportsByDefault"),
    ]
}
