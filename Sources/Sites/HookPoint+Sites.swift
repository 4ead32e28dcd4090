extension HookPoint {
  /// The hook point that names `sites`, which must be of one kind and ascend; nil when they are not.
  /// - Parameter isWholeModel: whether they are all of the model's layers, written `{all}`.
  public init?(_ sites: [Site], isWholeModel: Bool = false) {
    guard let first = sites.first, sites.allSatisfy({ $0.kind == first.kind }),
      zip(sites, sites.dropFirst()).allSatisfy({ $0.layer < $1.layer })
    else { return nil }
    kind = first.kind
    layers = isWholeModel ? .all : .list(sites.map(\.layer))
  }
}
