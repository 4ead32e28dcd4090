import Foundation

/// Gzip files for tests.
package enum GzipSample {
  /// What `packed` unpacks to, 350 kB.
  package static let text = Array((0..<20_000).map { "line \($0 % 97) and \($0 % 13)\n" }.joined().utf8)

  /// `text` as Python's gzip module packs it at level 9.
  package static let packed = Data(base64Encoded: base64, options: .ignoreUnknownCharacters).map { [UInt8]($0) } ?? []

  /// `bytes` in blocks that are stored as they are.
  package static func stored(_ bytes: [UInt8]) -> [UInt8] {
    var out: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]
    var start = 0
    repeat {
      let block = bytes[start...].prefix(0xFFFF)
      start += block.count
      let count = UInt16(block.count)
      out.append(start == bytes.count ? 1 : 0)
      for word in [count, ~count] { out += [UInt8(word & 0xFF), UInt8(word >> 8)] }
      out += block
    } while start < bytes.count
    for word in [crc32(bytes), UInt32(bytes.count)] {
      out += (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
    }
    return out
  }

  private static func crc32(_ bytes: [UInt8]) -> UInt32 {
    var crc: UInt32 = 0xFFFF_FFFF
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 0 ? crc >> 1 : crc >> 1 ^ 0xEDB8_8320 }
    }
    return ~crc
  }

  private static let base64 = """
    H4sIAAAAAAACA+3cS45jvbEA4blX8S9BZDIfXM4FrgcGDO9/aLiqbTC0hhieUScEitEpqb5//uNff//r89f//ev///r87Z//eVg/D+v3Yf887N
    +H+HmI34fz83B+H/LnIX8f6uehfh/656F/H+bnYX4f7s/D/fOP/o6w/jvDnyH+TLF+x1h/5liBec878Mp34lXvyKvfmde8Q6/7Tr0/79h7vXPv
    /Q6+A4Pvg8F3YvBd7+C78UrPO/i+7+DxeQeP9Q4e+x084h08zjt45Dt4FAaPxuAxGDzuO/j5vIOf9Q5+Ng5JvIOf8w5+8h381Dv46XfwM+/g52
    Lw/GDwXBg89zt4xjt4nnfwzHfwLBzvfgfPeQfP+w5en3fwWu/gtTF4BQavg8Er38Gr3sGr38Fr3sHrvoP35x28F96Z+x284x28zzt4JwbvwuDd
    GLznHbzvO/h83sFnvYPPfgefeAef8w4+iTul3sGn38FnMPhcDH4/GPyud/C738FvvIPf8w5+8x381jv455174U7BOxPnm8ebh4Qv9TvwYF5cgh
    9cgguX4MYlGJj3vAP/uVgHF+vFxfq/23t4e19egqjNZm7Qm43gbBRnIzkbzdmIzkZ1NrITzE4wO8HsBLITyE4gO4HsBLITyE4gOwfZOcjOQXYO
    s3OYncPsHGTnIDsH2TnITiI7iewkspPITiI7iewks5PMTjI7iewUslPITiE7hewUslPITiE7hewUslPMTjM7zew0stPITiM7jew0stPITiM7je
    wMsjPIzjA7w+wMszPIziA7g+wMsjPIzkV2LrJzkZ2L7Fxk5zI7l9nh5Y27G1c3bm5c3Li3cW03coN5cQl+cAkuXoKbl2Bw3oP/wib+C1u4vRu3
    9+D2vrgEUZvN3KA3G8HZLM5mcjabsxGdjepsZCeQnUB2AtkJZCeQnUB2AtkJZieYnWB2DrJzkJ2D7BzuOcjOQXYOsnOQnYPsHGQnmZ1kdpLZSW
    QnkZ1EdhLZSWQnkZ1EdgrZKWSnkJ1idorZKWankJ1CdgrZKWSnkZ1GdhrZaWSnkZ1GdprZaWanmZ1GdgbZGWRnkJ1BdgbZGWRnkJ1BdgbZGWbn
    MjuX2bnIzkV2LrJzkZ2L7ODyxt2Nqxs3Ny5u3ttf2wJzg3lxCWJVWFgVFlaFhVVhYVVYWBUWVoWFVWFxVVhcFTZrs5kb9GYjOBvF2UjORnM2or
    NRnY3sBLITzE4wO8HsBLITyE4gO4HsBLITyM5Bdg6yc5Cdwz2H2TnMzmF2DrJzkJ2D7CSyk8hOIjuJ7CSyk8hOIjvJ7CSzk8xOITuF7BSyU8hO
    ITvFD9iQnUJ2CtkpZKeZnWZ2mtlpZKeRnUZ2GtlpZKeRnUZ2BtkZZGeQnWF2htkZZmeQnUF2BtkZZOciOxfZucjORXYusnORncvs8PLm3Y2rGz
    c3P6bCIcFLjdxgXlyCWBUWVoXFVWFxVVhcFRZWhYVVYWFVWFgVFlaFjdps5ga92QjORnE2k7PZnM3obFRnIzuB7ASyE8hOIDuB7ASyE8hOIDvB
    7ASzc5idg+wcZOdwz0F2DrJzkJ2D7Bxk5yA7iewks5PMTjI7iewkspPITiI7iewkslPITiE7hewUslPMTn19wMbsFLJTyE4hO43sNLLTyE4jO4
    3sNLLTyE4zO83sNLMzyM4gO4PsDLIzyM4gO4PsDL/ZQXYG2bnMzmV2LrNzkZ2L7Fxk5yI7uLxxd/P7EZxvHG8cEr7UzA3nxSWIVWFhVVhYFRZW
    hYVVYWFVWFgVFlaFhVVhcVXYrM3+yg16sxGcjeJsJGejORvR2ajORnYC2QlkJ5idYHaC2QlkJ5CdQHYC2Qlk5yA7B9k5yM7hnoPsHGbnMDuH2T
    nIzkF2EtlJZCeRnUR2EtlJZCeRnUR2ktlJZqeYnUJ2CtkpZKeQneIHbMhOITuF7BSy08hOMzvN7DSz08hOIzuN7DSy08hOIzuD7AyyM8jOIDvD
    7AyzM8zO8JsdZGeQnYvsXGTnIjsX2bnIzkV2LrLz9cU87xS+M3G+cbxxSPBSIzeYF5cgVoWFVWFhVVhcFRZXhcVVYWFVWFgVFlaFhVVhozabuU
    FvNoKzUZyN5Gw2ZzM6m9XZyE4gO4HsBLITyE4gO4HsBLITyE4gO8HsHGbnMDsH2Tncc5Cdg+wcZOcgOwfZOchOIjuJ7CSzk8xOMjuJ7CSyk8hO
    IjuJ7BSyU8hOITuF7BSyU18fsDE7xewUslPITiM7jew0stPITiM7jew0stPITjM7zewMszPIziA7g+wMsjPIziA7w292kJ1Bdi6yc5mdy+xcZu
    ciOxfZucgOv5jHnYJ3Js43jjcOCV5q5obz8hLkr7+wKiysCgurwsKqsLAqLKwKC6vCwqqwsCps1mZ/5Ya92QjORnE2krPRnI3obFRnIzuB7ASy
    E8hOMDvB7ASzE8hOIDuB7ASyc5Cdg+wcZOdwz0F2DrJzmJ3D7Bxm5yA7iewkspPITiI7iewkspPITiI7iewks1PMTjE7hewUslPITvEDNmSnkJ
    1CdgrZaWSnkZ1mdprZaWankZ1GdhrZaWSnkZ1BdgbZGWRnkJ1BdobZGWZnvr7ZQXYG2bnIzkV2LrJzkZ2L7Fxk5yI7/GKedwrfmTzfON44JHip
    kRvMi0uQv/7CqrCwKiysCourwuKqsLgqLKwKC6vCwqqwUZvN3KA3G8HZKM5GcjaasxmdzepsZieQnUB2gj87RnYC2QlkJ5CdQHYC2Qlk5zA7h9
    k5zM7hnoPsHGTnIDsH2TnIzkF2EtlJZCeRnWR2ktlJZieRnUR2EtlJZKeQnUJ2CtkpZKeQneIHbMxOMTvF7BSy08hOIzuN7DSy08hOIzuN7DSy
    08hOMzvD7AyzM8jOIDuD7AyyM8jO8JsdZGeQnYvsXGTnMjuX2bnMzkV2LrLDL+Zxp+CdifON441DgpcaueG8vAS/fv2FVWFhVVhYFRZWhYVVYW
    FVWFgVFlaFhVVhozb7KzfszWZwNoqzkZyN5mxEZ6M6G9kJZCeQneDPjpGdYHaC2QlmJ5CdQHYC2TnIzkF2DrJzuOcgOwfZOcjOYXYOs3OYnUR2
    EtlJZCeRneTfuyA7iewkspPITiI7xewUs1PMTiE7hewUP2BDdgrZKWSnkJ1GdhrZaWSnmZ1mdprZaWSnkZ1GdhrZGWRnkJ1BdgbZGWRnkJ1hdu
    brmx1mZ5Cdi+xcZOciOxfZucjORXYussMv5nGn8J3J883jjUOClxq5wby4BPnrL6wKC6vCwqqwsCosrgqLq8LiqrCwKiysChu12cwNerMRnI3i
    bCRnozkb0dmszmZ2gtkJZCf4s2NkJ5CdQHYC2QlkJ5CdQHYOsnOYncPsnK89B9k5yM5Bdg6yc5Cdg+wkspPITiI7iezk19+7MDvJ7CSyk8hOIj
    uF7BSyU8hOITuF7BQ/YEN2itkpZqeYnUZ2GtlpZKeRnUZ2Gtlp/qElstPITiM7w+wMszPMziA7g+wMsjPIzvCbHWRnkJ2L7Fxk5yI7l9m5zM5l
    di6ywy/mcafgnYnzjeONQ4KXGrnBvLwEv379xVVhYVVYWBUWVoWFVWFhVVhYFRZWhYVVYaM2m7lhbzaDs1mcjeRsNGcjOhvV2chOIDuB7AR/do
    zsBLITzE4wO8HsBLITyM5Bdg6yc5Cdwz0H2TnIzkF2DrJzmJ3D7CSzk8hOIjuJ7CT/3gXZSWQnkZ1EdhLZKWSnmJ1idorZKWSn+AEbslPITiE7
    hew0stPITiM7jew0s9PMTn/9oSWy08hOIzuD7AyyM8jOIDuD7AyyM8jOfH2zw+wMs3ORnYvsXGTnIjsX2bnIzkV2+MU87hS8M3m+ebx5SPBSIz
    eYF5cgf/2FVWFhVVhYFRZWhYVVYXFVWFwVFleFhVVhozabuUFvNoKzUZyN5Gw0ZyM6G9XZzE4wO8HsBH92jOwEshPITiA7gewEshPIzkF2DrJz
    mJ3ztecwOwfZOcjOQXYOsnOQnUR2EtlJZCeRneTfuzA7yewks5PITiI7hewUslPITiE7hewUP2BDdgrZKWanmJ1mdhrZaWSnkZ1GdhrZaf6hJb
    LTyE4jO4PsDLMzzM4wO4PsDLIzyM7wmx1kZ5Cdi+xcZOciOxfZuczOZXYusyPLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLL
    IssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyy
    LLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssi
    yyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIs
    siyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLL
    IssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyy
    LLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssi
    yyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIs
    siyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLL
    IssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyy
    LLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssi
    yyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIs
    siyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLL
    IssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyy
    LLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssi
    yyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIs
    siyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLL
    IssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyy
    LLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssi
    yyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIs
    siyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLL
    IssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyy
    LLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssi
    yyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIs
    siyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLL
    IssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiyyLLIssiy/LNsvwbsFL5V7BPBAA=
    """
}
