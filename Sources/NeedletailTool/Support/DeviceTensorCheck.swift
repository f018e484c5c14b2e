import Foundation
import Needletail
import TensorModel

/// Whether a network gives the same results on tensors that stay on the GPU as through the host.
enum DeviceTensorCheck {
  /// - Returns: what is wrong; nil where nothing is.
  static func failure(on device: String) throws -> String? {
    var builder = Builder()
    builder.device = device
    builder.tuning = 0
    let engine = try builder.buildNow(try Model(zoo: "tiny_cnn", seed: 1))
    let shapes = ["input": [3, 3, 32, 32]]
    let inputs = try RandomInputs.tensors(
      for: engine, shapes: shapes, seed: UInt64.random(in: 1...1 << 40))
    let onHost = try engine.makeContext(shapes: shapes)
    for (name, tensor) in inputs { try onHost.setInput(name, tensor) }
    try onHost.run()

    var tensors = try inputs.mapValues { try DeviceTensor($0, on: device) }
    for port in engine.outputs {
      let expected = try onHost.output(port.name)
      var poison = expected
      poison.withUnsafeMutableBytes { bytes in
        for index in bytes.indices { bytes[index] = 0xFF }
      }
      tensors[port.name] = try DeviceTensor(poison, on: device)
    }
    let onDevice = try engine.makeContext(shapes: shapes, deviceTensors: tensors)
    try onDevice.run()
    for port in engine.outputs {
      let expected = try onHost.output(port.name)
      let found = try tensors[port.name]?.tensor(expected.dataType, shape: expected.shape)
      if found.map(bytes) != bytes(expected) { return "output '\(port.name)' differs" }
    }
    return try refusals(engine, shapes, device)
  }

  private static func bytes(_ tensor: Tensor) -> [UInt8] {
    tensor.withUnsafeBytes { [UInt8]($0) }
  }

  /// Memory that does not do must be refused before a kernel touches it.
  private static func refusals(
    _ engine: Engine, _ shapes: [String: [Int]], _ device: String
  ) throws -> String? {
    let small = try DeviceTensor(byteCount: 64, on: device)
    let unfit: [(String, DeviceTensor)] = [
      ("too little memory", small),
      ("a size that is not true", DeviceTensor(address: small.address, byteCount: 1 << 40)),
      ("an address of no memory", DeviceTensor(address: 4096, byteCount: 1 << 20)),
      ("an odd address", DeviceTensor(address: small.address + 4, byteCount: 1 << 20)),
    ]
    for (what, tensor) in unfit {
      do {
        _ = try engine.makeContext(shapes: shapes, deviceTensors: ["input": tensor])
        return "\(what) was taken for an input"
      } catch {}
    }
    return nil
  }
}
