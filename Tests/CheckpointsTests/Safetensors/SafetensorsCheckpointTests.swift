import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

struct SafetensorsCheckpointTests {
  let folder: TemporaryDirectory

  init() throws { folder = try TemporaryDirectory() }

  private func shard(_ name: String, _ tensors: [String: Float]) throws {
    try SafetensorsWriter.write(
      tensors.mapValues { try Tensor([$0], shape: [1]) }, to: folder.url.appending(path: name))
  }

  private func index(_ text: String) throws {
    _ = try folder.write(Array(text.utf8), as: "model.safetensors.index.json")
  }

  @Test func readsASingleFile() throws {
    try shard("model.safetensors", ["a": 1, "b": 2])
    let source: any TensorSource = try SafetensorsCheckpoint(folder.url)
    #expect(source.names == ["a", "b"])
    #expect(try source.tensor("b").read() == [2])
    #expect(try source.info("b").dtype == .f32)
    #expect(throws: CheckpointError.missingTensor(file: folder.url.path, tensor: "c")) { try source.tensor("c") }
  }

  @Test func readsShards() throws {
    try shard("m-1.safetensors", ["a": 1, "c": 3])
    try shard("m-2.safetensors", ["b": 2])
    try index(
      #"{"metadata":{"total_size":12},"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors","#
        + #""c":"m-1.safetensors"}}"#
    )
    let source = try SafetensorsCheckpoint(folder.url)
    #expect(source.names == ["a", "b", "c"])
    #expect(source.files.count == 2)
    #expect(source.contains("c") && !source.contains("d"))
    for (name, value) in ["a": 1, "b": 2, "c": 3] as [String: Float] {
      #expect(try source.tensor(name).read() == [value])
    }
  }

  @Test func aFolderWithoutWeightsIsNamed() {
    #expect(fault { try SafetensorsCheckpoint(folder.url) }.contains("holds neither model.safetensors nor"))
  }

  @Test func aMissingShardIsNamed() throws {
    try index(#"{"weight_map":{"a":"m-1.safetensors"}}"#)
    #expect(fault { try SafetensorsCheckpoint(folder.url) }.contains("m-1.safetensors: cannot be opened"))
  }

  @Test func aTensorInAnotherShardIsNamed() throws {
    try shard("m-1.safetensors", ["a": 1])
    try shard("m-2.safetensors", ["b": 2])
    try index(#"{"weight_map":{"a":"m-2.safetensors","b":"m-2.safetensors","x":"m-1.safetensors"}}"#)
    #expect(fault { try SafetensorsCheckpoint(folder.url) }.contains("where the index puts it"))
    try index(#"{"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors","x":"m-1.safetensors"}}"#)
    #expect(fault { try SafetensorsCheckpoint(folder.url) }.contains("tensor 'x': is not in m-1.safetensors"))
  }

  @Test func aTensorInTwoShardsIsNamed() throws {
    try shard("m-1.safetensors", ["a": 1])
    try shard("m-2.safetensors", ["a": 1, "b": 2])
    try index(#"{"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors"}}"#)
    #expect(
      fault { try SafetensorsCheckpoint(folder.url) }
        .contains("tensor 'a': is in both m-1.safetensors and m-2.safetensors"))
  }

  @Test(arguments: [
    ("", "expected '{'"), ("{}", "no 'weight_map'"), (#"{"weight_map":[]}"#, "expected '{'"),
    (#"{"weight_map":{"a":1}}"#, "expected '\"'"), (#"{"weight_map":{},"weight_map":{}}"#, "given twice"),
    (#"{"weight_map":{"a":"m","a":"m"}}"#, "tensor 'a' given twice"),
    (#"{"weight_map":{"a":"../m.safetensors"}}"#, "not a file name in the same folder"),
    (#"{"weight_map":{"a":"/etc/passwd"}}"#, "not a file name in the same folder"),
    (#"{"weight_map":{"a":".."}}"#, "not a file name in the same folder"),
    (#"{"weight_map":{"a":""}}"#, "not a file name in the same folder"),
    (#"{"weight_map":{"a":"m\u0000"}}"#, "not a file name in the same folder"),
    (#"{"weight_map":{}} x"#, "unexpected bytes"),
  ])
  func aBrokenIndexIsNamed(_ text: String, _ reason: String) throws {
    try index(text)
    let found = fault { try SafetensorsCheckpoint(folder.url) }
    #expect(found.contains(reason) && found.contains("model.safetensors.index.json"), "\(found)")
  }
}
