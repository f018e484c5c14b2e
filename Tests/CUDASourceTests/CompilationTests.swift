import CUDADriver
import CUDASource
import DeviceSelfTest
import Testing

/// Every family of kernels through NVRTC, which needs no GPU.
@Suite struct CompilationTests {
  private static let compiler = try? RuntimeCompiler()

  @Test(
    .enabled(if: CompilationTests.compiler != nil, "NVRTC was not found"),
    arguments: SelfTest.families.map(\.name).filter { name in
      // Those of bytes are for what processors compute: GPUs have theirs among the integers.
      !["library", "bytes"].contains { name.hasPrefix($0) }
    },
    [GPUProperties.a100, .h200])
  func compiles(family: String, gpu: GPUProperties) throws {
    let compiler = try #require(Self.compiler)
    var seen: Set<KernelSource> = []
    for chosen in SelfTest.families where chosen.name == family {
      for seed in 1...2 {
        var maker = CaseMaker(seed: seed)
        let placed = try PlacedCase(try chosen.make(&maker))
        let request = CUDARequest(step: placed.step, in: placed.program, gpu: gpu)
        for tactic in CUDATacticCatalog.tactics(for: request) {
          let plan = try tactic.plan(request)
          for launch in plan.preparation + plan.launches
          where seen.insert(launch.source).inserted {
            let image = try compiler.compile(
              launch.source.text, architecture: gpu.compilerArchitecture)
            #expect(image.count > 100, "\(tactic.name)")
          }
        }
      }
    }
  }

  @Test(.enabled(if: CompilationTests.compiler != nil, "NVRTC was not found"))
  func namesTheLineOfAnError() throws {
    let compiler = try #require(Self.compiler)
    let error = #expect(throws: CUDAError.self) {
      _ = try compiler.compile(
        "extern \"C\" __global__ void f() {\n  nonsense;\n}", architecture: "sm_80")
    }
    #expect(error?.kind == .compilation)
    #expect(error?.description.contains("kernel.cu(2)") == true)
    #expect(error?.description.contains("2    nonsense;") == true)
  }
}
