public import Checkpoints
import Foundation
public import Tensors

extension TrainingState {
  /// Everything that a step depends on and changes, as named tensors for a safetensors file. They are views of live
  /// memory: write them before the next step.
  ///
  ///     counters                          i64 [2]: steps, tokens
  ///     thresholds                        f32 [2]: running threshold, where candidates are looked for
  ///     source.S.encoder.value            f32 [local width, input width]; .second; .first with β1 > 0
  ///     source.S.encoder_bias.…, source.S.log_threshold.…   f32 [local width]
  ///     source.S.decoder.…                f32 [local width, columns written]
  ///     source.S.last_step                i32 [local width];   source.S.last_fired   i64 [local width]
  ///     decoder_bias.…                    f32 [writes · output width]
  ///     skip.S.…                          f32 [input width, output width]
  ///
  /// - Throws: `TensorError`.
  public func tensors() throws -> [String: Tensor] {
    var tensors = [
      "counters": try Tensor(integers: [Int64(steps), Int64(tokens)], shape: [2]),
      "thresholds": try Tensor([runningThreshold, candidateThreshold], shape: [2]),
    ]
    for slot in floatSlots { tensors[slot.name] = try slot.memory.view(slot.shape, dtype: .f32) }
    for (index, source) in sources.enumerated() {
      tensors["source.\(index).last_step"] = try source.lastStep.view([source.width], dtype: .i32)
      tensors["source.\(index).last_fired"] = try source.lastFired.view([source.width], dtype: .i64)
    }
    return tensors
  }

  /// Takes up a saved state. `shards` are the files of all ranks that saved it, in rank order; their number need not be
  /// the number of ranks now.
  /// - Throws: `TrainingError.saved` for a tensor that is missing or does not fit; `CheckpointError`. The state is then
  ///   of no use.
  public func restore(_ shards: [any TensorSource]) throws {
    guard let first = shards.first else {
      throw TrainingError.saved(tensor: "counters", expected: "at least one file", found: "none")
    }
    let counters = try checked(first, "counters", [2], .i64).readIntegers()
    let thresholds = try checked(first, "thresholds", [2], .f32).read()
    guard counters[0] >= 0, counters[0] < Int(Int32.max), counters[1] >= 0 else {
      throw TrainingError.saved(tensor: "counters", expected: "steps and tokens from 0", found: "\(counters)")
    }
    for slot in floatSlots { try fill(slot.memory, slot.name, slot.shape, .f32, sharded: slot.isSharded, shards) }
    for (index, source) in sources.enumerated() {
      try fill(source.lastStep, "source.\(index).last_step", [source.width], .i32, sharded: true, shards)
      try fill(source.lastFired, "source.\(index).last_fired", [source.width], .i64, sharded: true, shards)
    }
    (steps, tokens) = (counters[0], counters[1])
    (runningThreshold, candidateThreshold) = (thresholds[0], thresholds[1])
  }

  private struct Slot {
    let name: String
    let shape: [Int]
    let memory: HostArray<Float>
    let isSharded: Bool
  }

  private var floatSlots: [Slot] {
    func slots(_ name: String, _ parameter: AdamParameter, _ shape: [Int], sharded: Bool) -> [Slot] {
      [("value", parameter.value), ("second", parameter.second), ("first", parameter.first)].compactMap {
        part, memory in
        memory.map { Slot(name: "\(name).\(part)", shape: shape, memory: $0, isSharded: sharded) }
      }
    }
    var all = slots("decoder_bias", decoderBias, [decoderBias.value.count], sharded: false)
    for (index, skip) in skips.enumerated() {
      all += slots("skip.\(index)", skip, [shape.inputWidth, shape.outputWidth], sharded: false)
    }
    for (index, source) in sources.enumerated() {
      let name = "source.\(index)"
      all += slots("\(name).encoder", source.encoder, [source.width, source.inputs], sharded: true)
      all += slots("\(name).encoder_bias", source.encoderBias, [source.width], sharded: true)
      all += slots("\(name).log_threshold", source.logThreshold, [source.width], sharded: true)
      all += slots("\(name).decoder", source.decoder, [source.width, source.columns.count], sharded: true)
    }
    return all
  }

  private func checked(_ source: any TensorSource, _ name: String, _ shape: [Int], _ dtype: DType) throws -> Tensor {
    guard source.contains(name) else { throw TrainingError.saved(tensor: name, expected: "to be there", found: "none") }
    let tensor = try source.tensor(name)
    guard tensor.shape == shape, tensor.dtype == dtype else {
      throw TrainingError.saved(tensor: name, expected: "\(dtype) \(shape)", found: "\(tensor)")
    }
    return tensor
  }

  /// Fills an array whose first axis counts local features from the rows of all shards.
  private func fill<Element>(
    _ memory: HostArray<Element>, _ name: String, _ shape: [Int], _ dtype: DType, sharded: Bool,
    _ shards: [any TensorSource]
  ) throws {
    guard sharded else {
      try checked(shards[0], name, shape, dtype).storedBytes { memory.copy($0, at: 0) }
      return
    }
    let rowLength = shape.dropFirst().reduce(1, *)
    for (rank, source) in shards.enumerated() {
      let saved = try FeatureShard(rank: rank, count: shards.count)
      let rows = saved.localCount(self.shape.width)
      try checked(source, name, [rows] + shape.dropFirst(), dtype).storedBytes { bytes in
        let rowBytes = rowLength * MemoryLayout<Element>.stride
        for local in 0..<shape[0] {
          let feature = self.shape.shard.feature(local)
          guard feature % shards.count == rank else { continue }
          let start = feature / shards.count * rowBytes
          memory.copy(UnsafeRawBufferPointer(rebasing: bytes[start..<start + rowBytes]), at: local * rowLength)
        }
      }
    }
  }
}

extension HostArray {
  /// Copies bytes to elements `place` and on.
  fileprivate func copy(_ bytes: UnsafeRawBufferPointer, at place: Int) {
    guard let base = bytes.baseAddress, bytes.count <= (count - place) * MemoryLayout<Element>.stride else { return }
    memcpy(pointer + place, base, bytes.count)
  }
}

extension Tensor {
  /// Hands `body` the elements as they are stored.
  fileprivate func storedBytes(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    if let bytes = hostBytes { return try withExtendedLifetime(self) { try body(bytes) } }
    try bytes().withUnsafeBytes(body)
  }
}
