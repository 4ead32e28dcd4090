import Checkpoints
import Dictionaries
import Tensors

extension TrainingState {
  func savedTensors() throws -> [String: Tensor] { [:] }
  static func saved(_ job: TrainingJob, _ source: any TensorSource, backend: any Backend) throws -> TrainingState { throw TrainingError.backend("") }
  func folded(_ shape: DictionaryShape, modelName: String, targetL0: Double) throws -> DictionaryParameters { throw TrainingError.backend("") }
  static func beginning(_ job: TrainingJob, window: WindowRows, inputs: [Int], targets: [Int], backend: any Backend) throws -> TrainingState { throw TrainingError.backend("") }
}
