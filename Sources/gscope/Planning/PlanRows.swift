import Dictionaries
import Sites
import Training

/// Equal dictionaries of a plan, as one row.
struct PlanRow {
  let dictionary: PlannedDictionary
  let site: String
  let tokens: Double
  var count = 1

  /// Rows in order of first appearance; dictionaries are equal but for their layers.
  static func rows(_ plan: TrainingPlan) -> [PlanRow] {
    var rows: [PlanRow] = []
    var places: [String: Int] = [:]
    for (dictionary, tokens) in plan.dictionaries {
      let site = dictionary.reads.first.map { $0.kind.rawValue } ?? ""
      let key = "\(dictionary.kind) \(site) \(dictionary.width) \(dictionary.l0) \(dictionary.isAffine) \(tokens)"
      if let place = places[key] {
        rows[place].count += 1
      } else {
        places[key] = rows.count
        rows.append(PlanRow(dictionary: dictionary, site: site, tokens: tokens))
      }
    }
    return rows
  }

  var name: String { dictionary.kind.rawValue + (dictionary.isAffine ? " (affine)" : "") }

  /// `16384`, or `26 × 10080` for several layers.
  var width: String {
    dictionary.reads.count == 1 ? "\(dictionary.width)" : "\(dictionary.reads.count) × \(dictionary.width)"
  }
}
